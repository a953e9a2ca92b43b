/* The canonical order, which the words of a delta have: by a hash that is the same everywhere, where that
 * is the same by their bytes (docs/delta-format.md).
 *
 * Tables have other hashes, with seeds of their own; whoever prepares words for this one only makes
 * them be compared.
 */
#ifndef FAULTLINE_CANONICAL_H
#define FAULTLINE_CANONICAL_H

#include "table/key.h"

static const uint64_t CANONICAL[2] = {K1, K0};

/* Which bits of the hash are used: all, but where fuzzing wants words that share one. */
#define CANONICAL_MASK UINT32_MAX

/* What a word of a delta is ordered by. */
static inline uint32_t
short_canonical(const Key *key)
{
    uint64_t low = little8(key->bytes), high = little8(key->bytes + 8);
    return (uint32_t)(mix(low ^ CANONICAL[0], high ^ CANONICAL[1]) >> 32) & CANONICAL_MASK;
}

static inline uint32_t
long_canonical(const uint8_t *bytes, size_t length)
{
    return (uint32_t)(long_hash(CANONICAL, bytes, length) >> 32) & CANONICAL_MASK;
}

/* `readable`: see short_key(). */
static inline uint32_t
canonical_of(const uint8_t *bytes, size_t length, bool readable)
{
    if (LIKELY(length <= INLINE_BYTES)) {
        Key key = short_key(bytes, length, readable);
        return short_canonical(&key);
    }
    return long_canonical(bytes, length);
}

/* A part of the order: the words with the same first bits of that hash. */
#define PART_BITS 8u
#define PARTS (1u << PART_BITS)

static inline unsigned
part_of(uint32_t canonical)
{
    return canonical >> (32 - PART_BITS);
}

#endif
