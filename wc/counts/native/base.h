/* Shared by all parts of the kernel: loading numbers, hash mixing, and memory blocks that can grow. */
#ifndef FAULTLINE_BASE_H
#define FAULTLINE_BASE_H

#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1 /* for mremap() */
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

/* What functions return. CALLBACK_FAILED: a function of the caller's failed, and has set an exception. */
enum { OK = 0, NO_MEMORY = -1, TOO_LARGE = -2, BAD_TEXT = -3, BAD_RECORD = -4, CALLBACK_FAILED = -5 };

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LITTLE_ENDIAN_MACHINE 1
#endif

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#define LOWEST_BIT(bits) ((unsigned)__builtin_ctzll(bits))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#else
#define PREFETCH(address) ((void)(address))
#define LIKELY(condition) (condition)
static inline unsigned
LOWEST_BIT(uint64_t bits)
{
    unsigned at = 0;
    for (; !(bits & 1); bits >>= 1)
        at++;
    return at;
}
#endif

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

static inline uint32_t
load4(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, 4);
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

/* Load eight bytes as a big-endian number, which compares as memcmp() compares the bytes. */
static inline uint64_t
ordered8(const uint8_t *bytes)
{
#if defined(LITTLE_ENDIAN_MACHINE) && defined(__GNUC__)
    return __builtin_bswap64(load8(bytes));
#else
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++)
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

#define PAGE_BYTES ((uintptr_t)4096)

/* Return the pages between two offsets of a block to the system; they are not read again. Returns the
 * offset up to which that is done. */
static inline size_t
give_back(void *block, size_t from, size_t to)
{
#if defined(MADV_DONTNEED) && defined(__linux__)
    uintptr_t start = ((uintptr_t)block + from + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
    uintptr_t end = ((uintptr_t)block + to) & ~(PAGE_BYTES - 1);
    if (end > start)
        (void)madvise((void *)start, end - start, MADV_DONTNEED); /* else it is freed later */
#else
    (void)block;
    (void)from;
#endif
    return to;
}

/* Blocks of at least MAPPED bytes are mapped by themselves, whatever the allocator's settings: freeing
 * one returns its memory at once, and growing one moves it without a copy. */
#define MAPPED ((size_t)4 << 20)
#if defined(MREMAP_MAYMOVE) && defined(MAP_ANONYMOUS)
#define MAPS_BLOCKS 1
#else
#define MAPS_BLOCKS 0
#endif

static inline bool
is_mapped(size_t size)
{
    return MAPS_BLOCKS && size >= MAPPED;
}

/* A zeroed block, for free_block(). NULL without memory. */
static inline void *
new_block(size_t size)
{
#if MAPS_BLOCKS
    if (is_mapped(size)) {
        /* NORESERVE: much of it may never be written, and need not be available. */
        void *block = mmap(NULL, size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (block == MAP_FAILED)
            return NULL;
#if defined(MADV_HUGEPAGE)
        /* A table is read at random, so huge pages save address translations. The advice covers the
         * last page to its end, because mremap() refuses a mapping of two kinds. */
        (void)madvise(block, (size + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1), MADV_HUGEPAGE);
#endif
        return block;
    }
#endif
    return calloc(size ? size : 1, 1);
}

static inline void
free_block(void *block, size_t size)
{
#if MAPS_BLOCKS
    if (block && is_mapped(size)) {
        (void)munmap(block, size); /* cannot fail for a whole mapping */
        return;
    }
#endif
    (void)size;
    free(block);
}

/* Change a block's size; the new part is not zeroed. Without memory NULL, and the block is as it
 * was. */
static inline void *
resize_block(void *block, size_t size, size_t wanted)
{
    if (block && !is_mapped(size) && !is_mapped(wanted))
        return realloc(block, wanted ? wanted : 1);
#if MAPS_BLOCKS
    if (block && is_mapped(size) && is_mapped(wanted)) {
        void *moved = mremap(block, size, wanted, MREMAP_MAYMOVE);
        return moved == MAP_FAILED ? NULL : moved;
    }
#endif
    void *moved = new_block(wanted);
    if (moved && block) {
        memcpy(moved, block, size < wanted ? size : wanted);
        free_block(block, size);
    }
    return moved;
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
    if (more > SIZE_MAX / 2)
        return NO_MEMORY;
    uint8_t *grown = resize_block(*block, *room, more);
    if (!grown)
        return NO_MEMORY;
    *block = grown;
    *room = more;
    return OK;
}

#endif
