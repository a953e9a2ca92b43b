/* Comparing a kernel's table with the oracle's answer, by every way to read it. */
#ifndef FAULTLINE_FUZZ_CHECK_H
#define FAULTLINE_FUZZ_CHECK_H

#include "deltas/fold.h"
#include "scan/letters.h"
#include "deltas/pack.h"
#include "deltas/zadd.h"
#include "scan/text.h"
#include "deltas/top.h"
#include "scan/tweets.h"
#include "oracle.h"

#if defined(PLANTED_BUG)
#include "planted_bugs.h"
#endif

/* The rest of libFuzzer's bytes: choices are taken from the front, the remainder is text. */
typedef struct {
    const uint8_t *at;
    size_t left;
} Input;

/* The next bytes as a number; zeros where there are no more. */
static inline uint64_t
take(Input *input, unsigned bytes)
{
    uint64_t number = 0;
    for (; bytes && input->left; bytes--, input->left--)
        number = number << 8 | *input->at++;
    return number;
}

static inline void
same_words(const Table *table, const uint32_t *numbers, const Counted *words, size_t some)
{
    for (size_t i = 0; i < some; i++) {
        const Entry *entry = &table->entries[numbers[i]];
        Counted found = {word_of(table, entry), length_of(entry), entry->count};
        EXPECT(by_bytes(&found, &words[i]) == 0);
        EXPECT(found.count == words[i].count);
    }
}

/* Pack a table and require these bytes. */
static inline void
check_pack(const Table *table, Packing *packing, const uint8_t *expected, size_t size)
{
    EXPECT(packing->size == size);
    uint8_t *delta = exactly(size);
    memset(delta, 0, BODY); /* packing does not write the checksum */
    EXPECT(pack_into(delta, table, packing) == OK);
    EXPECT(memcmp(delta, expected, size) == 0);
    free(delta);
    free_packing(table, packing);
}

static inline void
check_packed(const Table *table, const uint8_t *expected, size_t size)
{
    Packing packing;
    EXPECT(order_words(table, &packing) == OK);
    check_pack(table, &packing, expected, size);
}

/* The same by draining, after which the table is emptied. */
static inline void
check_drained(Table *table, const Answer *answer)
{
    size_t size;
    uint8_t *expected = packed(answer, &size);
    Packing packing;
    EXPECT(drain_words(table, &packing) == OK);
    check_pack(table, &packing, expected, size);
    free(expected);
    EXPECT(empty_table(table) == OK);
    EXPECT(table->live == 0 && table->total == 0);
}

/* Look words up, one at a time, with nothing readable behind them. */
static inline void
check_found(const Table *table, const Answer *answer)
{
    size_t step = answer->used / 8 + 1;
    for (size_t i = 0; i < answer->used; i += step) {
        const Counted *counted = &answer->words[i];
        uint8_t *bytes = copy_of(counted->bytes, counted->length);
        Word word = word_at(&table->seed, bytes, counted->length, false);
        const Entry *entry = find(table, &word);
        EXPECT(entry && entry->count == counted->count);
        if (counted->length) { /* the word without its last byte may be another word */
            word = word_at(&table->seed, bytes, counted->length - 1, false);
            Counted shorter = {bytes, counted->length - 1, 0}, *there;
            there = bsearch(&shorter, answer->words, answer->used, sizeof(Counted), by_bytes);
            entry = find(table, &word);
            EXPECT((entry ? entry->count : 0) == (there ? there->count : 0));
        }
        free(bytes);
    }
}

/* Check the most frequent words; now and then, as it takes long, all of them and their ZADDs. */
static inline void
check_top(const Table *table, const Answer *answer, size_t most)
{
    if (most > answer->used)
        most = answer->used;
    Counted *words = exactly(answer->used * sizeof(Counted));
    if (answer->used) {
        memcpy(words, answer->words, answer->used * sizeof(Counted));
        qsort(words, answer->used, sizeof(Counted), by_count);
    }
    uint32_t *numbers = first_numbers(table, most);
    EXPECT(numbers);
    same_words(table, numbers, words, most);
    free(numbers);
    if (most % 8 == 0) {
        numbers = first_numbers(table, answer->used);
        EXPECT(numbers);
        same_words(table, numbers, words, answer->used);
        free(numbers);
    }
    free(words);
}

/* Check everything. `most` is how many of the most frequent words are asked for. */
static inline void
check_table(const Table *table, const Answer *answer, size_t most)
{
    EXPECT(table->live == answer->used);
    EXPECT(table->total == answer->total);
    size_t size;
    uint8_t *expected = packed(answer, &size);
    check_packed(table, expected, size);
    check_found(table, answer);
    check_top(table, answer, most);
    free(expected);
}

#endif
