/* The slots of the hash table: words (well-formed UTF-8) and their counts.
 *
 * Open addressing with linear probing. Keys and counts are in the slots themselves, so most lookups
 * read one address, which follows from the hash and can be prefetched. A word's home slot grows with
 * its place (word.h), so growing a table reads and writes it from one end to the other.
 */
#ifndef FAULTLINE_SLOTS_H
#define FAULTLINE_SLOTS_H

#include "table/word.h"

/* A slot, 24 bytes. A word whose count is 0 was subtracted again. */
typedef struct {
    Key key;
    uint64_t count;
} Entry;

typedef struct {
    Seed seed;
    Entry *entries;
    size_t slots, room; /* slots in use; slots that have memory */
    size_t reserved;    /* bytes that the entries' block may grow to in place */
    size_t used, full;  /* slots with a word; how many there may be before the table grows */
    size_t live;        /* words with a count above 0 */
    uint64_t total;     /* the sum of all counts */
    uint8_t *arena;     /* the bytes of long words */
    size_t arena_used, arena_room;
    uint32_t parts[PARTS]; /* of a parted table: slots with a word of each part */
    bool crowded;          /* a word is so far from its home slot that being parted does harm */
    /* [start, end) of the buffer is still needed; up to `valid` it is well-formed UTF-8, up to
     * `scanned` its words were found */
    uint8_t *buffer;
    size_t start, scanned, valid, end, buffer_room;
    uint64_t offset; /* stream offset of the buffer's first byte */
} Table;

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

/* Whether an entry has this key, which is a short word's, or that of a free slot. */
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
                         : short_place(&table->seed, entry->key);
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

#endif
