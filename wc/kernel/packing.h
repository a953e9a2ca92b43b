/* A table's words as a delta (docs/delta-format.md). The checksum is the caller's.
 *
 * A small table's words are brought in order at once, by tickets. A large one, which is not needed any
 * more, is first dealt by the first bits of the order, where it is; then one part after the other is
 * sorted, written and given back. So packing takes hardly more memory than the table, and not twice as
 * much.
 */
#ifndef FAULTLINE_PACKING_H
#define FAULTLINE_PACKING_H

#include "delta.h"
#include "tickets.h"

/* How a table is packed. */
typedef struct {
    Ticket *tickets;      /* of all words, in order; NULL of a drained table */
    uint32_t ends[PARTS]; /* of a drained table: where each part ends */
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

/* Bring some words in order: `*sorted`, for tickets_bytes(). `part`: those of a drained table's part. */
static inline int
order_some(const Table *table, size_t first, size_t last, size_t words, bool part, Ticket **sorted,
           Extent *extent)
{
    size_t room = tickets_bytes(words);
    Ticket *tickets = new_block(room), *spare = new_block(room), *found = NULL;
    if (tickets && spare) {
        *extent = list_tickets(table, first, last, words, part, tickets);
        found = sort_tickets(table, tickets, spare, words, part ? 32 - PART_BITS : 32);
    }
    free_block(found == tickets ? spare : tickets, room);
    if (!found)
        free_block(spare, room);
    *sorted = found;
    return found ? OK : NO_MEMORY;
}

/* Bring the words in order, for free_packing(). */
static inline int
order_words(const Table *table, Packing *packing)
{
    Extent extent;
    int failed = order_some(table, 0, table->slots, table->live, false, &packing->tickets, &extent);
    if (!failed)
        set_widths(packing, table, extent);
    return failed;
}

/* The part of a drained table's word. */
static inline size_t
drained_part(const Entry *entry)
{
    return part_of(is_far(entry) ? entry->key.far.place : short_canonical(&entry->key));
}

/* Deal the entries by their parts without room for a copy (American flag sort; McIlroy, Bostic and
 * McIlroy, Engineering Radix Sort, 1993). `ends` is how many there are of each, and then where each ends. */
static inline void
deal_parts(Entry *entries, uint32_t *ends)
{
    uint32_t places[PARTS], sum = 0;
    for (size_t part = 0; part < PARTS; part++) {
        places[part] = sum;
        ends[part] = sum += ends[part];
    }
    for (size_t part = 0; part < PARTS; part++)
        while (places[part] < ends[part]) {
            /* follow the cycle that this place begins until something belongs here */
            Entry entry = entries[places[part]];
            for (size_t to; (to = drained_part(&entry)) != part;) {
                Entry next = entries[places[to]];
                entries[places[to]++] = entry;
                entry = next;
            }
            entries[places[part]++] = entry;
        }
}

/* Make a table ready to be packed that will not be counted into any more: it keeps no memory that this
 * does not take. */
static inline void
drain_words(Table *table, Packing *packing)
{
    Extent extent = {0, 0, 0};
    packing->tickets = NULL;
    memset(packing->ends, 0, sizeof packing->ends);
    compact_table(table);
    for (size_t i = 0; i < table->slots; i++) {
        Entry *entry = &table->entries[i];
        uint64_t length = length_of(entry);
        if (i + FETCH_AHEAD < table->slots)
            PREFETCH(word_of(table, entry + FETCH_AHEAD));
        if (is_far(entry)) /* it will not be looked up again */
            entry->key.far.place = long_canonical(far_bytes(table, entry), length);
        packing->ends[drained_part(entry)]++;
        extent.most = entry->count > extent.most ? entry->count : extent.most;
        extent.longest = length > extent.longest ? length : extent.longest;
        extent.bytes += length;
    }
    deal_parts(table->entries, packing->ends);
    set_widths(packing, table, extent);
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
        else if (cursor->end - bytes > INLINE_BYTES) /* the next word overwrites what is too many */
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

/* Write the parts of a drained table, which are given back on the way. */
static inline int
write_parts(Cursor *cursor, const Table *table, const Packing *packing)
{
    size_t given = is_mapped(table->room * sizeof(Entry)) ? 0 : SIZE_MAX / 2;
    for (size_t part = 0, first = 0; part < PARTS; first = packing->ends[part++]) {
        size_t words = packing->ends[part] - first;
        Ticket *tickets;
        Extent extent;
        if (words == 0)
            continue;
        if (order_some(table, first, first + words, words, true, &tickets, &extent))
            return NO_MEMORY;
        write_words(cursor, table, tickets, words, packing);
        free_block(tickets, tickets_bytes(words));
        if (packing->ends[part] * sizeof(Entry) >= given + GIVEN_BACK)
            given = give_back(table->entries, given, packing->ends[part] * sizeof(Entry));
    }
    return OK;
}

/* Write a table's words as a delta: all but the checksum. */
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
    if (!packing->tickets)
        return write_parts(&cursor, table, packing);
    write_words(&cursor, table, packing->tickets, words, packing);
    return OK;
}

#endif
