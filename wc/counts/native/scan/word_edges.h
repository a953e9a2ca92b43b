/* Word edges: the offsets in a window of text at which a word begins or ends, alternately.
 *
 * A word is either what is between white space (str.split()), or a *run*: ASCII letters, which are
 * lower-cased, and bytes of wider characters. What of a run is a letter is for others to say.
 */
#ifndef FAULTLINE_WORD_EDGES_H
#define FAULTLINE_WORD_EDGES_H

#include "scan/utf8_check.h"

#define WINDOW 4096u /* bytes of a window: its edges are found before its words are counted */

/* What is carried from one window to the next. */
typedef struct {
    bool open;      /* a word is open where the window ends */
    bool wide;      /* the window has bytes of 0x80 or more; for runs only */
    uint64_t white; /* the next bytes that belong to a white space character begun before, as bits */
} Carry;

/* Two bit masks over 64 bytes: ASCII white space, and bytes that may begin a wider white space. */
static inline void
classify(const uint8_t *at, uint64_t *space, uint64_t *wide)
{
    *space = *wide = 0;
#if defined(__SSE2__)
    const __m128i four = _mm_set1_epi8(4), tab = _mm_set1_epi8(0x09), fs = _mm_set1_epi8(0x1C);
    const __m128i two = _mm_set1_epi8(2), c2 = _mm_set1_epi8((char)0xC2),
                  e1 = _mm_set1_epi8((char)0xE1);
    __m128i any = _mm_setzero_si128();
    for (unsigned part = 0; part < 4; part++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(at + 16 * part));
        __m128i a = _mm_sub_epi8(bytes, tab), b = _mm_sub_epi8(bytes, fs);
        __m128i is = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(a, four), a),
                                  _mm_cmpeq_epi8(_mm_min_epu8(b, four), b));
        *space |= (uint64_t)(uint32_t)_mm_movemask_epi8(is) << 16 * part;
        any = _mm_or_si128(any, bytes);
    }
    if (LIKELY(!_mm_movemask_epi8(any)))
        return;
    for (unsigned part = 0; part < 4; part++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(at + 16 * part));
        __m128i a = _mm_sub_epi8(bytes, e1);
        __m128i is = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(a, two), a),
                                  _mm_cmpeq_epi8(bytes, c2));
        *wide |= (uint64_t)(uint32_t)_mm_movemask_epi8(is) << 16 * part;
    }
#else
    for (unsigned i = 0; i < 64; i++) {
        *space |= (uint64_t)is_ascii_space(at[i]) << i;
        *wide |= (uint64_t)may_be_wide_space(at[i]) << i;
    }
#endif
}

/* A bit mask over 64 bytes, of which the first `length` count: those that are not white space. */
static inline uint64_t
not_white(const uint8_t *at, size_t length, Carry *carry)
{
    uint64_t space, wide;
    classify(at, &space, &wide);
    space |= carry->white;
    carry->white = 0;
    if (length < 64) /* ignore what follows the end */
        wide &= ((uint64_t)1 << length) - 1;
    for (; wide; wide &= wide - 1) {
        unsigned i = LOWEST_BIT(wide), bytes = wide_space(at + i);
        uint64_t mark = ((uint64_t)1 << bytes) - 1;
        space |= mark << i;
        carry->white = mark >> 1 >> (63 - i); /* not 0 only for the last of them */
    }
    return ~space;
}

/* A bit mask over 64 bytes: those of runs. Lower-cases the ASCII letters. */
static inline uint64_t
of_runs(uint8_t *at, Carry *carry)
{
    uint64_t letters = 0, high = 0;
#if defined(__SSE2__)
    const __m128i bit = _mm_set1_epi8(0x20), a = _mm_set1_epi8('a'), z = _mm_set1_epi8('z' - 'a');
    for (unsigned part = 0; part < 4; part++) {
        __m128i *place = (__m128i *)(at + 16 * part);
        __m128i bytes = _mm_loadu_si128(place);
        __m128i from_a = _mm_sub_epi8(_mm_or_si128(bytes, bit), a);
        __m128i is = _mm_cmpeq_epi8(_mm_min_epu8(from_a, z), from_a);
        _mm_storeu_si128(place, _mm_or_si128(bytes, _mm_and_si128(is, bit)));
        letters |= (uint64_t)(uint32_t)_mm_movemask_epi8(is) << 16 * part;
        high |= (uint64_t)(uint32_t)_mm_movemask_epi8(bytes) << 16 * part;
    }
#else
    for (unsigned i = 0; i < 64; i++) {
        bool is = (uint8_t)((at[i] | 0x20) - 'a') <= 'z' - 'a';
        at[i] |= (uint8_t)(is << 5);
        letters |= (uint64_t)is << i;
        high |= (uint64_t)(at[i] >> 7) << i;
    }
#endif
    carry->wide |= high != 0;
    return letters | high;
}

/* Write the offset of each set bit, plus `at`, and return how many bits are set. Writes up to 7 offsets
 * too many, so that no branch depends on the exact number. */
static inline size_t
put_edges(uint16_t *edges, size_t at, uint64_t changes)
{
    unsigned many = bits_in(changes);
    for (unsigned i = 0; i < many; i += 8)
        for (unsigned j = 0; j < 8; j++) {
            edges[i + j] = (uint16_t)(at + LOWEST_BIT(changes | (uint64_t)1 << 63));
            changes &= changes - 1;
        }
    return many;
}

/* Write the word edges of `length` bytes, at most WINDOW, and return their number. Reads in steps of 64
 * bytes, so up to 63 bytes behind the window. */
ALWAYS_INLINE size_t
find_edges(uint8_t *text, size_t length, bool runs, Carry *carry, uint16_t *edges)
{
    size_t found = 0;
    uint64_t before = carry->open;
    carry->wide = false;
    for (size_t at = 0; at < length; at += 64) {
        size_t left = length - at;
        uint64_t word = runs ? of_runs(text + at, carry) : not_white(text + at, left, carry);
        uint64_t changes = word ^ (word << 1 | before);
        if (left < 64)
            changes &= ((uint64_t)1 << left) - 1;
        before = word >> (left < 64 ? left - 1 : 63) & 1;
        found += put_edges(edges + found, at, changes);
    }
    carry->open = before;
    return found;
}

#endif
