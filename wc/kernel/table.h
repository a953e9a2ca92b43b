/* The hash table: words (bytes, well-formed UTF-8) and how often each was counted.
 *
 * Open addressing with linear probing, the words' keys and counts in the slots themselves: a word
 * is found with one place in memory, known from its hash alone, which can be fetched ahead. Slots
 * are in the order of the hashes' upper halves, so a table that grows is read and written from one
 * end to the other. Frequent words are moved first, and so stand where their hash says.
 */
#ifndef FAULTLINE_TABLE_H
#define FAULTLINE_TABLE_H

#include "word.h"

/* A slot. 24 bytes. A word whose count is 0 was taken back. */
typedef struct {
    Key key;
    uint64_t count;
} Entry;

typedef struct {
    uint64_t seed[2];
    Entry *entries;
    size_t slots, room; /* slots in use, of `room` that there is memory for */
    size_t used, full;  /* slots with a word; as many as there may be before the table grows */
    uint8_t *arena;     /* the bytes of long words */
    size_t arena_used, arena_room;
    size_t live;    /* words with a count */
    uint64_t total; /* the sum of all counts */
    /* text that is still needed: [start, end) of buffer; up to `valid` it is well-formed, up to
     * `scanned` it was looked through */
    uint8_t *buffer;
    size_t start, scanned, valid, end, buffer_room;
    uint64_t offset; /* of the buffer's first byte in the stream */
} Table;

#define FEW_SLOTS 1024u
#define KEPT_BYTES ((size_t)16 << 20)
/* A table grows by half once it is large, as its new slots are what takes most memory of all. */
#define LARGE_SLOTS ((size_t)1 << 18)
/* Slots whose words are moved at once, the frequent ones first; from which count on they are. */
#define MOVED 512u
#define FREQUENT 4u
/* Of a large block that is moved, so much is given back at once. */
#define GIVEN_BACK ((size_t)2 << 20)

static inline bool
is_word(const Entry *entry)
{
    return entry->key.bytes[INLINE_BYTES] != 0;
}

static inline bool
is_far(const Entry *entry)
{
    return entry->key.bytes[INLINE_BYTES] == FAR_TAG;
}

static inline size_t
length_of(const Entry *entry)
{
    return is_far(entry) ? entry->key.far.length : entry->key.bytes[INLINE_BYTES] - 1u;
}

static inline const uint8_t *
far_bytes(const Table *table, const Entry *entry)
{
    return table->arena + ((uint64_t)entry->key.far.high << 32 | entry->key.far.low);
}

static inline const uint8_t *
word_of(const Table *table, const Entry *entry)
{
    return is_far(entry) ? far_bytes(table, entry) : entry->key.bytes;
}

/* Whether an entry is a short word, or a free slot if that is asked. */
static inline bool
same_key(const Entry *entry, const Key *key)
{
    return ((entry->key.half[0] ^ key->half[0]) | (entry->key.half[1] ^ key->half[1])) == 0;
}

static inline bool
same(const Table *table, const Entry *entry, const Word *word)
{
    const Key *key = &word->key;
    if (LIKELY(key->bytes[INLINE_BYTES] != FAR_TAG))
        return same_key(entry, key);
    return is_far(entry) && entry->key.far.place == key->far.place &&
           entry->key.far.length == key->far.length &&
           same_long(far_bytes(table, entry), word->bytes, key->far.length);
}

static inline size_t
home_of(const Table *table, uint32_t place)
{
    return (size_t)((uint64_t)place * table->slots >> 32);
}

static inline uint32_t
place_of(const Table *table, const Entry *entry)
{
    return is_far(entry) ? entry->key.far.place
                         : short_place(table->seed, entry->key);
}

/* The first free slot from a word's home on. */
static inline Entry *
free_slot(const Table *table, uint32_t place)
{
    size_t at = home_of(table, place);
    while (is_word(&table->entries[at]))
        at = at + 1 < table->slots ? at + 1 : 0;
    return &table->entries[at];
}

static inline void
use_slots(Table *table, size_t slots)
{
    table->slots = slots;
    table->full = slots / 3 * 2;
}

/* Make place for so many words in all. */
static inline int
grow_table(Table *table, size_t words)
{
    size_t slots = table->slots;
    do
        slots = slots < FEW_SLOTS ? FEW_SLOTS : slots + (slots < LARGE_SLOTS ? slots : slots / 2);
    while (slots / 3 * 2 < words);
    if (slots > UINT32_MAX)
        return TOO_LARGE;
    Entry *old = table->entries, *grown = new_block(slots * sizeof(Entry));
    if (!grown)
        return NO_MEMORY;
    size_t many = old ? table->slots : 0, given = 0;
    size_t old_bytes = table->room * sizeof(Entry);
    bool large = old_bytes > KEPT_BYTES;
    table->entries = grown;
    table->room = slots;
    use_slots(table, slots);
    for (size_t first = 0; first < many; first += MOVED) {
        size_t last = many - first < MOVED ? many : first + MOVED;
        for (size_t i = first; i < last; i++)
            if (old[i].count >= FREQUENT)
                *free_slot(table, place_of(table, &old[i])) = old[i];
        for (size_t i = first; i < last; i++)
            if (old[i].count < FREQUENT && is_word(&old[i]))
                *free_slot(table, place_of(table, &old[i])) = old[i];
        if (large && last * sizeof(Entry) - given >= GIVEN_BACK)
            given = give_back(old, given, last * sizeof(Entry));
    }
    free_block(old, old_bytes);
    return OK;
}

/* Make a zeroed table ready for use. */
static inline int
begin_table(Table *table, uint64_t seed)
{
    table->seed[0] = mix(seed ^ K0, K1);
    table->seed[1] = mix(seed ^ K1, K0);
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

/* Add `count` of a word whose home is slot `at`, in a table that is not full. The total is the
 * caller's to keep. */
static inline int
add_at(Table *table, size_t at, const Word *word, uint64_t count)
{
    for (;; at = at + 1 < table->slots ? at + 1 : 0) {
        Entry *entry = &table->entries[at];
        if (same(table, entry, word)) {
            table->live += entry->count == 0;
            entry->count += count;
            return OK;
        }
        if (!is_word(entry))
            return insert(table, entry, word, count);
    }
}

/* Make sure that so many words more may be added. */
static inline int
reserve_words(Table *table, size_t more)
{
    return LIKELY(table->used + more <= table->full) ? OK : grow_table(table, table->used + more);
}

static inline int
add_word(Table *table, const Word *word, uint64_t count)
{
    int failed = reserve_words(table, 1);
    return failed ? failed : add_at(table, home_of(table, word->place), word, count);
}

/* Bytes that the table takes. */
static inline size_t
memory_of(const Table *table)
{
    return table->room * sizeof(Entry) + table->arena_room + table->buffer_room;
}

/* Keep memory for so many of the first entries only. */
static inline void
resize_entries(Table *table, size_t entries)
{
    void *less = resize_block(table->entries, table->room * sizeof(Entry),
                              (entries + 1) * sizeof(Entry));
    if (less) {
        table->entries = less;
        table->room = entries + 1;
    }
    table->slots = entries;
    table->full = 0;
}

/* Put all words that have a count to the front, and give back the rest. No word can be found or added
 * any more. Without memory for less, it has what it had. */
static inline void
compact_table(Table *table)
{
    Entry *entries = table->entries;
    size_t used = 0;
    for (size_t i = 0; i < table->slots; i++) { /* no branch: which have one cannot be foreseen */
        entries[used] = entries[i];
        used += entries[i].count != 0;
    }
    resize_entries(table, used);
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
    free_block(table->entries, table->room * sizeof(Entry));
    free_block(table->arena, table->arena_room);
    free_block(table->buffer, table->buffer_room);
}

/* Forget all words. A small table's memory is kept: the next text will need about as much, and
 * growing again, and new pages from the system, take longer than many a text. */
static inline int
empty_table(Table *table)
{
    if (!table->full || memory_of(table) > KEPT_BYTES) {
        Table fresh = {.seed = {table->seed[0], table->seed[1]}};
        free_table(table);
        *table = fresh;
        return grow_table(table, 0);
    }
    /* Not so many that emptying them takes longer than the next text like this one. */
    memset(table->entries, 0, table->slots * sizeof(Entry));
    size_t needed = 2 * table->used < FEW_SLOTS ? FEW_SLOTS : 2 * table->used;
    if (needed < table->slots)
        use_slots(table, needed);
    table->used = table->arena_used = table->live = 0;
    table->total = table->offset = 0;
    table->start = table->scanned = table->valid = table->end = 0;
    return OK;
}

#endif
