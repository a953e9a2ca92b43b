/* Feeding a text to the kernel in pieces, cut as an input says. */
#ifndef FAULTLINE_FUZZ_CUT_TEXT_H
#define FAULTLINE_FUZZ_CUT_TEXT_H

#include "check.h"

enum { LENGTHS = 16 };

#if !defined(LONG_TEXT)
#define LONG_TEXT 0
#endif

typedef struct {
    const uint8_t *lengths; /* of pieces, repeated cyclically */
    size_t many, factor;
} Cuts;

/* How a text is cut: not at all, or by the lengths at the end of the input. */
static inline Cuts
take_cuts(Input *input)
{
    unsigned how = (unsigned)take(input, 1);
    Cuts cuts = {NULL, 0, (size_t)1 << how / 64};
    if (how % 2 && input->left > LENGTHS) {
        input->left -= LENGTHS;
        cuts.lengths = input->at + input->left;
        cuts.many = how / 2 % LENGTHS + 1;
    }
    return cuts;
}

/* The rest of an input. With LONG_TEXT it is repeated with a number after each, which makes many distinct
 * words; `between` follows the number. */
static inline uint8_t *
take_text(const Input *input, char between, size_t *length)
{
    if (!LONG_TEXT) {
        *length = input->left;
        return copy_of(input->at, input->left);
    }
    uint8_t *bytes = exactly(LONG_TEXT);
    size_t at = 0;
    for (unsigned number = 0; at + input->left + 16 <= LONG_TEXT; number++) {
        if (input->left)
            memcpy(bytes + at, input->at, input->left);
        at += input->left;
        at += (size_t)sprintf((char *)bytes + at, "%x%c", number * 2654435761u, between);
    }
    *length = at;
    return bytes;
}

/* One reading of a stream. */
typedef struct {
    int (*feed)(void *state, Table *table, const uint8_t *piece, size_t length,
                const char **reason, uint64_t *where);
    int (*finish)(void *state, Table *table, const char **reason, uint64_t *where);
    void *state;
} Reader;

/* Feed a text, each piece in memory of exactly its size, and return the result. The piece that makes a
 * fault certain must be refused: with BAD_TEXT and the fault's reason and place, or with `record`, the
 * result (OK: no fault) that is certain after the first `decided` bytes. */
static inline int
feed_all(Reader reader, Table *table, const uint8_t *text, size_t length, Cuts cuts,
         const Fault *fault, int record, size_t decided)
{
    const char *reason = NULL;
    uint64_t where = 0;
    int result = OK, expected = OK;
    bool late = fault->reason && strcmp(fault->reason, "unexpected end of data") == 0;
    size_t at = 0;
    for (size_t i = 0; result == OK && at < length; i++) {
        size_t some = cuts.many ? cuts.lengths[i % cuts.many] * cuts.factor + (i >= 64) : length;
        if (some > length - at)
            some = length - at;
        uint8_t *piece = copy_of(text + at, some);
        result = reader.feed(reader.state, table, piece, some, &reason, &where);
        free(piece);
        at += some;
        if (fault->reason && !late && at >= fault->decided)
            expected = BAD_TEXT;
        else if (record != OK && at >= decided)
            expected = record;
        EXPECT(result == expected);
    }
    if (result == OK) {
        result = reader.finish(reader.state, table, &reason, &where);
        EXPECT(result == (late ? BAD_TEXT : record));
    }
    if (result == BAD_TEXT) {
        EXPECT(reason && strcmp(reason, fault->reason) == 0);
        EXPECT(where == fault->where);
    }
    return result;
}

#endif
