/* The words of a table in the order of their bytes.
 *
 * By eight bytes at a time as one number: American flag sort on its bytes (McIlroy, Bostic and
 * McIlroy, Engineering Radix Sort, 1993) until few are left. Words that agree in eight bytes are
 * sorted by their next eight.
 */
#ifndef FAULTLINE_ORDER_H
#define FAULTLINE_ORDER_H

#include "table.h"

/* Eight bytes of a word (zeros behind its end) as a number, and which entry it is. */
typedef struct {
    uint64_t eight;
    uint32_t number;
} Rank;

/* So many are sorted without counting their bytes first. */
#define FEW_RANKS 48u
/* So many are put in the order of their first two bytes at once. */
#define MANY_RANKS 16384u
/* Words that agree in so many bytes are compared whole. */
#define DEEPEST 256u

static inline int
compare_words(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
    size_t shorter = a_length < b_length ? a_length : b_length;
    int order = shorter ? memcmp(a, b, shorter) : 0;
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

/* The bytes of a word from `depth` on, eight of them. */
static inline uint64_t
eight_at(const uint8_t *bytes, size_t length, size_t depth)
{
    uint8_t last[8] = {0};
    if (length >= depth + 8)
        return ordered8(bytes + depth);
    if (length > depth)
        memcpy(last, bytes + depth, length - depth);
    return ordered8(last);
}

typedef bool Before(const Table *table, const Rank *a, const Rank *b);

static inline bool
by_eight(const Table *table, const Rank *a, const Rank *b)
{
    (void)table;
    return a->eight < b->eight;
}

static inline bool
by_whole(const Table *table, const Rank *a, const Rank *b)
{
    const Entry *x = &table->entries[a->number], *y = &table->entries[b->number];
    return compare_words(word_of(table, x), length_of(x), word_of(table, y), length_of(y)) < 0;
}

static inline void
exchange(Rank *a, Rank *b)
{
    Rank rank = *a;
    *a = *b;
    *b = rank;
}

static inline void
sift_down(const Table *table, Rank *ranks, size_t at, size_t count, Before *before)
{
    Rank rank = ranks[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(table, &ranks[child], &ranks[child + 1]))
            child++;
        if (!before(table, &rank, &ranks[child]))
            break;
        ranks[at] = ranks[child];
    }
    ranks[at] = rank;
}

static inline void
sort_by_heap(const Table *table, Rank *ranks, size_t count, Before *before)
{
    for (size_t at = count / 2; at-- > 0;)
        sift_down(table, ranks, at, count, before);
    for (size_t last = count - 1; last > 0; last--) {
        exchange(&ranks[0], &ranks[last]);
        sift_down(table, ranks, 0, last, before);
    }
}

static inline void
sort_by_insertion(const Table *table, Rank *ranks, size_t count, Before *before)
{
    for (size_t i = 1; i < count; i++) {
        Rank rank = ranks[i];
        size_t at = i;
        for (; at > 0 && before(table, &rank, &ranks[at - 1]); at--)
            ranks[at] = ranks[at - 1];
        ranks[at] = rank;
    }
}

/* Sort the eights of few words. */
static inline void
sort_few(Rank *ranks, size_t count)
{
    if (count <= 24)
        sort_by_insertion(NULL, ranks, count, by_eight);
    else
        sort_by_heap(NULL, ranks, count, by_eight);
}

/* Sort by the byte that stands `shift` bits up in `eight`, then by those below. */
static inline void
sort_eights(Rank *ranks, size_t count, unsigned shift)
{
    size_t begin[256], end[256], sizes[256] = {0};
    for (size_t i = 0; i < count; i++)
        sizes[ranks[i].eight >> shift & 0xFF]++;
    for (size_t byte = 0, sum = 0; byte < 256; byte++) {
        begin[byte] = sum;
        sum += sizes[byte];
        end[byte] = sum;
    }
    for (size_t byte = 0; byte < 256; byte++)
        while (begin[byte] < end[byte]) {
            /* follow the cycle that this place begins until something belongs here */
            Rank rank = ranks[begin[byte]];
            for (uint8_t to; (to = rank.eight >> shift & 0xFF) != byte;) {
                Rank next = ranks[begin[to]];
                ranks[begin[to]++] = rank;
                rank = next;
            }
            ranks[begin[byte]++] = rank;
        }
    if (shift == 0)
        return;
    for (size_t byte = 0, at = 0; byte < 256; at += sizes[byte++])
        if (sizes[byte] > FEW_RANKS)
            sort_eights(ranks + at, sizes[byte], shift - 8);
        else if (sizes[byte] > 1)
            sort_few(ranks + at, sizes[byte]);
}

static inline void
fetch_word(const Table *table, uint32_t number)
{
    const Entry *entry = &table->entries[number];
    if (length_of(entry) > INLINE_BYTES)
        PREFETCH(table->arena + far_offset(entry));
}

/* Sort each run of words that agree in their eights, which are those before `depth`, by what
 * comes behind. */
static inline void
sort_runs(const Table *table, Rank *ranks, size_t count, size_t depth)
{
    for (size_t first = 0, last; first < count; first = last) {
        for (last = first + 1; last < count && ranks[last].eight == ranks[first].eight; last++)
            PREFETCH(&table->entries[ranks[last].number]);
        if (last - first == 1)
            continue;
        for (size_t i = first; i < last; i++)
            fetch_word(table, ranks[i].number);
        bool longer = false;
        for (size_t i = first; i < last; i++) {
            const Entry *entry = &table->entries[ranks[i].number];
            longer |= length_of(entry) > depth;
            ranks[i].eight = eight_at(word_of(table, entry), length_of(entry), depth);
        }
        if (!longer || depth >= DEEPEST) { /* all the same but for zeros at the end, or very long */
            sort_by_heap(table, ranks + first, last - first, by_whole);
            continue;
        }
        if (last - first <= FEW_RANKS)
            sort_few(ranks + first, last - first);
        else
            sort_eights(ranks + first, last - first, 56);
        sort_runs(table, ranks + first, last - first, depth + 8);
    }
}

/* Where in order words begin that begin with these two bytes; then where the next one goes. */
#define PAIRS 65536u

/* Put the words into `ranks`, already in the order of their first two bytes. */
static inline void
rank_by_pairs(const Table *table, Rank *ranks, size_t *places)
{
    memset(places, 0, PAIRS * sizeof *places);
    for (size_t number = 0; number < table->used; number++) {
        const Entry *entry = &table->entries[number];
        places[ordered8(word_of(table, entry)) >> 48] += entry->count != 0;
    }
    for (size_t pair = 0, sum = 0; pair < PAIRS; pair++) {
        size_t many = places[pair];
        places[pair] = sum;
        sum += many;
    }
    for (size_t number = 0; number < table->used; number++) {
        const Entry *entry = &table->entries[number];
        uint64_t eight = ordered8(word_of(table, entry));
        if (entry->count)
            ranks[places[eight >> 48]++] = (Rank){eight, (uint32_t)number};
    }
    for (size_t pair = 0, first = 0; pair < PAIRS; first = places[pair++])
        if (places[pair] - first > FEW_RANKS)
            sort_eights(ranks + first, places[pair] - first, 40);
        else if (places[pair] - first > 1)
            sort_few(ranks + first, places[pair] - first);
}

/* All words that have a count, ascending. NULL without memory. */
static inline Rank *
sorted(const Table *table)
{
    Rank *ranks = malloc((table->live ? table->live : 1) * sizeof(Rank));
    if (!ranks)
        return NULL;
    use_large_pages(ranks, table->live * sizeof(Rank));
    size_t *places = table->live >= MANY_RANKS ? malloc(PAIRS * sizeof *places) : NULL;
    if (places) {
        rank_by_pairs(table, ranks, places);
        free(places);
    } else {
        size_t count = 0;
        for (size_t number = 0; number < table->used; number++) {
            const Entry *entry = &table->entries[number];
            /* at least twelve bytes are there, zeros behind a word's end */
            if (entry->count)
                ranks[count++] = (Rank){ordered8(word_of(table, entry)), (uint32_t)number};
        }
        if (count > FEW_RANKS)
            sort_eights(ranks, count, 56);
        else
            sort_few(ranks, count);
    }
    sort_runs(table, ranks, table->live, 8);
    return ranks;
}

/* The words' numbers in the same memory, of which the rest is given back. */
static inline uint32_t *
numbers_of(Rank *ranks, size_t count)
{
    uint8_t *at = (uint8_t *)ranks;
    for (size_t i = 0; i < count; i++) {
        uint32_t number = ranks[i].number; /* at 16 i: what is written at 4 i was read before */
        memcpy(at + 4 * i, &number, sizeof number);
    }
    void *less = realloc(ranks, (count ? count : 1) * sizeof(uint32_t));
    return less ? less : (void *)ranks;
}

#endif
