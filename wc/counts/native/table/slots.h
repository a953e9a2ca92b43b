/* The slots of the hash table: words (well-formed UTF-8) and their counts.
 *
 * Open addressing with linear probing. Keys and counts are in the slots themselves, so most lookups
 * read one address, which follows from the hash and can be prefetched. A word's home slot grows with
 * its hash, and probing does not wrap around: behind the last home slot are some spare ones. So the words
 * of a table are in the order of their hashes, but for those within a cluster of occupied slots.
 *
 * The hash is the canonical one, which orders deltas. Anybody can craft words that share one. Where words
 * are so far from home that they must be crafted, the table is *mixed* (rebuild.h): its hash has a random
 * seed from then on, and its words are in no order.
 */
#ifndef FAULTLINE_SLOTS_H
#define FAULTLINE_SLOTS_H

#include "table/block.h"
#include "table/key.h"

#define BATCH 64u /* words that are added before the table is looked after again */

/* Slots from home that no word gets by chance. At most two thirds of the slots are in use, of a part
 * of the table three quarters. There the probability of a cluster of k slots falls as (3/4 * e^(1/4))^k =
 * 0.963^k, so for k = 1024 it is below 10^-7 even among 2^32 words. */
#define FARTHEST 1024u

/* Before a batch all words are within FARTHEST of home, and each of its words occupies at most one slot
 * behind the last one that is occupied. Behind that there is always a free slot, which ends a search. */
#define SPARE (FARTHEST + BATCH + 1)

/* A slot, 24 bytes. A word whose count is 0 was subtracted again. */
typedef struct {
    Key key;
    uint64_t count;
} Entry;

typedef struct {
    uint64_t seed[2];  /* of the hash: CANONICAL, or of a mixed table another */
    uint64_t random;   /* what the next seed is made of */
    Entry *entries;
    size_t slots, room; /* home slots; how many of them have had memory. SPARE more are behind them */
    Block block;        /* what holds them */
    size_t used, full;  /* slots with a word; how many there may be before the table grows */
    size_t live;        /* words with a count above 0 */
    uint64_t total;     /* the sum of all counts */
    uint64_t distance;  /* the sum of the words' distances from home */
    bool far_off;       /* a word is more than FARTHEST slots from home */
    uint8_t *arena;     /* the bytes of long words */
    size_t arena_used, arena_room;
    /* [start, end) of the buffer is still needed; up to `valid` it is well-formed UTF-8, up to
     * `scanned` its words were found */
    uint8_t *buffer;
    size_t start, scanned, valid, end, buffer_room;
    uint64_t offset; /* stream offset of the buffer's first byte */
} Table;

static inline bool
is_mixed(const Table *table)
{
    return table->seed[0] != CANONICAL[0];
}

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

static inline uint32_t
entry_hash(const Table *table, const Entry *entry)
{
    return is_far(entry) ? entry->key.far.hash : short_hash(table->seed, &entry->key);
}

static inline size_t
home_of(const Table *table, uint32_t hash)
{
    return (size_t)((uint64_t)hash * table->slots >> 32);
}

/* All slots, the spare ones included. */
static inline size_t
all_slots(const Table *table)
{
    return table->slots + SPARE;
}

/* Whether an entry has this key, which is a short word's, or that of a free slot. */
static inline bool
same_key(const Entry *entry, const Key *key)
{
    return ((entry->key.half[0] ^ key->half[0]) | (entry->key.half[1] ^ key->half[1])) == 0;
}

/* A word to look up. `bytes` is used for long words only. */
typedef struct {
    Key key;
    const uint8_t *bytes;
    uint32_t hash;
} Word;

static inline Word
long_word(const Table *table, const uint8_t *bytes, size_t length)
{
    Word word = {{{0, 0}}, bytes, long_hash(table->seed, bytes, length)};
    word.key.far.hash = word.hash;
    word.key.far.length = (uint32_t)length;
    word.key.far.tag = FAR_TAG;
    return word;
}

/* `readable`: see short_key(). */
static inline Word
word_at(const Table *table, const uint8_t *bytes, size_t length, bool readable)
{
    if (LIKELY(length <= INLINE_BYTES)) {
        Key key = short_key(bytes, length, readable);
        return (Word){key, bytes, short_hash(table->seed, &key)};
    }
    return long_word(table, bytes, length);
}

static inline bool
same(const Table *table, const Entry *entry, const Word *word)
{
    const Key *key = &word->key;
    if (LIKELY(key->bytes[INLINE_BYTES] != FAR_TAG))
        return same_key(entry, key);
    return is_far(entry) && entry->key.far.hash == key->far.hash &&
           entry->key.far.length == key->far.length &&
           same_long(far_bytes(table, entry), word->bytes, key->far.length);
}

#endif
