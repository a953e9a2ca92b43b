/* Fuzzing of delta decoding: bytes that may be a delta, and deltas that were damaged, against the
 * definition: a delta is what packing its words gives.
 *
 * The first byte of an input, mod 4, says which. 0: the rest is the delta. Else deltas are built from
 * the rest, and that many places of one are damaged: random bytes hardly ever have words in order, and
 * would not reach the later checks.
 */
#include "check.h"

/* Some words are longer by this factor: their lengths take two bytes, and with LONG_TEXT four. */
#if defined(LONG_TEXT)
enum { LONGER = 5000, MOST_BUILT = 20 };
#else
enum { LONGER = 20, MOST_BUILT = 80 };
#endif

static Table
new_table(uint64_t seed)
{
    Table table = {0};
    EXPECT(begin_table(&table, seed) == OK);
    return table;
}

/* ---------------------------------------------------------------- what holds of one */

/* Whether a delta may be taken away from these words; else which of its words is the first that
 * there are too few of. */
static bool
covers(const Answer *answer, const Answer *less, const Counted **lacking, uint64_t *have)
{
    for (size_t i = 0; i < less->used; i++) {
        *lacking = &less->words[i];
        const Counted *there = answer->used ? bsearch(*lacking, answer->words, answer->used,
                                                      sizeof(Counted), by_bytes)
                                            : NULL;
        *have = there ? there->count : 0;
        if (*have < (*lacking)->count)
            return false;
    }
    return true;
}

/* Subtract, and require that it is refused exactly where it must be, and then changes nothing. */
static bool
check_subtract(Table *table, const Answer *answer, const Delta *delta, const Answer *less)
{
    const Counted *lacking = NULL;
    uint64_t have = 0;
    Lack lack;
    bool may = covers(answer, less, &lacking, &have);
    EXPECT(subtract_delta(table, delta, &lack) == may);
    if (!may) {
        EXPECT(lack.bytes == lacking->bytes && lack.length == lacking->length);
        EXPECT(lack.have == have && lack.count == lacking->count);
        check_table(table, answer, 2);
    }
    return may;
}

/* `listed`: the words as they stand in the delta. */
static void
check_accepted(const uint8_t *bytes, size_t size, Delta *delta, const Answer *listed,
               const Answer *answer)
{
    static const Answer nothing = {0};
    Table table = new_table(size);
    EXPECT(check_subtract(&table, &nothing, delta, listed) == (answer->used == 0));
    EXPECT(add_deltas(&table, delta, 1) == OK);
    check_table(&table, answer, size % 7);
    check_packed(&table, bytes, size);
    if (delta->total <= UINT64_MAX - table.total) { /* otherwise the caller refuses */
        EXPECT(add_deltas(&table, delta, 1) == OK);
        EXPECT(table.total == 2 * answer->total && table.live == answer->used);
        EXPECT(check_subtract(&table, answer, delta, listed));
        check_table(&table, answer, 1);
    }
    /* Nothing is left, and words that were once there come back. */
    EXPECT(check_subtract(&table, answer, delta, listed));
    check_table(&table, &nothing, 1);
    EXPECT(check_subtract(&table, &nothing, delta, listed) == (answer->used == 0));
    EXPECT(add_deltas(&table, delta, 1) == OK);
    check_packed(&table, bytes, size);
    EXPECT(empty_table(&table) == OK);
    check_table(&table, &nothing, 1);
    EXPECT(add_deltas(&table, delta, 1) == OK);
    check_packed(&table, bytes, size);
    free_table(&table);
}

/* Bytes that may be a delta. True if they are one. */
static bool
check_bytes(const uint8_t *bytes, size_t size)
{
    Answer listed = {0}, answer = {0};
    Delta delta;
    bool is = is_delta(bytes, size, &listed);
    const char *wrong = read_delta(bytes, size, &delta);
    EXPECT((wrong == NULL) == is);
    if (is) {
        for (size_t i = 0; i < listed.used; i++)
            append(&answer, listed.words[i].bytes, listed.words[i].length, listed.words[i].count);
        settle(&answer);
        check_accepted(bytes, size, &delta, &listed, &answer);
    }
    free(answer.words);
    free(listed.words);
    return is;
}

/* ---------------------------------------------------------------- what holds of two */

static void
check_two(const Answer *one, const Answer *other, uint64_t seed)
{
    size_t one_size, other_size;
    uint8_t *one_bytes = packed(one, &one_size), *other_bytes = packed(other, &other_size);
    Answer both = {0}, one_read = {0}, other_read = {0};
    Delta one_delta, other_delta;
    /* These words stand in the deltas, where the kernel says a lacking one is. */
    EXPECT(is_delta(one_bytes, one_size, &one_read));
    EXPECT(is_delta(other_bytes, other_size, &other_read));
    EXPECT(!read_delta(one_bytes, one_size, &one_delta));
    EXPECT(!read_delta(other_bytes, other_size, &other_delta));
    if (one->total <= UINT64_MAX - other->total) {
        for (size_t i = 0; i < one->used; i++)
            append(&both, one->words[i].bytes, one->words[i].length, one->words[i].count);
        for (size_t i = 0; i < other->used; i++)
            append(&both, other->words[i].bytes, other->words[i].length, other->words[i].count);
        settle(&both);
        Table table = new_table(seed);
        Delta deltas[] = {one_delta, other_delta};
        if (seed & 2) {
            EXPECT(add_deltas(&table, deltas, 2) == OK);
        } else {
            EXPECT(add_deltas(&table, &deltas[0], 1) == OK);
            EXPECT(add_deltas(&table, &deltas[1], 1) == OK);
        }
        check_table(&table, &both, 5);
        EXPECT(check_subtract(&table, &both, &one_delta, &one_read));
        check_table(&table, other, 5);
        if (!check_subtract(&table, other, &one_delta, &one_read))
            check_packed(&table, other_bytes, other_size);
        free_table(&table);
    }
    free(both.words);
    free(one_read.words);
    free(other_read.words);
    free(one_bytes);
    free(other_bytes);
}

/* ---------------------------------------------------------------- building and damaging */

/* A word of some of the input's bytes, always well-formed: what is not ASCII stands for a character
 * that is first or last of its kind. free() it. */
static uint8_t *
built_word(Input *input, size_t *length)
{
    static const char *const wide[] = {"\xC2\x80",     "\xDF\xBF",         "\xE0\xA0\x80",
                                       "\xED\x9F\xBF", "\xEE\x80\x80",     "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"};
    unsigned how = (unsigned)take(input, 1), characters = how & 15;
    size_t times = how < 0xF0 ? 1 : LONGER, used = 0;
    uint8_t *bytes = exactly(characters * 4 * times);
    for (; characters; characters--) {
        uint8_t byte = (uint8_t)take(input, 1);
        if (byte < 0x80) {
            bytes[used++] = byte;
        } else {
            size_t some = strlen(wide[byte & 7]);
            memcpy(bytes + used, wide[byte & 7], some);
            used += some;
        }
    }
    *length = used * times;
    for (size_t i = used; i < *length; i++)
        bytes[i] = bytes[i - used];
    return bytes;
}

/* Add a word, unless the total would not fit. */
static void
give(Answer *answer, const uint8_t *bytes, size_t length, uint64_t count)
{
    if (count && count <= UINT64_MAX - answer->total)
        append(answer, bytes, length, count);
}

/* Exactly these bytes; version and checksum, which are the caller's to compare, put right. */
static uint8_t *
with_head(const uint8_t *bytes, size_t size)
{
    static const uint8_t head[BODY] = "FLD\2";
    uint8_t *copy = copy_of(bytes, size);
    if (size >= BODY)
        memcpy(copy, head, BODY);
    return copy;
}

static uint8_t *
damaged(const uint8_t *delta, size_t *size, unsigned places, Input *input)
{
    uint8_t *bytes = exactly(*size + places);
    memcpy(bytes, delta, *size);
    for (; places; places--) {
        unsigned kind = (unsigned)take(input, 1) % 6;
        size_t place = *size ? take(input, 2) % *size : 0;
        uint8_t value = (uint8_t)take(input, 1);
        if (kind == 5)
            bytes[(*size)++] = value;
        else if (!*size)
            continue;
        else if (kind == 4)
            *size = place;
        else if (kind == 3)
            bytes[place % 20 + 20 < *size ? place % 20 + 20 : place] = value; /* the header */
        else if (kind == 2)
            bytes[place] ^= (uint8_t)(1u << value % 8);
        else
            bytes[place] = kind ? value : (uint8_t)(bytes[place] + (value % 2 ? 1 : -1));
    }
    uint8_t *exact = with_head(bytes, *size);
    free(bytes);
    return exact;
}

static void
check_built(Input *input, unsigned places)
{
    uint8_t *held[MOST_BUILT];
    size_t many = take(input, 1) % MOST_BUILT, size;
    uint64_t seed = take(input, 2);
    Input damages = {input->at, input->left}; /* the front damages, and is words besides */
    Answer one = {0}, other = {0};
    for (size_t i = 0; i < many; i++) {
        unsigned how = (unsigned)take(input, 1);
        uint64_t count = how & 31, length_of_count = how >> 5; /* 0 to 7 bytes more */
        count = count << 8 * length_of_count | take(input, (unsigned)length_of_count);
        size_t length;
        unsigned side = (unsigned)take(input, 1);
        held[i] = built_word(input, &length);
        if (side % 4 != 1)
            give(&one, held[i], length, count);
        if (side % 4 != 0)
            give(&other, held[i], length, count + side / 16);
    }
    settle(&one);
    settle(&other);
    uint8_t *delta = packed(&one, &size);
    EXPECT(check_bytes(delta, size));
    check_two(&one, &other, seed);
    uint8_t *broken = damaged(delta, &size, places, &damages);
    check_bytes(broken, size);
    free(broken);
    free(delta);
    for (size_t i = 0; i < many; i++)
        free(held[i]);
    free(one.words);
    free(other.words);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input input = {data, size};
    unsigned places = (unsigned)take(&input, 1) % 4;
    if (places) {
        check_built(&input, places);
    } else {
        uint8_t *bytes = with_head(input.at, input.left);
        check_bytes(bytes, input.left);
        free(bytes);
    }
    return 0;
}
