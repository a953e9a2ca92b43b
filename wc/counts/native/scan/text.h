/* Counting the words of a stream of text.
 *
 * A stream comes in pieces, which are copied into a buffer: so a word that a piece cuts is whole when it is
 * hashed, and reading up to PAD bytes behind the text stays within our memory. Of a window of text
 * first all word edges are found; then its words are counted, a batch at a time.
 *
 * Counted are the words between white space; or, if there is a table for wide ones, runs
 * (word_edges.h): those that are ASCII are words, the others go to the wide table as they stand.
 */
#ifndef FAULTLINE_TEXT_H
#define FAULTLINE_TEXT_H

#include "scan/word_edges.h"
#include "table/batch.h"

#define PAD 64          /* readable bytes behind the text */
#define STEP (1u << 16) /* bytes that are copied into the buffer at once */
#define LONGEST_WORD (4u << 20) /* bytes; that of wc/text/tokenizers.py */

/* Count the words [edges[0], edges[1]), [edges[2], edges[3]), ... of `text`. */
static inline int
count_words(Table *table, const uint8_t *text, const uint16_t *edges, size_t words)
{
    for (size_t first = 0; first < words; first += BATCH) {
        size_t some = words - first < BATCH ? words - first : BATCH;
        Batch batch;
        batch.near = batch.many_far = 0;
        for (const uint16_t *edge = edges + 2 * first; edge < edges + 2 * (first + some); edge += 2)
            put_word(&batch, text + edge[0], (size_t)edge[1] - edge[0], true);
        int failed = reserve_words(table, some);
        if (!failed)
            failed = add_batch(table, &batch, true);
        if (failed)
            return failed;
    }
    table->total += words;
    return OK;
}

/* Whether a word of at least one byte is ASCII. Eight bytes behind it are readable. */
static inline bool
is_ascii(const uint8_t *bytes, size_t length)
{
    for (; length > 8; bytes += 8, length -= 8)
        if (load8(bytes) & HIGH_BITS)
            return false;
    return !(little8(bytes) << (64 - 8 * length) & HIGH_BITS);
}

/* As count_words(), of runs that may not be ASCII. Overwrites `edges`. */
static inline int
count_mixed(Table *table, Table *wide, const uint8_t *text, uint16_t *edges, size_t words)
{
    uint16_t others[WINDOW + 8];
    size_t ascii = 0, many = 0;
    for (size_t i = 0; i < words; i++) {
        uint16_t from = edges[2 * i], to = edges[2 * i + 1];
        bool is = is_ascii(text + from, (size_t)(to - from));
        edges[2 * ascii] = others[2 * many] = from;
        edges[2 * ascii + 1] = others[2 * many + 1] = to;
        ascii += is;
        many += !is;
    }
    int failed = count_words(table, text, edges, ascii);
    return failed ? failed : count_words(wide, text, others, many);
}

/* Whether it is too long for a word. A run that is not ASCII is not a word yet. */
static inline bool
is_too_long(const Table *wide, const uint8_t *bytes, size_t length)
{
    return length > LONGEST_WORD && (!wide || is_ascii(bytes, length));
}

/* Count one word of any length. PAD bytes behind it are readable. */
static inline int
count_word(Table *table, Table *wide, const uint8_t *bytes, size_t length)
{
    if (is_too_long(wide, bytes, length))
        return LONG_WORD;
    if (length > UINT32_MAX)
        return TOO_LARGE;
    Table *to = wide && !is_ascii(bytes, length) ? wide : table;
    int failed = reserve_words(to, 1);
    if (failed)
        return failed;
    Word word = word_at(to, bytes, length, true);
    to->total++;
    return add_at(to, &word, 1);
}

/* Count the words in [scanned, valid) of the table's buffer; [start, scanned) is the beginning of an open
 * word, or empty. */
ALWAYS_INLINE int
scan(Table *table, Table *wide)
{
    uint16_t edges[WINDOW + 8];
    Carry carry = {.open = table->start < table->scanned};
    for (size_t at = table->scanned; at < table->valid; at += WINDOW) {
        size_t length = table->valid - at < WINDOW ? table->valid - at : WINDOW;
        uint8_t *text = table->buffer + at;
        size_t first = carry.open, found = find_edges(text, length, wide, &carry, edges);
        int failed = OK;
        if (first && found) /* the open word ends */
            failed = count_word(table, wide, table->buffer + table->start, at + edges[0] - table->start);
        first = found ? first : 0;
        if (!failed)
            failed = wide && carry.wide
                         ? count_mixed(table, wide, text, edges + first, (found - first) / 2)
                         : count_words(table, text, edges + first, (found - first) / 2);
        if (failed)
            return failed;
        if (carry.open && found)
            table->start = at + edges[found - 1];
    }
    table->scanned = table->valid;
    if (!carry.open)
        table->start = table->valid;
    return OK;
}

/* Append some bytes to the buffer, and count the words that they end. */
static inline int
feed_step(Table *table, Table *wide, const uint8_t *piece, size_t some)
{
    /* Move the text that is still needed to the front. A word longer than any piece is there already,
     * so it is copied only when the buffer grows. */
    if (table->start > 0) {
        memmove(table->buffer, table->buffer + table->start, table->end - table->start);
        table->offset += table->start;
        table->scanned -= table->start;
        table->valid -= table->start;
        table->end -= table->start;
        table->start = 0;
    }
    if (table->end > SIZE_MAX / 4)
        return NO_MEMORY;
    if (reserve(&table->buffer, &table->buffer_room, table->end + some + PAD, STEP / 4 + PAD))
        return NO_MEMORY;
    memcpy(table->buffer + table->end, piece, some);
    table->end += some;
    memset(table->buffer + table->end, 0, PAD);
    const uint8_t *end = table->buffer + table->end;
    const uint8_t *good = well_formed(table->buffer + table->valid, end);
    table->valid = (size_t)(good - table->buffer);
    if (!is_cut(good, end))
        return BAD_TEXT;
    int failed = wide ? scan(table, wide) : scan(table, NULL);
    if (!failed && is_too_long(wide, table->buffer + table->start, table->scanned - table->start))
        failed = LONG_WORD; /* do not keep more of it */
    return failed;
}

/* Feed a piece of text, of any size. After BAD_TEXT, `valid` is where the buffer is not UTF-8. */
static inline int
feed(Table *table, Table *wide, const uint8_t *piece, size_t length)
{
    for (size_t some; length > 0; piece += some, length -= some) {
        some = length < STEP ? length : STEP;
        int failed = feed_step(table, wide, piece, some);
        if (failed)
            return failed;
    }
    return OK;
}

/* The stream has ended, and with it the word that was open. BAD_TEXT: see feed(). */
static inline int
finish(Table *table, Table *wide)
{
    if (table->valid < table->end)
        return BAD_TEXT;
    int failed = OK;
    if (table->start < table->end)
        failed = count_word(table, wide, table->buffer + table->start, table->end - table->start);
    if (table->buffer_room > 4 * STEP) { /* grown for a very long word */
        free(table->buffer);
        table->buffer = NULL;
        table->buffer_room = 0;
    }
    table->start = table->scanned = table->valid = table->end = 0;
    table->offset = 0;
    return failed;
}

#endif
