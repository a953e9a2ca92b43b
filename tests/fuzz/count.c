/* Fuzzing of counting: a text, cut into pieces, against a byte-wise str.split().
 *
 * Bytes of an input: 8 the table's seed, 2 how many words are asked for, 1 how it is cut, then the
 * text; where it is cut by lengths of their own, these are its last 16 bytes. So text stays in one
 * piece, and the fuzzer may move parts of it about.
 *
 * With LONG_TEXT, each text is made so long (bytes): few a second, but they fill all buffers.
 */
#include "check.h"

enum { LENGTHS = 16 };

#if !defined(LONG_TEXT)
#define LONG_TEXT 0
#endif

typedef struct {
    const uint8_t *lengths; /* of pieces, over and over */
    size_t many, factor;
} Cuts;

/* Feed all of it, each piece in memory of exactly its size; what came of it. Text that is bad is
 * refused with the piece that tells, or at the end. */
static void
feed_all(Table *table, const uint8_t *text, size_t length, Cuts cuts, const Fault *fault)
{
    const char *reason = NULL;
    uint64_t where = 0;
    int result = OK;
    size_t at = 0;
    for (size_t i = 0; result == OK && at < length; i++) {
        size_t some = cuts.many ? cuts.lengths[i % cuts.many] * cuts.factor + (i >= 64) : length;
        if (some > length - at)
            some = length - at;
        uint8_t *piece = copy_of(text + at, some);
        result = feed(table, piece, some, &reason, &where);
        free(piece);
        at += some;
        if (result == OK)
            EXPECT(!fault->reason || at < fault->decided ||
                   strcmp(fault->reason, "unexpected end of data") == 0);
    }
    if (result == OK)
        result = finish(table, &reason, &where);
    EXPECT(result == (fault->reason ? BAD_TEXT : OK));
    if (fault->reason) {
        EXPECT(reason && strcmp(reason, fault->reason) == 0);
        EXPECT(where == fault->where);
    }
}

/* The delta of a table is read back, into another table. */
static void
check_round_trip(const Answer *answer, uint64_t seed)
{
    size_t size;
    uint8_t *bytes = packed(answer, &size);
    Delta delta;
    EXPECT(read_delta(bytes, size, &delta) == NULL);
    Table table = {0};
    EXPECT(begin_table(&table, seed) == OK);
    EXPECT(add_delta(&table, &delta) == OK);
    check_table(&table, answer, 3);
    free_table(&table);
    free(bytes);
}

/* A text over and over, with numbers between: many distinct words. */
static uint8_t *
made_long(const uint8_t *text, size_t length, size_t *long_length)
{
    uint8_t *bytes = exactly(LONG_TEXT);
    size_t at = 0;
    for (unsigned number = 0; at + length + 16 <= LONG_TEXT; number++) {
        if (length)
            memcpy(bytes + at, text, length);
        at += length;
        at += (size_t)sprintf((char *)bytes + at, "%x ", number * 2654435761u);
    }
    *long_length = at;
    return bytes;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input input = {data, size};
    uint64_t seed = take(&input, 8);
    size_t most = take(&input, 2);
    unsigned how = (unsigned)take(&input, 1);
    Cuts cuts = {NULL, 0, (size_t)1 << how / 64}; /* not at all, or by lengths of their own */
    if (how % 2 && input.left > LENGTHS) {
        input.left -= LENGTHS;
        cuts.lengths = input.at + input.left;
        cuts.many = how / 2 % LENGTHS + 1;
    }
    size_t length = input.left;
    uint8_t *text = LONG_TEXT ? made_long(input.at, input.left, &length)
                              : copy_of(input.at, input.left);
    Fault fault, none = {0};
    Answer answer = split(text, length, &fault);

    Table table = {0};
    EXPECT(begin_table(&table, seed) == OK);
    feed_all(&table, text, length, cuts, &fault);
    if (fault.reason) { /* what was counted before is of no use: without the rest it is well */
        EXPECT(empty_table(&table) == OK);
        length = fault.where;
        feed_all(&table, text, length, cuts, &none);
    }
    check_table(&table, &answer, most);
    /* A table used again, its text cut elsewhere, gives the same. */
    EXPECT(empty_table(&table) == OK);
    EXPECT(table.live == 0 && table.total == 0);
    cuts.many /= 2;
    feed_all(&table, text, length, cuts, &none);
    check_table(&table, &answer, most / 2);
    check_drained(&table, &answer);
    feed_all(&table, text, length, cuts, &none);
    check_table(&table, &answer, 1);
    if (!LONG_TEXT) {
        check_round_trip(&answer, seed + 1);
        /* And once more without being emptied: all is there twice. */
        feed_all(&table, text, length, cuts, &none);
        for (size_t i = 0; i < answer.used; i++)
            answer.words[i].count *= 2;
        answer.total *= 2;
        check_table(&table, &answer, most);
    }
    free_table(&table);
    free(answer.words);
    free(text);
    return 0;
}
