/* A word's key, what it is compared by; and its hash, which orders words (docs/delta-format.md).
 *
 * Most words have at most 15 bytes. With their length these make two numbers of 64 bits, which are
 * hashed and compared without a branch on the length.
 */
#ifndef FAULTLINE_KEY_H
#define FAULTLINE_KEY_H

#include "base.h"

#define INLINE_BYTES 15
#define FAR_TAG 255u

/* The last byte is a tag: 0 for no word, the length plus one for a short word, FAR_TAG for a longer one,
 * whose bytes are in the table's arena. */
typedef union {
    uint64_t half[2];
    uint8_t bytes[INLINE_BYTES + 1]; /* a short word's, zeros, its tag */
    struct {
        uint32_t hash;
        uint32_t length;
        uint32_t low; /* of the offset in the arena */
        uint16_t high;
        uint8_t unused;
        uint8_t tag;
    } far;
} Key;

#define K0 0x9E3779B97F4A7C15u
#define K1 0xD1B54A32D192ED03u

/* The seed of the hash that orders a delta's words. Any other makes a hash that nobody can foresee. */
static const uint64_t CANONICAL[2] = {K1, K0};

/* The bits of a hash that are used. Fuzzing uses few of the canonical one, so that words share it. */
#define HASH_MASK(seed) ((void)(seed), UINT32_MAX)

/* The key of a short word; for a longer one the result is not used. `readable`: sixteen bytes from `bytes`
 * on may be read. */
static inline Key
short_key(const uint8_t *bytes, size_t length, bool readable)
{
    Key key;
#if defined(LITTLE_ENDIAN_MACHINE)
    /* Masks of a word's bits in its first eight bytes, and in the next seven, by its length. */
#define BITS(bytes) ((bytes) >= 8 ? ~(uint64_t)0 : ((uint64_t)1 << 8 * ((bytes) & 7)) - 1)
#define ROW(length) {BITS(length), (length) > 8 ? BITS((length)-8) : 0}
    static const uint64_t MASKS[INLINE_BYTES + 1][2] = {
        ROW(0), ROW(1), ROW(2),  ROW(3),  ROW(4),  ROW(5),  ROW(6),  ROW(7),
        ROW(8), ROW(9), ROW(10), ROW(11), ROW(12), ROW(13), ROW(14), ROW(15)};
#undef ROW
#undef BITS
    if (LIKELY(readable)) {
        key.half[0] = load8(bytes) & MASKS[length & INLINE_BYTES][0];
        key.half[1] = (load8(bytes + 8) & MASKS[length & INLINE_BYTES][1]) | (uint64_t)(length + 1) << 56;
        return key;
    }
#else
    (void)readable;
#endif
    key.half[0] = key.half[1] = 0;
    memcpy(key.bytes, bytes, length & INLINE_BYTES);
    key.bytes[INLINE_BYTES] = (uint8_t)(length + 1);
    return key;
}

/* The hash of a short word. */
static inline uint32_t
short_hash(const uint64_t *seed, const Key *key)
{
    uint64_t low = little8(key->bytes), high = little8(key->bytes + 8);
    return (uint32_t)(mix(low ^ seed[0], high ^ seed[1]) >> 32) & HASH_MASK(seed);
}

/* The hash of a long word. */
static inline uint32_t
long_hash(const uint64_t *seed, const uint8_t *bytes, size_t length)
{
    const uint8_t *last = bytes + length - 16;
    uint64_t state = seed[0] ^ length;
    do { /* once for a word of up to 32 bytes */
        state = mix(little8(bytes) ^ K0 ^ state, little8(bytes + 8) ^ seed[1]);
        bytes += 16;
    } while (bytes < last);
    state ^= mix(little8(last) ^ K1 ^ state, little8(last + 8) ^ seed[1]);
    return (uint32_t)(state >> 32) & HASH_MASK(seed);
}

/* `readable`: see short_key(). */
static inline uint32_t
hash_of(const uint64_t *seed, const uint8_t *bytes, size_t length, bool readable)
{
    if (LIKELY(length <= INLINE_BYTES)) {
        Key key = short_key(bytes, length, readable);
        return short_hash(seed, &key);
    }
    return long_hash(seed, bytes, length);
}

/* Whether two long words of the same length are equal. */
static inline bool
same_long(const uint8_t *a, const uint8_t *b, size_t length)
{
    if (LIKELY(length <= 32)) {
        const uint8_t *c = a + length - 16, *d = b + length - 16;
        return ((load8(a) ^ load8(b)) | (load8(a + 8) ^ load8(b + 8)) | (load8(c) ^ load8(d)) |
                (load8(c + 8) ^ load8(d + 8))) == 0;
    }
    return memcmp(a, b, length) == 0;
}

/* Below, equal to, or above 0, as word a comes before b, is b, or comes after it by their bytes. */
static inline int
compare_words(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
    size_t shorter = a_length < b_length ? a_length : b_length;
    int order = shorter ? memcmp(a, b, shorter) : 0;
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

#endif
