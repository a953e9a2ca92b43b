/* A table as commands of the Redis protocol that make a sorted set of it.
 *
 * The most frequent words first, the greater before the lesser: each goes to the beginning of the
 * set, so that Redis need not look for its place, which otherwise takes most of the time.
 */
#ifndef FAULTLINE_PUBLISH_H
#define FAULTLINE_PUBLISH_H

#include "deltas/top.h"

#define DIGITS 20u /* of the greatest count */

/* Words are dealt by their counts, of which all from the last of these on are one lot. */
#define COUNTED 65536u

/* The order itself, for that lot. */
static inline bool
by_rarity(const Table *table, const Rank *a, const Rank *b)
{
    uint64_t x = table->entries[a->what].count, y = table->entries[b->what].count;
    return x != y ? x > y : by_whole(table, b, a);
}

/* Which place among the lots a count has, the most frequent first. */
static inline size_t
lot_of(uint64_t count)
{
    return COUNTED - 1 - (count < COUNTED ? count : COUNTED - 1);
}

/* Write the number that is `at` in an order of words: 4 bytes each, wherever they stand. */
static inline void
put_number(uint8_t *numbers, size_t at, uint64_t number)
{
    uint32_t narrow = (uint32_t)number;
    memcpy(numbers + 4 * at, &narrow, 4);
}

/* Write the words' numbers in the order of a sorted set read backwards, of ranks that ascend by their
 * words: a counting sort from the last word on. The ranks are not to be read again. */
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

/* Write the numbers of all words with a count, in the order in which they are to be published. */
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

/* So many words are found sooner by a heap than by putting all there are in order: of 2.8 million
 * words, 10,000 in 44 ms, 100,000 in 330, and all in 300. */
#define FEW_WORDS 32768u

/* The numbers of the `most` first of that order, at most table->live, to be freed. NULL without
 * memory. */
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

/* Write a number in decimal; where it ends. */
static inline uint8_t *
write_number(uint8_t *to, uint64_t number)
{
    unsigned digits = digits_of(number);
    for (unsigned i = digits; i-- > 0; number /= 10)
        to[i] = (uint8_t)('0' + number % 10);
    return to + digits;
}

/* Write a bulk string; where it ends. */
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

#define BULK_BYTES (DIGITS + 5u) /* of a bulk string at most, besides its own bytes */

/* At most so many bytes does ZADD take for words of `numbers`. */
static inline size_t
zadd_room(const Table *table, const uint32_t *numbers, size_t count, size_t key_length)
{
    size_t room = 64 + BULK_BYTES + key_length;
    for (size_t i = 0; i < count; i++)
        room += 2 * BULK_BYTES + DIGITS + length_of(&table->entries[numbers[i]]);
    return room;
}

/* Write the command; where it ends. */
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
