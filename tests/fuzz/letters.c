/* Fuzzing of letters: a text, cut into pieces, against runs found a character at a time.
 *
 * An input is laid out as for count.c. Without Python, a simpler rule says here what a letter is, and
 * words that are not ASCII are not lower-cased.
 */
#include "cut_text.h"

/* What is no letter: every third code point, and of ASCII all but A to Z and a to z. */
static bool
parts_words(uint32_t point)
{
    if (point < 0x80)
        return !((point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z'));
    return point % 3 == 0;
}

static int
tell_page(Alphabet *alphabet, uint32_t page)
{
    uint64_t letters[PAGE / 64] = {0};
    for (uint32_t i = 0; i < PAGE; i++)
        if (!parts_words(page * PAGE + i))
            letters[i / 64] |= (uint64_t)1 << i % 64;
    EXPECT(!alphabet->known[page]); /* each is asked for once */
    remember(alphabet, page, letters);
    return OK;
}

static Alphabet alphabet = {.learn = tell_page};

static int
feed_runs(void *state, Table *table, const uint8_t *piece, size_t length, const char **reason,
          uint64_t *where)
{
    return feed_letters(state, table, piece, length, reason, where);
}

static int
finish_runs(void *state, Table *table, const char **reason, uint64_t *where)
{
    return finish_letters(state, table, reason, where);
}

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

/* Add the words that are not ASCII to the others, as the caller does who has lower-cased them. */
static void
settle_wide(Letters *letters, Table *table)
{
    for (size_t first = 0; first < letters->wide.slots;) {
        size_t begun = first, length;
        uint8_t *joined = join_words(&letters->wide, &first, &length);
        EXPECT(joined && first > begun);
        uint8_t *lowered = copy_of(joined, length); /* of exactly its size */
        free(joined);
        EXPECT(count_lowered(table, &letters->wide, begun, first, lowered, length) == OK);
        free(lowered);
    }
}

/* Feed a text without faults, and look at both tables. */
static void
check_runs(Letters *letters, Table *table, const uint8_t *text, size_t length, Cuts cuts,
           const Answer *answer, size_t most)
{
    Fault none = {0};
    feed_all((Reader){feed_runs, finish_runs, letters}, table, text, length, cuts, &none, OK, 0);
    Answer ascii = only(answer, true), wide = only(answer, false);
    check_table(table, &ascii, most);
    EXPECT(wide.used == 0 || letters->wide.slots);
    if (letters->wide.slots)
        check_table(&letters->wide, &wide, most);
    settle_wide(letters, table);
    check_table(table, answer, most);
    free(ascii.words);
    free(wide.words);
}

static void
empty_all(Letters *letters, Table *table)
{
    EXPECT(empty_table(table) == OK);
    if (letters->wide.slots)
        EXPECT(empty_table(&letters->wide) == OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input input = {data, size};
    uint64_t seed = take(&input, 8);
    size_t most = take(&input, 2), length;
    Cuts cuts = take_cuts(&input);
    uint8_t *text = take_text(&input, ' ', &length);
    uint8_t *lower = copy_of(text, length);
    for (size_t i = 0; i < length; i++)
        if (lower[i] >= 'A' && lower[i] <= 'Z')
            lower[i] += 'a' - 'A';
    Fault fault;
    Answer answer = split(lower, length, parts_words, &fault);

    Table table = {0};
    Letters letters = {.alphabet = &alphabet};
    for (size_t page = 0; page < CODE_POINTS / PAGE; page++)
        alphabet.known[page] = 0;
    EXPECT(begin_table(&table, seed, seed % 2) == OK);
    if (fault.reason) {
        Reader reader = {feed_runs, finish_runs, &letters};
        feed_all(reader, &table, text, length, cuts, &fault, OK, 0);
        empty_all(&letters, &table);
        length = fault.where;
    }
    check_runs(&letters, &table, text, length, cuts, &answer, most);
    /* Used again, its text cut elsewhere, all gives the same. */
    empty_all(&letters, &table);
    cuts.many /= 2;
    check_runs(&letters, &table, text, length, cuts, &answer, most / 2);
    free_table(&letters.wide);
    free_table(&table);
    free(answer.words);
    free(lower);
    free(text);
    return 0;
}
