/* Sorting ranks: fifteen bytes of a word as two numbers.
 *
 * Many are sorted by a radix sort from the first byte on, into a copy; fewer by merging; very few by
 * comparing all pairs. Hardly a branch is unpredictable.
 */
#ifndef FAULTLINE_RADIX_SORT_H
#define FAULTLINE_RADIX_SORT_H

#include "table/table.h"

/* Fifteen bytes of a word (zeros behind its end) and a tag, as two numbers that compare as the words do.
 * `what` is the entry's number. */
typedef struct {
    uint64_t high, low;
    uint64_t what;
} Rank;

#define LAST_TAG 128u   /* the tag of a long word's last bytes, at most fifteen, plus their number */
#define FEW_RANKS 16u   /* up to this many are sorted by comparing all pairs */
#define SOME_RANKS 128u /* up to this many by merging */

static inline bool
before(const Rank *a, const Rank *b)
{
#if defined(__SIZEOF_INT128__)
    /* two subtractions, no branch */
    return ((__uint128_t)a->high << 64 | a->low) < ((__uint128_t)b->high << 64 | b->low);
#else
    return (a->high < b->high) | ((a->high == b->high) & (a->low < b->low));
#endif
}

/* Set a rank to a long word's bytes from `depth` on. It has at least one there. */
static inline void
rank_far(Rank *rank, const uint8_t *bytes, size_t length, size_t depth)
{
    uint8_t last[INLINE_BYTES + 1] = {0};
    size_t left = length - depth;
    if (left > INLINE_BYTES) {
        rank->high = ordered8(bytes + depth);
        rank->low = ordered8(bytes + depth + 7) << 8 | FAR_TAG;
        return;
    }
    memcpy(last, bytes + depth, left);
    rank->high = ordered8(last);
    rank->low = ordered8(last + 8) | LAST_TAG | left;
}

static inline bool
same_rank(const Rank *a, const Rank *b)
{
    return ((a->high ^ b->high) | (a->low ^ b->low)) == 0;
}

typedef bool Before(const Table *table, const Rank *a, const Rank *b);

static inline void
sift_down(const Table *table, Rank *ranks, size_t at, size_t count, Before *is_before)
{
    Rank rank = ranks[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && is_before(table, &ranks[child], &ranks[child + 1]))
            child++;
        if (!is_before(table, &rank, &ranks[child]))
            break;
        ranks[at] = ranks[child];
    }
    ranks[at] = rank;
}

static inline void
sort_by_heap(const Table *table, Rank *ranks, size_t count, Before *is_before)
{
    for (size_t at = count / 2; at-- > 0;)
        sift_down(table, ranks, at, count, is_before);
    for (size_t last = count - 1; last > 0; last--) {
        Rank rank = ranks[0];
        ranks[0] = ranks[last];
        ranks[last] = rank;
        sift_down(table, ranks, 0, last, is_before);
    }
}

/* Sort at most FEW_RANKS: a rank's place is the number of ranks before it. All pairs are compared, but
 * without a branch, which would be mispredicted every other time. */
static inline void
sort_few(Rank *ranks, size_t count)
{
    Rank sorted[FEW_RANKS];
    uint8_t places[FEW_RANKS] = {0};
    for (size_t i = 1; i < count; i++) {
        unsigned place = 0;
        for (size_t j = 0; j < i; j++) {
            bool less = before(&ranks[i], &ranks[j]);
            places[j] += less;
            place += !less;
        }
        places[i] = (uint8_t)place;
    }
    for (size_t i = 0; i < count; i++)
        sorted[places[i]] = ranks[i];
    memcpy(ranks, sorted, count * sizeof(Rank));
}

/* Merge two sorted runs, the first `left` ranks and the rest, into `to`. */
static inline void
merge(const Rank *from, size_t left, size_t count, Rank *to)
{
    const Rank *a = from, *b = from + left, *a_end = b, *b_end = from + count;
    while (a < a_end && b < b_end) {
        bool second = before(b, a);
        *to++ = second ? *b : *a;
        b += second;
        a += !second;
    }
    memcpy(to, a, (size_t)(a_end - a) * sizeof(Rank));
    memcpy(to + (a_end - a), b, (size_t)(b_end - b) * sizeof(Rank));
}

/* Merge sort. The result is in `ranks` if `stay`, else in `spare`. */
static inline void
sort_some(Rank *ranks, Rank *spare, size_t count, bool stay)
{
    if (count <= FEW_RANKS) {
        sort_few(ranks, count);
        if (!stay)
            memcpy(spare, ranks, count * sizeof(Rank));
        return;
    }
    size_t left = count / 2;
    sort_some(ranks, spare, left, !stay);
    sort_some(ranks + left, spare + left, count - left, !stay);
    merge(stay ? spare : ranks, left, count, stay ? ranks : spare);
}

static inline uint8_t
byte_of(const Rank *rank, unsigned byte)
{
    return (uint8_t)(byte < 8 ? rank->high >> (56 - 8 * byte) : rank->low >> (120 - 8 * byte));
}

/* Radix sort of ranks that agree in the bytes before this one. `spare` has room for as many. */
static inline void
sort_bytes(Rank *ranks, Rank *spare, size_t count, unsigned byte)
{
    if (count <= SOME_RANKS) {
        sort_some(ranks, spare, count, true);
        return;
    }
    size_t places[256];
    for (;; byte++) {
        if (byte > INLINE_BYTES)
            return; /* all are equal */
        memset(places, 0, sizeof places);
        for (size_t i = 0; i < count; i++)
            places[byte_of(&ranks[i], byte)]++;
        if (places[byte_of(&ranks[0], byte)] < count)
            break;
    }
    size_t sum = 0;
    for (unsigned value = 0; value < 256; value++) {
        size_t many = places[value];
        places[value] = sum;
        sum += many;
    }
    for (size_t i = 0; i < count; i++)
        spare[places[byte_of(&ranks[i], byte)]++] = ranks[i];
    memcpy(ranks, spare, count * sizeof(Rank));
    size_t first = 0;
    for (unsigned value = 0; value < 256; first = places[value++])
        if (places[value] - first > 1)
            sort_bytes(ranks + first, spare, places[value] - first, byte + 1);
}

#endif
