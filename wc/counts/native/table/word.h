/* A word as it is looked up: its key and its place.
 *
 * A place is a hash of 32 bits that grows with the home slot: place 0 is the table's first slot, and the
 * largest place its last. In a parted table the first bits of a place are the word's part of the
 * canonical order, so that words next to each other in a delta are near each other in the table.
 */
#ifndef FAULTLINE_WORD_H
#define FAULTLINE_WORD_H

#include "table/canonical.h"

/* What places are computed from: two random numbers. */
typedef struct {
    uint64_t half[2];
    bool parted;
} Seed;

/* The place in a parted table. */
static inline uint32_t
parted_place(uint32_t place, uint32_t canonical)
{
    return (uint32_t)part_of(canonical) << (32 - PART_BITS) | place >> PART_BITS;
}

static inline uint32_t
short_place(const Seed *seed, Key key)
{
    uint32_t place = (uint32_t)(short_hash(seed->half, key) >> 32);
    return seed->parted ? parted_place(place, short_canonical(&key)) : place;
}

static inline uint32_t
long_place(const Seed *seed, const uint8_t *bytes, size_t length)
{
    uint32_t place = (uint32_t)(long_hash(seed->half, bytes, length) >> 32);
    return seed->parted ? parted_place(place, long_canonical(bytes, length)) : place;
}

/* A word to look up. `bytes` is used for long words only. */
typedef struct {
    Key key;
    const uint8_t *bytes;
    uint32_t place;
} Word;

static inline Word
long_word(const Seed *seed, const uint8_t *bytes, size_t length)
{
    Word word = {{{0, 0}}, bytes, long_place(seed, bytes, length)};
    word.key.far.place = word.place;
    word.key.far.length = (uint32_t)length;
    word.key.far.asked = 1;
    word.key.far.tag = FAR_TAG;
    return word;
}

static inline Word
word_at(const Seed *seed, const uint8_t *bytes, size_t length, bool readable)
{
    if (LIKELY(length <= INLINE_BYTES)) {
        Key key = short_key(bytes, length, readable);
        return (Word){key, bytes, short_place(seed, key)};
    }
    return long_word(seed, bytes, length);
}

#endif
