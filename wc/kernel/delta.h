/* Deltas (docs/delta-format.md): reading and checking, adding, subtracting, packing. The checksum
 * is the caller's. */
#ifndef FAULTLINE_DELTA_H
#define FAULTLINE_DELTA_H

#include "order.h"
#include "utf8.h"

#define HEADER 40
#define BODY 20
#define FETCH_AHEAD 16u

static inline unsigned
width_of(uint64_t largest)
{
    return largest < 1u << 8 ? 1 : largest < 1u << 16 ? 2 : largest < (uint64_t)1 << 32 ? 4 : 8;
}

static inline void
store(uint8_t *to, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static inline uint64_t
fetch(const uint8_t *from, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
}

typedef struct {
    uint64_t words, total;
    unsigned count_width, length_width;
    const uint8_t *counts, *lengths, *bytes, *end;
} Delta;

static inline uint64_t
count_at(const Delta *delta, uint64_t i)
{
    return fetch(delta->counts + i * delta->count_width, delta->count_width);
}

static inline uint64_t
length_at(const Delta *delta, uint64_t i)
{
    return fetch(delta->lengths + i * delta->length_width, delta->length_width);
}

/* Read a delta whose checksum was compared. Everything is checked before anything is used.
 * Returns what is wrong with it, or NULL. */
static inline const char *
read_delta(const uint8_t *at, size_t size, Delta *delta)
{
    if (size < HEADER)
        return "truncated: a delta has at least 40 bytes";
    delta->words = fetch(at + 20, 8);
    delta->total = fetch(at + 28, 8);
    delta->count_width = at[36];
    delta->length_width = at[37];
    if (delta->count_width != 1 && delta->count_width != 2 && delta->count_width != 4 &&
        delta->count_width != 8)
        return "count width at byte 36: one of 1, 2, 4, 8 expected";
    if (delta->length_width != 1 && delta->length_width != 2 && delta->length_width != 4)
        return "length width at byte 37: one of 1, 2, 4 expected";
    if (at[38] || at[39])
        return "bytes 38 and 39: zeros expected";
    uint64_t columns = delta->count_width + delta->length_width;
    if (delta->words > (size - HEADER) / columns)
        return "truncated: fewer bytes than its words need";
    delta->counts = at + HEADER;
    delta->lengths = delta->counts + delta->words * delta->count_width;
    delta->bytes = delta->lengths + delta->words * delta->length_width;
    delta->end = at + size;
    uint64_t left = size - HEADER - delta->words * columns;
    uint64_t total = 0, most = 0, longest = 0;
    const uint8_t *word = delta->bytes, *last = NULL;
    uint64_t last_length = 0;
    for (uint64_t i = 0; i < delta->words; i++) {
        uint64_t count = count_at(delta, i), length = length_at(delta, i);
        if (count == 0)
            return "a count is 0: at least 1 expected";
        if (count > UINT64_MAX - total)
            return "its counts do not fit in 64 bits";
        if (length > left)
            return "truncated: a word goes on behind the end";
        const char *reason;
        if (well_formed(word, word + length, &reason) != word + length)
            return "a word is not UTF-8";
        if (last && compare_words(last, last_length, word, length) >= 0)
            return "a word is not above the word before it";
        total += count;
        most = count > most ? count : most;
        longest = length > longest ? length : longest;
        last = word;
        last_length = length;
        word += length;
        left -= length;
    }
    if (left)
        return "bytes follow the last word";
    if (total != delta->total)
        return "the counts do not add up to the header's total";
    if (width_of(most) != delta->count_width)
        return "count width is not the smallest: not canonical";
    if (width_of(longest) != delta->length_width)
        return "length width is not the smallest: not canonical";
    return NULL;
}

/* A word of a delta, ready to be looked up. */
static inline Word
delta_word(const Table *table, const Delta *delta, const uint8_t *bytes, uint64_t length)
{
    return word_at(table->seed, bytes, length, delta->end - bytes >= 16);
}

static inline int
add_delta(Table *table, const Delta *delta)
{
    enum { AHEAD = 32 };
    Word words[AHEAD];
    const uint8_t *bytes = delta->bytes;
    for (uint64_t first = 0; first < delta->words; first += AHEAD) {
        uint64_t some = delta->words - first < AHEAD ? delta->words - first : AHEAD;
        for (unsigned i = 0; i < some; i++) {
            uint64_t length = length_at(delta, first + i);
            words[i] = delta_word(table, delta, bytes, length);
            fetch_slot(table, &words[i]);
            bytes += length;
        }
        for (unsigned i = 0; i < some; i++)
            fetch_entry(table, &words[i]);
        for (unsigned i = 0; i < some; i++) {
            uint64_t count = count_at(delta, first + i);
            int failed = add_word(table, &words[i], count);
            if (failed)
                return failed;
            table->total += count;
        }
    }
    return OK;
}

/* A word of which a delta would take more than there are. */
typedef struct {
    const uint8_t *bytes;
    uint64_t length, have, count;
} Lack;

/* Take a delta's counts away; false, and nothing changed, if that would make one negative. */
static inline bool
subtract_delta(Table *table, const Delta *delta, Lack *lack)
{
    const uint8_t *bytes = delta->bytes;
    for (uint64_t i = 0; i < delta->words; i++) {
        uint64_t length = length_at(delta, i);
        Word word = delta_word(table, delta, bytes, length);
        const Entry *entry = find(table, &word);
        lack->have = entry ? entry->count : 0;
        lack->count = count_at(delta, i);
        lack->bytes = bytes;
        lack->length = length;
        if (lack->have < lack->count)
            return false;
        bytes += length;
    }
    bytes = delta->bytes;
    for (uint64_t i = 0; i < delta->words; i++) {
        uint64_t length = length_at(delta, i);
        Word word = delta_word(table, delta, bytes, length);
        Entry *entry = find(table, &word);
        entry->count -= count_at(delta, i);
        table->live -= entry->count == 0;
        bytes += length;
    }
    table->total -= delta->total;
    return true;
}

/* How a table is packed. */
typedef struct {
    unsigned count_width, length_width;
    size_t size; /* bytes */
} Packing;

static inline Packing
packing_of(const Table *table)
{
    uint64_t most = 0, longest = 0, bytes = 0;
    for (size_t number = 0; number < table->used; number++) {
        const Entry *entry = &table->entries[number];
        if (entry->count) {
            most = entry->count > most ? entry->count : most;
            longest = length_of(entry) > longest ? length_of(entry) : longest;
            bytes += length_of(entry);
        }
    }
    Packing packing = {width_of(most), width_of(longest), 0};
    packing.size = HEADER + table->live * (packing.count_width + packing.length_width) + bytes;
    return packing;
}

/* Write all but the checksum; the words' numbers as sorted() orders them. */
static inline void
pack_into(uint8_t *at, const Table *table, const uint32_t *numbers, Packing packing)
{
    memcpy(at, "FLD\1", 4);
    store(at + 20, table->live, 8);
    store(at + 28, table->total, 8);
    at[36] = (uint8_t)packing.count_width;
    at[37] = (uint8_t)packing.length_width;
    at[38] = at[39] = 0;
    uint8_t *counts = at + HEADER;
    uint8_t *lengths = counts + table->live * packing.count_width;
    uint8_t *bytes = lengths + table->live * packing.length_width;
    const uint8_t *end = at + packing.size;
    for (size_t i = 0; i < table->live; i++) {
        if (i + 2 * FETCH_AHEAD < table->live)
            PREFETCH(&table->entries[numbers[i + 2 * FETCH_AHEAD]]);
        if (i + FETCH_AHEAD < table->live)
            fetch_word(table, numbers[i + FETCH_AHEAD]);
        const Entry *entry = &table->entries[numbers[i]];
        size_t length = length_of(entry);
        store(counts + i * packing.count_width, entry->count, packing.count_width);
        store(lengths + i * packing.length_width, length, packing.length_width);
        if (length <= INLINE_BYTES && end - bytes >= INLINE_BYTES)
            memcpy(bytes, entry->key.word.bytes, INLINE_BYTES); /* the next word overwrites */
        else
            memcpy(bytes, word_of(table, entry), length);
        bytes += length;
    }
}

#endif
