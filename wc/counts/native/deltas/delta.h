/* Reading and checking deltas (docs/delta-format.md). The caller has compared the checksum. */
#ifndef FAULTLINE_DELTA_H
#define FAULTLINE_DELTA_H

#include "scan/utf8_check.h"
#include "table/key.h"

/* A delta's first bytes: magic and version. */
static const uint8_t FORMAT[4] = {'F', 'L', 'D', 2};
#define HEADER 40
#define BODY 20

static inline unsigned
width_of(uint64_t largest)
{
    return largest < 1u << 8 ? 1 : largest < 1u << 16 ? 2 : largest < (uint64_t)1 << 32 ? 4 : 8;
}

/* Little-endian numbers of 1, 2, 4 or 8 bytes. */
static inline void
store(uint8_t *to, uint64_t value, unsigned width)
{
#if defined(LITTLE_ENDIAN_MACHINE)
    switch (width) { /* each a single instruction */
    case 1: memcpy(to, &value, 1); return;
    case 2: memcpy(to, &value, 2); return;
    case 4: memcpy(to, &value, 4); return;
    default: memcpy(to, &value, 8); return;
    }
#else
    for (unsigned i = 0; i < width; i++)
        to[i] = (uint8_t)(value >> 8 * i);
#endif
}

static inline uint64_t
fetch(const uint8_t *from, unsigned width)
{
    uint64_t value = 0;
#if defined(LITTLE_ENDIAN_MACHINE)
    switch (width) {
    case 1: memcpy(&value, from, 1); return value;
    case 2: memcpy(&value, from, 2); return value;
    case 4: memcpy(&value, from, 4); return value;
    default: memcpy(&value, from, 8); return value;
    }
#else
    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
#endif
}

typedef struct {
    uint64_t words, total;
    unsigned count_width, length_width;
    const uint8_t *counts, *lengths, *bytes, *end;
    uint64_t next; /* of a delta that is being added: the next word's number, */
    const uint8_t *at; /* and its bytes */
} Delta;

static inline uint64_t
count_at(const Delta *delta, uint64_t i)
{
    return fetch(delta->counts + i * delta->count_width, delta->count_width);
}

static inline uint64_t
length_at(const Delta *delta, uint64_t i)
{
    return fetch(delta->lengths + i * delta->length_width, delta->length_width);
}

/* What a delta's columns add up to. */
typedef struct {
    uint64_t total, most, longest, bytes;
} Sums;

/* Sum up the columns. Returns what is wrong with them, or NULL. */
static inline const char *
sum_columns(const Delta *delta, Sums *sums)
{
    Sums sum = {0};
    bool none = false, over = false;
    for (uint64_t i = 0; i < delta->words; i++) {
        uint64_t count = count_at(delta, i), length = length_at(delta, i);
        none |= count == 0;
        over |= count > UINT64_MAX - sum.total;
        sum.total += count;
        sum.bytes += length; /* fits: less than 2^32 words would be too many bytes */
        sum.most = count > sum.most ? count : sum.most;
        sum.longest = length > sum.longest ? length : sum.longest;
    }
    *sums = sum;
    return none ? "a count is 0: at least 1 expected"
           : over ? "its counts do not fit in 64 bits"
                  : NULL;
}

/* Check that words ascend and that each begins with a character's first byte. Returns what is wrong, or
 * NULL. */
static inline const char *
check_words(const Delta *delta)
{
    const uint8_t *word = delta->bytes, *last = NULL;
    uint64_t last_length = 0;
    uint32_t last_hash = 0;
    for (uint64_t i = 0; i < delta->words; i++) {
        uint64_t length = length_at(delta, i);
        uint32_t hash = hash_of(CANONICAL, word, length, delta->end - word > INLINE_BYTES);
        if (length && continues(word[0]))
            return "a word is not UTF-8";
        if (i && last_hash >= hash &&
            (last_hash > hash || compare_words(last, last_length, word, length) >= 0))
            return "a word is not behind the word before it";
        last = word;
        last_length = length;
        last_hash = hash;
        word += length;
    }
    return NULL;
}

/* Read a delta; everything is checked before anything is used. Returns what is wrong, or NULL. */
static inline const char *
read_delta(const uint8_t *at, size_t size, Delta *delta)
{
    if (size < HEADER)
        return "truncated: a delta has at least 40 bytes";
    delta->words = fetch(at + 20, 8);
    delta->total = fetch(at + 28, 8);
    delta->count_width = at[36];
    delta->length_width = at[37];
    if (delta->count_width != 1 && delta->count_width != 2 && delta->count_width != 4 &&
        delta->count_width != 8)
        return "count width at byte 36: one of 1, 2, 4, 8 expected";
    if (delta->length_width != 1 && delta->length_width != 2 && delta->length_width != 4)
        return "length width at byte 37: one of 1, 2, 4 expected";
    if (at[38] || at[39])
        return "bytes 38 and 39: zeros expected";
    uint64_t columns = delta->count_width + delta->length_width;
    if (delta->words > (size - HEADER) / columns)
        return "truncated: fewer bytes than its words need";
    delta->counts = at + HEADER;
    delta->lengths = delta->counts + delta->words * delta->count_width;
    delta->bytes = delta->lengths + delta->words * delta->length_width;
    delta->end = at + size;
    Sums sums;
    const char *wrong = sum_columns(delta, &sums);
    if (wrong)
        return wrong;
    uint64_t left = (uint64_t)(delta->end - delta->bytes);
    if (sums.bytes != left)
        return sums.bytes > left ? "truncated: a word goes on behind the end"
                                 : "bytes follow the last word";
    /* All words as one text: each is well-formed if none begins within a character (check_words). */
    if (well_formed(delta->bytes, delta->end) != delta->end)
        return "a word is not UTF-8";
    if ((wrong = check_words(delta)))
        return wrong;
    if (sums.total != delta->total)
        return "the counts do not add up to the header's total";
    if (width_of(sums.most) != delta->count_width)
        return "count width is not the smallest: not canonical";
    if (width_of(sums.longest) != delta->length_width)
        return "length width is not the smallest: not canonical";
    return NULL;
}

#endif
