/* Word edges: the offsets in a window of text at which a word begins or ends, alternately. */
#ifndef FAULTLINE_WORD_EDGES_H
#define FAULTLINE_WORD_EDGES_H

#include "scan/utf8_check.h"

#define WINDOW 4096u /* bytes of a window: its edges are found before its words are counted */

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

#if MAYBE_AVX512
/* classify() with AVX-512. */
TARGET_AVX512 static inline void
classify_512(const uint8_t *at, uint64_t *space, uint64_t *wide)
{
    const __m512i four = _mm512_set1_epi8(4), tab = _mm512_set1_epi8(0x09), fs = _mm512_set1_epi8(0x1C);
    const __m512i two = _mm512_set1_epi8(2), c2 = _mm512_set1_epi8((char)0xC2),
                  e1 = _mm512_set1_epi8((char)0xE1);
    __m512i bytes = _mm512_loadu_si512(at);
    *space = _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, tab), four) |
             _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, fs), four);
    *wide = 0;
    if (LIKELY(!_mm512_movepi8_mask(bytes)))
        return;
    *wide = _mm512_cmple_epu8_mask(_mm512_sub_epi8(bytes, e1), two) | _mm512_cmpeq_epi8_mask(bytes, c2);
}

/* put_edges() with AVX-512. May write up to 64 offsets. */
TARGET_AVX512 static inline size_t
put_edges_512(uint16_t *edges, size_t at, uint64_t changes)
{
#define FROM(n) n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7
    static const uint8_t NUMBERS[64] = {FROM(0),  FROM(8),  FROM(16), FROM(24),
                                        FROM(32), FROM(40), FROM(48), FROM(56)};
#undef FROM
    __m512i places = _mm512_maskz_compress_epi8(changes, _mm512_loadu_si512(NUMBERS));
    __m512i from = _mm512_set1_epi16((short)at);
    __m512i first = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(places));
    __m512i last = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(places, 1));
    size_t many = (size_t)_mm_popcnt_u64(changes);
    _mm512_storeu_si512(edges, _mm512_add_epi16(first, from));
    if (many > 32)
        _mm512_storeu_si512(edges + 32, _mm512_add_epi16(last, from));
    return many;
}
#else
#define classify_512 classify
#define put_edges_512 put_edges
#endif

ALWAYS_INLINE size_t
edges_by(bool by_512, const uint8_t *text, size_t length, bool *open, uint64_t *carried, uint16_t *edges)
{
    size_t found = 0;
    uint64_t before = *open;
    for (size_t at = 0; at < length; at += 64) {
        uint64_t space, wide;
        if (by_512)
            classify_512(text + at, &space, &wide);
        else
            classify(text + at, &space, &wide);
        space |= *carried;
        *carried = 0;
        if (length - at < 64) /* ignore what follows the end */
            wide &= ((uint64_t)1 << (length - at)) - 1;
        for (; wide; wide &= wide - 1) {
            unsigned i = LOWEST_BIT(wide);
            unsigned bytes = wide_space(text + at + i);
            if (bytes) {
                uint64_t mark = ((uint64_t)1 << bytes) - 1;
                space |= mark << i;
                if (i + bytes > 64)
                    *carried = mark >> (64 - i);
            }
        }
        uint64_t word = ~space;
        uint64_t changes = word ^ (word << 1 | before);
        if (length - at < 64) {
            changes &= ((uint64_t)1 << (length - at)) - 1;
            before = word >> (length - at - 1) & 1;
        } else {
            before = word >> 63;
        }
        found += by_512 ? put_edges_512(edges + found, at, changes)
                        : put_edges(edges + found, at, changes);
    }
    *open = before;
    return found;
}

TARGET_AVX512 static size_t
find_edges_512(const uint8_t *text, size_t length, bool *open, uint64_t *carried, uint16_t *edges)
{
    return edges_by(MAYBE_AVX512, text, length, open, carried, edges);
}

/* Write the word edges of `length` bytes, at most WINDOW, and return their number.
 *
 * `*open`: whether a word is open where the window begins; on return, where it ends. `*carried`: a mask
 * of the first bytes that belong to a white space character begun before; on return, the same for the
 * next window. Reads in steps of 64 bytes, so up to 63 bytes behind the window. */
static inline size_t
find_edges(const uint8_t *text, size_t length, bool *open, uint64_t *carried, uint16_t *edges)
{
    return has_avx512() ? find_edges_512(text, length, open, carried, edges)
                     : edges_by(false, text, length, open, carried, edges);
}

#endif
