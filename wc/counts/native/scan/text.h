/* Counting a stream's words between white space, as str.split() finds them; and what all tokenizers share.
 *
 * A stream comes in pieces. The end of a piece is copied into a buffer: so a word that the piece cuts is
 * whole when it is hashed, and reading up to PAD bytes behind the text stays within our memory. Of a
 * window of text first all word edges are found; then its words are counted, a batch at a time.
 */
#ifndef FAULTLINE_TEXT_H
#define FAULTLINE_TEXT_H

#include "table/batch.h"
#include "scan/word_edges.h"

#define PAD 64          /* readable bytes behind the text */
#define STEP (1u << 16) /* bytes that are copied into the buffer at once */

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

/* Count one word of any length. PAD bytes behind it are readable. */
static inline int
count_word(Table *table, const uint8_t *bytes, size_t length)
{
    if (length > UINT32_MAX)
        return TOO_LARGE;
    Word word = word_at(&table->seed, bytes, length, true);
    int failed = add_word(table, &word, 1);
    table->total += failed == OK;
    return failed;
}

/* Count the words of `text` that end before `valid`. [*start, scanned) is the beginning of an open word,
 * or empty. On return `*start` is where the word begins that is open at `valid`, or `valid` if none is.
 * PAD bytes behind `valid` are readable. */
static inline int
count_spaced(Table *table, const uint8_t *text, size_t *start, size_t scanned, size_t valid)
{
    uint16_t edges[WINDOW + 8];
    bool open = *start < scanned;
    uint64_t carried = 0; /* see find_edges() */
    for (size_t at = scanned; at < valid; at += WINDOW) {
        size_t length = valid - at < WINDOW ? valid - at : WINDOW;
        bool was_open = open;
        size_t found = find_edges(text + at, length, &open, &carried, edges), first = 0;
        if (was_open && found) {
            int failed = count_word(table, text + *start, at + edges[0] - *start);
            if (failed)
                return failed;
            first = 1;
        }
        int failed = count_words(table, text + at, edges + first, (found - first) / 2);
        if (failed)
            return failed;
        if (open && found)
            *start = at + edges[found - 1];
    }
    if (!open)
        *start = valid;
    return OK;
}

/* Scan the text in [scanned, valid) of a table's buffer, and set `scanned` to `valid`, and `start` to
 * where the text begins that is needed again. PAD bytes behind the buffer's end are readable. */
typedef int Scan(Table *table, void *state);

/* The Scan for words between white space. */
static inline int
scan_spaced(Table *table, void *state)
{
    (void)state;
    size_t scanned = table->scanned;
    table->scanned = table->valid;
    return count_spaced(table, table->buffer, &table->start, scanned, table->valid);
}

/* Append some bytes to the buffer, check that they are UTF-8, and scan them. Returns BAD_TEXT if they
 * are not: `*reason` says what is wrong at stream offset `*where`. */
static inline int
feed_buffer(Scan *scan, void *state, Table *table, const uint8_t *piece, size_t some,
            const char **reason, uint64_t *where)
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
    const uint8_t *good = well_formed(table->buffer + table->valid, table->buffer + table->end,
                                      reason);
    table->valid = (size_t)(good - table->buffer);
    if (*reason) {
        *where = table->offset + table->valid;
        return BAD_TEXT;
    }
    return scan(table, state);
}

/* Feed a piece of text, of any size, to a scan. */
static inline int
feed_to(Scan *scan, void *state, Table *table, const uint8_t *piece, size_t length,
        const char **reason, uint64_t *where)
{
    for (size_t some; length > 0; piece += some, length -= some) {
        some = length < STEP ? length : STEP;
        int failed = feed_buffer(scan, state, table, piece, some, reason, where);
        if (failed)
            return failed;
    }
    return OK;
}

/* Count the words of a piece without copying it. `*start` is where the word begins that is open at its
 * end. */
static inline int
feed_direct(Table *table, const uint8_t *piece, size_t some, size_t *start, const char **reason,
            uint64_t *where)
{
    size_t valid = (size_t)(well_formed(piece, piece + some, reason) - piece);
    if (*reason) {
        *where = table->offset + valid;
        return BAD_TEXT;
    }
    return count_spaced(table, piece, start, 0, valid);
}

/* Feed a piece of text to be split at white space, without copying more of it than its end. */
static inline int
feed(Table *table, const uint8_t *piece, size_t length, const char **reason, uint64_t *where)
{
    bool direct = true;
    size_t taken = 0; /* bytes of this piece that went into the buffer */
    while (length > 0) {
        size_t open = table->end - table->start, start = 0, some;
        int failed;
        if (direct && open <= taken && length + open > 2 * PAD) {
            /* The open word began in this piece: go on from there, and leave the buffer. */
            piece -= open;
            length += open;
            table->offset += table->start;
            table->start = table->scanned = table->valid = table->end = taken = 0;
            some = length - PAD < STEP ? length - PAD : STEP;
            failed = feed_direct(table, piece, some, &start, reason, where);
            table->offset += start;
            direct = start > 0; /* else this word is longer than a step, and needs the buffer */
        } else {
            start = some = length < STEP ? length : STEP;
            failed = feed_buffer(scan_spaced, NULL, table, piece, some, reason, where);
            taken += some;
        }
        if (failed)
            return failed;
        piece += start;
        length -= start;
    }
    return OK;
}

/* The stream has ended, and with it the word that was open. */
static inline int
finish(Table *table, const char **reason, uint64_t *where)
{
    if (table->valid < table->end) {
        *reason = "unexpected end of data";
        *where = table->offset + table->valid;
        return BAD_TEXT;
    }
    int failed = OK;
    if (table->start < table->end)
        failed = count_word(table, table->buffer + table->start, table->end - table->start);
    if (table->buffer_room > 4 * STEP) { /* grown for a very long word */
        free_block(table->buffer, table->buffer_room);
        table->buffer = NULL;
        table->buffer_room = 0;
    }
    table->start = table->scanned = table->valid = table->end = 0;
    table->offset = 0;
    return failed;
}

#endif
