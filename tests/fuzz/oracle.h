/* What the kernel should answer, computed in the slow and simple way: a byte at a time, code points
 * as numbers, one sorted array. It shares nothing with wc/counts/native/ but the types of C. */
#ifndef FAULTLINE_FUZZ_ORACLE_H
#define FAULTLINE_FUZZ_ORACLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A difference is a finding: it ends the process, so that libFuzzer keeps the input. */
#define EXPECT(condition)                                                              \
    do {                                                                               \
        if (!(condition)) {                                                            \
            fprintf(stderr, "%s:%d: expected: %s\n", __FILE__, __LINE__, #condition);  \
            abort();                                                                   \
        }                                                                              \
    } while (0)

/* A copy of exactly this size, also 0, so that the sanitizer sees any read behind its end. */
static inline void *
exactly(size_t size)
{
    void *block = malloc(size);
    EXPECT(block || !size);
    return block;
}

static inline uint8_t *
copy_of(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = exactly(size);
    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

/* ---------------------------------------------------------------- UTF-8 */

/* Whether a code point from `low` to `high` is encoded in this many bytes. */
static inline bool
encodable(uint32_t low, uint32_t high, unsigned bytes)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    low = low < least[bytes] ? least[bytes] : low;
    high = high > 0x10FFFF ? 0x10FFFF : high;
    return low <= high && !(low >= 0xD800 && high <= 0xDFFF); /* none is a surrogate */
}

/* How many bytes the first character takes; 0 where it is none. `*looked` is how many bytes tell that: it
 * is bad as soon as no code point begins like this. 0 if more might follow. */
static inline unsigned
decode(const uint8_t *at, size_t left, uint32_t *point, size_t *looked)
{
    uint8_t lead = at[0];
    unsigned bytes = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    *looked = 1;
    if (bytes == 0 || lead >= 0xF8)
        return 0;
    *point = bytes == 1 ? lead : lead & 0x7Fu >> bytes;
    for (unsigned taken = 1;; taken++) {
        unsigned open = 6 * (bytes - taken); /* bits that the next bytes decide */
        if (!encodable(*point << open, ((*point + 1) << open) - 1, bytes))
            return 0;
        if (taken == bytes)
            return bytes;
        *looked = 0;
        if (taken == left)
            return 0;
        *looked = taken + 1;
        if (at[taken] >> 6 != 2)
            return 0;
        *point = *point << 6 | (at[taken] & 0x3F);
    }
}

/* What str.split() splits at. */
static inline bool
is_white(uint32_t point)
{
    return (point >= 9 && point <= 13) || (point >= 28 && point <= 32) || point == 133 ||
           point == 160 || point == 5760 || (point >= 8192 && point <= 8202) || point == 8232 ||
           point == 8233 || point == 8239 || point == 8287 || point == 12288;
}

/* ---------------------------------------------------------------- words */

typedef struct {
    const uint8_t *bytes;
    size_t length;
    uint64_t count;
} Counted;

/* Words, ascending, each once. */
typedef struct {
    Counted *words;
    size_t used;
    uint64_t total;
} Answer;

static inline void
append(Answer *answer, const uint8_t *bytes, size_t length, uint64_t count)
{
    /* Room doubles when its number of words is a power of two. */
    if ((answer->used & (answer->used - 1)) == 0) {
        size_t room = answer->used ? 2 * answer->used : 1;
        answer->words = realloc(answer->words, room * sizeof(Counted));
        EXPECT(answer->words);
    }
    answer->words[answer->used++] = (Counted){bytes, length, count};
    answer->total += count;
}

static inline int
by_bytes(const void *left, const void *right)
{
    const Counted *a = left, *b = right;
    for (size_t i = 0; i < a->length && i < b->length; i++)
        if (a->bytes[i] != b->bytes[i])
            return a->bytes[i] < b->bytes[i] ? -1 : 1;
    return (a->length > b->length) - (a->length < b->length);
}

static inline int
by_count(const void *left, const void *right)
{
    const Counted *a = left, *b = right;
    return a->count != b->count ? (a->count < b->count ? 1 : -1) : -by_bytes(a, b);
}

/* Sort the words and merge equal ones. */
static inline void
settle(Answer *answer)
{
    size_t kept = 0;
    if (answer->used)
        qsort(answer->words, answer->used, sizeof(Counted), by_bytes);
    for (size_t i = 0; i < answer->used; i++)
        if (kept && by_bytes(&answer->words[kept - 1], &answer->words[i]) == 0)
            answer->words[kept - 1].count += answer->words[i].count;
        else
            answer->words[kept++] = answer->words[i];
    answer->used = kept;
}

/* What parts runs: an ASCII character that is no letter. */
static inline bool
is_no_letter(uint32_t point)
{
    return point < 0x80 && !(point >= 'a' && point <= 'z') && !(point >= 'A' && point <= 'Z');
}

/* Whether and where a text is not UTF-8. */
typedef struct {
    bool there;
    size_t where, decided; /* it is certain after this many bytes; 0: only when the text ends */
} Fault;

/* The words of [text, text + length) up to the first fault, between characters that `part` them. They
 * stay where they are. */
static inline Answer
split(const uint8_t *text, size_t length, bool (*part)(uint32_t), Fault *fault)
{
    Answer answer = {0};
    size_t at = 0, begin = 0;
    *fault = (Fault){0};
    while (at < length) {
        uint32_t point = 0;
        size_t looked;
        unsigned bytes = decode(text + at, length - at, &point, &looked);
        if (!bytes) {
            *fault = (Fault){true, at, looked ? at + looked : 0};
            break;
        }
        if (part(point)) {
            if (begin < at)
                append(&answer, text + begin, at - begin, 1);
            begin = at + bytes;
        }
        at += bytes;
    }
    if (begin < at)
        append(&answer, text + begin, at - begin, 1);
    settle(&answer);
    return answer;
}

/* ---------------------------------------------------------------- deltas (docs/delta-format.md) */

static inline unsigned
bytes_for(uint64_t number)
{
    return number >> 32 ? 8 : number >> 16 ? 4 : number >> 8 ? 2 : 1;
}

static inline uint8_t *
put(uint8_t *at, uint64_t number, unsigned bytes)
{
    for (; bytes; bytes--, number >>= 8)
        *at++ = number & 0xFF;
    return at;
}

static inline uint64_t
get(const uint8_t *at, unsigned bytes)
{
    uint64_t number = 0;
    while (bytes--)
        number = number << 8 | at[bytes];
    return number;
}

/* XOR of the two halves of a product of 128 bits, by long multiplication with digits of 32 bits. */
static inline uint64_t
folded(uint64_t a, uint64_t b)
{
    uint64_t left[2] = {a & 0xFFFFFFFF, a >> 32}, right[2] = {b & 0xFFFFFFFF, b >> 32};
    uint64_t digits[4] = {0};
    for (unsigned i = 0; i < 2; i++)
        for (unsigned j = 0; j < 2; j++) {
            uint64_t carried = left[i] * right[j];
            for (unsigned k = i + j; k < 4; k++) {
                carried += digits[k];
                digits[k] = carried & 0xFFFFFFFF;
                carried >>= 32;
            }
        }
    return (digits[1] ^ digits[3]) << 32 | (digits[0] ^ digits[2]);
}

/* The canonical hash (docs/delta-format.md). HASH_MASK: see the kernel. */
static inline uint32_t
place_of_word(const uint8_t *bytes, size_t length)
{
    const uint64_t k0 = 11400714819323198485u, k1 = 15111065706836454659u;
    uint64_t hash;
    if (length <= 15) {
        uint8_t padded[16] = {0};
        if (length)
            memcpy(padded, bytes, length);
        padded[15] = (uint8_t)(length + 1);
        hash = folded(get(padded, 8) ^ k1, get(padded + 8, 8) ^ k0);
    } else {
        uint64_t state = k1 ^ length;
        for (size_t at = 0; at == 0 || at + 16 < length; at += 16)
            state = folded(get(bytes + at, 8) ^ k0 ^ state, get(bytes + at + 8, 8) ^ k0);
        bytes += length - 16;
        hash = folded(get(bytes, 8) ^ k1 ^ state, get(bytes + 8, 8) ^ k0) ^ state;
    }
    return (uint32_t)(hash >> 32) & HASH_MASK(CANONICAL);
}

typedef struct {
    uint32_t place;
    Counted word;
} Placed;

static inline int
by_place(const void *left, const void *right)
{
    const Placed *a = left, *b = right;
    return a->place != b->place ? (a->place < b->place ? -1 : 1) : by_bytes(&a->word, &b->word);
}

static inline Placed
placed(const Counted *word)
{
    return (Placed){place_of_word(word->bytes, word->length), *word};
}

/* The words in canonical order. For free(). */
static inline Placed *
arranged(const Answer *answer)
{
    Placed *words = exactly(answer->used * sizeof(Placed));
    for (size_t i = 0; i < answer->used; i++)
        words[i] = placed(&answer->words[i]);
    if (answer->used)
        qsort(words, answer->used, sizeof(Placed), by_place);
    return words;
}

/* The delta of an answer, with zeros for a checksum. For free(). */
static inline uint8_t *
packed(const Answer *answer, size_t *size)
{
    unsigned c = 1, l = 1;
    size_t bytes = 0;
    for (size_t i = 0; i < answer->used; i++) {
        c = bytes_for(answer->words[i].count) > c ? bytes_for(answer->words[i].count) : c;
        l = bytes_for(answer->words[i].length) > l ? bytes_for(answer->words[i].length) : l;
        bytes += answer->words[i].length;
    }
    *size = 40 + answer->used * (c + l) + bytes;
    static const uint8_t head[20] = "FLD\2";
    uint8_t *delta = exactly(*size), *at = delta;
    memcpy(at, head, sizeof head);
    at = put(put(at + 20, answer->used, 8), answer->total, 8);
    at = put(put(put(at, c, 1), l, 1), 0, 2);
    Placed *words = arranged(answer);
    for (size_t i = 0; i < answer->used; i++)
        at = put(at, words[i].word.count, c);
    for (size_t i = 0; i < answer->used; i++)
        at = put(at, words[i].word.length, l);
    for (size_t i = 0; i < answer->used; i++)
        for (size_t j = 0; j < words[i].word.length; j++)
            *at++ = words[i].word.bytes[j];
    free(words);
    EXPECT(at == delta + *size);
    return delta;
}

static inline bool
is_text(const uint8_t *bytes, size_t length)
{
    uint32_t point;
    size_t looked;
    for (size_t at = 0, some; at < length; at += some)
        if (!(some = decode(bytes + at, length - at, &point, &looked)))
            return false;
    return true;
}

/* Read the words of what may be a delta, without checking that its encoding is canonical. */
static inline bool
read_words(const uint8_t *delta, size_t size, Answer *answer)
{
    if (size < 40)
        return false;
    uint64_t n = get(delta + 20, 8), behind;
    unsigned c = delta[36], l = delta[37];
    if (n > size || (c != 1 && c != 2 && c != 4 && c != 8) || (l != 1 && l != 2 && l != 4))
        return false;
    behind = 40 + n * (c + l);
    for (uint64_t i = 0; i < n; i++) {
        if (behind > size)
            return false;
        uint64_t length = get(delta + 40 + n * c + i * l, l), count = get(delta + 40 + i * c, c);
        if (length > size - behind || count == 0 || count > UINT64_MAX - answer->total ||
            !is_text(delta + behind, length))
            return false;
        append(answer, delta + behind, length, count);
        behind += length;
    }
    return true;
}

/* Whether it is a delta: its words are in order, and packing them gives the same bytes, but for those
 * that are the caller's to compare (version and checksum). The answer has them as they stand there. */
static inline bool
is_delta(const uint8_t *delta, size_t size, Answer *answer)
{
    bool is = read_words(delta, size, answer);
    for (size_t i = 1; is && i < answer->used; i++) {
        Placed last = placed(&answer->words[i - 1]), next = placed(&answer->words[i]);
        is = by_place(&last, &next) < 0;
    }
    if (is) {
        size_t other;
        uint8_t *again = packed(answer, &other);
        is = other == size && memcmp(again + 20, delta + 20, size - 20) == 0;
        free(again);
    }
    return is;
}

#endif
