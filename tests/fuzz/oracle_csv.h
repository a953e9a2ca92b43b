/* What should become of a CSV file, read a byte at a time; each record is copied before it is judged. */
#ifndef FAULTLINE_FUZZ_ORACLE_CSV_H
#define FAULTLINE_FUZZ_ORACLE_CSV_H

#include "oracle.h"

typedef struct {
    Answer answer; /* its words stand in `room` */
    uint8_t *room;
    size_t header;      /* its bytes; all there are if it is the `last` */
    bool headed, last;
    bool too_long, unclosed; /* what is wrong with the record at which reading ended */
    size_t decided; /* that it is too long is certain after this many bytes */
    uint64_t record, line, fields;
} Csv;

static inline bool
is_none(const uint8_t *value, size_t length)
{
    static const char NONE[] =
        "||#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|None|n/a|"
        "nan|null|";
    for (const char *at = NONE; at[1]; at = strchr(at + 1, '|'))
        if (strchr(at + 1, '|') == at + 1 + length && memcmp(at + 1, value, length) == 0)
            return true;
    return false;
}

static inline void
add_value(Answer *answer, const uint8_t *value, size_t length)
{
    if (is_none(value, length)) {
        append(answer, (const uint8_t *)"nan", 3, 1);
        return;
    }
    size_t begin = 0;
    for (size_t at = 0; at <= length; at++)
        if (at == length || value[at] == ' ') {
            append(answer, value + begin, at - begin, 1);
            begin = at + 1;
        }
}

/* Read [text, text + length), of whose columns, `width` of them, the one number `wanted` counts. */
static inline Csv
read_csv(const uint8_t *text, size_t length, uint64_t wanted, uint64_t width)
{
    Csv csv = {.room = exactly(length + 1)};
    enum { BLANK, NEW, IN, QUOTED, QUOTE } state = BLANK;
    uint8_t *to = csv.room, *value = to, *value_end = to;
    bool bom = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0, blanks = false;
    uint64_t field = 0, line = 1;
    for (size_t at = bom ? 3 : 0; at <= length; at++) {
        bool end = at == length;
        uint8_t byte = end ? '\n' : text[at];
        if (end && state == QUOTED && csv.headed) {
            csv.unclosed = true;
            break;
        }
        if (end && !csv.headed) {
            csv.last = true;
            break;
        }
        if (state == BLANK) {
            if (byte == '\n') {
                to = value; /* no record: what was kept of it is dropped */
                blanks = false;
                line++;
                continue;
            }
            if (byte == ' ' || byte == '\t') {
                if (csv.headed && wanted == 0)
                    *to++ = byte;
                blanks = true;
                continue;
            }
            csv.record++;
            csv.line = line;
            state = blanks ? IN : NEW;
            blanks = false;
        }
        bool kept = csv.headed && field == wanted;
        if (state == QUOTED && byte != '"') {
            line += byte == '\n';
            if (kept)
                *to++ = byte;
        } else if (state == QUOTED) {
            state = QUOTE;
        } else if (state == QUOTE && byte == '"') {
            if (kept)
                *to++ = byte;
            state = QUOTED;
        } else if (state == NEW && byte == '"') {
            state = QUOTED;
        } else if (byte != ',' && byte != '\n') {
            if (kept)
                *to++ = byte;
            state = IN;
        } else {
            if (kept)
                value_end = to;
            field++;
            state = NEW;
        }
        if (byte != '\n' || state != NEW)
            continue;
        line++;
        state = BLANK;
        csv.fields = field;
        if (csv.headed && field > width) {
            csv.too_long = true;
            csv.decided = end ? SIZE_MAX : at + 1; /* at the end, or with its newline */
            break;
        }
        if (csv.headed)
            add_value(&csv.answer, value, field > wanted ? (size_t)(value_end - value) : 0);
        else
            csv.header = at + 1;
        csv.headed = true;
        value = value_end = to;
        field = 0;
    }
    if (!csv.headed)
        csv.header = length;
    settle(&csv.answer);
    return csv;
}

#endif
