/* Rows: words of a table in an order of their own, for comparing them. And the most frequent words. */
#ifndef FAULTLINE_ROWS_H
#define FAULTLINE_ROWS_H

#include "table/table.h"

/* Ordered by rank, then by the word's bytes, of which `first` has the first eight. */
typedef struct {
    uint64_t rank, first;
    const uint8_t *bytes;
    const Entry *entry;
} Row;

static inline Row
row_of(const Table *table, const Entry *entry, uint64_t rank)
{
    Row row = {rank, 0, word_of(table, entry), entry};
    size_t length = length_of(entry);
    for (size_t i = 0; i < 8; i++) /* so that numbers compare as memcmp() does */
        row.first = row.first << 8 | (i < length ? row.bytes[i] : 0);
    return row;
}

/* For qsort(). */
static int
compare_rows(const void *left, const void *right)
{
    const Row *a = left, *b = right;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->first != b->first)
        return a->first < b->first ? -1 : 1;
    return compare_words(a->bytes, length_of(a->entry), b->bytes, length_of(b->entry));
}

/* A class of counts: larger counts have no smaller class, and those of a class differ by an eighth at most. */
static inline unsigned
class_of(uint64_t count)
{
    unsigned shift = 0;
    while (count >> shift >= 16)
        shift++;
    return 8 * shift + (unsigned)(count >> shift);
}
#define CLASSES (8 * 61 + 8)

/* The most frequent words, `most` at least if there are so many: by count, then by their bytes, ascending. Sets
 * `*many` to their number. For free(). NULL without memory. */
static inline Row *
top_rows(const Table *table, size_t most, size_t *many)
{
    size_t words[CLASSES] = {0}, class = CLASSES, some = 0;
    for (size_t i = 0; i < all_slots(table); i++)
        words[class_of(table->entries[i].count)]++;
    while (some < most && class > 1)
        some += words[--class];
    Row *rows = malloc((some ? some : 1) * sizeof *rows);
    *many = 0;
    for (size_t i = 0; rows && some && i < all_slots(table); i++)
        if (table->entries[i].count && class_of(table->entries[i].count) >= class)
            rows[(*many)++] = row_of(table, &table->entries[i], table->entries[i].count);
    if (rows)
        qsort(rows, *many, sizeof *rows, compare_rows);
    return rows;
}

#endif
