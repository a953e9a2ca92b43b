/* The hash table: words (bytes, well-formed UTF-8) and how often each was counted.
 *
 * Words stand in `entries` in the order in which they were first seen; `slots` (open addressing,
 * linear probing) find them. A word that is seen often was seen early, so it is put back first when
 * the table grows, and stands where its hash says.
 */
#ifndef FAULTLINE_TABLE_H
#define FAULTLINE_TABLE_H

#include "word.h"

/* 24 bytes. */
typedef struct {
    uint64_t count;
    Key key;
} Entry;

/* A slot is free (0), or holds the hash's upper half and the entry's number plus one. */
typedef uint64_t Slot;

typedef struct {
    uint64_t seed[2];
    Slot *slots;
    size_t mask; /* slots - 1 */
    Entry *entries;
    size_t used, room; /* entries */
    uint8_t *arena;    /* the bytes of words that are longer than INLINE_BYTES */
    size_t arena_used, arena_room;
    size_t live;    /* entries with a count */
    uint64_t total; /* the sum of all counts */
    /* text that is not yet words: [start, end) of buffer; up to `scanned` there is no white
     * space, up to `valid` it is well-formed */
    uint8_t *buffer;
    size_t start, scanned, valid, end, buffer_room;
    uint64_t offset; /* of the buffer's first byte in the stream */
} Table;

#define FEW_SLOTS 1024u
#define FEW_ENTRIES 256u
#define KEPT_BYTES ((size_t)16 << 20)
#define MOST_WORDS 0xFFFFFFF0u

static inline uint64_t
far_offset(const Entry *entry)
{
    return (uint64_t)entry->key.far.high << 32 | entry->key.far.low;
}

static inline size_t
length_of(const Entry *entry)
{
    return entry->key.word.length;
}

static inline const uint8_t *
word_of(const Table *table, const Entry *entry)
{
    return length_of(entry) <= INLINE_BYTES ? entry->key.word.bytes
                                            : table->arena + far_offset(entry);
}

static inline bool
same(const Table *table, const Entry *entry, const Word *word)
{
    if (LIKELY(word->key.word.length <= INLINE_BYTES))
        return ((entry->key.half[0] ^ word->key.half[0]) |
                (entry->key.half[1] ^ word->key.half[1])) == 0;
    return entry->key.word.length == word->key.word.length &&
           memcmp(table->arena + far_offset(entry), word->bytes, word->key.word.length) == 0;
}

/* Hashes are used by their upper half (kept in the slot) and their lower bits (the place). */
static inline Slot
slot_of(uint64_t hash, size_t number)
{
    return (hash & 0xFFFFFFFF00000000u) | (uint32_t)(number + 1);
}

static inline uint64_t
hash_of(const Table *table, const Entry *entry)
{
    return length_of(entry) <= INLINE_BYTES
               ? short_hash(table->seed, entry->key)
               : long_hash(table->seed, word_of(table, entry), length_of(entry));
}

static inline int
grow_slots(Table *table)
{
    enum { AHEAD = 32 };
    uint64_t hashes[AHEAD];
    size_t count = table->slots ? 2 * (table->mask + 1) : FEW_SLOTS;
    /* In place: two at a time would be what takes most memory of all. */
    Slot *slots = realloc(table->slots, count * sizeof(Slot));
    if (!slots)
        return NO_MEMORY;
    use_large_pages(slots, count * sizeof(Slot));
    memset(slots, 0, count * sizeof(Slot));
    size_t mask = count - 1;
    for (size_t first = 0; first < table->used; first += AHEAD) {
        size_t some = table->used - first < AHEAD ? table->used - first : AHEAD;
        for (size_t i = 0; i < some; i++) {
            hashes[i] = hash_of(table, &table->entries[first + i]);
            PREFETCH(&slots[hashes[i] & mask]);
        }
        for (size_t i = 0; i < some; i++) {
            size_t at = hashes[i] & mask;
            while (slots[at])
                at = (at + 1) & mask;
            slots[at] = slot_of(hashes[i], first + i);
        }
    }
    table->slots = slots;
    table->mask = mask;
    return OK;
}

static inline int
prepare_table(Table *table)
{
    if (reserve((void **)&table->entries, &table->room, FEW_ENTRIES, sizeof(Entry), FEW_ENTRIES))
        return NO_MEMORY;
    return grow_slots(table);
}

/* Make a zeroed table ready for use. */
static inline int
begin_table(Table *table, uint64_t seed)
{
    table->seed[0] = mix(seed ^ K0, K1);
    table->seed[1] = mix(seed ^ K1, K0);
    return prepare_table(table);
}

static inline int
append_entry(Table *table, const Word *word, uint64_t count)
{
    if (table->used >= MOST_WORDS)
        return TOO_LARGE;
    if (reserve((void **)&table->entries, &table->room, table->used + 1, sizeof(Entry), FEW_ENTRIES))
        return NO_MEMORY;
    Entry *entry = &table->entries[table->used];
    entry->count = count;
    entry->key = word->key;
    size_t length = word->key.word.length;
    if (length > INLINE_BYTES) {
        size_t at = table->arena_used;
        if (reserve((void **)&table->arena, &table->arena_room, at + length, 1, 4096))
            return NO_MEMORY;
        memcpy(table->arena + at, word->bytes, length);
        table->arena_used += length;
        entry->key.far.low = (uint32_t)at;
        entry->key.far.high = (uint32_t)((uint64_t)at >> 32);
    }
    table->used++;
    return OK;
}

static inline Entry *
find(const Table *table, const Word *word)
{
    for (size_t at = word->hash & table->mask; table->slots[at]; at = (at + 1) & table->mask) {
        Slot slot = table->slots[at];
        if ((slot ^ word->hash) >> 32 == 0) {
            Entry *entry = &table->entries[(uint32_t)slot - 1];
            if (same(table, entry, word))
                return entry;
        }
    }
    return NULL;
}

/* Add `count` of a word. The total is the caller's to keep. */
static inline int
add_word(Table *table, const Word *word, uint64_t count)
{
    size_t at = word->hash & table->mask;
    for (Slot slot; (slot = table->slots[at]); at = (at + 1) & table->mask) {
        if ((slot ^ word->hash) >> 32)
            continue;
        Entry *entry = &table->entries[(uint32_t)slot - 1];
        if (LIKELY(same(table, entry, word))) {
            table->live += entry->count == 0;
            entry->count += count;
            return OK;
        }
    }
    int failed = append_entry(table, word, count);
    if (failed)
        return failed;
    table->slots[at] = slot_of(word->hash, table->used - 1);
    table->live++;
    if (table->used > (table->mask + 1) / 4 * 3)
        return grow_slots(table);
    return OK;
}

static inline void
fetch_slot(const Table *table, const Word *word)
{
    PREFETCH(&table->slots[word->hash & table->mask]);
}

static inline void
fetch_entry(const Table *table, const Word *word)
{
    Slot slot = table->slots[word->hash & table->mask];
    PREFETCH(&table->entries[(uint32_t)slot - (slot != 0)]);
}

/* Bytes that the table takes. */
static inline size_t
memory_of(const Table *table)
{
    return (table->slots ? table->mask + 1 : 0) * sizeof(Slot) + table->room * sizeof(Entry) +
           table->arena_room + table->buffer_room;
}

/* Give back what was kept for more words. */
static inline void
shrink_table(Table *table)
{
    void *entries = realloc(table->entries, (table->used + 1) * sizeof(Entry));
    void *arena = table->arena ? realloc(table->arena, table->arena_used + 1) : NULL;
    if (entries) {
        table->entries = entries;
        table->room = table->used + 1;
    }
    if (arena) {
        table->arena = arena;
        table->arena_room = table->arena_used + 1;
    }
}

static inline void
free_table(Table *table)
{
    free(table->slots);
    free(table->entries);
    free(table->arena);
    free(table->buffer);
}

/* Forget all words. A small table's memory is kept: the next text will need about as much, and
 * growing again, and new pages from the system, take longer than many a text. */
static inline int
empty_table(Table *table)
{
    size_t slots = table->mask + 1;
    if (!table->slots || memory_of(table) > KEPT_BYTES) {
        Table fresh = {.seed = {table->seed[0], table->seed[1]}};
        free_table(table);
        *table = fresh;
        return prepare_table(table);
    }
    /* Not so many that emptying them takes longer than the next text like this one. */
    size_t needed = FEW_SLOTS;
    while (needed < 2 * table->used)
        needed *= 2;
    if (needed < slots)
        table->mask = needed - 1;
    memset(table->slots, 0, (table->mask + 1) * sizeof(Slot));
    table->used = table->arena_used = table->live = 0;
    table->total = table->offset = 0;
    table->start = table->scanned = table->valid = table->end = 0;
    return OK;
}

#endif
