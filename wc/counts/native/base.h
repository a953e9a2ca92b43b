/* Shared by all parts of the kernel: loading numbers, hash mixing, and bytes that grow. */
#ifndef FAULTLINE_BASE_H
#define FAULTLINE_BASE_H

#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1 /* for mmap() and madvise() */
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* What functions return. */
enum { OK = 0, NO_MEMORY = -1, TOO_LARGE = -2, BAD_TEXT = -3, LONG_WORD = -4 };

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LITTLE_ENDIAN_MACHINE 1
#endif

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define PREFETCH(address) __builtin_prefetch(address)
#define LOWEST_BIT(bits) ((unsigned)__builtin_ctzll(bits))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)

/* Population count. The compiler's builtin is a function call on plain x86-64. */
static inline unsigned
bits_in(uint64_t bits)
{
    bits -= bits >> 1 & 0x5555555555555555u;
    bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
    bits = (bits + (bits >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    return (unsigned)(bits * 0x0101010101010101u >> 56);
}

static inline uint64_t
load8(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, 8);
    return value;
}

/* Load eight bytes as a little-endian number on every machine. */
static inline uint64_t
little8(const uint8_t *bytes)
{
#if defined(LITTLE_ENDIAN_MACHINE)
    return load8(bytes);
#else
    uint64_t value = 0;
    for (unsigned i = 8; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
#endif
}

/* Multiply to 128 bits and fold (the mixing step of Wang Yi's wyhash). */
static inline uint64_t
mix(uint64_t a, uint64_t b)
{
#if defined(__SIZEOF_INT128__)
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t ah = a >> 32, al = (uint32_t)a, bh = b >> 32, bl = (uint32_t)b;
    uint64_t hh = ah * bh, hl = ah * bl, lh = al * bh, ll = al * bl;
    uint64_t middle = (ll >> 32) + (uint32_t)hl + (uint32_t)lh;
    uint64_t low = (middle << 32) | (uint32_t)ll;
    uint64_t high = hh + (hl >> 32) + (lh >> 32) + (middle >> 32);
    return low ^ high;
#endif
}

/* Grow a block to `needed` bytes, or more: by a quarter, and to `least` bytes at least. */
static inline int
reserve(uint8_t **block, size_t *room, size_t needed, size_t least)
{
    if (needed <= *room)
        return OK;
    size_t more = *room + *room / 4;
    if (more < needed)
        more = needed;
    if (more < least)
        more = least;
    uint8_t *grown = more > SIZE_MAX / 2 ? NULL : realloc(*block, more);
    if (!grown)
        return NO_MEMORY;
    *block = grown;
    *room = more;
    return OK;
}

#endif
