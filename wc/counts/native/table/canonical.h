/* The canonical order of a delta's words: by a hash that is the same on every machine, then by their bytes
 * (docs/delta-format.md).
 *
 * The hash table uses another hash, with a random seed. Words crafted to share a canonical hash only
 * cost comparisons when they are sorted.
 */
#ifndef FAULTLINE_CANONICAL_H
#define FAULTLINE_CANONICAL_H

#include "table/key.h"

static const uint64_t CANONICAL[2] = {K1, K0};

/* The bits of the hash that are used. Fuzzing uses few, so that words share a hash. */
#define CANONICAL_MASK UINT32_MAX

/* The canonical hash of a short word. */
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

/* The order is divided into parts: words with the same first PART_BITS of the canonical hash. */
#define PART_BITS 8u
#define PARTS (1u << PART_BITS)

static inline unsigned
part_of(uint32_t canonical)
{
    return canonical >> (32 - PART_BITS);
}

#endif
