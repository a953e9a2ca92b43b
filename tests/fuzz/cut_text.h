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
    bool runs; /* whether the text is cut into runs */
} Cuts;

/* How a text is cut: not at all, or by the lengths at the end of the input. The bits of the byte: whether it
 * is, whether into runs, by how many lengths (4), and by which factor of them (2). */
static inline Cuts
take_cuts(Input *input)
{
    unsigned how = (unsigned)take(input, 1);
    Cuts cuts = {NULL, 0, (size_t)1 << how / 64, how / 2 % 2};
    if (how % 2 && input->left > LENGTHS) {
        input->left -= LENGTHS;
        cuts.lengths = input->at + input->left;
        cuts.many = how / 4 % LENGTHS + 1;
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

/* Feed a text, each piece in memory of exactly its size. The piece that makes a fault certain must be
 * refused, at the fault's place. */
static inline void
feed_all(Table *table, Table *wide, const uint8_t *text, size_t length, Cuts cuts, const Fault *fault)
{
    int result = OK;
    size_t at = 0;
    for (size_t i = 0; result == OK && at < length; i++) {
        size_t some = cuts.many ? cuts.lengths[i % cuts.many] * cuts.factor + (i >= 64) : length;
        if (some > length - at)
            some = length - at;
        uint8_t *piece = copy_of(text + at, some);
        result = feed(table, wide, piece, some);
        free(piece);
        at += some;
        EXPECT(result == (fault->decided && at >= fault->decided ? BAD_TEXT : OK));
    }
    if (result == OK) {
        result = finish(table, wide);
        EXPECT(result == (fault->there ? BAD_TEXT : OK));
    }
    if (result == BAD_TEXT) {
        size_t left = table->end - table->valid;
        EXPECT(table->offset + table->valid == fault->where);
        EXPECT(left && memcmp(table->buffer + table->valid, text + fault->where, left) == 0);
    }
}

#endif
