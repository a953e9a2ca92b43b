/* The tokenizer "letters": maximal runs of letters, lower-cased.
 *
 * ASCII letters are lower-cased in the buffer while they are found, 64 bytes at a time; which other
 * characters are letters, alphabet.h says. Runs are counted like the words of text.h.
 *
 * Lower-casing other letters is left to Python: one letter may become two, and a sigma depends on its
 * neighbours. Words with such letters are counted in a second table, the wide table, as they stand.
 * In the end each distinct one is lower-cased once and its count is added. Its ASCII letters being in
 * lower case already makes no difference: the rules only ask whether a neighbour has case.
 */
#ifndef FAULTLINE_LETTERS_H
#define FAULTLINE_LETTERS_H

#include "scan/alphabet.h"
#include "scan/text.h"

#define JOINED (1u << 16) /* bytes of words that Python lower-cases in one call */

typedef struct {
    Alphabet *alphabet;
    Table wide; /* words that are not ASCII; its memory is allocated with the first of them */
} Letters;

/* Lower-case the ASCII letters among 64 bytes. Two bit masks: these letters, and lead bytes of wider
 * characters. */
static inline void
lower_ascii(uint8_t *at, uint64_t *letters, uint64_t *leads)
{
    *letters = *leads = 0;
#if defined(__SSE2__)
    const __m128i bit = _mm_set1_epi8(0x20), a = _mm_set1_epi8('a'), z = _mm_set1_epi8('z' - 'a');
    const __m128i last = _mm_set1_epi8((char)0xBF); /* the last continuation byte */
    __m128i any = _mm_setzero_si128();
    for (unsigned part = 0; part < 4; part++) {
        __m128i *place = (__m128i *)(at + 16 * part);
        __m128i bytes = _mm_loadu_si128(place);
        __m128i from_a = _mm_sub_epi8(_mm_or_si128(bytes, bit), a);
        __m128i is = _mm_cmpeq_epi8(_mm_min_epu8(from_a, z), from_a);
        _mm_storeu_si128(place, _mm_or_si128(bytes, _mm_and_si128(is, bit)));
        *letters |= (uint64_t)(uint32_t)_mm_movemask_epi8(is) << 16 * part;
        any = _mm_or_si128(any, bytes);
    }
    if (LIKELY(!_mm_movemask_epi8(any)))
        return;
    for (unsigned part = 0; part < 4; part++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(at + 16 * part));
        int high = _mm_movemask_epi8(bytes) & _mm_movemask_epi8(_mm_cmpgt_epi8(bytes, last));
        *leads |= (uint64_t)(uint32_t)high << 16 * part;
    }
#else
    for (unsigned i = 0; i < 64; i++) {
        bool is = (uint8_t)((at[i] | 0x20) - 'a') <= 'z' - 'a';
        at[i] |= (uint8_t)(is << 5);
        *letters |= (uint64_t)is << i;
        *leads |= (uint64_t)(at[i] >= 0xC0) << i;
    }
#endif
}

/* What find_runs() carries from one window to the next. */
typedef struct {
    bool open;        /* a run is open */
    bool wide;        /* the window had a letter that is not ASCII */
    uint64_t carried; /* mask of the next bytes that belong to a letter begun before */
} Run;

/* Write the edges of the runs in `length` bytes, at most WINDOW, and their number to `*found`. Returns
 * OK, or what is_letter() failed with. */
static inline int
find_runs(Alphabet *alphabet, uint8_t *text, size_t length, Run *run, uint16_t *edges, size_t *found)
{
    uint64_t before = run->open, carried = run->carried;
    unsigned wide = 0;
    *found = 0;
    for (size_t at = 0; at < length; at += 64) {
        uint64_t letters, leads;
        lower_ascii(text + at, &letters, &leads);
        letters |= carried;
        carried = 0;
        if (length - at < 64) /* ignore what follows the end */
            leads &= ((uint64_t)1 << (length - at)) - 1;
        for (; leads; leads &= leads - 1) {
            unsigned i = LOWEST_BIT(leads), bytes;
            int is = is_letter(alphabet, wide_point(text + at + i, &bytes));
            if (is < 0)
                return is;
            uint64_t mark = is ? ((uint64_t)1 << bytes) - 1 : 0;
            letters |= mark << i;
            carried = mark >> 1 >> (63 - i); /* not 0 only for the last lead byte of the 64 */
            wide |= (unsigned)is;
        }
        uint64_t changes = letters ^ (letters << 1 | before);
        if (length - at < 64) {
            changes &= ((uint64_t)1 << (length - at)) - 1;
            before = letters >> (length - at - 1) & 1;
        } else {
            before = letters >> 63;
        }
        *found += put_edges(edges + *found, at, changes);
    }
    run->open = before;
    run->wide = wide;
    run->carried = carried;
    return OK;
}

/* Whether a word is ASCII. Eight bytes behind it are readable. */
static inline bool
is_ascii(const uint8_t *bytes, size_t length)
{
    const uint64_t high_bits = 0x8080808080808080u;
    for (; length > 8; bytes += 8, length -= 8)
        if (load8(bytes) & high_bits)
            return false;
    static const uint8_t MASK[16] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
    return !(load8(bytes) & load8(MASK + 8 - length));
}

/* The wide table, ready for use. NULL without memory. */
static inline Table *
wide_table(Letters *letters, const Table *table)
{
    if (!letters->wide.slots && begin_table(&letters->wide, table->seed.half[0], false))
        return NULL;
    return &letters->wide;
}

/* Count one run of any length. PAD bytes behind it are readable. */
static inline int
count_run(Letters *letters, Table *table, const uint8_t *bytes, size_t length)
{
    Table *to = is_ascii(bytes, length) ? table : wide_table(letters, table);
    return to ? count_word(to, bytes, length) : NO_MEMORY;
}

/* As count_words(), of runs that may not be ASCII. Overwrites `edges`. */
static inline int
count_mixed(Letters *letters, Table *table, const uint8_t *text, uint16_t *edges, size_t words)
{
    uint16_t others[WINDOW + 8];
    size_t ascii = 0, wide = 0;
    for (size_t i = 0; i < words; i++) {
        uint16_t from = edges[2 * i], to = edges[2 * i + 1];
        bool is = is_ascii(text + from, (size_t)(to - from));
        edges[2 * ascii] = others[2 * wide] = from;
        edges[2 * ascii + 1] = others[2 * wide + 1] = to;
        ascii += is;
        wide += !is;
    }
    int failed = count_words(table, text, edges, ascii);
    if (failed || !wide)
        return failed;
    Table *to = wide_table(letters, table);
    return to ? count_words(to, text, others, wide) : NO_MEMORY;
}

/* The Scan for runs of letters. */
static inline int
scan_letters(Table *table, void *state)
{
    Letters *letters = state;
    uint16_t edges[WINDOW + 8];
    Run run = {.open = table->start < table->scanned};
    for (size_t at = table->scanned; at < table->valid; at += WINDOW) {
        size_t length = table->valid - at < WINDOW ? table->valid - at : WINDOW;
        uint8_t *text = table->buffer + at;
        bool was_open = run.open;
        size_t found, first = 0;
        int failed = find_runs(letters->alphabet, text, length, &run, edges, &found);
        if (!failed && was_open && found) {
            failed = count_run(letters, table, table->buffer + table->start,
                               at + edges[0] - table->start);
            first = 1;
        }
        if (!failed)
            failed = run.wide
                         ? count_mixed(letters, table, text, edges + first, (found - first) / 2)
                         : count_words(table, text, edges + first, (found - first) / 2);
        if (failed)
            return failed;
        if (run.open && found)
            table->start = at + edges[found - 1];
    }
    table->scanned = table->valid;
    if (!run.open)
        table->start = table->valid;
    return OK;
}

static inline int
feed_letters(Letters *letters, Table *table, const uint8_t *piece, size_t length,
             const char **reason, uint64_t *where)
{
    return feed_to(scan_letters, letters, table, piece, length, reason, where);
}

/* The stream has ended, and with it the run that was open. */
static inline int
finish_letters(Letters *letters, Table *table, const char **reason, uint64_t *where)
{
    if (table->valid == table->end && table->start < table->end) {
        int failed = count_run(letters, table, table->buffer + table->start,
                               table->end - table->start);
        if (failed)
            return failed;
        table->start = table->end;
    }
    return finish(table, reason, where);
}

/* ---------------------------------------------------------------- words that are not ASCII */

/* Join words of the wide table from slot `*first` on, about JOINED bytes and at least one word, for
 * Python to lower-case; `*first` is then the next slot. A newline follows each word, as it has no case
 * and so does not affect its neighbours. For free(). NULL without memory. */
static inline uint8_t *
join_words(const Table *wide, size_t *first, size_t *length)
{
    size_t number = *first, bytes = 0;
    for (; number < wide->slots && bytes < JOINED; number++)
        bytes += is_word(&wide->entries[number]) ? length_of(&wide->entries[number]) + 1 : 0;
    uint8_t *joined = malloc(bytes + 1), *at = joined;
    if (!joined)
        return NULL;
    for (; *first < number; ++*first) {
        const Entry *entry = &wide->entries[*first];
        if (!is_word(entry))
            continue;
        memcpy(at, word_of(wide, entry), length_of(entry));
        at += length_of(entry);
        *at++ = '\n';
    }
    *length = bytes;
    return joined;
}

/* Add the counts of the wide table's slots [first, last) to the table, for the words in `lowered`: what
 * join_words() joined, lower-cased. Returns CALLBACK_FAILED if it holds another number of words. */
static inline int
count_lowered(Table *table, const Table *wide, size_t first, size_t last, const uint8_t *lowered,
              size_t length)
{
    const uint8_t *end = lowered + length;
    for (; first < last; first++) {
        if (!is_word(&wide->entries[first]))
            continue;
        const uint8_t *stop = memchr(lowered, '\n', (size_t)(end - lowered));
        if (!stop)
            return CALLBACK_FAILED;
        if ((size_t)(stop - lowered) > UINT32_MAX)
            return TOO_LARGE;
        Word word = word_at(&table->seed, lowered, (size_t)(stop - lowered), end - lowered >= 16);
        int failed = add_word(table, &word, wide->entries[first].count);
        if (failed)
            return failed;
        table->total += wide->entries[first].count;
        lowered = stop + 1;
    }
    return lowered == end ? OK : CALLBACK_FAILED;
}

#endif
