/* A table whose words are about to be packed, and that will not be used any more: it is made as small as
 * can be, and so that its memory can be given back while it is packed.
 *
 * Slots with a word are put together. The words are parted in two halves by the canonical order, where
 * they are: the first half's memory is not needed once that is packed. Then tickets of all words are
 * dealt by the parts of the order.
 */
#ifndef FAULTLINE_DRAINING_H
#define FAULTLINE_DRAINING_H

#include "deltas/tickets.h"

/* So many words from each end are looked at before those on the wrong side are swapped. */
#define SIDE 64u

/* What a word of a drained table is ordered by. */
static inline uint32_t
drained_canonical(const Entry *entry)
{
    uint32_t canonical = short_canonical(&entry->key), place = entry->key.far.place;
    uint32_t far = 0 - (uint32_t)is_far(entry); /* no branch: which are long cannot be foreseen */
    return (place & far) | (canonical & ~far);
}

/* Put the words with a count among some slots behind the `used` that have found their place; how many
 * there are then. */
static inline size_t
compact_some(Entry *entries, size_t first, size_t last, size_t used)
{
    for (size_t i = first; i < last; i++) { /* no branch: which have one cannot be foreseen */
        entries[used] = entries[i];
        used += entries[i].count != 0;
    }
    return used;
}

/* Count some words, at most MOVED, of a drained table into `ends`, each for its part. The long ones will
 * not be looked up again: their keys get what they are ordered by. */
static inline void
count_parts(Table *table, size_t first, size_t last, uint32_t *ends, Extent *extent)
{
    uint32_t numbers[MOVED];
    size_t far = 0;
    for (size_t number = first; number < last; number++) { /* no branch: which are long is not known */
        const Entry *entry = &table->entries[number];
        unsigned tag = entry->key.bytes[INLINE_BYTES];
        bool is_near = tag != FAR_TAG;
        uint64_t length = (tag - 1) & (0 - (uint64_t)is_near);
        PREFETCH(word_of(table, entry));
        numbers[far] = (uint32_t)number;
        far += !is_near;
        ends[part_of(short_canonical(&entry->key))] += is_near;
        extent->most = entry->count > extent->most ? entry->count : extent->most;
        extent->longest = length > extent->longest ? length : extent->longest;
        extent->bytes += length;
    }
    for (size_t i = 0; i < far; i++) {
        Entry *entry = &table->entries[numbers[i]];
        uint64_t length = entry->key.far.length;
        entry->key.far.place = long_canonical(far_bytes(table, entry), length);
        ends[part_of(entry->key.far.place)]++;
        extent->longest = length > extent->longest ? length : extent->longest;
        extent->bytes += length;
    }
}

/* Whether a word belongs to the second half of the order. */
static inline bool
in_second_half(const Entry *entry)
{
    return drained_canonical(entry) >> 31;
}

static inline void
swap_entries(Entry *a, Entry *b)
{
    Entry entry = *a;
    *a = *b;
    *b = entry;
}

/* Put the words of the first half of the order before those of the second; how many the first are. Which
 * half a word belongs to cannot be foreseen: no branch but for the last ones (Edelkamp and Weiss,
 * BlockQuicksort: How Branch Mispredictions Don't Affect Quicksort, 2016). */
static inline size_t
halve(Entry *entries, size_t count)
{
    uint8_t low[SIDE], high[SIDE]; /* where words on the wrong side are, from each end */
    size_t lows = 0, highs = 0, first = 0, last = count;
    while (last - first >= 2 * SIDE) { /* behind these ends all is as it should be */
        for (size_t i = 0, empty = !lows; i < SIDE && empty; i++) {
            low[lows] = (uint8_t)i;
            lows += in_second_half(&entries[first + i]);
        }
        for (size_t i = 0, empty = !highs; i < SIDE && empty; i++) {
            high[highs] = (uint8_t)i;
            highs += !in_second_half(&entries[last - 1 - i]);
        }
        while (lows && highs)
            swap_entries(&entries[first + low[--lows]], &entries[last - 1 - high[--highs]]);
        first += lows ? 0 : SIDE;
        last -= highs ? 0 : SIDE;
    }
    for (;;) {
        while (first < last && !in_second_half(&entries[first]))
            first++;
        while (first < last && in_second_half(&entries[last - 1]))
            last--;
        if (first == last)
            return first;
        swap_entries(&entries[first], &entries[last - 1]);
    }
}

/* Write tickets of all words of a drained table, those of each part together. `ends` is how many there
 * are of each, and then where each ends. */
static inline void
deal_parts(const Table *table, Ticket *tickets, uint32_t *ends)
{
    for (uint32_t part = 0, sum = 0; part < PARTS; part++) {
        uint32_t many = ends[part];
        ends[part] = sum;
        sum += many;
    }
    for (size_t number = 0; number < table->slots; number++) {
        uint64_t canonical = drained_canonical(&table->entries[number]);
        tickets[ends[part_of((uint32_t)canonical)]++] = canonical << 32 | number;
    }
}

#endif
