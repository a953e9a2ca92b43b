/* The UTF-8 check: how far bytes are well-formed. And which characters are white space. */
#ifndef FAULTLINE_UTF8_CHECK_H
#define FAULTLINE_UTF8_CHECK_H

#include "base.h"

#define HIGH_BITS 0x8080808080808080u

/* The first byte of 0x80 or more from `at` on, or the end. */
static inline const uint8_t *
skip_ascii(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 32 &&
           !((load8(at) | load8(at + 8) | load8(at + 16) | load8(at + 24)) & HIGH_BITS))
        at += 32;
    while (end - at >= 8) {
        uint64_t high = little8(at) & HIGH_BITS;
        if (high)
            return at + LOWEST_BIT(high) / 8;
        at += 8;
    }
    while (at < end && *at < 0x80)
        at++;
    return at;
}

static inline bool
continues(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The length of the character of two to four bytes that four bytes begin with (The Unicode Standard,
 * table 3-7); 0 for none. */
static inline unsigned
wide_bytes(const uint8_t *at)
{
    uint8_t lead = at[0], second = at[1];
    if (lead < 0xE0)
        return lead >= 0xC2 && continues(second) ? 2 : 0;
    if (!continues(second) || !continues(at[2]))
        return 0;
    if (lead < 0xF0) /* neither overlong nor a surrogate */
        return (lead > 0xE0 || second >= 0xA0) && (lead != 0xED || second < 0xA0) ? 3 : 0;
    if (!continues(at[3]) || lead > 0xF4)
        return 0;
    return (lead > 0xF0 || second >= 0x90) && (lead < 0xF4 || second < 0x90) ? 4 : 0;
}

/* The same for the bytes [at, end), at least one and perhaps less than four. */
static inline unsigned
character_bytes(const uint8_t *at, const uint8_t *end)
{
    uint8_t four[4] = {0}; /* zeros continue nothing */
    if (LIKELY(end - at >= 4))
        return wide_bytes(at);
    memcpy(four, at, (size_t)(end - at));
    return wide_bytes(four);
}

/* The end of the longest prefix of [at, end) that is well-formed UTF-8. */
static inline const uint8_t *
well_formed(const uint8_t *at, const uint8_t *end)
{
    while ((at = skip_ascii(at, end)) < end)
        do { /* a character that is not ASCII is likely to be followed by another */
            unsigned bytes = character_bytes(at, end);
            if (!bytes)
                return at;
            at += bytes;
        } while (at < end && at[0] >= 0x80);
    return at;
}

/* Whether bytes that are not well-formed, or none, begin a character that the end cuts. */
static inline bool
is_cut(const uint8_t *at, const uint8_t *end)
{
    uint8_t four[4] = {0x80, 0x80, 0x80, 0x80}; /* what may follow, as a third or fourth byte */
    if (end - at < 2)
        return at == end || (at[0] >= 0xC2 && at[0] <= 0xF4);
    if (end - at >= 4)
        return false;
    memcpy(four, at, (size_t)(end - at));
    return wide_bytes(four) > 0;
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
