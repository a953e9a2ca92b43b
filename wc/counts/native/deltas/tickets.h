/* Bringing the words of a delta in order: by their canonical hash, where that is the same by their
 * bytes (docs/delta-format.md).
 *
 * Numbers that a hash makes are spread evenly: they are sorted by dealing them three or four times,
 * without a comparison, which takes a third of the time that sorting words by their bytes does.
 */
#ifndef FAULTLINE_TICKETS_H
#define FAULTLINE_TICKETS_H

#include "deltas/order.h"

/* A word to be sorted: its hash, and in the lower half its entry's number. */
typedef uint64_t Ticket;

static inline const Entry *
entry_of(const Table *table, Ticket ticket)
{
    return &table->entries[(uint32_t)ticket];
}

/* Fetch a word's entry, which may stand in two lines of the cache. */
static inline void
fetch_entry(const Table *table, Ticket ticket)
{
    PREFETCH(entry_of(table, ticket));
    PREFETCH((const uint8_t *)entry_of(table, ticket) + sizeof(Entry) - 1);
}

/* What packing must know of all words with a count. */
typedef struct {
    uint64_t most, longest, bytes; /* greatest count and length; sum of the lengths */
} Extent;

/* Write tickets of all words with a count, in no order; there is room for two more than there are. */
static inline Extent
list_tickets(const Table *table, Ticket *tickets)
{
    /* Which slots hold a word cannot be foreseen: no branch. What is written and does not count is
     * written over. Short words go to the front, long ones to the end, from there back. */
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
        tickets[near + i] = canonical << 32 | numbers[i]; /* never before it was read */
    }
    return (Extent){most, longest, bytes};
}

/* How tickets are dealt: so many bits at a time. Few are dealt to fewer places. */
#define SOME_BITS 8u
#define MOST_BITS 11u
#define MANY_TICKETS 4096u

/* Deal tickets by so many of the hash's bits, from the lowest on (a radix sort), back and forth between
 * two blocks. Returns the one that has them. */
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

/* Sort tickets that differ in so many low bits of their hash. Returns which of the two blocks has them;
 * NULL without memory. */
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
