/* A table's words as a delta (docs/delta-format.md). The checksum is the caller's. */
#ifndef FAULTLINE_PACKING_H
#define FAULTLINE_PACKING_H

#include "canonical.h"
#include "delta.h"

/* How a table is packed. */
typedef struct {
    Ticket *tickets; /* of all words, in order, with room for two more */
    unsigned count_width, length_width;
    size_t size; /* bytes */
} Packing;

static inline size_t
tickets_bytes(const Table *table)
{
    return (table->live + 2) * sizeof(Ticket);
}

static inline void
free_packing(const Table *table, Packing *packing)
{
    free_block(packing->tickets, tickets_bytes(table));
    packing->tickets = NULL;
}

/* Bring the words in order, for free_packing(). */
static inline int
order_words(const Table *table, Packing *packing)
{
    size_t room = tickets_bytes(table);
    Ticket *tickets = new_block(room), *spare = new_block(room), *sorted = NULL;
    Extent extent = {0, 0, 0};
    if (tickets && spare) {
        extent = list_tickets(table, tickets);
        sorted = sort_tickets(table, tickets, spare, table->live);
    }
    free_block(sorted == tickets ? spare : tickets, room);
    if (!sorted) {
        free_block(spare, room);
        return NO_MEMORY;
    }
    unsigned count_width = width_of(extent.most), length_width = width_of(extent.longest);
    *packing = (Packing){sorted, count_width, length_width,
                         HEADER + table->live * (count_width + length_width) + extent.bytes};
    return OK;
}

/* The same of a table that will not be counted into any more: it keeps no memory that this does not
 * take. */
static inline int
drain_words(Table *table, Packing *packing)
{
    compact_table(table);
    return order_words(table, packing);
}

/* Copy a long word. */
static inline void
copy_long(uint8_t *to, const uint8_t *from, size_t length)
{
    if (LIKELY(length <= 32)) {
        memcpy(to, from, 16);
        memcpy(to + length - 16, from + length - 16, 16);
    } else {
        memcpy(to, from, length);
    }
}

/* Write a table's words as a delta: all but the checksum. */
static inline void
pack_into(uint8_t *at, const Table *table, const Packing *packing)
{
    size_t words = table->live;
    const Ticket *tickets = packing->tickets;
    unsigned count_width = packing->count_width, length_width = packing->length_width;
    memcpy(at, FORMAT, sizeof FORMAT);
    store(at + 20, words, 8);
    store(at + 28, table->total, 8);
    at[36] = (uint8_t)count_width;
    at[37] = (uint8_t)length_width;
    at[38] = at[39] = 0;
    uint8_t *counts = at + HEADER, *lengths = counts + words * count_width;
    uint8_t *bytes = lengths + words * length_width;
    const uint8_t *end = at + packing->size;
    for (size_t i = 0; i < words; i++) {
        const Entry *entry = entry_of(table, tickets[i]);
        if (i + 2 * FETCH_AHEAD < words)
            fetch_entry(table, tickets[i + 2 * FETCH_AHEAD]);
        if (i + FETCH_AHEAD < words)
            PREFETCH(word_of(table, entry_of(table, tickets[i + FETCH_AHEAD])));
        size_t length = length_of(entry);
        if (is_far(entry))
            copy_long(bytes, far_bytes(table, entry), length);
        else if (end - bytes > INLINE_BYTES) /* the next word overwrites what is too many */
            memcpy(bytes, entry->key.bytes, INLINE_BYTES + 1);
        else
            memcpy(bytes, entry->key.bytes, length);
        store(counts + i * count_width, entry->count, count_width);
        store(lengths + i * length_width, length, length_width);
        bytes += length;
    }
}

#endif
