/* Adding deltas to a table, and subtracting one.
 *
 * Words that follow each other in a delta are near each other in a parted table. Several deltas are added
 * in rounds: a span of parts of every delta, then the next span. So the slots of words that deltas have
 * in common are still in the cache. (Radix partitioning, as in joins: Shatdal, Kant and Naughton, Cache
 * Conscious Algorithms for Relational Query Processing, 1994.)
 */
#ifndef FAULTLINE_FOLD_H
#define FAULTLINE_FOLD_H

#include "table/batch.h"
#include "deltas/delta.h"

#define ROUND_WORDS 512u           /* a span has at least this many words of the largest delta */
#define SPAN_SLOTS ((size_t)2048) /* and this many slots of the table */

/* Parts of the canonical order that are added in one round: [from, to). */
typedef struct {
    unsigned from, to;
    size_t fair;  /* its share of all words, and a quarter more: beyond that words are crafted */
    size_t limit; /* words that the table may have before it must grow */
} Span;

/* The table's words of a span. */
static inline size_t
span_words(const Table *table, const Span *span)
{
    size_t words = 0;
    for (unsigned part = span->from; part < span->to; part++)
        words += table->parts[part];
    return words;
}

/* A span may fill three quarters of its own slots, so that it does not take those of spans that are still
 * to come. (A full table has two thirds of all slots in use.) */
static inline void
set_limit(const Table *table, Span *span)
{
    span->limit = table->full;
    if (!table->seed.parted)
        return;
    size_t room = (size_t)((uint64_t)table->slots * (span->to - span->from) / PARTS) / 4 * 3;
    size_t words = span_words(table, span), more = room > words ? room - words : 0;
    if (more < table->full - table->used)
        span->limit = table->used + more;
}

/* Grow the table for this many more words of a span. */
static inline int
make_room(Table *table, Span *span, size_t more)
{
    int failed;
    do {
        /* Nearly all words are of the same part: they are crafted, and parting the table does harm. */
        bool unfair = table->seed.parted && span_words(table, span) + more > span->fair;
        failed = table->crowded || unfair ? mix_table(table, table->used + more)
                                          : grow_table(table, table->used + more);
        set_limit(table, span);
    } while (!failed && table->used + more > span->limit);
    return failed;
}

/* Add a delta's words of a span. The caller updates the total. */
static inline int
add_span(Table *table, const Delta *delta, Span *span)
{
    const uint8_t *bytes = delta->begins[span->from];
    uint64_t last = delta->firsts[span->to];
    for (uint64_t first = delta->firsts[span->from]; first < last; first += BATCH) {
        uint64_t end = last - first < BATCH ? last : first + BATCH;
        Batch batch;
        batch.near = batch.many_far = 0;
        for (uint64_t i = first; i < end; i++) {
            uint64_t length = length_at(delta, i);
            put_counted(&batch, bytes, length, delta->end - bytes >= 16, count_at(delta, i));
            bytes += length;
        }
        int failed = OK;
        if (table->used + (end - first) > span->limit || table->crowded)
            failed = make_room(table, span, end - first);
        if (!failed)
            failed = add_batch(table, &batch, false);
        if (failed)
            return failed;
    }
    return OK;
}

/* In how many spans to add deltas the largest of which has `most` words: as many as leave enough of its
 * words to each, and enough slots. Of the largest: one span's words come in order, and many of them would
 * crowd its first slots. */
static inline unsigned
spans_for(const Table *table, uint64_t most)
{
    unsigned spans = 1;
    while (spans < PARTS && table->seed.parted && most / (2 * spans) >= ROUND_WORDS &&
           table->slots / (2 * spans) >= SPAN_SLOTS)
        spans *= 2;
    return spans;
}

/* Add `many` deltas, at least one. */
static inline int
add_deltas(Table *table, const Delta *deltas, size_t many)
{
    uint64_t words = 0, most = 0, total = 0;
    for (size_t i = 0; i < many; i++) {
        words += deltas[i].words;
        total += deltas[i].total;
        most = deltas[i].words > most ? deltas[i].words : most;
    }
    int failed = most > table->full ? grow_table(table, most) : OK;
    unsigned spans = spans_for(table, most), parts = PARTS / spans;
    size_t all = table->used + words;
    for (unsigned from = 0; from < PARTS && !failed; from += parts) {
        Span span = {.from = from, .to = from + parts, .fair = all / spans / 4 * 5 + SPAN_SLOTS};
        set_limit(table, &span);
        for (size_t i = 0; i < many && !failed; i++)
            failed = add_span(table, &deltas[i], &span);
    }
    table->total += failed ? 0 : total;
    return failed;
}

/* A word of a delta, ready to be looked up. */
static inline Word
delta_word(const Table *table, const Delta *delta, const uint8_t *bytes, uint64_t length)
{
    return word_at(&table->seed, bytes, length, delta->end - bytes >= 16);
}

/* A word whose count would become negative: it has `have`, and `count` was to be subtracted. */
typedef struct {
    const uint8_t *bytes;
    uint64_t length, have, count;
} Lack;

/* Subtract a delta's counts. False, and nothing has changed, if one would become negative. */
static inline bool
subtract_delta(Table *table, const Delta *delta, Lack *lack)
{
    const uint8_t *bytes = delta->bytes;
    for (uint64_t i = 0; i < delta->words; i++) {
        uint64_t length = length_at(delta, i);
        Word word = delta_word(table, delta, bytes, length);
        const Entry *entry = find(table, &word);
        lack->have = entry ? entry->count : 0;
        lack->count = count_at(delta, i);
        lack->bytes = bytes;
        lack->length = length;
        if (lack->have < lack->count)
            return false;
        bytes += length;
    }
    bytes = delta->bytes;
    for (uint64_t i = 0; i < delta->words; i++) {
        uint64_t length = length_at(delta, i);
        Word word = delta_word(table, delta, bytes, length);
        Entry *entry = find(table, &word);
        entry->count -= count_at(delta, i);
        table->live -= entry->count == 0;
        bytes += length;
    }
    table->total -= delta->total;
    return true;
}

#endif
