/* A table as commands of the Redis protocol that make a sorted set of it.
 *
 * The most frequent words first, the greater before the lesser: each goes to the beginning of the
 * set, so that Redis need not look for its place, which otherwise takes most of the time.
 */
#ifndef FAULTLINE_PUBLISH_H
#define FAULTLINE_PUBLISH_H

#include "order.h"

#define DIGITS 20u /* of the greatest count */

/* The order itself, for counts that do not fit. */
static inline bool
by_rarity(const Table *table, const Rank *a, const Rank *b)
{
    uint64_t x = table->entries[a->what].count, y = table->entries[b->what].count;
    return x != y ? x > y : by_whole(table, b, a);
}

/* The words' numbers in the order of a sorted set read backwards, for free_ranks(). NULL without
 * memory. */
static inline Rank *
most_frequent(const Table *table)
{
    Extent extent;
    Rank *ranks = sorted(table, false, &extent), *spare = ranks ? new_ranks(table->live) : NULL;
    if (!spare) {
        free_ranks(ranks, table->live);
        return NULL;
    }
    for (size_t i = 0; i < table->live; i++) {
        uint64_t count = table->entries[ranks[i].what].count;
        /* Counts that do not fit are first of all, and sorted once more. */
        ranks[i].high = UINT32_MAX - (count < UINT32_MAX ? count : UINT32_MAX);
        ranks[i].high = ranks[i].high << 32 | (uint32_t)(table->live - i);
        ranks[i].low = 0;
    }
    sort_bytes(ranks, spare, table->live, 0);
    free_ranks(spare, table->live);
    size_t large = 0;
    while (large < table->live && ranks[large].high >> 32 == 0)
        large++;
    if (large > 1)
        sort_by_heap(table, ranks, large, by_rarity);
    return ranks;
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
