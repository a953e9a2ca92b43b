/* A table as ZADD commands of the Redis protocol, which make a sorted set of it.
 *
 * The most frequent words come first, of equally frequent ones the greater: each is inserted at the
 * beginning of the set, so Redis need not search for its place, which takes most of the time otherwise.
 */
#ifndef FAULTLINE_ZADD_H
#define FAULTLINE_ZADD_H

#include "deltas/top.h"

#define DIGITS 20u     /* of the greatest count */
#define COUNTED 65536u /* buckets of the counting sort: one a count, the last for all larger ones */

/* The order of words within the bucket of large counts. */
static inline bool
by_rarity(const Table *table, const Rank *a, const Rank *b)
{
    uint64_t x = table->entries[a->what].count, y = table->entries[b->what].count;
    return x != y ? x > y : by_whole(table, b, a);
}

/* The bucket of a count; the largest counts have the first. */
static inline size_t
lot_of(uint64_t count)
{
    return COUNTED - 1 - (count < COUNTED ? count : COUNTED - 1);
}

/* Write the `at`-th number of an array of 4 bytes each, which need not be aligned. */
static inline void
put_number(uint8_t *numbers, size_t at, uint64_t number)
{
    uint32_t narrow = (uint32_t)number;
    memcpy(numbers + 4 * at, &narrow, 4);
}

/* Write the words' numbers in the order of publication, from ranks that ascend by their words: a stable
 * counting sort by count, from the last word on. Overwrites the ranks. */
static inline void
deal_by_count(const Table *table, Rank *ranks, uint8_t *numbers, uint32_t *places)
{
    memset(places, 0, COUNTED * sizeof *places);
    for (size_t i = 0; i < table->live; i++) {
        if (i + FETCH_AHEAD < table->live)
            PREFETCH(&table->entries[ranks[i + FETCH_AHEAD].what].count);
        ranks[i].high = lot_of(table->entries[ranks[i].what].count);
        places[ranks[i].high]++;
    }
    uint32_t many = places[0], sum = 0;
    for (size_t lot = 0; lot < COUNTED; lot++) {
        uint32_t words = places[lot];
        places[lot] = sum;
        sum += words;
    }
    for (size_t i = table->live; i-- > 0;)
        put_number(numbers, places[ranks[i].high]++, ranks[i].what);
    if (many < 2)
        return;
    for (size_t i = 0; i < many; i++)
        ranks[i].what = load4(numbers + 4 * i);
    sort_by_heap(table, ranks, many, by_rarity);
    for (size_t i = 0; i < many; i++)
        put_number(numbers, i, ranks[i].what);
}

/* Write the numbers of all words with a count, in the order of publication. */
static inline int
most_frequent(const Table *table, uint8_t *numbers)
{
    Rank *ranks = sorted(table);
    uint32_t *places = ranks ? malloc(COUNTED * sizeof *places) : NULL;
    int failed = places ? OK : NO_MEMORY;
    if (!failed)
        deal_by_count(table, ranks, numbers, places);
    free(places);
    free_ranks(ranks, table->live);
    return failed;
}

/* Up to this many words are found faster by a heap than by sorting all: of 2.8 million words 10,000 take
 * 44 ms and 100,000 take 330 ms by the heap, and all take 300 ms by sorting. */
#define FEW_WORDS 32768u

/* The numbers of the first `most` words in the order of publication, at most table->live. For free().
 * NULL without memory. */
static inline uint32_t *
first_numbers(const Table *table, size_t most)
{
    bool few = most <= FEW_WORDS && most < table->live;
    size_t room = few ? most : table->live;
    uint32_t *numbers = malloc((room ? room : 1) * sizeof *numbers);
    if (numbers && few)
        find_top(table, numbers, most);
    if (numbers && !few && most_frequent(table, (uint8_t *)numbers) != OK) {
        free(numbers);
        return NULL;
    }
    return numbers;
}

static inline unsigned
digits_of(uint64_t number)
{
    unsigned digits = 1;
    while (number >= 10) {
        number /= 10;
        digits++;
    }
    return digits;
}

/* Write a number in decimal. Returns its end. */
static inline uint8_t *
write_number(uint8_t *to, uint64_t number)
{
    unsigned digits = digits_of(number);
    for (unsigned i = digits; i-- > 0; number /= 10)
        to[i] = (uint8_t)('0' + number % 10);
    return to + digits;
}

/* Write a bulk string. Returns its end. */
static inline uint8_t *
write_bulk(uint8_t *to, const uint8_t *bytes, size_t length)
{
    *to++ = '$';
    to = write_number(to, length);
    memcpy(to, "\r\n", 2);
    memcpy(to + 2, bytes, length);
    memcpy(to + 2 + length, "\r\n", 2);
    return to + length + 4;
}

#define BULK_BYTES (DIGITS + 5u) /* the most that a bulk string adds to its bytes */

/* The most bytes that a ZADD of these words takes. */
static inline size_t
zadd_room(const Table *table, const uint32_t *numbers, size_t count, size_t key_length)
{
    size_t room = 64 + BULK_BYTES + key_length;
    for (size_t i = 0; i < count; i++)
        room += 2 * BULK_BYTES + DIGITS + length_of(&table->entries[numbers[i]]);
    return room;
}

/* Write a ZADD. Returns its end. */
static inline uint8_t *
write_zadd(uint8_t *to, const Table *table, const uint32_t *numbers, size_t count,
           const uint8_t *key, size_t key_length)
{
    *to++ = '*';
    to = write_number(to, 2 + 2 * count);
    memcpy(to, "\r\n", 2);
    to = write_bulk(to + 2, (const uint8_t *)"ZADD", 4);
    to = write_bulk(to, key, key_length);
    for (size_t i = 0; i < count; i++) {
        if (i + 8 < count)
            PREFETCH(&table->entries[numbers[i + 8]]);
        const Entry *entry = &table->entries[numbers[i]];
        uint8_t digits[DIGITS];
        size_t many = (size_t)(write_number(digits, entry->count) - digits);
        to = write_bulk(to, digits, many);
        to = write_bulk(to, word_of(table, entry), length_of(entry));
    }
    return to;
}

#endif
