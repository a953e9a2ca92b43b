/* Which code points are letters: a bitmap, filled by the caller's function, which asks Python.
 *
 * It is filled by pages of 256 code points, each when a text first has a character of it: a text needs
 * few of the 4352 pages. Threads share the bitmap. A page is written once, under the caller's lock,
 * and then marked as known (release); a thread that sees the mark (acquire) sees the page.
 */
#ifndef FAULTLINE_ALPHABET_H
#define FAULTLINE_ALPHABET_H

#include "base.h"

#include <stdatomic.h>

#define PAGE 256u
#define CODE_POINTS 0x110000u

typedef struct Alphabet Alphabet;

/* Find out the letters of a page (code points PAGE * page to PAGE * page + 255) and remember() them.
 * Returns OK or CALLBACK_FAILED. */
typedef int Learn(Alphabet *alphabet, uint32_t page);

struct Alphabet {
    uint64_t letters[CODE_POINTS / 64];
    atomic_uchar known[CODE_POINTS / PAGE];
    Learn *learn;
};

/* Write a page. Not to be called by two threads at once. */
static inline void
remember(Alphabet *alphabet, uint32_t page, const uint64_t letters[PAGE / 64])
{
    if (atomic_load_explicit(&alphabet->known[page], memory_order_acquire))
        return; /* another thread wrote it meanwhile, and a third may be reading it */
    memcpy(&alphabet->letters[page * (PAGE / 64)], letters, PAGE / 8);
    atomic_store_explicit(&alphabet->known[page], 1, memory_order_release);
}

/* 1 if a code point is a letter, else 0; or CALLBACK_FAILED. */
static inline int
is_letter(Alphabet *alphabet, uint32_t point)
{
    uint32_t page = point / PAGE;
    if (!LIKELY(atomic_load_explicit(&alphabet->known[page], memory_order_acquire))) {
        int failed = alphabet->learn(alphabet, page);
        if (failed)
            return failed;
    }
    return alphabet->letters[point / 64] >> point % 64 & 1;
}

/* The code point of a well-formed character of two to four bytes, and how many these are. */
static inline uint32_t
wide_point(const uint8_t *at, unsigned *bytes)
{
    if (at[0] < 0xE0) {
        *bytes = 2;
        return (at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu);
    }
    if (at[0] < 0xF0) {
        *bytes = 3;
        return (at[0] & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu);
    }
    *bytes = 4;
    return (at[0] & 0x07u) << 18 | (at[1] & 0x3Fu) << 12 | (at[2] & 0x3Fu) << 6 | (at[3] & 0x3Fu);
}

#endif
