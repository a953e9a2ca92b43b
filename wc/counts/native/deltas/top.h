/* The most frequent words of a table: by count, then by their bytes, both descending. */
#ifndef FAULTLINE_TOP_H
#define FAULTLINE_TOP_H

#include "deltas/sort_by_bytes.h"

/* Whether entry a comes after entry b in that order. */
static inline bool
behind(const Table *table, uint32_t a, uint32_t b)
{
    const Entry *x = &table->entries[a], *y = &table->entries[b];
    if (x->count != y->count)
        return x->count < y->count;
    return compare_words(word_of(table, x), length_of(x), word_of(table, y), length_of(y)) < 0;
}

static inline void
sink(const Table *table, uint32_t *heap, size_t at, size_t count)
{
    uint32_t number = heap[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && behind(table, heap[child + 1], heap[child]))
            child++;
        if (!behind(table, heap[child], number))
            break;
        heap[at] = heap[child];
    }
    heap[at] = number;
}

/* Write the numbers of the first `most` entries to `heap`, in order; `most` is at most table->live. The
 * heap has the last of them on top, to be replaced by any that comes before it. */
static inline void
find_top(const Table *table, uint32_t *heap, size_t most)
{
    size_t held = 0;
    for (size_t number = 0; most && number < table->slots; number++) {
        if (!table->entries[number].count)
            continue;
        if (held < most) {
            heap[held++] = (uint32_t)number;
            if (held == most)
                for (size_t at = most / 2; at-- > 0;)
                    sink(table, heap, at, most);
        } else if (behind(table, heap[0], (uint32_t)number)) {
            heap[0] = (uint32_t)number;
            sink(table, heap, 0, most);
        }
    }
    for (size_t last = most; last-- > 1;) {
        uint32_t number = heap[0];
        heap[0] = heap[last];
        heap[last] = number;
        sink(table, heap, 0, last);
    }
}

#endif
