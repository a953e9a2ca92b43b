/* Sorting words into the canonical order of a delta (table/canonical.h): by hash, then by bytes.
 *
 * A radix sort of the hashes, in three or four rounds, compares no words. It takes a third of the time of
 * sorting words by their bytes.
 */
#ifndef FAULTLINE_SORT_BY_HASH_H
#define FAULTLINE_SORT_BY_HASH_H

#include "deltas/sort_by_bytes.h"

/* A word to be sorted: its canonical hash in the upper half, its entry's number in the lower. */
typedef uint64_t Ticket;

static inline const Entry *
entry_of(const Table *table, Ticket ticket)
{
    return &table->entries[(uint32_t)ticket];
}

/* Prefetch a word's entry, which may lie in two cache lines. */
static inline void
fetch_entry(const Table *table, Ticket ticket)
{
    PREFETCH(entry_of(table, ticket));
    PREFETCH((const uint8_t *)entry_of(table, ticket) + sizeof(Entry) - 1);
}

/* What packing must know about all words with a count. */
typedef struct {
    uint64_t most, longest, bytes; /* greatest count and length; sum of the lengths */
} Extent;

/* Write a ticket for each word with a count, unsorted. There is room for two tickets too many. */
static inline Extent
list_tickets(const Table *table, Ticket *tickets)
{
    /* Without a branch, as in list_words(): short words from the front on, long ones from the end
     * backwards. */
    size_t near = 0, far = 0, end = table->live + 2;
    uint64_t most = 0, longest = 0, bytes = 0;
    for (size_t number = 0; number < table->slots; number++) {
        const Entry *entry = &table->entries[number];
        unsigned tag = entry->key.bytes[INLINE_BYTES];
        bool live = entry->count != 0, is_near = live & (tag != FAR_TAG);
        tickets[near] = (uint64_t)short_canonical(&entry->key) << 32 | number;
        tickets[end - 1 - far] = number;
        near += is_near;
        far += live & (tag == FAR_TAG);
        uint64_t length = is_near ? tag - 1 : 0;
        most = entry->count > most ? entry->count : most;
        longest = length > longest ? length : longest;
        bytes += length;
    }
    const Ticket *numbers = tickets + end - far;
    for (size_t i = 0; i < far; i++) {
        if (i + 2 * FETCH_AHEAD < far)
            fetch_entry(table, numbers[i + 2 * FETCH_AHEAD]);
        if (i + FETCH_AHEAD < far)
            PREFETCH(far_bytes(table, entry_of(table, numbers[i + FETCH_AHEAD])));
        const Entry *entry = entry_of(table, numbers[i]);
        uint64_t length = entry->key.far.length;
        longest = length > longest ? length : longest;
        bytes += length;
        uint64_t canonical = long_canonical(far_bytes(table, entry), length);
        tickets[near + i] = canonical << 32 | numbers[i]; /* overwrites only numbers that were read */
    }
    return (Extent){most, longest, bytes};
}

/* Bits of the hash that a round of the radix sort takes: MOST_BITS from MANY_TICKETS on. */
#define SOME_BITS 8u
#define MOST_BITS 11u
#define MANY_TICKETS 4096u

/* Radix sort by the lowest bits of the hash, from the lowest on, back and forth between two blocks.
 * Returns the block that has the result. */
static inline Ticket *
deal_tickets(Ticket *tickets, Ticket *spare, size_t count, unsigned low_bits)
{
    uint32_t places[4][1u << MOST_BITS];
    unsigned bits = count < MANY_TICKETS ? SOME_BITS : MOST_BITS;
    unsigned rounds = (low_bits + bits - 1) / bits;
    uint64_t mask = ((uint64_t)1 << bits) - 1;
    for (unsigned round = 0; round < rounds; round++)
        memset(places[round], 0, (mask + 1) * sizeof places[round][0]);
    for (size_t i = 0; i < count; i++)
        for (unsigned round = 0; round < rounds; round++)
            places[round][tickets[i] >> (32 + bits * round) & mask]++;
    for (unsigned round = 0; round < rounds; round++) {
        uint32_t *place = places[round], sum = 0;
        for (size_t value = 0; value <= mask; value++) {
            uint32_t many = place[value];
            place[value] = sum;
            sum += many;
        }
        for (size_t i = 0; i < count; i++)
            spare[place[tickets[i] >> (32 + bits * round) & mask]++] = tickets[i];
        Ticket *dealt = spare;
        spare = tickets;
        tickets = dealt;
    }
    return tickets;
}

/* Sort words of the same hash by their bytes. */
static inline int
sort_same(const Table *table, Ticket *tickets, size_t count)
{
    Rank *ranks = new_ranks(count);
    if (!ranks)
        return NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        ranks[i].what = (uint32_t)tickets[i];
    sort_by_heap(table, ranks, count, by_whole);
    for (size_t i = 0; i < count; i++)
        tickets[i] = tickets[i] >> 32 << 32 | ranks[i].what;
    free_ranks(ranks, count);
    return OK;
}

/* Sort tickets whose hashes differ only in the lowest bits, and those of equal hash by the words' bytes.
 * Returns the block that has the result, or NULL without memory. */
static inline Ticket *
sort_tickets(const Table *table, Ticket *tickets, Ticket *spare, size_t count, unsigned low_bits)
{
    Ticket *sorted = deal_tickets(tickets, spare, count, low_bits);
    for (size_t first = 0, last; first < count; first = last) {
        for (last = first + 1; last < count && !((sorted[first] ^ sorted[last]) >> 32); last++)
            ;
        if (last - first > 1 && sort_same(table, sorted + first, last - first))
            return NULL;
    }
    return sorted;
}

#endif
