/* Packing a table's words as a delta (docs/delta-format.md). The caller adds the checksum.
 *
 * A small table's words are sorted at once. A large table that is not needed any more is drained
 * (drain.h): one part of the canonical order after the other is sorted, within the processor's cache, and
 * written, and memory that is not needed any more is freed. So packing takes no more memory than the
 * table did, instead of twice as much.
 */
#ifndef FAULTLINE_PACK_H
#define FAULTLINE_PACK_H

#include "deltas/delta.h"
#include "deltas/drain.h"

/* How a table is packed. */
typedef struct {
    Ticket *tickets;      /* of all words, sorted; of a drained table, grouped by part */
    bool drained;
    uint32_t ends[PARTS]; /* of a drained table: where each part ends */
    size_t half;          /* of a drained table: the first word of the second half of the parts */
    unsigned count_width, length_width;
    size_t size; /* bytes */
} Packing;

static inline size_t
tickets_bytes(size_t words)
{
    return (words + 2) * sizeof(Ticket);
}

static inline void
free_packing(const Table *table, Packing *packing)
{
    free_block(packing->tickets, tickets_bytes(table->live));
    packing->tickets = NULL;
}

static inline void
set_widths(Packing *packing, const Table *table, Extent extent)
{
    packing->count_width = width_of(extent.most);
    packing->length_width = width_of(extent.longest);
    packing->size = HEADER + table->live * (packing->count_width + packing->length_width) + extent.bytes;
}

/* Sort the words. For free_packing(). */
static inline int
order_words(const Table *table, Packing *packing)
{
    size_t room = tickets_bytes(table->live);
    Ticket *tickets = new_block(room), *spare = new_block(room), *sorted = NULL;
    if (tickets && spare) {
        set_widths(packing, table, list_tickets(table, tickets));
        sorted = sort_tickets(table, tickets, spare, table->live, 32);
    }
    if (sorted != tickets)
        free_block(tickets, room);
    if (sorted != spare)
        free_block(spare, room);
    packing->tickets = sorted;
    packing->drained = false;
    return sorted ? OK : NO_MEMORY;
}

/* Drain a table. For free_packing(). */
static inline int
drain_words(Table *table, Packing *packing)
{
    Extent extent = {0, 0, 0};
    packing->drained = true;
    memset(packing->ends, 0, sizeof packing->ends);
    for (size_t first = 0, used = 0, last, known; first < table->slots; first = last) {
        last = table->slots - first < MOVED ? table->slots : first + MOVED;
        known = used;
        used = compact_some(table->entries, first, last, known);
        count_parts(table, known, used, packing->ends, &extent);
    }
    shrink_table(table, table->live);
    packing->half = halve(table->entries, table->slots);
    packing->tickets = new_block(tickets_bytes(table->live));
    if (!packing->tickets)
        return NO_MEMORY;
    deal_parts(table, packing->tickets, packing->ends);
    set_widths(packing, table, extent);
    return OK;
}

/* Copy a word of at least 16 bytes. */
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

/* Where a delta's next word goes. */
typedef struct {
    uint8_t *count, *length, *bytes;
    const uint8_t *end;
} Cursor;

/* Write some words. */
static inline void
write_words(Cursor *cursor, const Table *table, const Ticket *tickets, size_t words,
            const Packing *packing)
{
    unsigned count_width = packing->count_width, length_width = packing->length_width;
    uint8_t *bytes = cursor->bytes;
    for (size_t i = 0; i < words; i++) {
        const Entry *entry = entry_of(table, tickets[i]);
        if (i + 2 * FETCH_AHEAD < words)
            fetch_entry(table, tickets[i + 2 * FETCH_AHEAD]);
        if (i + FETCH_AHEAD < words)
            PREFETCH(word_of(table, entry_of(table, tickets[i + FETCH_AHEAD])));
        size_t length = length_of(entry);
        if (is_far(entry))
            copy_long(bytes, far_bytes(table, entry), length);
        else if (cursor->end - bytes > INLINE_BYTES) /* the next word overwrites the excess */
            memcpy(bytes, entry->key.bytes, INLINE_BYTES + 1);
        else
            memcpy(bytes, entry->key.bytes, length);
        store(cursor->count + i * count_width, entry->count, count_width);
        store(cursor->length + i * length_width, length, length_width);
        bytes += length;
    }
    cursor->count += words * count_width;
    cursor->length += words * length_width;
    cursor->bytes = bytes;
}

/* The number of words of the largest part. */
static inline size_t
largest_part(const uint32_t *ends)
{
    size_t most = 0;
    for (size_t part = 0, first = 0; part < PARTS; first = ends[part++])
        most = ends[part] - first > most ? ends[part] - first : most;
    return most;
}

/* Write the parts of a drained table. Frees the tickets, and half of the words, on the way. */
static inline int
write_parts(Cursor *cursor, const Table *table, const Packing *packing)
{
    size_t given = is_mapped(tickets_bytes(table->live)) ? 0 : SIZE_MAX / 2;
    size_t room = tickets_bytes(largest_part(packing->ends));
    Ticket *spare = new_block(room);
    int failed = spare ? OK : NO_MEMORY;
    for (size_t part = 0, first = 0; part < PARTS && !failed; first = packing->ends[part++]) {
        size_t words = packing->ends[part] - first, done = packing->ends[part] * sizeof(Ticket);
        const Ticket *sorted = sort_tickets(table, packing->tickets + first, spare, words,
                                            32 - PART_BITS);
        if (sorted)
            write_words(cursor, table, sorted, words, packing);
        else
            failed = NO_MEMORY;
        if (done >= given + GIVEN_BACK)
            given = give_back(packing->tickets, given, done);
        if (part == PARTS / 2 - 1 && is_mapped(table->room * sizeof(Entry)))
            (void)give_back(table->entries, 0, packing->half * sizeof(Entry));
    }
    free_block(spare, room);
    return failed;
}

/* Write a table's words as a delta, all but the checksum. */
static inline int
pack_into(uint8_t *at, const Table *table, const Packing *packing)
{
    size_t words = table->live;
    memcpy(at, FORMAT, sizeof FORMAT);
    store(at + 20, words, 8);
    store(at + 28, table->total, 8);
    at[36] = (uint8_t)packing->count_width;
    at[37] = (uint8_t)packing->length_width;
    at[38] = at[39] = 0;
    Cursor cursor = {.count = at + HEADER, .end = at + packing->size};
    cursor.length = cursor.count + words * packing->count_width;
    cursor.bytes = cursor.length + words * packing->length_width;
    if (packing->drained)
        return write_parts(&cursor, table, packing);
    write_words(&cursor, table, packing->tickets, words, packing);
    return OK;
}

#endif
