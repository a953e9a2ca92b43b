/* Looking up words in batches. Each step is done for all words of a batch before the next step, so that
 * the memory that the next step reads is prefetched meanwhile.
 *
 * Most words are found in their home slot. Which are not is unpredictable, so no branch tells them
 * apart: a word is written to all lists, and only the length of the right one grows.
 */
#ifndef FAULTLINE_BATCH_H
#define FAULTLINE_BATCH_H

#include "table/table.h"

/* At most BATCH words: short ones by value, long ("far") ones by address, each with the count to be added. */
typedef struct {
    Key keys[BATCH];
    const uint8_t *far[BATCH];
    uint32_t far_lengths[BATCH];
    uint64_t counts[BATCH], far_counts[BATCH];
    size_t near, many_far;
} Batch;

/* Put a word into a batch. `readable`: see short_key(). */
static inline void
put_word(Batch *batch, const uint8_t *bytes, size_t length, bool readable)
{
    batch->keys[batch->near] = short_key(bytes, length, readable);
    batch->far[batch->many_far] = bytes;
    batch->far_lengths[batch->many_far] = (uint32_t)length;
    batch->near += length <= INLINE_BYTES;
    batch->many_far += length > INLINE_BYTES;
}

/* Put a word with its count into a batch. */
static inline void
put_counted(Batch *batch, const uint8_t *bytes, size_t length, bool readable, uint64_t count)
{
    batch->counts[batch->near] = batch->far_counts[batch->many_far] = count;
    put_word(batch, bytes, length, readable);
}

/* Prefetch a slot and the next ones: a word that is not in its home slot is most often in the next. */
static inline void
fetch_home(const Table *table, size_t home)
{
    PREFETCH(&table->entries[home]);
    PREFETCH((const uint8_t *)&table->entries[home] + 63);
}

/* Add a batch to a table that has room for it. `once`: each word counts 1, and the batch has no counts.
 * The caller updates the total. */
static inline int
add_batch(Table *table, const Batch *batch, bool once)
{
    Word far[BATCH];
    uint32_t hashes[BATCH];
    uint8_t others[BATCH]; /* words that are not in their home slots */
    size_t many_others = 0;
    for (size_t i = 0; i < batch->near; i++) {
        hashes[i] = short_hash(table->seed, &batch->keys[i]);
        fetch_home(table, home_of(table, hashes[i]));
    }
    for (size_t i = 0; i < batch->many_far; i++) {
        far[i] = long_word(table, batch->far[i], batch->far_lengths[i]);
        fetch_home(table, home_of(table, far[i].hash));
    }
    Entry *entries = table->entries;
    size_t back = 0; /* words whose count was 0 */
    for (size_t i = 0; i < batch->near; i++) {
        Entry *entry = &entries[home_of(table, hashes[i])];
        bool found = same_key(entry, &batch->keys[i]);
        back += found & (entry->count == 0);
        entry->count += once ? found : found ? batch->counts[i] : 0;
        others[many_others] = (uint8_t)i;
        many_others += !found;
    }
    for (size_t i = 0; i < batch->many_far; i++) {
        const Entry *entry = &entries[home_of(table, far[i].hash)];
        if (is_far(entry)) /* the word will be compared with its bytes */
            PREFETCH(far_bytes(table, entry));
    }
    table->live += back;
    int failed = OK;
    for (size_t i = 0; i < many_others && !failed; i++) {
        unsigned at = others[i];
        Word word = {.key = batch->keys[at], .hash = hashes[at]};
        failed = add_at(table, &word, once ? 1 : batch->counts[at]);
    }
    for (size_t i = 0; i < batch->many_far && !failed; i++)
        failed = add_at(table, &far[i], once ? 1 : batch->far_counts[i]);
    return failed;
}

#endif
