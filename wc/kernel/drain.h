/* The words of a table that is not needed any more, in order: in the memory that they are in.
 *
 * So packing a large table takes little more than the table, and not twice as much.
 */
#ifndef FAULTLINE_DRAIN_H
#define FAULTLINE_DRAIN_H

#include "order.h"

/* Make the entries of a compacted table, the first `far` of which are long words, into ranks where they
 * stand; the table keeps the long ones. NULL without memory. */
static inline Rank *
ranks_in_place(Table *table, size_t far, Extent *extent)
{
    Extent sum = {0, 0, 0};
    Entry *entries = table->entries, *kept = new_block((far + 1) * sizeof(Entry));
    Rank *ranks = (void *)entries; /* a rank takes as much as an entry */
    if (!kept)
        return NULL;
    memcpy(kept, entries, far * sizeof(Entry));
    for (size_t i = 0; i < table->slots; i++) {
        Entry entry = entries[i];
        uint64_t length = length_of(&entry);
        if (i + FETCH_AHEAD < far)
            PREFETCH(far_bytes(table, &kept[i + FETCH_AHEAD]));
        ranks[i] = i < far ? far_rank(table, &entry, i) : near_rank(&entry, entry.count);
        sum.most = entry.count > sum.most ? entry.count : sum.most;
        sum.longest = length > sum.longest ? length : sum.longest;
        sum.bytes += length;
    }
    table->entries = kept;
    table->slots = far;
    table->room = far + 1;
    *extent = sum;
    return ranks;
}

/* Deal ranks by pairs without room for a copy (American flag sort; McIlroy, Bostic and McIlroy,
 * Engineering Radix Sort, 1993). As count_pairs() and deal(). */
static inline size_t
deal_in_place(Rank *ranks, size_t count, uint32_t *places, uint32_t *ends)
{
    memset(places, 0, PAIRS * sizeof *places);
    for (size_t i = 0; i < count; i++)
        places[ranks[i].high >> 48]++;
    size_t most = begin_places(places);
    for (size_t pair = 0; pair < PAIRS; pair++)
        ends[pair] = pair + 1 < PAIRS ? places[pair + 1] : (uint32_t)count;
    for (size_t pair = 0; pair < PAIRS; pair++)
        while (places[pair] < ends[pair]) {
            /* follow the cycle that this place begins until something belongs here */
            Rank rank = ranks[places[pair]];
            for (size_t to; (to = rank.high >> 48) != pair;) {
                Rank next = ranks[places[to]];
                ranks[places[to]++] = rank;
                rank = next;
            }
            ranks[places[pair]++] = rank;
        }
    return most;
}

/* As sorted(), with counts, of a table that is used for packing only from now on: it keeps no more than
 * that takes, and the ranks take the place of its entries. */
static inline Rank *
drained(Table *table, Extent *extent)
{
    size_t far = compact_table(table), most = table->live;
    if (table->room != table->live + 1)
        return NULL; /* even to take less, there was no memory */
    Rank *ranks = ranks_in_place(table, far, extent);
    if (!ranks)
        return NULL;
    uint32_t *places = most >= MANY_RANKS ? malloc(2 * PAIRS * sizeof *places) : NULL;
    if (places)
        most = deal_in_place(ranks, table->live, places, places + PAIRS);
    if (!sort_dealt(table, ranks, places, most)) {
        free_ranks(ranks, table->live);
        ranks = NULL;
    }
    free(places);
    return ranks;
}

#endif
