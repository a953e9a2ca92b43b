/* Adding deltas to a table, and subtracting one.
 *
 * The words of a delta are in the order of the table's slots, so they are added from its one end to the
 * other. Several deltas are added in rounds: a slice of each, then the next slice of each. So the slots
 * of words that deltas have in common are still in the cache. (Radix partitioning, as in joins: Shatdal,
 * Kant and Naughton, Cache Conscious Algorithms for Relational Query Processing, 1994.)
 */
#ifndef FAULTLINE_FOLD_H
#define FAULTLINE_FOLD_H

#include "deltas/delta.h"
#include "table/batch.h"

#define ROUND_WORDS 512u /* a round has at least this many words of the largest delta */

/* Add a delta's words from the next one to number `last`. The caller updates the total. */
static inline int
add_slice(Table *table, Delta *delta, uint64_t last)
{
    while (delta->next < last) {
        uint64_t some = last - delta->next < BATCH ? last - delta->next : BATCH;
        Batch batch;
        batch.near = batch.many_far = 0;
        for (; some > 0; some--, delta->next++) {
            uint64_t length = length_at(delta, delta->next);
            put_counted(&batch, delta->at, length, delta->end - delta->at >= 16,
                        count_at(delta, delta->next));
            delta->at += length;
        }
        int failed = reserve_words(table, batch.near + batch.many_far);
        if (!failed)
            failed = add_batch(table, &batch, false);
        if (failed)
            return failed;
    }
    return OK;
}

/* Add deltas. */
static inline int
add_deltas(Table *table, Delta *deltas, size_t many)
{
    uint64_t most = 0, total = table->total;
    for (size_t i = 0; i < many; i++) {
        deltas[i].next = 0;
        deltas[i].at = deltas[i].bytes;
        if (deltas[i].total > UINT64_MAX - total || deltas[i].words > UINT32_MAX)
            return TOO_LARGE;
        total += deltas[i].total;
        most = deltas[i].words > most ? deltas[i].words : most;
    }
    uint64_t rounds = many > 1 ? most / ROUND_WORDS + 1 : 1, before = table->used;
    for (uint64_t round = 1; round <= rounds; round++) {
        uint64_t begun = table->used;
        for (size_t i = 0; i < many; i++) {
            /* If each round brought so many new words there would be so many in all. Then this part of
             * the table must not have more than three quarters of its slots in use. */
            uint64_t last = deltas[i].words * round / rounds;
            uint64_t all = before + (table->used - begun + last - deltas[i].next) * rounds;
            int failed = all / 9 > table->full / 8 ? grow_table(table, more_slots(table, all)) : OK;
            if (!failed)
                failed = add_slice(table, &deltas[i], last);
            if (failed)
                return failed;
        }
    }
    table->total = total;
    return OK;
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
    for (unsigned pass = 0; pass < 2; pass++) { /* first all are compared */
        const uint8_t *bytes = delta->bytes;
        for (uint64_t i = 0; i < delta->words; i++) {
            uint64_t length = length_at(delta, i), count = count_at(delta, i);
            Word word = word_at(table, bytes, length, delta->end - bytes >= 16);
            Entry *entry = find(table, &word);
            if (entry->count < count) {
                *lack = (Lack){bytes, length, entry->count, count};
                return false;
            }
            if (pass) {
                entry->count -= count;
                table->live -= entry->count == 0;
            }
            bytes += length;
        }
    }
    table->total -= delta->total;
    return true;
}

#endif
