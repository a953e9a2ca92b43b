/* Draining: preparing a large table to be packed, after which it is not used any more. The table becomes
 * as small as can be, and half of it can be freed while it is packed.
 *
 * The slots with a word are moved together. They are partitioned in place into the two halves of the
 * canonical order: the first half's memory can be freed once that half is packed. Then a ticket for
 * each word (sort_by_hash.h) is written, grouped by the parts of the order.
 */
#ifndef FAULTLINE_DRAIN_H
#define FAULTLINE_DRAIN_H

#include "deltas/sort_by_hash.h"

/* Words of a block at either end of a partition (see halve()). */
#define SIDE 64u

/* The canonical hash of a word of a drained table. */
static inline uint32_t
drained_canonical(const Entry *entry)
{
    uint32_t canonical = short_canonical(&entry->key), place = entry->key.far.place;
    uint32_t far = 0 - (uint32_t)is_far(entry); /* no branch: which are long is unpredictable */
    return (place & far) | (canonical & ~far);
}

/* Move the words with a count from the slots [first, last) to the slots from `used` on. Returns the
 * first slot behind them. */
static inline size_t
compact_some(Entry *entries, size_t first, size_t last, size_t used)
{
    for (size_t i = first; i < last; i++) { /* no branch: which have one is unpredictable */
        entries[used] = entries[i];
        used += entries[i].count != 0;
    }
    return used;
}

/* Count the words of each part among at most MOVED words into `ends`, and extend `extent`. Long words are
 * not looked up again, so their canonical hash is stored in place of `place`. */
static inline void
count_parts(Table *table, size_t first, size_t last, uint32_t *ends, Extent *extent)
{
    uint32_t numbers[MOVED];
    size_t far = 0;
    for (size_t number = first; number < last; number++) { /* no branch: which are long is unpredictable */
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

/* Partition words in place: those of the first half of the order before those of the second. Returns how
 * many are in the first. Almost without unpredictable branches: misplaced words of a block are
 * listed first, then swapped (Edelkamp and Weiss, BlockQuicksort: How Branch Mispredictions Don't Affect
 * Quicksort, 2016). */
static inline size_t
halve(Entry *entries, size_t count)
{
    uint8_t low[SIDE], high[SIDE]; /* misplaced words of the blocks at both ends, by their distance */
    size_t lows = 0, highs = 0, first = 0, last = count;
    while (last - first >= 2 * SIDE) { /* outside of [first, last) all is partitioned */
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

/* Write a ticket for each word of a drained table, grouped by part. `ends` is how many words each part
 * has; on return, where each part ends. */
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
