/* The hash table: inserting, finding, counting and clearing. */
#ifndef FAULTLINE_TABLE_H
#define FAULTLINE_TABLE_H

#include "table/rebuild.h"

#define KEPT_BYTES ((size_t)16 << 20) /* emptying a table keeps at most this much memory */

/* Make a zeroed table ready for use. `random` is for the seeds of a mixed table. */
static inline int
begin_table(Table *table, uint64_t random)
{
    memcpy(table->seed, CANONICAL, sizeof CANONICAL);
    table->random = random;
    return move_table(table, FEW_SLOTS);
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
    }
    entry->key = key;
    entry->count = count;
    table->used++;
    table->live++;
    return OK;
}

/* The entry of a word, or the free slot where it would be. */
static inline Entry *
find(const Table *table, const Word *word)
{
    Entry *entry = &table->entries[home_of(table, word->hash)];
    while (is_word(entry) && !same(table, entry, word))
        entry++;
    return entry;
}

/* Add to a word's count; room for it was reserved. The caller updates the total. */
static inline int
add_at(Table *table, const Word *word, uint64_t count)
{
    Entry *entry = find(table, word);
    if (is_word(entry)) {
        table->live += entry->count == 0;
        entry->count += count;
        return OK;
    }
    size_t distance = (size_t)(entry - table->entries) - home_of(table, word->hash);
    table->distance += distance;
    table->far_off |= distance > FARTHEST;
    return insert(table, entry, word, count);
}

/* Make sure that this many more words can be added. It may change the table's seed, so words are hashed
 * after that. */
static inline int
reserve_words(Table *table, size_t more)
{
    size_t words = table->used + more;
    if (LIKELY(words <= table->full && !is_crowded(table)))
        return OK;
    return grow_table(table, words <= table->full ? table->slots : more_slots(table, words));
}

/* The table's memory in bytes. */
static inline size_t
memory_of(const Table *table)
{
    return (table->room + SPARE) * sizeof(Entry) + table->arena_room + table->buffer_room;
}

static inline void
free_table(Table *table)
{
    free_block(table->block);
    free(table->arena);
    free(table->buffer);
}

/* Remove all words. A small table keeps its memory for the next text: growing again, and new pages from
 * the system, take longer than many a text does. */
static inline int
empty_table(Table *table)
{
    if (memory_of(table) > KEPT_BYTES) {
        Table fresh = {0};
        int failed = begin_table(&fresh, table->random);
        if (failed)
            return failed;
        free_table(table);
        *table = fresh;
        return OK;
    }
    memset(table->entries, 0, all_slots(table) * sizeof(Entry));
    memcpy(table->seed, CANONICAL, sizeof CANONICAL);
    /* Fewer slots if most were unused: clearing them must not take longer than a text like this one. */
    size_t needed = 2 * table->used < FEW_SLOTS ? FEW_SLOTS : 2 * table->used;
    use_empty_slots(table, needed < table->slots ? needed : table->slots);
    table->arena_used = table->live = 0;
    table->total = table->offset = 0;
    table->start = table->scanned = table->valid = table->end = 0;
    return OK;
}

#endif
