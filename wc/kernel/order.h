/* The words of a table in the order of their bytes.
 *
 * Fifteen bytes of each word are at hand as two numbers. By their first two bytes all words are
 * dealt to 65,536 places at once, then by one byte after another until few are left (a radix sort
 * from the first byte on, with room for a copy). Long words that agree in fifteen bytes are sorted
 * by their next fifteen.
 */
#ifndef FAULTLINE_ORDER_H
#define FAULTLINE_ORDER_H

#include "table.h"

/* Fifteen bytes of a word (zeros behind its end) and its tag, as two numbers that are ordered as
 * words are. `what` is the entry's number; or of a short word its count, if that was asked for. */
typedef struct {
    uint64_t high, low;
    uint64_t what;
} Rank;

/* Of a long word's last fifteen bytes, or less, the tag is this and their number. */
#define LAST_TAG 128u
/* So many are sorted without counting their bytes first. */
#define FEW_RANKS 16u
/* So many are sorted by merging. */
#define SOME_RANKS 128u
/* So many are dealt by two bytes at once. */
#define MANY_RANKS 16384u
/* Words that agree in so many bytes are compared whole. */
#define DEEPEST 256u
#define PAIRS 65536u
/* So many ranks are compared with the next one before those that are the same are looked at. */
#define PAIRED 512u
#define FETCH_AHEAD 16u

static inline unsigned
tag_of(const Rank *rank)
{
    return rank->low & 0xFF;
}

/* Whether a rank is of a long word, and so has its entry's number. */
static inline bool
is_far_rank(const Rank *rank)
{
    return tag_of(rank) >= LAST_TAG;
}

static inline int
compare_words(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
    size_t shorter = a_length < b_length ? a_length : b_length;
    int order = shorter ? memcmp(a, b, shorter) : 0;
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

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

/* Take a long word's bytes from `depth` on, of which there is at least one. */
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
by_whole(const Table *table, const Rank *a, const Rank *b)
{
    const Entry *x = &table->entries[a->what], *y = &table->entries[b->what];
    return compare_words(word_of(table, x), length_of(x), word_of(table, y), length_of(y)) < 0;
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

/* Sort at most FEW_RANKS: each goes to the place that is the number of those before it. All pairs
 * are compared, but without a branch, of which every other one would be foreseen wrongly. */
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

/* Merge two sorted parts, `left` ranks and then `count - left`, into `to`. */
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

/* Sort by merging, into `ranks`, or else into `spare`. */
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

/* Sort ranks that agree in the bytes before this one. `spare` has room for as many. */
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
            return; /* they are all the same */
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

static inline bool
same_rank(const Rank *a, const Rank *b)
{
    return ((a->high ^ b->high) | (a->low ^ b->low)) == 0;
}

static inline void sort_runs(const Table *table, Rank *ranks, Rank *spare, size_t count,
                             size_t depth);

/* Sort a run of long words that agree in their bytes before `depth` by what comes behind. */
static inline void
sort_run(const Table *table, Rank *ranks, Rank *spare, size_t count, size_t depth)
{
    if (depth >= DEEPEST) {
        sort_by_heap(table, ranks, count, by_whole);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const Entry *entry = &table->entries[ranks[i].what];
        rank_far(&ranks[i], far_bytes(table, entry), length_of(entry), depth);
    }
    sort_bytes(ranks, spare, count, 0);
    sort_runs(table, ranks, spare, count, depth + INLINE_BYTES);
}

/* Sort each run of words that agree in all that their ranks have of them: bytes before `depth`. */
static inline void
sort_runs(const Table *table, Rank *ranks, Rank *spare, size_t count, size_t depth)
{
    uint16_t pairs[PAIRED]; /* where a rank is the same as the next one */
    for (size_t from = 0, next; from + 1 < count; from = next) {
        size_t many = 0, end = count - 1 - from < PAIRED ? count - 1 - from : PAIRED;
        const Rank *at = ranks + from;
        for (size_t i = 0; i < end; i++) {
            pairs[many] = (uint16_t)i;
            many += same_rank(&at[i], &at[i + 1]);
        }
        next = from + end;
        for (size_t i = 0; i < many; i++)
            PREFETCH(&table->entries[at[pairs[i] + 1].what]);
        for (size_t i = 0; i < many; i++)
            PREFETCH(far_bytes(table, &table->entries[at[pairs[i] + 1].what]) + depth);
        for (size_t i = 0; i < many;) {
            size_t first = from + pairs[i], last = first + 1;
            while (last < count && same_rank(&ranks[last], &ranks[first]))
                last++;
            sort_run(table, ranks + first, spare, last - first, depth);
            while (i < many && from + pairs[i] < last)
                i++;
            next = last > next ? last : next; /* a sorted run's ranks say other bytes */
        }
    }
}

/* What packing must know of all words with a count. */
typedef struct {
    uint64_t most, longest, bytes; /* greatest count and length; sum of the lengths */
} Extent;

/* The ranks of all words that have a count, in no order, for free(). NULL without memory. */
static inline Rank *
ranked(const Table *table, bool counts, Extent *extent)
{
    size_t near = 0, many_far = 0;
    Rank *ranks = malloc((table->live + 1) * sizeof(Rank));
    uint32_t *far = malloc((table->live + 1) * sizeof(uint32_t));
    if (!ranks || !far) {
        free(ranks);
        free(far);
        return NULL;
    }
    use_large_pages(ranks, table->live * sizeof(Rank));
    uint64_t most = 0, longest = 0, bytes = 0;
    /* Which slots hold a word cannot be foreseen: no branch. What is written and does not count is
     * written over; there is room for one more than there are. */
    for (size_t number = 0; number < table->slots; number++) {
        const Entry *entry = &table->entries[number];
        unsigned tag = entry->key.bytes[INLINE_BYTES];
        bool live = entry->count != 0, is_near = live & (tag != FAR_TAG);
        ranks[near] = (Rank){ordered8(entry->key.bytes), ordered8(entry->key.bytes + 8),
                             counts ? entry->count : number};
        far[many_far] = (uint32_t)number;
        near += is_near;
        many_far += live & (tag == FAR_TAG);
        uint64_t length = is_near ? tag - 1 : 0;
        most = entry->count > most ? entry->count : most;
        longest = length > longest ? length : longest;
        bytes += length;
    }
    for (size_t i = 0; i < many_far; i++) {
        if (i + 2 * FETCH_AHEAD < many_far)
            PREFETCH(&table->entries[far[i + 2 * FETCH_AHEAD]]);
        if (i + FETCH_AHEAD < many_far)
            PREFETCH(far_bytes(table, &table->entries[far[i + FETCH_AHEAD]]));
        const Entry *entry = &table->entries[far[i]];
        uint64_t length = entry->key.far.length;
        rank_far(&ranks[near], far_bytes(table, entry), length, 0);
        ranks[near++].what = far[i];
        longest = length > longest ? length : longest;
        bytes += length;
    }
    free(far);
    *extent = (Extent){most, longest, bytes};
    return ranks;
}

/* Deal the ranks to where the words with their first two bytes go; then sort these. */
static inline void
sort_pairs(Rank *ranks, Rank *dealt, size_t count, uint32_t *places)
{
    memset(places, 0, PAIRS * sizeof *places);
    for (size_t i = 0; i < count; i++)
        places[ranks[i].high >> 48]++;
    uint32_t sum = 0;
    for (size_t pair = 0; pair < PAIRS; pair++) {
        uint32_t many = places[pair];
        places[pair] = sum;
        sum += many;
    }
    for (size_t i = 0; i < count; i++)
        dealt[places[ranks[i].high >> 48]++] = ranks[i];
    for (size_t pair = 0, first = 0; pair < PAIRS; first = places[pair++])
        if (places[pair] - first > 1)
            sort_bytes(dealt + first, ranks, places[pair] - first, 2);
}

/* Sort ranks by what they have of their words; where they are then, and as much `*spare`, both for
 * free(). NULL, and the ranks are freed, without memory. */
static inline Rank *
sort_ranks(Rank *ranks, size_t count, Rank **spare)
{
    Rank *dealt = malloc((count + 1) * sizeof(Rank));
    if (!dealt) {
        free(ranks);
        return NULL;
    }
    use_large_pages(dealt, count * sizeof(Rank));
    uint32_t *places = count >= MANY_RANKS ? malloc(PAIRS * sizeof *places) : NULL;
    if (!places) {
        sort_bytes(ranks, dealt, count, 0);
        *spare = dealt;
        return ranks;
    }
    sort_pairs(ranks, dealt, count, places);
    free(places);
    *spare = ranks;
    return dealt;
}

/* Put the ranks of all words of a table in order. NULL without memory. */
static inline Rank *
in_order(const Table *table, Rank *ranks)
{
    Rank *spare;
    ranks = ranks ? sort_ranks(ranks, table->live, &spare) : NULL;
    if (ranks) {
        sort_runs(table, ranks, spare, table->live, INLINE_BYTES);
        free(spare);
    }
    return ranks;
}

/* The ranks of all words that have a count, ascending. */
static inline Rank *
sorted(const Table *table, bool counts, Extent *extent)
{
    return in_order(table, ranked(table, counts, extent));
}

/* The same, with counts, of a table that is used for packing only from now on: it keeps no more
 * than that takes. */
static inline Rank *
drained(Table *table, Extent *extent)
{
    size_t far = compact_table(table);
    Rank *ranks = ranked(table, true, extent);
    if (ranks)
        resize_entries(table, far); /* the others' ranks say all of them */
    return in_order(table, ranks);
}

#endif
