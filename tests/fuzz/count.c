/* Fuzzing of counting: a text, cut into pieces, against a byte-wise str.split(), or against runs of letters
 * and wide characters found a character at a time.
 *
 * Bytes of an input: 8 for the table's seed, 2 for how many words are asked for, 1 for how the text is
 * cut and whether it is cut into runs, then the text. Where the input has lengths to cut by, they are its last
 * 16 bytes, so that the text stays contiguous and the fuzzer can move parts of it.
 *
 * With LONG_TEXT each text is made this long, in bytes: few inputs a second, but they fill all buffers.
 */
#include "cut_text.h"

/* Those words of an answer that are ASCII, or those that are not. They stay where they are. */
static Answer
only(const Answer *answer, bool ascii)
{
    Answer some = {0};
    for (size_t i = 0; i < answer->used; i++) {
        const Counted *word = &answer->words[i];
        bool is = true;
        for (size_t j = 0; j < word->length; j++)
            is = is && word->bytes[j] < 0x80;
        if (is == ascii)
            append(&some, word->bytes, word->length, word->count);
    }
    return some;
}

/* A text without faults, as often as `times`: look at one table, or at both. */
static void
check_text(Table *table, Table *wide, const uint8_t *text, size_t length, Cuts cuts,
           const Answer *answer, size_t most, unsigned times)
{
    Fault none = {0};
    Answer parts[2] = {only(answer, true), only(answer, false)}, all = *answer;
    Answer *expected = wide ? parts : &all;
    EXPECT(empty_table(table) == OK);
    if (wide)
        EXPECT(empty_table(wide) == OK);
    for (unsigned i = 0; i < times; i++)
        feed_all(table, wide, text, length, cuts, &none);
    for (unsigned part = 0; part < (wide ? 2 : 1); part++) {
        for (size_t i = 0; i < expected[part].used; i++)
            expected[part].words[i].count *= times;
        expected[part].total *= times;
        check_table(part ? wide : table, &expected[part], most);
        for (size_t i = 0; i < expected[part].used; i++)
            expected[part].words[i].count /= times;
    }
    free(parts[0].words);
    free(parts[1].words);
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
    bool runs = cuts.runs;
    uint8_t *text = take_text(&input, ' ', &length), *lower = copy_of(text, length);
    for (size_t i = 0; runs && i < length; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] += 'a' - 'A';
    Fault fault;
    Answer answer = split(lower, length, runs ? is_no_letter : is_white, &fault);

    Table tables[2] = {{{0}}}, *table = &tables[0], *wide = runs ? &tables[1] : NULL;
    EXPECT(begin_table(&tables[0], seed) == OK && begin_table(&tables[1], seed) == OK);
    if (fault.there) { /* what was counted before is of no use: without the rest it is well */
        feed_all(table, wide, text, length, cuts, &fault);
        length = fault.where;
    }
    check_text(table, wide, text, length, cuts, &answer, most, 1);
    /* Tables used again, the text cut elsewhere, and fed twice. */
    cuts.many /= 2;
    check_text(table, wide, text, length, cuts, &answer, most / 2, LONG_TEXT ? 1 : 2);
    if (!LONG_TEXT)
        check_round_trip(&answer, seed + 1);
    free_table(&tables[0]);
    free_table(&tables[1]);
    free(answer.words);
    free(lower);
    free(text);
    return 0;
}
