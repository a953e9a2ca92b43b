/* The memory of a table's slots: zeros, and room to grow in place. */
#ifndef FAULTLINE_BLOCK_H
#define FAULTLINE_BLOCK_H

#include "base.h"

/* A block of at least MAPPED bytes is mapped with address space for RESERVED times as many: which takes memory
 * only once it is written. So a table grows without a second one beside it, and the system clears each page once. */
#define MAPPED ((size_t)4 << 20)
#define RESERVED 64u

typedef struct {
    uint8_t *bytes;
    size_t size;
    bool mapped;
} Block;

/* Make a zeroed block of at least this size. `bytes` is NULL without memory. */
static inline Block
new_block(size_t size)
{
#if defined(MAP_NORESERVE) && defined(MAP_ANONYMOUS)
    if (size >= MAPPED && size < SIZE_MAX / RESERVED) {
        void *bytes = mmap(NULL, RESERVED * size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (bytes != MAP_FAILED) {
#if defined(MADV_HUGEPAGE)
            /* A table is read at random, so huge pages save address translations. */
            (void)madvise(bytes, RESERVED * size, MADV_HUGEPAGE);
#endif
            return (Block){bytes, RESERVED * size, true};
        }
    }
#endif
    return (Block){calloc(size, 1), size, false};
}

static inline void
free_block(Block block)
{
#if defined(MAP_NORESERVE) && defined(MAP_ANONYMOUS)
    if (block.mapped) {
        (void)munmap(block.bytes, block.size); /* cannot fail for a whole mapping */
        return;
    }
#endif
    free(block.bytes);
}

#endif
