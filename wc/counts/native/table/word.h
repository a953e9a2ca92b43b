/* A word as it is looked up: its key, and its place.
 *
 * A place is a hash of 32 bits: where in a table the word stands, if all places from the first to the
 * last are numbered so. In a table that is parted its first bits are the word's part of the canonical
 * order, so that what is next to each other in a delta is near each other there.
 */
#ifndef FAULTLINE_WORD_H
#define FAULTLINE_WORD_H

#include "table/canonical.h"

/* What a table's places are told by: two random numbers. */
typedef struct {
    uint64_t half[2];
    bool parted;
} Seed;

/* In a parted table. */
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

/* A word that is looked up; `bytes` is read only of long ones. */
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
