/* The tokenizer "tweets-csv": the words between blanks in a CSV file's text column.
 *
 * The grammar and its states are those of wc/text/tweets_csv.py. All characters that matter to it are
 * ASCII, so bytes are read instead of characters. Of the text column only the open field is kept, of
 * other columns nothing. A quoted field is unquoted in place, in the buffer. The header is handed to
 * the caller, who says which column is the text.
 */
#ifndef FAULTLINE_TWEETS_H
#define FAULTLINE_TWEETS_H

#include "scan/text.h"

#define VALUE 4096u /* a longer value is counted word by word, not as a batch */

/* Where in the grammar the next byte stands. */
typedef enum {
    AT_RECORD, /* at the first byte of a line, or after blanks only */
    AT_FIELD,  /* at the first byte of a field */
    AT_BARE,   /* in a field, outside quotes */
    AT_QUOTED, /* in a field, inside quotes */
    AT_QUOTE,  /* after a quote that either closes the field or is the first of two */
    AT_FAULT,  /* behind an error: a record with too many fields, or a bad header */
} At;

typedef struct Tweets Tweets;

/* Read a header, which is all bytes from the stream's first on, and set `wanted` and `width`. `last`: the
 * stream ends with it. Returns OK or CALLBACK_FAILED. */
typedef int ReadHeader(Tweets *tweets, const uint8_t *header, size_t length, bool last);

struct Tweets {
    At at;
    bool begun;      /* the stream has begun: no byte order mark can follow */
    bool headed;     /* the header was read */
    bool blanks;     /* AT_RECORD: the line began with blanks */
    bool taken;      /* this record's value was counted */
    bool unclosed;   /* the stream ended within quotes */
    int fault;       /* AT_FAULT: BAD_RECORD or CALLBACK_FAILED */
    uint64_t wanted; /* the text column's index */
    uint64_t width;  /* columns of the header */
    uint64_t field;  /* the current field's index in its record */
    uint64_t record; /* records begun so far; the header is record 1 */
    uint64_t line, record_line; /* the newlines before here, and before the current record */
    ReadHeader *read_header;
};

/* The first byte that is `one` or `other`, or `end`. Sixteen bytes behind the end are readable. */
static inline uint8_t *
next_of(uint8_t *at, uint8_t *end, uint8_t one, uint8_t other)
{
#if defined(__SSE2__)
    const __m128i a = _mm_set1_epi8((char)one), b = _mm_set1_epi8((char)other);
    for (; at < end; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)at);
        int is = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(bytes, a), _mm_cmpeq_epi8(bytes, b)));
        if (is) {
            at += LOWEST_BIT((uint64_t)(uint32_t)is);
            break;
        }
    }
    return at < end ? at : end;
#else
    while (at < end && *at != one && *at != other)
        at++;
    return at;
#endif
}

static inline uint64_t
newlines(const uint8_t *at, const uint8_t *end)
{
    uint64_t found = 0;
    for (; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        found++;
    return found;
}

/* A bit mask of the blanks among 64 bytes. */
static inline uint64_t
blanks_in(const uint8_t *at)
{
    uint64_t blanks = 0;
#if defined(__SSE2__)
    const __m128i blank = _mm_set1_epi8(' ');
    for (unsigned part = 0; part < 4; part++) {
        __m128i is = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(at + 16 * part)), blank);
        blanks |= (uint64_t)(uint32_t)_mm_movemask_epi8(is) << 16 * part;
    }
#else
    for (unsigned i = 0; i < 64; i++)
        blanks |= (uint64_t)(at[i] == ' ') << i;
#endif
    return blanks;
}

/* Whether a value stands for a missing one. The list is MISSING of wc/text/tweets_csv.py. */
static inline bool
is_missing(const uint8_t *value, size_t length)
{
    static const char *const MISSING[] = {
        "#N/A", "#N/A N/A", "#NA",  "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
        "<NA>", "N/A",      "NA",   "NULL",    "NaN",      "None", "n/a",  "nan",    "null"};
    if (length == 0)
        return true;
    if (length > 8 || !memchr("#-1<Nn", value[0], 6))
        return false;
    for (unsigned i = 0; i < sizeof MISSING / sizeof *MISSING; i++)
        if (strlen(MISSING[i]) == length && memcmp(MISSING[i], value, length) == 0)
            return true;
    return false;
}

/* Count the words between single blanks, empty ones too. PAD bytes behind the value are readable. */
static inline int
count_value(Table *table, const uint8_t *value, size_t length)
{
    static const uint8_t NOT_THERE[PAD] = "nan";
    if (is_missing(value, length))
        return count_word(table, NOT_THERE, 3);
    if (length > VALUE) {
        const uint8_t *end = value + length, *blank;
        for (; (blank = memchr(value, ' ', (size_t)(end - value))); value = blank + 1) {
            int failed = count_word(table, value, (size_t)(blank - value));
            if (failed)
                return failed;
        }
        return count_word(table, value, (size_t)(end - value));
    }
    /* Each blank gives two edges: a word ends at it, and the next begins behind it. */
    uint16_t edges[2 * VALUE + 16];
    size_t found = 1;
    edges[0] = 0;
    for (size_t at = 0; at < length; at += 64) {
        uint64_t blanks = blanks_in(value + at);
        if (length - at < 64)
            blanks &= ((uint64_t)1 << (length - at)) - 1;
        for (; blanks; blanks &= blanks - 1) {
            edges[found++] = (uint16_t)(at + LOWEST_BIT(blanks));
            edges[found++] = (uint16_t)(at + LOWEST_BIT(blanks) + 1);
        }
    }
    edges[found++] = (uint16_t)length;
    return count_words(table, value, edges, found / 2);
}

/* Unquote a field that begins with a quote, in place; returns the value's length. Two quotes become one.
 * What follows the closing quote is kept as it stands. */
static inline size_t
unquote(uint8_t *field, uint8_t *end)
{
    uint8_t *to = field, *at = field + 1;
    for (;;) {
        uint8_t *quote = next_of(at, end, '"', '"');
        bool doubled = quote + 1 < end && quote[1] == '"';
        size_t some = (size_t)(quote - at) + doubled;
        memmove(to, at, some);
        to += some;
        if (!doubled) {
            at = quote < end ? quote + 1 : end;
            break;
        }
        at = quote + 2;
    }
    memmove(to, at, (size_t)(end - at));
    return (size_t)(to - field) + (size_t)(end - at);
}

/* A field has ended. */
static inline int
end_field(Tweets *tweets, Table *table, uint8_t *field, uint8_t *end)
{
    if (!tweets->headed || tweets->field != tweets->wanted)
        return OK;
    tweets->taken = true;
    if (field == end || *field != '"')
        return count_value(table, field, (size_t)(end - field));
    uint8_t *quote = next_of(field + 1, end, '"', '"');
    if (quote + 1 == end)
        return count_value(table, field + 1, (size_t)(quote - field - 1));
    return count_value(table, field, unquote(field, end));
}

static inline void
fail_all(Tweets *tweets, int fault)
{
    tweets->at = AT_FAULT;
    tweets->fault = fault;
}

/* A record has ended, before `end`. `header` is where the stream began, needed for the first one. */
static inline int
end_record(Tweets *tweets, Table *table, const uint8_t *header, const uint8_t *end, bool last)
{
    tweets->at = AT_RECORD;
    if (!tweets->headed) {
        tweets->headed = true;
        int failed = tweets->read_header(tweets, header, (size_t)(end - header), last);
        if (failed)
            fail_all(tweets, failed);
    } else if (tweets->field >= tweets->width) {
        fail_all(tweets, BAD_RECORD);
    } else if (!tweets->taken) {
        return count_value(table, NULL, 0);
    }
    return OK;
}

/* Begin a record, or skip a line of nothing but blanks. Returns how far that was read; `*field` is where
 * the line begins. */
static inline uint8_t *
begin_record(Tweets *tweets, uint8_t *at, uint8_t *end, uint8_t **field)
{
    for (; at < end && (*at == ' ' || *at == '\t'); at++)
        tweets->blanks = true;
    if (at == end)
        return at;
    bool blanks = tweets->blanks;
    tweets->blanks = false;
    if (*at == '\n') {
        tweets->line++;
        *field = at + 1;
        return at + 1;
    }
    tweets->record++;
    tweets->record_line = tweets->line;
    tweets->field = 0;
    tweets->taken = false;
    tweets->at = blanks ? AT_BARE : AT_FIELD;
    return at;
}

/* The Scan for a CSV file. A bad record does not stop it: the text that follows must still be checked
 * for UTF-8, so the fault is only noted. Fails only without memory. */
static inline int
scan_tweets(Table *table, void *state)
{
    Tweets *tweets = state;
    uint8_t *begin = table->buffer + table->start, *field = begin;
    uint8_t *at = table->buffer + table->scanned, *end = table->buffer + table->valid;
    if (!tweets->begun && at < end) {
        tweets->begun = true;
        if (at[0] == 0xEF && at[1] == 0xBB && at[2] == 0xBF)
            field = at += 3;
    }
    while (at < end) {
        switch (tweets->at) {
        case AT_RECORD:
            at = begin_record(tweets, at, end, &field);
            break;
        case AT_FIELD:
            field = at;
            tweets->at = *at == '"' ? AT_QUOTED : AT_BARE;
            at += *at == '"';
            break;
        case AT_BARE: {
            at = next_of(at, end, ',', '\n');
            if (at == end)
                break;
            int failed = end_field(tweets, table, field, at);
            if (*at == ',') {
                tweets->field++;
                tweets->at = AT_FIELD;
            } else {
                tweets->line++;
                if (!failed)
                    failed = end_record(tweets, table, begin, at + 1, false);
            }
            if (failed)
                return failed;
            field = ++at;
            break;
        }
        case AT_QUOTED: {
            uint8_t *quote = next_of(at, end, '"', '"');
            tweets->line += newlines(at, quote);
            if (quote < end)
                tweets->at = AT_QUOTE;
            at = quote + (quote < end);
            break;
        }
        case AT_QUOTE:
            tweets->at = *at == '"' ? AT_QUOTED : AT_BARE;
            at += *at == '"';
            break;
        case AT_FAULT:
            field = at = end;
            break;
        }
    }
    table->scanned = table->valid;
    bool kept = tweets->at == AT_RECORD || tweets->field == tweets->wanted;
    if (tweets->headed)
        table->start = (size_t)((kept ? field : at) - table->buffer);
    return OK;
}

static inline int
feed_tweets(Tweets *tweets, Table *table, const uint8_t *piece, size_t length, const char **reason,
            uint64_t *where)
{
    int failed = feed_to(scan_tweets, tweets, table, piece, length, reason, where);
    return failed || tweets->at != AT_FAULT ? failed : tweets->fault;
}

/* The stream has ended. */
static inline int
finish_tweets(Tweets *tweets, Table *table, const char **reason, uint64_t *where)
{
    static uint8_t nothing[PAD];
    int failed = OK;
    if (!table->buffer) { /* an empty stream: a header of no bytes */
        if (!tweets->headed)
            failed = end_record(tweets, table, nothing, nothing, true);
    } else if (table->valid == table->end) {
        uint8_t *field = table->buffer + table->start, *end = table->buffer + table->end;
        tweets->unclosed = tweets->headed && tweets->at == AT_QUOTED;
        if (tweets->unclosed)
            fail_all(tweets, BAD_RECORD);
        else if (!tweets->headed)
            failed = end_record(tweets, table, field, end, true);
        else if (tweets->at != AT_RECORD && tweets->at != AT_FAULT) {
            failed = end_field(tweets, table, field, end);
            if (!failed)
                failed = end_record(tweets, table, field, end, true);
        }
        table->start = table->end;
    }
    if (failed)
        return failed;
    failed = finish(table, reason, where);
    return failed || tweets->at != AT_FAULT ? failed : tweets->fault;
}

#endif
