/* A word as it is compared and looked up: its key and its hash.
 *
 * Most words have at most 12 bytes; they are hashed and compared as two numbers.
 */
#ifndef FAULTLINE_WORD_H
#define FAULTLINE_WORD_H

#include "base.h"

#define INLINE_BYTES 12

/* A word as it is compared: its length and, with zeros behind them, its bytes. A longer word has
 * its length here, and in the table also its offset in the arena. */
typedef union {
    uint64_t half[2];
    struct {
        uint32_t length;
        uint8_t bytes[INLINE_BYTES];
    } word;
    struct {
        uint32_t length, low, high; /* of the offset: eight bytes without their alignment */
    } far;
} Key;

#define K0 0x9E3779B97F4A7C15u
#define K1 0xD1B54A32D192ED03u

/* The key of a short word. Sixteen bytes from `bytes` on are read where that is `readable`. */
static inline Key
short_key(const uint8_t *bytes, size_t length, bool readable)
{
    Key key;
#if defined(LITTLE_ENDIAN_MACHINE)
    /* Which bits of the first eight bytes, and of the next four, belong to a word. */
    static const uint64_t FIRST[INLINE_BYTES + 1] = {
        0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF, 0xFFFFFFFFFF, 0xFFFFFFFFFFFF, 0xFFFFFFFFFFFFFF,
        ~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0, ~(uint64_t)0};
    static const uint32_t NEXT[INLINE_BYTES + 1] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF};
    if (LIKELY(readable)) {
        uint64_t first = load8(bytes) & FIRST[length];
        uint64_t next = load4(bytes + 8) & NEXT[length];
        key.half[0] = length | first << 32;
        key.half[1] = first >> 32 | next << 32;
        return key;
    }
#else
    (void)readable;
#endif
    key.half[0] = key.half[1] = 0;
    key.word.length = (uint32_t)length;
    memcpy(key.word.bytes, bytes, length);
    return key;
}

static inline uint64_t
short_hash(const uint64_t *seed, Key key)
{
    return mix(key.half[0] ^ seed[0], key.half[1] ^ seed[1]);
}

/* Hashes are keyed by a table's random seed (two numbers), so that nobody can prepare words that collide. */
static inline uint64_t
long_hash(const uint64_t *seed, const uint8_t *bytes, size_t length)
{
    uint64_t state = seed[0] ^ length;
    const uint8_t *last = bytes + length - 8;
    for (; length > 16; bytes += 16, length -= 16)
        state = mix(load8(bytes) ^ K0 ^ state, load8(bytes + 8) ^ seed[1]);
    uint64_t first = length >= 8 ? load8(bytes) : 0;
    return mix(first ^ K1 ^ state, load8(last) ^ seed[1]) ^ state;
}

/* A word that is looked up. `bytes` is read only where it is longer than INLINE_BYTES. */
typedef struct {
    Key key;
    uint64_t hash;
    const uint8_t *bytes;
} Word;

static inline Word
word_at(const uint64_t *seed, const uint8_t *bytes, size_t length, bool readable)
{
    Word word;
    word.bytes = bytes;
    if (LIKELY(length <= INLINE_BYTES)) {
        word.key = short_key(bytes, length, readable);
        word.hash = short_hash(seed, word.key);
    } else {
        word.key.half[0] = word.key.half[1] = 0;
        word.key.word.length = (uint32_t)length;
        word.hash = long_hash(seed, bytes, length);
    }
    return word;
}

#endif
