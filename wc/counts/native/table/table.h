/* The hash table: inserting, finding, counting and clearing. */
#ifndef FAULTLINE_TABLE_H
#define FAULTLINE_TABLE_H

#include "table/resize.h"

#define KEPT_BYTES ((size_t)16 << 20) /* emptying a table keeps at most this much memory */
#define FARTHEST 1024u /* slots from home that no word gets by chance: only crafted words do */

/* Make a zeroed table ready for use. `parted` (word.h) is for adding up many deltas. */
static inline int
begin_table(Table *table, uint64_t seed, bool parted)
{
    table->seed.parted = parted;
    table->seed.half[0] = mix(seed ^ K0, K1);
    table->seed.half[1] = mix(seed ^ K1, K0);
    return grow_table(table, 0);
}

/* Put a new word into a free slot. */
static inline int
insert(Table *table, Entry *entry, const Word *word, uint64_t count)
{
    Key key = word->key;
    if (key.bytes[INLINE_BYTES] == FAR_TAG) {
        size_t at = table->arena_used, length = key.far.length;
        if ((uint64_t)at >> 48)
            return TOO_LARGE;
        if (reserve(&table->arena, &table->arena_room, at + length, 4096))
            return NO_MEMORY;
        memcpy(table->arena + at, word->bytes, length);
        table->arena_used += length;
        key.far.low = (uint32_t)at;
        key.far.high = (uint16_t)((uint64_t)at >> 32);
        key.far.asked = 0;
    }
    if (table->seed.parted)
        table->parts[part_of(word->place)]++;
    entry->key = key;
    entry->count = count;
    table->used++;
    table->live++;
    return OK;
}

static inline Entry *
find(const Table *table, const Word *word)
{
    size_t at = home_of(table, word->place);
    for (; is_word(&table->entries[at]); at = at + 1 < table->slots ? at + 1 : 0)
        if (same(table, &table->entries[at], word))
            return &table->entries[at];
    return NULL;
}

/* Add to a word's count, in a table that is not full. The caller updates the total. */
static inline int
add_at(Table *table, const Word *word, uint64_t count)
{
    size_t home = home_of(table, word->place);
    for (size_t at = home;; at = at + 1 < table->slots ? at + 1 : 0) {
        Entry *entry = &table->entries[at];
        if (same(table, entry, word)) {
            table->live += entry->count == 0;
            entry->count += count;
            return OK;
        }
        if (!is_word(entry)) {
            table->crowded |= table->seed.parted & (at > home + FARTHEST);
            return insert(table, entry, word, count);
        }
    }
}

/* Make sure that this many more words can be added. */
static inline int
reserve_words(Table *table, size_t more)
{
    return LIKELY(table->used + more <= table->full) ? OK : grow_table(table, table->used + more);
}

static inline int
add_word(Table *table, const Word *word, uint64_t count)
{
    int failed = reserve_words(table, 1);
    return failed ? failed : add_at(table, word, count);
}

/* The table's memory in bytes. */
static inline size_t
memory_of(const Table *table)
{
    return table->room * sizeof(Entry) + table->arena_room + table->buffer_room;
}

/* Keep memory for the first entries only. */
static inline void
resize_entries(Table *table, size_t entries)
{
    void *less = resize_block(table->entries, table->reserved, (entries + 1) * sizeof(Entry));
    if (less) {
        table->entries = less;
        table->room = entries + 1;
        table->reserved = table->room * sizeof(Entry);
    }
    table->slots = entries;
    table->full = 0;
}

/* Keep the first entries, which must all be words with a count, and free the rest of the memory. After
 * that no word can be found or added. If the smaller blocks cannot be had, the table keeps the old. */
static inline void
shrink_table(Table *table, size_t entries)
{
    resize_entries(table, entries);
    void *arena = table->arena ? resize_block(table->arena, table->arena_room, table->arena_used + 1)
                               : NULL;
    if (arena) {
        table->arena = arena;
        table->arena_room = table->arena_used + 1;
    }
}

static inline void
free_table(Table *table)
{
    free_block(table->entries, table->reserved);
    free_block(table->arena, table->arena_room);
    free_block(table->buffer, table->buffer_room);
}

/* Remove all words. A small table keeps its memory for the next text: growing again, and new pages from
 * the system, take longer than many a text does. */
static inline int
empty_table(Table *table)
{
    if (!table->full || memory_of(table) > KEPT_BYTES) {
        Table fresh = {.seed = table->seed};
        free_table(table);
        *table = fresh;
        return grow_table(table, 0);
    }
    /* Fewer slots if most were unused: clearing them must not take longer than a text like this one. */
    memset(table->entries, 0, table->slots * sizeof(Entry));
    size_t needed = 2 * table->used < FEW_SLOTS ? FEW_SLOTS : 2 * table->used;
    if (needed < table->slots)
        use_slots(table, needed);
    memset(table->parts, 0, sizeof table->parts);
    table->used = table->arena_used = table->live = 0;
    table->total = table->offset = 0;
    table->start = table->scanned = table->valid = table->end = 0;
    return OK;
}

#endif
