/* Packing a table's words as a delta (docs/delta-format.md). The caller adds the checksum.
 *
 * A table's words are in the order of a delta but for those within a cluster of occupied slots. Each
 * cluster is sorted in place: its slots stay occupied and no word comes before its home slot, so all are
 * found as before. (The order of linear probing with ordered tables: Amble and Knuth, Ordered hash
 * tables, 1974; Celis, Robin Hood Hashing, 1986.) A mixed table's words are sorted as rows.
 */
#ifndef FAULTLINE_PACK_H
#define FAULTLINE_PACK_H

#include "deltas/delta.h"
#include "deltas/rows.h"

#define LISTED 256u /* words that are listed before they are written, so that long ones are prefetched */

/* How a table is packed. */
typedef struct {
    Row *rows; /* of a mixed table, in order; else NULL */
    unsigned count_width, length_width;
    size_t size; /* bytes */
} Packing;

/* Whether entry a, whose hash is given, comes before entry b in the canonical order. */
static inline bool
is_before(const Table *table, const Entry *a, uint32_t hash, const Entry *b)
{
    uint32_t other = entry_hash(table, b);
    if (LIKELY(hash != other))
        return hash < other;
    return compare_words(word_of(table, a), length_of(a), word_of(table, b), length_of(b)) < 0;
}

/* Sort each cluster of occupied slots, by insertion: few words are not in order. */
static inline void
sort_clusters(Table *table)
{
    uint32_t last = entry_hash(table, table->entries); /* the hash of the word before */
    for (size_t i = 1; i < all_slots(table); i++) {
        Entry *at = &table->entries[i], entry = *at;
        uint32_t hash = entry_hash(table, &entry);
        bool is_lower = hash <= last && is_word(&entry) && is_word(at - 1);
        last = hash;
        if (LIKELY(!is_lower) || !is_before(table, &entry, hash, at - 1))
            continue;
        last = entry_hash(table, at - 1);
        do {
            *at = at[-1];
            at--;
        } while (at > table->entries && is_word(at - 1) && is_before(table, &entry, hash, at - 1));
        *at = entry;
    }
}

/* The rows of a mixed table, in the canonical order. For free(). NULL without memory. */
static inline Row *
mixed_rows(const Table *table)
{
    Row *rows = malloc((table->live + 1) * sizeof *rows), *end = rows;
    for (size_t i = 0; rows && i < all_slots(table); i++) {
        const Entry *entry = &table->entries[i];
        if (entry->count)
            *end++ = row_of(table, entry,
                            hash_of(CANONICAL, word_of(table, entry), length_of(entry), false));
    }
    if (rows)
        qsort(rows, table->live, sizeof *rows, compare_rows);
    return rows;
}

/* Bring the words in order, and find out what the delta's size is. `rows` of a packing are for free(). */
static inline int
order_words(Table *table, Packing *packing)
{
    uint64_t most = 0;
    size_t longest = 0, bytes = 0;
    packing->rows = is_mixed(table) ? mixed_rows(table) : NULL;
    if (is_mixed(table) && !packing->rows)
        return NO_MEMORY;
    if (!is_mixed(table))
        sort_clusters(table);
    for (size_t i = 0; i < all_slots(table); i++) {
        const Entry *entry = &table->entries[i];
        size_t length = entry->count ? length_of(entry) : 0;
        most = entry->count > most ? entry->count : most;
        longest = length > longest ? length : longest;
        bytes += length;
    }
    packing->count_width = width_of(most);
    packing->length_width = width_of(longest);
    packing->size = HEADER + table->live * (packing->count_width + packing->length_width) + bytes;
    return OK;
}

/* Where a delta's next word goes. */
typedef struct {
    uint8_t *count, *length, *bytes;
    const uint8_t *end;
} Cursor;

/* Write some words. */
static inline void
write_words(Cursor *cursor, const Table *table, const Packing *packing, const Entry *const *words,
            size_t many)
{
    for (size_t i = 0; i < many; i++) {
        const Entry *entry = words[i];
        size_t length = length_of(entry);
        if (LIKELY(!is_far(entry) && cursor->end - cursor->bytes > INLINE_BYTES))
            memcpy(cursor->bytes, entry->key.bytes, INLINE_BYTES + 1); /* the next word overwrites the rest */
        else
            memcpy(cursor->bytes, word_of(table, entry), length);
        store(cursor->count, entry->count, packing->count_width);
        store(cursor->length, length, packing->length_width);
        cursor->count += packing->count_width;
        cursor->length += packing->length_width;
        cursor->bytes += length;
    }
}

/* Write a table's words as a delta, all but the checksum. */
static inline void
pack_into(uint8_t *at, const Table *table, const Packing *packing)
{
    size_t words = table->live, all = packing->rows ? words : all_slots(table);
    memcpy(at, FORMAT, sizeof FORMAT);
    store(at + 20, words, 8);
    store(at + 28, table->total, 8);
    at[36] = (uint8_t)packing->count_width;
    at[37] = (uint8_t)packing->length_width;
    at[38] = at[39] = 0;
    Cursor cursor = {.count = at + HEADER, .end = at + packing->size};
    cursor.length = cursor.count + words * packing->count_width;
    cursor.bytes = cursor.length + words * packing->length_width;
    for (size_t first = 0, last; first < all; first = last) {
        const Entry *listed[LISTED];
        size_t many = 0;
        last = all - first < LISTED ? all : first + LISTED;
        for (size_t i = first; i < last; i++) { /* no branch: which slots have one is unpredictable */
            const Entry *entry = packing->rows ? packing->rows[i].entry : &table->entries[i];
            listed[many] = entry;
            many += entry->count != 0;
            PREFETCH(word_of(table, entry));
        }
        write_words(&cursor, table, packing, listed, many);
    }
}

#endif
