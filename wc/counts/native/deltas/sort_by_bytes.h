/* Sorting a table's words by their bytes.
 *
 * Many words are distributed by their first two bytes to 65,536 buckets, and each bucket is sorted
 * (radix_sort.h) by fifteen bytes. Long words that agree in those are sorted by their next fifteen.
 */
#ifndef FAULTLINE_SORT_BY_BYTES_H
#define FAULTLINE_SORT_BY_BYTES_H

#include "deltas/radix_sort.h"

#define MANY_RANKS 16384u /* from this many words on they are distributed by two bytes first */
#define DEEPEST 256u      /* words that agree in this many bytes are compared whole */
#define PAIRS 65536u      /* values of two bytes */
#define PAIRED 512u       /* ranks that are compared with the next one in one go */
#define FETCH_AHEAD 16u   /* how many words ahead memory is prefetched */

static inline int
compare_words(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
    size_t shorter = a_length < b_length ? a_length : b_length;
    int order = shorter ? memcmp(a, b, shorter) : 0;
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static inline bool
by_whole(const Table *table, const Rank *a, const Rank *b)
{
    const Entry *x = &table->entries[a->what], *y = &table->entries[b->what];
    return compare_words(word_of(table, x), length_of(x), word_of(table, y), length_of(y)) < 0;
}

static inline void sort_runs(const Table *table, Rank *ranks, Rank *spare, size_t count,
                             size_t depth);

/* Sort a run of long words that agree in their first `depth` bytes by the bytes from there on. */
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

/* Sort each run of words with the same rank, which agree in their first `depth` bytes. */
static inline void
sort_runs(const Table *table, Rank *ranks, Rank *spare, size_t count, size_t depth)
{
    uint16_t pairs[PAIRED]; /* ranks that equal the next one */
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
            next = last > next ? last : next; /* skip the run: its ranks hold later bytes now */
        }
    }
}

/* The numbers of all words with a count: short words from the front on, long ones from `end` backwards. */
typedef struct {
    uint32_t *numbers;
    size_t near, far, end;
} List;

/* List the words. False without memory. */
static inline bool
list_words(const Table *table, List *list)
{
    /* Without a branch, as which slots hold a word is unpredictable: each number is written to both
     * lists, and only the length of the right one grows. Both have room for one number too many. */
    size_t near = 0, far = 0, end = table->live + 2;
    uint32_t *numbers = new_block(end * sizeof *numbers);
    if (!numbers)
        return false;
    for (size_t number = 0; number < table->slots; number++) {
        const Entry *entry = &table->entries[number];
        bool live = entry->count != 0;
        numbers[near] = (uint32_t)number;
        numbers[end - 1 - far] = (uint32_t)number;
        near += live & !is_far(entry);
        far += live & is_far(entry);
    }
    *list = (List){numbers, near, far, end};
    return true;
}

static inline void
free_list(List *list)
{
    free_block(list->numbers, list->end * sizeof *list->numbers);
}

/* The i-th long word. Prefetches the ones that come later. */
static inline const Entry *
far_at(const Table *table, const List *list, size_t i)
{
    const uint32_t *numbers = list->numbers + list->end - list->far;
    if (i + 2 * FETCH_AHEAD < list->far)
        PREFETCH(&table->entries[numbers[i + 2 * FETCH_AHEAD]]);
    if (i + FETCH_AHEAD < list->far)
        PREFETCH(far_bytes(table, &table->entries[numbers[i + FETCH_AHEAD]]));
    return &table->entries[numbers[i]];
}

static inline size_t
pair_of(const uint8_t *bytes)
{
    return (size_t)bytes[0] << 8 | bytes[1];
}

static inline Rank
near_rank(const Entry *entry, size_t number)
{
    return (Rank){ordered8(entry->key.bytes), ordered8(entry->key.bytes + 8), number};
}

static inline Rank
far_rank(const Table *table, const Entry *entry, size_t number)
{
    Rank rank = {.what = number};
    rank_far(&rank, far_bytes(table, entry), entry->key.far.length, 0);
    return rank;
}

/* Turn the buckets' sizes into their first places (a prefix sum). Returns the largest size. */
static inline size_t
begin_places(uint32_t *places)
{
    uint32_t sum = 0, most = 0;
    for (size_t pair = 0; pair < PAIRS; pair++) {
        uint32_t many = places[pair];
        places[pair] = sum;
        sum += many;
        most = many > most ? many : most;
    }
    return most;
}

/* Set `places` to where each bucket begins: the words with the same first two bytes. Returns the size of
 * the largest. */
static inline size_t
count_pairs(const Table *table, const List *list, uint32_t *places)
{
    memset(places, 0, PAIRS * sizeof *places);
    for (size_t i = 0; i < list->near; i++)
        places[pair_of(table->entries[list->numbers[i]].key.bytes)]++;
    for (size_t i = 0; i < list->far; i++)
        places[pair_of(far_bytes(table, far_at(table, list, i)))]++;
    return begin_places(places);
}

/* Distribute all ranks to their buckets; without `places`, one after the other. */
static inline void
deal(const Table *table, const List *list, Rank *ranks, uint32_t *places)
{
    uint32_t next = 0;
    for (size_t i = 0; i < list->near; i++) {
        size_t number = list->numbers[i];
        const Entry *entry = &table->entries[number];
        uint32_t *place = places ? &places[pair_of(entry->key.bytes)] : &next;
        ranks[(*place)++] = near_rank(entry, number);
    }
    for (size_t i = 0; i < list->far; i++) {
        const Entry *entry = far_at(table, list, i);
        uint32_t *place = places ? &places[pair_of(far_bytes(table, entry))] : &next;
        ranks[(*place)++] = far_rank(table, entry, (size_t)(entry - table->entries));
    }
}

/* Room for ranks, for free_ranks(). NULL without memory. */
static inline Rank *
new_ranks(size_t count)
{
    return new_block((count + 1) * sizeof(Rank));
}

static inline void
free_ranks(Rank *ranks, size_t count)
{
    free_block(ranks, (count + 1) * sizeof(Rank));
}

/* Sort each bucket. False without memory. */
static inline bool
sort_dealt(const Table *table, Rank *ranks, const uint32_t *places, size_t most)
{
    Rank *spare = new_ranks(most);
    if (!spare)
        return false;
    if (!places)
        sort_bytes(ranks, spare, table->live, 0);
    for (size_t pair = 0, first = 0; places && pair < PAIRS; first = places[pair++])
        if (places[pair] - first > 1)
            sort_bytes(ranks + first, spare, places[pair] - first, 2);
    sort_runs(table, ranks, spare, table->live, INLINE_BYTES);
    free_ranks(spare, most);
    return true;
}

/* The ranks of all words with a count, ascending, for free_ranks(). NULL without memory. */
static inline Rank *
sorted(const Table *table)
{
    List list;
    if (!list_words(table, &list))
        return NULL;
    size_t most = table->live;
    uint32_t *places = most >= MANY_RANKS ? malloc(PAIRS * sizeof *places) : NULL;
    if (places)
        most = count_pairs(table, &list, places);
    Rank *ranks = new_ranks(table->live);
    if (ranks)
        deal(table, &list, ranks, places);
    free_list(&list);
    if (ranks && !sort_dealt(table, ranks, places, most)) {
        free_ranks(ranks, table->live);
        ranks = NULL;
    }
    free(places);
    return ranks;
}

#endif
