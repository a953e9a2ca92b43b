/* Fuzzing of counting: a text, cut into pieces, against a byte-wise str.split().
 *
 * Bytes of an input: 8 for the table's seed, 2 for how many words are asked for, 1 for how the text is
 * cut, then the text. Where the input has lengths to cut by, they are its last 16 bytes, so that the
 * text stays contiguous and the fuzzer can move parts of it.
 *
 * With LONG_TEXT each text is made this long, in bytes: few inputs a second, but they fill all buffers.
 */
#include "cut_text.h"

static int
feed_spaced(void *state, Table *table, const uint8_t *piece, size_t length, const char **reason,
            uint64_t *where)
{
    (void)state;
    return feed(table, piece, length, reason, where);
}

static int
finish_spaced(void *state, Table *table, const char **reason, uint64_t *where)
{
    (void)state;
    return finish(table, reason, where);
}

static void
feed_words(Table *table, const uint8_t *text, size_t length, Cuts cuts, const Fault *fault)
{
    Reader reader = {feed_spaced, finish_spaced, NULL};
    feed_all(reader, table, text, length, cuts, fault, OK, 0);
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
    EXPECT(begin_table(&table, seed, seed % 2) == OK);
    EXPECT(add_deltas(&table, &delta, 1) == OK);
    check_table(&table, answer, 3);
    free_table(&table);
    free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input input = {data, size};
    uint64_t seed = take(&input, 8);
    size_t most = take(&input, 2), length;
    Cuts cuts = take_cuts(&input);
    uint8_t *text = take_text(&input, ' ', &length);
    Fault fault, none = {0};
    Answer answer = split(text, length, is_white, &fault);

    Table table = {0};
    EXPECT(begin_table(&table, seed, seed % 2) == OK);
    feed_words(&table, text, length, cuts, &fault);
    if (fault.reason) { /* what was counted before is of no use: without the rest it is well */
        EXPECT(empty_table(&table) == OK);
        length = fault.where;
        feed_words(&table, text, length, cuts, &none);
    }
    check_table(&table, &answer, most);
    /* A table used again, its text cut elsewhere, gives the same. */
    EXPECT(empty_table(&table) == OK);
    EXPECT(table.live == 0 && table.total == 0);
    cuts.many /= 2;
    feed_words(&table, text, length, cuts, &none);
    check_table(&table, &answer, most / 2);
    check_drained(&table, &answer);
    feed_words(&table, text, length, cuts, &none);
    check_table(&table, &answer, 1);
    if (!LONG_TEXT) {
        check_round_trip(&answer, seed + 1);
        /* And once more without being emptied: all is there twice. */
        feed_words(&table, text, length, cuts, &none);
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
