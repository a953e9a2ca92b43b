/* Comparing a kernel's table with the oracle's answer, by every way to read it. */
#ifndef FAULTLINE_FUZZ_CHECK_H
#define FAULTLINE_FUZZ_CHECK_H

#include "deltas/fold.h"
#include "deltas/pack.h"
#include "scan/text.h"
#include "oracle.h"

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

/* Pack a table and require these bytes. */
static inline void
check_packed(Table *table, const uint8_t *expected, size_t size)
{
    Packing packing;
    EXPECT(order_words(table, &packing) == OK);
    EXPECT(packing.size == size);
    uint8_t *delta = exactly(size);
    memset(delta, 0, BODY); /* packing does not write the checksum */
    pack_into(delta, table, &packing);
    EXPECT(memcmp(delta, expected, size) == 0);
    free(delta);
    free(packing.rows);
}

/* Look words up, one at a time, with nothing readable behind them. */
static inline void
check_found(const Table *table, const Answer *answer)
{
    size_t step = answer->used / 8 + 1;
    for (size_t i = 0; i < answer->used; i += step) {
        const Counted *counted = &answer->words[i];
        uint8_t *bytes = copy_of(counted->bytes, counted->length);
        Word word = word_at(table, bytes, counted->length, false);
        EXPECT(find(table, &word)->count == counted->count);
        if (counted->length) { /* the word without its last byte may be another word */
            word = word_at(table, bytes, counted->length - 1, false);
            Counted shorter = {bytes, counted->length - 1, 0}, *there;
            there = bsearch(&shorter, answer->words, answer->used, sizeof(Counted), by_bytes);
            EXPECT(find(table, &word)->count == (there ? there->count : 0));
        }
        free(bytes);
    }
}

/* Check the most frequent words; 0 for all. */
static inline void
check_top(const Table *table, const Answer *answer, size_t most)
{
    most = most && most < answer->used ? most : answer->used;
    Counted *words = exactly(answer->used * sizeof(Counted));
    if (answer->used) {
        memcpy(words, answer->words, answer->used * sizeof(Counted));
        qsort(words, answer->used, sizeof(Counted), by_count);
    }
    size_t many;
    Row *rows = top_rows(table, most, &many);
    EXPECT(rows && many >= most);
    for (size_t i = 0; i < most; i++) {
        const Entry *entry = rows[many - 1 - i].entry;
        Counted found = {word_of(table, entry), length_of(entry), entry->count};
        EXPECT(by_count(&found, &words[i]) == 0);
    }
    free(rows);
    free(words);
}

/* What holds between batches. */
static inline void
check_slots(const Table *table)
{
    size_t used = 0;
    EXPECT(table->used <= table->full);
    for (size_t i = 0; i < all_slots(table); i++)
        if (is_word(&table->entries[i])) {
            size_t home = home_of(table, entry_hash(table, &table->entries[i]));
            EXPECT(home <= i && (i - home <= FARTHEST || table->far_off));
            used++;
        }
    EXPECT(used == table->used && !is_word(&table->entries[all_slots(table) - 1]));
}

/* Check everything. `most` is how many of the most frequent words are asked for. */
static inline void
check_table(Table *table, const Answer *answer, size_t most)
{
    EXPECT(table->live == answer->used);
    EXPECT(table->total == answer->total);
    check_slots(table);
    size_t size;
    uint8_t *expected = packed(answer, &size);
    check_packed(table, expected, size);
    check_found(table, answer);
    check_top(table, answer, most);
    free(expected);
}

#endif
