/* The UTF-8 check: how far bytes are well-formed. And which characters are white space. */
#ifndef FAULTLINE_UTF8_CHECK_H
#define FAULTLINE_UTF8_CHECK_H

#include "avx512.h"

/* The first byte of 0x80 or more from `at` on, or the end. */
static inline const uint8_t *
skip_ascii(const uint8_t *at, const uint8_t *end)
{
    const uint64_t high_bits = 0x8080808080808080u;
    while (end - at >= 32 &&
           !((load8(at) | load8(at + 8) | load8(at + 16) | load8(at + 24)) & high_bits))
        at += 32;
    for (; end - at >= 8; at += 8) {
        uint64_t high = load8(at) & high_bits;
#if defined(LITTLE_ENDIAN_MACHINE)
        if (high)
            return at + LOWEST_BIT(high) / 8;
#else
        if (high)
            break;
#endif
    }
    while (at < end && *at < 0x80)
        at++;
    return at;
}

#if MAYBE_AVX512
/* skip_ascii() with AVX-512. */
TARGET_AVX512 static inline const uint8_t *
skip_ascii_512(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 64; at += 64) {
        uint64_t high = _mm512_movepi8_mask(_mm512_loadu_si512(at));
        if (high)
            return at + LOWEST_BIT(high);
    }
    return skip_ascii(at, end);
}
#else
#define skip_ascii_512 skip_ascii
#endif

/* The length of a character of two or three bytes, by a quick test that covers most of them. 0 for any
 * other, also for the lead bytes E0 and ED, whose second byte has rules of its own. */
static inline unsigned
usual_bytes(const uint8_t *at, const uint8_t *end)
{
#if defined(LITTLE_ENDIAN_MACHINE)
    if (LIKELY(end - at >= 4)) {
        uint32_t four = load4(at);
        if ((four & 0xC0E0) == 0x80C0 && at[0] >= 0xC2)
            return 2;
        if ((four & 0xC0C0F0) == 0x8080E0 && at[0] != 0xE0 && at[0] != 0xED)
            return 3;
    }
#else
    (void)at;
    (void)end;
#endif
    return 0;
}

/* The length of the character that a byte of 0x80 or more begins. 0 if it is ill-formed, then `*reason`
 * says why, or if it is cut by the end, then `*reason` is untouched. */
static inline unsigned
character_bytes(const uint8_t *at, const uint8_t *end, const char **reason)
{
    uint8_t lead = at[0];
    unsigned more;
    uint8_t low = 0x80, high = 0xBF; /* what the second byte may be */
    if (lead >= 0xC2 && lead <= 0xDF) {
        more = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        more = 2;
        low = lead == 0xE0 ? 0xA0 : 0x80;
        high = lead == 0xED ? 0x9F : 0xBF;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        more = 3;
        low = lead == 0xF0 ? 0x90 : 0x80;
        high = lead == 0xF4 ? 0x8F : 0xBF;
    } else {
        *reason = "invalid start byte";
        return 0;
    }
    for (unsigned i = 1; i <= more; i++) {
        if (at + i == end)
            return 0;
        if (at[i] < low || at[i] > high) {
            *reason = "invalid continuation byte";
            return 0;
        }
        low = 0x80;
        high = 0xBF;
    }
    return more + 1;
}

ALWAYS_INLINE const uint8_t *
well_formed_by(bool by_512, const uint8_t *at, const uint8_t *end, const char **reason)
{
    *reason = NULL;
    while ((at = by_512 ? skip_ascii_512(at, end) : skip_ascii(at, end)) < end) {
        do { /* a character that is not ASCII is likely to be followed by another */
            unsigned bytes = usual_bytes(at, end);
            if (!bytes)
                bytes = character_bytes(at, end, reason);
            if (!bytes)
                return at;
            at += bytes;
        } while (at < end && at[0] >= 0x80);
    }
    return at;
}

TARGET_AVX512 static const uint8_t *
well_formed_512(const uint8_t *at, const uint8_t *end, const char **reason)
{
    return well_formed_by(MAYBE_AVX512, at, end, reason);
}

/* The end of the longest prefix of [at, end) that is well-formed UTF-8 (The Unicode Standard, table
 * 3-7). `*reason` is Python's message for what follows it; NULL if that is the end, or a character
 * that the end cuts. */
static inline const uint8_t *
well_formed(const uint8_t *at, const uint8_t *end, const char **reason)
{
    return has_avx512() ? well_formed_512(at, end, reason) : well_formed_by(false, at, end, reason);
}

static inline bool
is_ascii_space(uint8_t byte)
{
    return (uint8_t)(byte - 0x09) <= 4 || (uint8_t)(byte - 0x1C) <= 4;
}

/* Whether a white space character may begin with this byte of 0x80 or more. */
static inline bool
may_be_wide_space(uint8_t lead)
{
    return lead == 0xC2 || (uint8_t)(lead - 0xE1) <= 2;
}

/* The length of the white space character that a byte of 0x80 or more begins; 0 for none. */
static inline unsigned
wide_space(const uint8_t *at)
{
    switch (at[0]) {
    case 0xC2: /* U+0085, U+00A0 */
        return at[1] == 0x85 || at[1] == 0xA0 ? 2 : 0;
    case 0xE1: /* U+1680 */
        return at[1] == 0x9A && at[2] == 0x80 ? 3 : 0;
    case 0xE2: /* U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F */
        if (at[1] == 0x80)
            return at[2] <= 0x8A || at[2] == 0xA8 || at[2] == 0xA9 || at[2] == 0xAF ? 3 : 0;
        return at[1] == 0x81 && at[2] == 0x9F ? 3 : 0;
    case 0xE3: /* U+3000 */
        return at[1] == 0x80 && at[2] == 0x80 ? 3 : 0;
    default:
        return 0;
    }
}

#endif
