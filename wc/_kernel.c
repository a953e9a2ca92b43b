/* Counting and folding, compiled: a hash table of words, fed with text or with deltas.
 *
 * A Table maps words (bytes, well-formed UTF-8) to counts. Text goes through a buffer of its
 * own, so that a word cut by the end of a piece is whole when it is hashed, and so that reading
 * sixteen bytes at a time never leaves our memory. White space is what str.split() takes for it,
 * found in the bytes. Deltas (docs/delta-format.md) are checked whole before they are used.
 *
 * The interpreter's lock is released while text is scanned, deltas are checked and folded, and
 * words are sorted. A Table must not be used by two threads at once; a second one gets an error.
 */
#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000 /* one build for Python 3.11 and all later ones */
#endif
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

/* ---------------------------------------------------------------- words in a hash table */

#define INLINE_BYTES 12

/* One word. Up to INLINE_BYTES it stands here; a longer one begins here with its offset in the
 * arena. 24 bytes. */
typedef struct {
    uint64_t count;
    uint32_t length;
    union {
        uint8_t bytes[INLINE_BYTES];
        struct {
            uint32_t low, high; /* of the offset: eight bytes without their alignment */
            uint8_t first[4];
        } far;
    } word;
} Entry;

/* A slot is free (0), or holds the hash's upper half and the entry's number plus one. */
typedef uint64_t Slot;

typedef struct {
    PyObject_HEAD
    bool busy;
    uint64_t seed;
    /* the table */
    Slot *slots;
    size_t mask; /* slots - 1 */
    Entry *entries;
    size_t used, room; /* entries */
    uint8_t *arena;
    size_t arena_used, arena_room;
    size_t live;    /* entries with a count */
    uint64_t total; /* the sum of all counts */
    /* text that is not yet words: [start, end) of buffer; up to `scanned` there is no white
     * space, up to `valid` it is well-formed */
    uint8_t *buffer;
    size_t start, scanned, valid, end, buffer_room;
    uint64_t offset; /* of the buffer's first byte in the stream */
} Table;

enum { OK = 0, NO_MEMORY = -1, TOO_LARGE = -2, BAD_TEXT = -3 };

#define PAD 64             /* readable bytes behind the text */
#define STEP (1u << 16)    /* bytes that are scanned at once */
#define FEW_SLOTS 1024u
#define MOST_WORDS 0xFFFFFFF0u

static inline uint64_t
far_offset(const Entry *entry)
{
    return (uint64_t)entry->word.far.high << 32 | entry->word.far.low;
}

static inline const uint8_t *
word_of(const Table *table, const Entry *entry)
{
    return entry->length <= INLINE_BYTES ? entry->word.bytes : table->arena + far_offset(entry);
}

static inline uint64_t
load8(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, 8);
    return value;
}

static inline uint64_t
load4(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, 4);
    return value;
}

/* Multiply to 128 bits and fold (the mixing step of Wang Yi's wyhash). */
static inline uint64_t
mix(uint64_t a, uint64_t b)
{
#if defined(__SIZEOF_INT128__)
    __uint128_t product = (__uint128_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t ah = a >> 32, al = (uint32_t)a, bh = b >> 32, bl = (uint32_t)b;
    uint64_t hh = ah * bh, hl = ah * bl, lh = al * bh, ll = al * bl;
    uint64_t middle = (ll >> 32) + (uint32_t)hl + (uint32_t)lh;
    uint64_t low = (middle << 32) | (uint32_t)ll;
    uint64_t high = hh + (hl >> 32) + (lh >> 32) + (middle >> 32);
    return low ^ high;
#endif
}

#define K0 0x9E3779B97F4A7C15u
#define K1 0xD1B54A32D192ED03u

/* Keyed by the table's random seed, so that nobody can prepare words that collide. Reads only
 * the word's own bytes. */
static inline uint64_t
hash_of(const uint8_t *bytes, size_t length, uint64_t seed)
{
    uint64_t a, b;
    if (length >= 8) {
        uint64_t state = seed;
        const uint8_t *last = bytes + length - 8;
        const uint8_t *at = bytes;
        while (length > 16) {
            state = mix(load8(at) ^ K0 ^ state, load8(at + 8) ^ K1);
            at += 16;
            length -= 16;
        }
        a = length >= 8 ? load8(at) : 0;
        b = load8(last);
        return mix(a ^ K0 ^ state, b ^ K1 ^ ((uint64_t)length << 56)) ^ state;
    }
    if (length >= 4) {
        a = load4(bytes);
        b = load4(bytes + length - 4);
    } else if (length > 0) {
        a = (uint64_t)bytes[0] << 16 | (uint64_t)bytes[length >> 1] << 8 | bytes[length - 1];
        b = 0;
    } else {
        a = b = 0;
    }
    return mix(a ^ K0 ^ seed, (b << 8 | length) ^ K1);
}

static inline bool
same(const Table *table, const Entry *entry, const uint8_t *bytes, size_t length)
{
    return entry->length == length && memcmp(word_of(table, entry), bytes, length) == 0;
}

/* Hashes are used by their upper half (kept in the slot) and their lower bits (the place). */
static inline Slot
slot_of(uint64_t hash, size_t number)
{
    return (hash & 0xFFFFFFFF00000000u) | (uint32_t)(number + 1);
}

static int
grow_slots(Table *table)
{
    size_t count = table->slots ? 2 * (table->mask + 1) : FEW_SLOTS;
    Slot *slots = calloc(count, sizeof(Slot));
    if (!slots)
        return NO_MEMORY;
    size_t mask = count - 1;
    for (size_t number = 0; number < table->used; number++) {
        const Entry *entry = &table->entries[number];
        uint64_t hash = hash_of(word_of(table, entry), entry->length, table->seed);
        size_t at = hash & mask;
        while (slots[at])
            at = (at + 1) & mask;
        slots[at] = slot_of(hash, number);
    }
    free(table->slots);
    table->slots = slots;
    table->mask = mask;
    return OK;
}

static int
reserve(void **block, size_t *room, size_t needed, size_t size, size_t least)
{
    if (needed <= *room)
        return OK;
    size_t more = *room + *room / 4;
    if (more < needed)
        more = needed;
    if (more < least)
        more = least;
    if (more > SIZE_MAX / 2 / size)
        return NO_MEMORY;
    void *grown = realloc(*block, more * size);
    if (!grown)
        return NO_MEMORY;
    *block = grown;
    *room = more;
    return OK;
}

static int
append_entry(Table *table, const uint8_t *bytes, size_t length, uint64_t count)
{
    if (table->used >= MOST_WORDS || length > UINT32_MAX)
        return TOO_LARGE;
    if (reserve((void **)&table->entries, &table->room, table->used + 1, sizeof(Entry), 256))
        return NO_MEMORY;
    Entry *entry = &table->entries[table->used];
    memset(entry, 0, sizeof *entry);
    entry->count = count;
    entry->length = (uint32_t)length;
    if (length <= INLINE_BYTES) {
        memcpy(entry->word.bytes, bytes, length);
    } else {
        size_t at = table->arena_used;
        if (reserve((void **)&table->arena, &table->arena_room, at + length, 1, 4096))
            return NO_MEMORY;
        memcpy(table->arena + at, bytes, length);
        table->arena_used += length;
        entry->word.far.low = (uint32_t)at;
        entry->word.far.high = (uint32_t)((uint64_t)at >> 32);
    }
    table->used++;
    return OK;
}

static Entry *
find(const Table *table, const uint8_t *bytes, size_t length)
{
    if (!table->slots)
        return NULL;
    uint64_t hash = hash_of(bytes, length, table->seed);
    for (size_t at = hash & table->mask; table->slots[at]; at = (at + 1) & table->mask) {
        Slot slot = table->slots[at];
        if ((slot ^ hash) >> 32 == 0) {
            Entry *entry = &table->entries[(uint32_t)slot - 1];
            if (same(table, entry, bytes, length))
                return entry;
        }
    }
    return NULL;
}

/* Add `count` of a word. The total is the caller's to keep. */
static inline int
add(Table *table, const uint8_t *bytes, size_t length, uint64_t count)
{
    uint64_t hash = hash_of(bytes, length, table->seed);
    size_t at = hash & table->mask;
    for (Slot slot; (slot = table->slots[at]); at = (at + 1) & table->mask) {
        if ((slot ^ hash) >> 32)
            continue;
        Entry *entry = &table->entries[(uint32_t)slot - 1];
        if (same(table, entry, bytes, length)) {
            table->live += entry->count == 0;
            entry->count += count;
            return OK;
        }
    }
    int failed = append_entry(table, bytes, length, count);
    if (failed)
        return failed;
    table->slots[at] = slot_of(hash, table->used - 1);
    table->live++;
    if (table->used > (table->mask + 1) / 4 * 3)
        return grow_slots(table);
    return OK;
}

/* ---------------------------------------------------------------- text */

/* Words that were found and not yet added: their places in memory are fetched meanwhile. */
#define BATCH 64
typedef struct {
    size_t used;
    const uint8_t *bytes[BATCH];
    size_t length[BATCH];
    uint64_t hash[BATCH];
} Batch;

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#define LOWEST_BIT(bits) ((unsigned)__builtin_ctzll(bits))
#else
#define PREFETCH(address) ((void)(address))
static inline unsigned
LOWEST_BIT(uint64_t bits)
{
    unsigned at = 0;
    while (!(bits & 1)) {
        bits >>= 1;
        at++;
    }
    return at;
}
#endif

static int
flush(Table *table, Batch *batch)
{
    for (size_t i = 0; i < batch->used; i++) {
        Slot slot = table->slots[batch->hash[i] & table->mask];
        if (slot)
            PREFETCH(&table->entries[(uint32_t)slot - 1]);
    }
    for (size_t i = 0; i < batch->used; i++) {
        const uint8_t *bytes = batch->bytes[i];
        size_t length = batch->length[i];
        uint64_t hash = batch->hash[i];
        size_t at = hash & table->mask;
        for (;; at = (at + 1) & table->mask) {
            Slot slot = table->slots[at];
            if (!slot) {
                int failed = append_entry(table, bytes, length, 1);
                if (failed)
                    return failed;
                table->slots[at] = slot_of(hash, table->used - 1);
                table->live++;
                if (table->used > (table->mask + 1) / 4 * 3 && grow_slots(table))
                    return NO_MEMORY;
                break;
            }
            if ((slot ^ hash) >> 32)
                continue;
            Entry *entry = &table->entries[(uint32_t)slot - 1];
            if (same(table, entry, bytes, length)) {
                table->live += entry->count == 0;
                entry->count++;
                break;
            }
        }
    }
    table->total += batch->used;
    batch->used = 0;
    return OK;
}

static inline int
found(Table *table, Batch *batch, const uint8_t *bytes, size_t length)
{
    uint64_t hash = hash_of(bytes, length, table->seed);
    PREFETCH(&table->slots[hash & table->mask]);
    batch->bytes[batch->used] = bytes;
    batch->length[batch->used] = length;
    batch->hash[batch->used] = hash;
    if (++batch->used == BATCH)
        return flush(table, batch);
    return OK;
}

static inline bool
is_ascii_space(uint8_t byte)
{
    return (uint8_t)(byte - 0x09) <= 4 || (uint8_t)(byte - 0x1C) <= 4;
}

/* The length of the white space character that a byte of 0x80 or more begins; 0 for none. */
static inline unsigned
wide_space(const uint8_t *at)
{
    switch (at[0]) {
    case 0xC2: /* U+0085, U+00A0 */
        return at[1] == 0x85 || at[1] == 0xA0 ? 2 : 0;
    case 0xE1: /* U+1680 */
        return at[1] == 0x9A && at[2] == 0x80 ? 3 : 0;
    case 0xE2: /* U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F */
        if (at[1] == 0x80)
            return at[2] <= 0x8A || at[2] == 0xA8 || at[2] == 0xA9 || at[2] == 0xAF ? 3 : 0;
        return at[1] == 0x81 && at[2] == 0x9F ? 3 : 0;
    case 0xE3: /* U+3000 */
        return at[1] == 0x80 && at[2] == 0x80 ? 3 : 0;
    default:
        return 0;
    }
}

/* Of 64 bytes, which are ASCII white space, and which are 0x80 or more. */
static inline void
classify(const uint8_t *at, uint64_t *space, uint64_t *high)
{
    *space = *high = 0;
#if defined(__SSE2__)
    const __m128i four = _mm_set1_epi8(4), tab = _mm_set1_epi8(0x09), fs = _mm_set1_epi8(0x1C);
    for (unsigned part = 0; part < 4; part++) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(at + 16 * part));
        __m128i a = _mm_sub_epi8(bytes, tab), b = _mm_sub_epi8(bytes, fs);
        __m128i is = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(a, four), a),
                                  _mm_cmpeq_epi8(_mm_min_epu8(b, four), b));
        *space |= (uint64_t)(uint32_t)_mm_movemask_epi8(is) << 16 * part;
        *high |= (uint64_t)(uint32_t)_mm_movemask_epi8(bytes) << 16 * part;
    }
#else
    for (unsigned i = 0; i < 64; i++) {
        *space |= (uint64_t)is_ascii_space(at[i]) << i;
        *high |= (uint64_t)(at[i] >> 7) << i;
    }
#endif
}

/* Count the words in [scanned, valid), and keep the one that goes on in `start`. The buffer has
 * PAD bytes behind its end. */
static int
scan(Table *table)
{
    Batch batch;
    batch.used = 0;
    bool open = table->start < table->scanned;
    size_t start = table->start;
    uint64_t carried = 0; /* of a white space character cut by the end of a block */
    for (size_t at = table->scanned; at < table->valid; at += 64) {
        size_t length = table->valid - at < 64 ? table->valid - at : 64;
        uint64_t inside = length == 64 ? ~(uint64_t)0 : ((uint64_t)1 << length) - 1;
        uint64_t space, high;
        classify(table->buffer + at, &space, &high);
        space |= carried;
        carried = 0;
        for (uint64_t rest = high & inside; rest; rest &= rest - 1) {
            unsigned i = LOWEST_BIT(rest);
            unsigned bytes = wide_space(table->buffer + at + i);
            if (bytes) {
                uint64_t mark = ((uint64_t)1 << bytes) - 1;
                space |= mark << i;
                if (i + bytes > 64)
                    carried = mark >> (64 - i);
            }
        }
        uint64_t word = ~space;
        uint64_t edges = (word ^ (word << 1 | (uint64_t)open)) & inside;
        for (; edges; edges &= edges - 1) {
            size_t here = at + LOWEST_BIT(edges);
            if (open) {
                int failed = found(table, &batch, table->buffer + start, here - start);
                if (failed)
                    return failed;
            } else {
                start = here;
            }
            open = !open;
        }
    }
    int failed = flush(table, &batch);
    table->scanned = table->valid;
    table->start = open ? start : table->valid;
    return failed;
}

/* How far [at, end) is well-formed UTF-8, as Python's decoder sees it. `*reason` is why it
 * stops there; NULL at the end, and where only more bytes can tell. */
static const uint8_t *
well_formed(const uint8_t *at, const uint8_t *end, const char **reason)
{
    *reason = NULL;
    while (at < end) {
        if (end - at >= 8 && !(load8(at) & 0x8080808080808080u)) {
            at += 8;
            continue;
        }
        uint8_t lead = at[0];
        if (lead < 0x80) {
            at++;
            continue;
        }
        unsigned more;
        uint8_t low = 0x80, high = 0xBF; /* what the second byte may be */
        if (lead >= 0xC2 && lead <= 0xDF) {
            more = 1;
        } else if (lead >= 0xE0 && lead <= 0xEF) {
            more = 2;
            low = lead == 0xE0 ? 0xA0 : 0x80;
            high = lead == 0xED ? 0x9F : 0xBF;
        } else if (lead >= 0xF0 && lead <= 0xF4) {
            more = 3;
            low = lead == 0xF0 ? 0x90 : 0x80;
            high = lead == 0xF4 ? 0x8F : 0xBF;
        } else {
            *reason = "invalid start byte";
            return at;
        }
        for (unsigned i = 1; i <= more; i++) {
            if (at + i == end)
                return at;
            if (at[i] < low || at[i] > high) {
                *reason = "invalid continuation byte";
                return at;
            }
            low = 0x80;
            high = 0xBF;
        }
        at += more + 1;
    }
    return at;
}

/* Take a piece of text. BAD_TEXT: `*reason` says what is wrong at stream offset `*where`. */
static int
feed(Table *table, const uint8_t *piece, size_t length, const char **reason, uint64_t *where)
{
    while (length > 0) {
        size_t some = length < STEP ? length : STEP;
        /* What is open goes to the front, unless that is where it is. A word longer than any
         * piece stays where it is, so it is copied as often as the buffer grows. */
        if (table->start > 0) {
            memmove(table->buffer, table->buffer + table->start, table->end - table->start);
            table->offset += table->start;
            table->scanned -= table->start;
            table->valid -= table->start;
            table->end -= table->start;
            table->start = 0;
        }
        if (table->end > SIZE_MAX / 4)
            return NO_MEMORY;
        if (reserve((void **)&table->buffer, &table->buffer_room, table->end + some + PAD, 1,
                    STEP / 4 + PAD))
            return NO_MEMORY;
        memcpy(table->buffer + table->end, piece, some);
        table->end += some;
        memset(table->buffer + table->end, 0, PAD);
        const uint8_t *good = well_formed(table->buffer + table->valid,
                                          table->buffer + table->end, reason);
        table->valid = (size_t)(good - table->buffer);
        if (*reason) {
            *where = table->offset + table->valid;
            return BAD_TEXT;
        }
        int failed = scan(table);
        if (failed)
            return failed;
        piece += some;
        length -= some;
    }
    return OK;
}

/* The stream is over: the word that was open is whole. */
static int
finish(Table *table, const char **reason, uint64_t *where)
{
    if (table->valid < table->end) {
        *reason = "unexpected end of data";
        *where = table->offset + table->valid;
        return BAD_TEXT;
    }
    int failed = OK;
    if (table->start < table->end) {
        failed = add(table, table->buffer + table->start, table->end - table->start, 1);
        table->total += failed == OK;
    }
    free(table->buffer);
    table->buffer = NULL;
    table->start = table->scanned = table->valid = table->end = table->buffer_room = 0;
    table->offset = 0;
    return failed;
}

/* ---------------------------------------------------------------- order */

/* A word's place in the order of its bytes: its first eight, and which entry it is. */
typedef struct {
    uint64_t first;
    uint32_t number;
} Key;

static inline uint64_t
first_eight(const uint8_t *bytes, size_t length)
{
    uint64_t value = 0;
    size_t some = length < 8 ? length : 8;
    for (size_t i = 0; i < some; i++)
        value |= (uint64_t)bytes[i] << (56 - 8 * i);
    return value;
}

static int
compare_words(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
    size_t shorter = a_length < b_length ? a_length : b_length;
    int order = shorter ? memcmp(a, b, shorter) : 0;
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static inline bool
before(const Table *table, const Key *a, const Key *b)
{
    if (a->first != b->first)
        return a->first < b->first;
    const Entry *x = &table->entries[a->number], *y = &table->entries[b->number];
    return compare_words(word_of(table, x), x->length, word_of(table, y), y->length) < 0;
}

static void
sift_down(const Table *table, Key *keys, size_t at, size_t count)
{
    Key key = keys[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(table, &keys[child], &keys[child + 1]))
            child++;
        if (!before(table, &key, &keys[child]))
            break;
        keys[at] = keys[child];
    }
    keys[at] = key;
}

/* Introsort (Musser, 1997): quicksort, heapsort where it degenerates, insertion at the end. */
static void
sort_keys(const Table *table, Key *keys, size_t count, unsigned depth)
{
    while (count > 16) {
        if (depth-- == 0) {
            for (size_t at = count / 2; at-- > 0;)
                sift_down(table, keys, at, count);
            for (size_t last = count - 1; last > 0; last--) {
                Key key = keys[0];
                keys[0] = keys[last];
                keys[last] = key;
                sift_down(table, keys, 0, last);
            }
            return;
        }
        Key *a = &keys[0], *b = &keys[count / 2], *c = &keys[count - 1];
        Key pivot = before(table, a, b) ? (before(table, b, c) ? *b : before(table, a, c) ? *c : *a)
                                        : (before(table, a, c) ? *a : before(table, b, c) ? *c : *b);
        size_t low = 0, high = count - 1;
        for (;;) {
            while (before(table, &keys[low], &pivot))
                low++;
            while (before(table, &pivot, &keys[high]))
                high--;
            if (low >= high)
                break;
            Key key = keys[low];
            keys[low++] = keys[high];
            keys[high--] = key;
        }
        /* keys[0..low) are not above the pivot, keys[low..count) not below it */
        size_t left = low, right = count - low;
        if (left < right) {
            sort_keys(table, keys, left, depth);
            keys += low;
            count = right;
        } else {
            sort_keys(table, keys + low, right, depth);
            count = left;
        }
    }
    for (size_t i = 1; i < count; i++) {
        Key key = keys[i];
        size_t at = i;
        for (; at > 0 && before(table, &key, &keys[at - 1]); at--)
            keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

/* All words that have a count, ascending. NULL without memory. */
static Key *
sorted(const Table *table)
{
    Key *keys = malloc((table->live ? table->live : 1) * sizeof(Key));
    if (!keys)
        return NULL;
    size_t count = 0;
    for (size_t number = 0; number < table->used; number++) {
        const Entry *entry = &table->entries[number];
        if (entry->count) {
            keys[count].first = first_eight(word_of(table, entry), entry->length);
            keys[count++].number = (uint32_t)number;
        }
    }
    unsigned depth = 2;
    for (size_t rest = count; rest; rest >>= 1)
        depth += 2;
    sort_keys(table, keys, count, depth);
    return keys;
}

/* ---------------------------------------------------------------- deltas */

#define HEADER 40
#define BODY 20

static unsigned
width_of(uint64_t largest)
{
    return largest < 1u << 8 ? 1 : largest < 1u << 16 ? 2 : largest < (uint64_t)1 << 32 ? 4 : 8;
}

static inline void
store(uint8_t *to, uint64_t value, unsigned width)
{
    for (unsigned i = 0; i < width; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static inline uint64_t
fetch(const uint8_t *from, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
}

typedef struct {
    uint64_t words, total;
    unsigned count_width, length_width;
    const uint8_t *counts, *lengths, *bytes;
} Delta;

/* Read a delta whose checksum was compared. Everything is checked before anything is used.
 * Returns what is wrong with it, or NULL. */
static const char *
read_delta(const uint8_t *at, size_t size, Delta *delta)
{
    if (size < HEADER)
        return "truncated: a delta has at least 40 bytes";
    delta->words = fetch(at + 20, 8);
    delta->total = fetch(at + 28, 8);
    delta->count_width = at[36];
    delta->length_width = at[37];
    if (delta->count_width != 1 && delta->count_width != 2 && delta->count_width != 4 &&
        delta->count_width != 8)
        return "count width at byte 36: one of 1, 2, 4, 8 expected";
    if (delta->length_width != 1 && delta->length_width != 2 && delta->length_width != 4)
        return "length width at byte 37: one of 1, 2, 4 expected";
    if (at[38] || at[39])
        return "bytes 38 and 39: zeros expected";
    uint64_t columns = delta->count_width + delta->length_width;
    if (delta->words > (size - HEADER) / columns)
        return "truncated: fewer bytes than its words need";
    delta->counts = at + HEADER;
    delta->lengths = delta->counts + delta->words * delta->count_width;
    delta->bytes = delta->lengths + delta->words * delta->length_width;
    uint64_t left = size - HEADER - delta->words * columns;
    uint64_t total = 0, most = 0, longest = 0;
    const uint8_t *word = delta->bytes, *last = NULL;
    uint64_t last_length = 0;
    for (uint64_t i = 0; i < delta->words; i++) {
        uint64_t count = fetch(delta->counts + i * delta->count_width, delta->count_width);
        uint64_t length = fetch(delta->lengths + i * delta->length_width, delta->length_width);
        if (count == 0)
            return "a count is 0: at least 1 expected";
        if (count > UINT64_MAX - total)
            return "its counts do not fit in 64 bits";
        if (length > left)
            return "truncated: a word goes on behind the end";
        const char *reason;
        if (well_formed(word, word + length, &reason) != word + length)
            return "a word is not UTF-8";
        if (last && compare_words(last, last_length, word, length) >= 0)
            return "a word is not above the word before it";
        total += count;
        most = count > most ? count : most;
        longest = length > longest ? length : longest;
        last = word;
        last_length = length;
        word += length;
        left -= length;
    }
    if (left)
        return "bytes follow the last word";
    if (total != delta->total)
        return "the counts do not add up to the header's total";
    if (width_of(most) != delta->count_width)
        return "count width is not the smallest: not canonical";
    if (width_of(longest) != delta->length_width)
        return "length width is not the smallest: not canonical";
    return NULL;
}

static int
add_delta(Table *table, const Delta *delta)
{
    const uint8_t *word = delta->bytes;
    enum { AHEAD = 16 };
    uint64_t hashes[AHEAD];
    const uint8_t *words[AHEAD];
    uint64_t lengths[AHEAD];
    for (uint64_t first = 0; first < delta->words; first += AHEAD) {
        unsigned some = delta->words - first < AHEAD ? (unsigned)(delta->words - first) : AHEAD;
        for (unsigned i = 0; i < some; i++) {
            lengths[i] = fetch(delta->lengths + (first + i) * delta->length_width,
                               delta->length_width);
            words[i] = word;
            hashes[i] = hash_of(word, lengths[i], table->seed);
            PREFETCH(&table->slots[hashes[i] & table->mask]);
            word += lengths[i];
        }
        for (unsigned i = 0; i < some; i++) {
            Slot slot = table->slots[hashes[i] & table->mask];
            if (slot)
                PREFETCH(&table->entries[(uint32_t)slot - 1]);
        }
        for (unsigned i = 0; i < some; i++) {
            uint64_t count = fetch(delta->counts + (first + i) * delta->count_width,
                                   delta->count_width);
            int failed = add(table, words[i], lengths[i], count);
            if (failed)
                return failed;
            table->total += count;
        }
    }
    return OK;
}

/* ---------------------------------------------------------------- Python's side */

static PyObject *BadText;   /* (offset, reason) */
static PyObject *BadDelta;  /* (reason) */
static PyObject *blake2b;   /* hashlib's, which is as fast as can be */

static int
begin(Table *table)
{
    if (table->busy) {
        PyErr_SetString(PyExc_RuntimeError, "this tally is in use by another thread");
        return -1;
    }
    table->busy = true;
    return 0;
}

/* Raise what a failure means; true if there was one. */
static bool
failed_with(int failure)
{
    if (failure == NO_MEMORY)
        PyErr_NoMemory();
    else if (failure == TOO_LARGE)
        PyErr_SetString(PyExc_OverflowError,
                        "more than 2^32 distinct words, or a word of more than 2^32 bytes");
    return failure != OK;
}

static PyObject *
Table_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"seed", NULL};
    unsigned long long seed;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "K", names, &seed))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Table *table = (Table *)allocate(type, 0); /* zeroed */
    if (!table)
        return NULL;
    table->seed = seed;
    if (grow_slots(table)) {
        Py_DECREF(table);
        return PyErr_NoMemory();
    }
    return (PyObject *)table;
}

static void
Table_dealloc(Table *table)
{
    free(table->slots);
    free(table->entries);
    free(table->arena);
    free(table->buffer);
    PyTypeObject *type = Py_TYPE((PyObject *)table);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(table);
    Py_DECREF(type);
}

static PyObject *
bad_text(uint64_t where, const char *reason)
{
    PyObject *value = Py_BuildValue("(Ks)", (unsigned long long)where, reason);
    if (value) {
        PyErr_SetObject(BadText, value);
        Py_DECREF(value);
    }
    return NULL;
}

static PyObject *
Table_feed(Table *table, PyObject *argument)
{
    Py_buffer piece;
    if (PyObject_GetBuffer(argument, &piece, PyBUF_SIMPLE))
        return NULL;
    if (begin(table)) {
        PyBuffer_Release(&piece);
        return NULL;
    }
    const char *reason = NULL;
    uint64_t where = 0;
    int failure;
    Py_BEGIN_ALLOW_THREADS
    failure = feed(table, piece.buf, (size_t)piece.len, &reason, &where);
    Py_END_ALLOW_THREADS
    table->busy = false;
    PyBuffer_Release(&piece);
    if (failure == BAD_TEXT)
        return bad_text(where, reason);
    if (failed_with(failure))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
Table_finish(Table *table, PyObject *Py_UNUSED(ignored))
{
    if (begin(table))
        return NULL;
    const char *reason = NULL;
    uint64_t where = 0;
    int failure = finish(table, &reason, &where);
    table->busy = false;
    if (failure == BAD_TEXT)
        return bad_text(where, reason);
    if (failed_with(failure))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
Table_add_words(Table *table, PyObject *words)
{
    if (!PyList_Check(words)) {
        PyErr_SetString(PyExc_TypeError, "a list of str expected");
        return NULL;
    }
    if (begin(table))
        return NULL;
    for (Py_ssize_t i = 0; i < PyList_Size(words); i++) {
        Py_ssize_t length;
        const char *bytes = PyUnicode_AsUTF8AndSize(PyList_GetItem(words, i), &length);
        if (!bytes) {
            table->busy = false;
            return NULL;
        }
        int failure = add(table, (const uint8_t *)bytes, (size_t)length, 1);
        if (failed_with(failure)) {
            table->busy = false;
            return NULL;
        }
        table->total++;
    }
    table->busy = false;
    Py_RETURN_NONE;
}

static PyObject *
digest_of(const uint8_t *bytes, size_t length)
{
    PyObject *view = PyMemoryView_FromMemory((char *)bytes, (Py_ssize_t)length, PyBUF_READ);
    if (!view)
        return NULL;
    PyObject *arguments = PyTuple_Pack(1, view);
    PyObject *options = Py_BuildValue("{s:i}", "digest_size", 16);
    PyObject *hash = arguments && options ? PyObject_Call(blake2b, arguments, options) : NULL;
    PyObject *digest = hash ? PyObject_CallMethod(hash, "digest", NULL) : NULL;
    Py_XDECREF(hash);
    Py_XDECREF(options);
    Py_XDECREF(arguments);
    Py_DECREF(view);
    return digest;
}

/* Check a delta whole. -1 with an exception if it is none. */
static int
checked(const Py_buffer *packed, Delta *delta)
{
    const uint8_t *at = packed->buf;
    size_t size = (size_t)packed->len;
    if (size < HEADER || memcmp(at, "FLD", 3) || at[3] != 1) {
        PyErr_SetString(BadDelta, "not a delta of version 1");
        return -1;
    }
    PyObject *digest = digest_of(at + BODY, size - BODY);
    if (!digest)
        return -1;
    bool equal = memcmp(PyBytes_AsString(digest), at + 4, 16) == 0;
    Py_DECREF(digest);
    if (!equal) {
        PyErr_SetString(BadDelta,
                        "checksum mismatch: the delta was damaged, fetch or count it again");
        return -1;
    }
    const char *wrong;
    Py_BEGIN_ALLOW_THREADS
    wrong = read_delta(at, size, delta);
    Py_END_ALLOW_THREADS
    if (wrong) {
        PyErr_SetString(BadDelta, wrong);
        return -1;
    }
    return 0;
}

static PyObject *
Table_add(Table *table, PyObject *argument)
{
    Py_buffer packed;
    Delta delta;
    if (PyObject_GetBuffer(argument, &packed, PyBUF_SIMPLE))
        return NULL;
    if (begin(table)) {
        PyBuffer_Release(&packed);
        return NULL;
    }
    int failure = OK;
    bool raised = checked(&packed, &delta) < 0;
    if (!raised && delta.total > UINT64_MAX - table->total) {
        PyErr_SetString(PyExc_OverflowError, "the sum of all counts does not fit in 64 bits");
        raised = true;
    }
    if (!raised) {
        Py_BEGIN_ALLOW_THREADS
        failure = add_delta(table, &delta);
        Py_END_ALLOW_THREADS
    }
    table->busy = false;
    PyBuffer_Release(&packed);
    if (raised || failed_with(failure))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
Table_subtract(Table *table, PyObject *argument)
{
    Py_buffer packed;
    Delta delta;
    if (PyObject_GetBuffer(argument, &packed, PyBUF_SIMPLE))
        return NULL;
    if (begin(table)) {
        PyBuffer_Release(&packed);
        return NULL;
    }
    bool raised = checked(&packed, &delta) < 0;
    const uint8_t *word = raised ? NULL : delta.bytes;
    for (uint64_t i = 0; !raised && i < delta.words; i++) {
        uint64_t count = fetch(delta.counts + i * delta.count_width, delta.count_width);
        uint64_t length = fetch(delta.lengths + i * delta.length_width, delta.length_width);
        const Entry *entry = find(table, word, length);
        uint64_t have = entry ? entry->count : 0;
        if (have < count) {
            PyObject *text = PyUnicode_DecodeUTF8((const char *)word, (Py_ssize_t)length, "strict");
            if (text) {
                PyErr_Format(PyExc_ValueError, "cannot take %llu of %.80R away: only %llu counted",
                             (unsigned long long)count, text, (unsigned long long)have);
                Py_DECREF(text);
            }
            raised = true;
        }
        word += length;
    }
    if (!raised) {
        word = delta.bytes;
        for (uint64_t i = 0; i < delta.words; i++) {
            uint64_t length = fetch(delta.lengths + i * delta.length_width, delta.length_width);
            Entry *entry = find(table, word, length);
            entry->count -= fetch(delta.counts + i * delta.count_width, delta.count_width);
            table->live -= entry->count == 0;
            word += length;
        }
        table->total -= delta.total;
    }
    table->busy = false;
    PyBuffer_Release(&packed);
    if (raised)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *
Table_pack(Table *table, PyObject *Py_UNUSED(ignored))
{
    if (begin(table))
        return NULL;
    Key *keys;
    uint64_t most = 0, longest = 0, bytes = 0;
    Py_BEGIN_ALLOW_THREADS
    keys = sorted(table);
    for (size_t number = 0; number < table->used; number++) {
        const Entry *entry = &table->entries[number];
        if (entry->count) {
            most = entry->count > most ? entry->count : most;
            longest = entry->length > longest ? entry->length : longest;
            bytes += entry->length;
        }
    }
    Py_END_ALLOW_THREADS
    if (!keys) {
        table->busy = false;
        return PyErr_NoMemory();
    }
    unsigned count_width = width_of(most), length_width = width_of(longest);
    size_t size = HEADER + table->live * (count_width + length_width) + bytes;
    PyObject *packed = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (packed) {
        uint8_t *at = (uint8_t *)PyBytes_AsString(packed);
        Py_BEGIN_ALLOW_THREADS
        memcpy(at, "FLD\1", 4);
        store(at + 20, table->live, 8);
        store(at + 28, table->total, 8);
        at[36] = (uint8_t)count_width;
        at[37] = (uint8_t)length_width;
        at[38] = at[39] = 0;
        uint8_t *counts = at + HEADER;
        uint8_t *lengths = counts + table->live * count_width;
        uint8_t *word = lengths + table->live * length_width;
        for (size_t i = 0; i < table->live; i++) {
            const Entry *entry = &table->entries[keys[i].number];
            store(counts + i * count_width, entry->count, count_width);
            store(lengths + i * length_width, entry->length, length_width);
            memcpy(word, word_of(table, entry), entry->length);
            word += entry->length;
        }
        Py_END_ALLOW_THREADS
        PyObject *digest = digest_of(at + BODY, size - BODY);
        if (digest) {
            /* Nobody else has seen these bytes yet. */
            memcpy(at + 4, PyBytes_AsString(digest), 16);
            Py_DECREF(digest);
        } else {
            Py_CLEAR(packed);
        }
    }
    free(keys);
    table->busy = false;
    return packed;
}

static PyObject *
row_of(const Table *table, const Entry *entry)
{
    return Py_BuildValue("(s#K)", (const char *)word_of(table, entry), (Py_ssize_t)entry->length,
                         (unsigned long long)entry->count);
}

/* Whether a stands behind b where the most frequent comes first, the greater word before the
 * lesser. */
static inline bool
behind(const Table *table, uint32_t a, uint32_t b)
{
    const Entry *x = &table->entries[a], *y = &table->entries[b];
    if (x->count != y->count)
        return x->count < y->count;
    return compare_words(word_of(table, x), x->length, word_of(table, y), y->length) < 0;
}

/* A heap with the last in order on top, and then in order. */
static void
sink(const Table *table, uint32_t *heap, size_t at, size_t count)
{
    uint32_t number = heap[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && behind(table, heap[child + 1], heap[child]))
            child++;
        if (!behind(table, heap[child], number))
            break;
        heap[at] = heap[child];
    }
    heap[at] = number;
}

static PyObject *
Table_top(Table *table, PyObject *argument)
{
    Py_ssize_t asked = PyNumber_AsSsize_t(argument, PyExc_OverflowError);
    if (asked == -1 && PyErr_Occurred())
        return NULL;
    if (asked < 0)
        return PyErr_Format(PyExc_ValueError, "top %zd: 0 (for all words) or more expected", asked);
    if (begin(table))
        return NULL;
    size_t most = asked == 0 || (size_t)asked > table->live ? table->live : (size_t)asked;
    uint32_t *heap = malloc((most ? most : 1) * sizeof(uint32_t));
    PyObject *rows = heap ? PyList_New((Py_ssize_t)most) : PyErr_NoMemory();
    if (rows) {
        size_t held = 0;
        Py_BEGIN_ALLOW_THREADS
        for (size_t number = 0; most && number < table->used; number++) {
            if (!table->entries[number].count)
                continue;
            if (held < most) {
                heap[held++] = (uint32_t)number;
                if (held == most)
                    for (size_t at = most / 2; at-- > 0;)
                        sink(table, heap, at, most);
            } else if (behind(table, heap[0], (uint32_t)number)) {
                heap[0] = (uint32_t)number;
                sink(table, heap, 0, most);
            }
        }
        for (size_t last = most; last-- > 1;) {
            uint32_t number = heap[0];
            heap[0] = heap[last];
            heap[last] = number;
            sink(table, heap, 0, last);
        }
        Py_END_ALLOW_THREADS
        for (size_t i = 0; i < most; i++) {
            PyObject *row = row_of(table, &table->entries[heap[i]]);
            if (!row) {
                Py_CLEAR(rows);
                break;
            }
            PyList_SetItem(rows, (Py_ssize_t)i, row);
        }
    }
    free(heap);
    table->busy = false;
    return rows;
}

/* Some rows of the table from an entry on: (next entry, or 0 at the end; the rows). */
static PyObject *
Table_rows(Table *table, PyObject *args)
{
    Py_ssize_t first, most;
    if (!PyArg_ParseTuple(args, "nn", &first, &most))
        return NULL;
    if (begin(table))
        return NULL;
    PyObject *rows = PyList_New(0);
    size_t number = first < 0 ? 0 : (size_t)first;
    for (; rows && number < table->used && PyList_Size(rows) < most; number++) {
        const Entry *entry = &table->entries[number];
        if (!entry->count)
            continue;
        PyObject *row = row_of(table, entry);
        if (!row || PyList_Append(rows, row))
            Py_CLEAR(rows);
        Py_XDECREF(row);
    }
    size_t next = number < table->used ? number : 0;
    table->busy = false;
    return rows ? Py_BuildValue("nN", (Py_ssize_t)next, rows) : NULL;
}

static PyObject *
Table_get(Table *table, PyObject *word)
{
    Py_ssize_t length;
    const char *bytes = PyUnicode_AsUTF8AndSize(word, &length);
    if (!bytes || begin(table))
        return NULL;
    const Entry *entry = find(table, (const uint8_t *)bytes, (size_t)length);
    table->busy = false;
    return PyLong_FromUnsignedLongLong(entry ? entry->count : 0);
}

static Py_ssize_t
Table_length(Table *table)
{
    return (Py_ssize_t)table->live;
}

static PyObject *
Table_total(Table *table, void *Py_UNUSED(closure))
{
    return PyLong_FromUnsignedLongLong(table->total);
}

static PyObject *
Table_memory(Table *table, void *Py_UNUSED(closure))
{
    return PyLong_FromSize_t((table->mask + 1) * sizeof(Slot) + table->room * sizeof(Entry) +
                             table->arena_room + table->buffer_room);
}

static PyMethodDef Table_methods[] = {
    {"feed", (PyCFunction)Table_feed, METH_O,
     "Count the words that a piece of UTF-8 finishes. Raises BadText(offset, reason)."},
    {"finish", (PyCFunction)Table_finish, METH_NOARGS,
     "Count the word that the end of the text finishes. Raises BadText(offset, reason)."},
    {"add_words", (PyCFunction)Table_add_words, METH_O, "Count each str of a list."},
    {"add", (PyCFunction)Table_add, METH_O, "Add a delta's counts. Raises BadDelta."},
    {"subtract", (PyCFunction)Table_subtract, METH_O,
     "Take a delta's counts away. Raises BadDelta, or ValueError for a negative count."},
    {"pack", (PyCFunction)Table_pack, METH_NOARGS, "All counts as one delta."},
    {"top", (PyCFunction)Table_top, METH_O, "The k most frequent words, 0 for all."},
    {"rows", (PyCFunction)Table_rows, METH_VARARGS,
     "rows(first, most): (the next first, 0 at the end; some (word, count))."},
    {"get", (PyCFunction)Table_get, METH_O, "How often a word was counted."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef Table_properties[] = {
    {"total", (getter)Table_total, NULL, "The sum of all counts.", NULL},
    {"memory", (getter)Table_memory, NULL, "Bytes that the table takes.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot Table_slots[] = {
    {Py_tp_doc, "Table(seed): words and how often each was counted."},
    {Py_tp_new, Table_new},
    {Py_tp_dealloc, Table_dealloc},
    {Py_sq_length, Table_length},
    {Py_tp_methods, Table_methods},
    {Py_tp_getset, Table_properties},
    {0, NULL},
};

static PyType_Spec Table_spec = {
    .name = "wc._kernel.Table",
    .basicsize = sizeof(Table),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = Table_slots,
};

static struct PyModuleDef kernel_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "wc._kernel",
    .m_doc = "Counting and folding, compiled. Use wc.counting.",
    .m_size = -1,
};

PyMODINIT_FUNC
PyInit__kernel(void)
{
    PyObject *hashlib = PyImport_ImportModule("hashlib");
    if (!hashlib)
        return NULL;
    blake2b = PyObject_GetAttrString(hashlib, "blake2b");
    Py_DECREF(hashlib);
    if (!blake2b)
        return NULL;
    PyObject *module = PyModule_Create(&kernel_module);
    PyObject *type = module ? PyType_FromSpec(&Table_spec) : NULL;
    if (!type) {
        Py_XDECREF(module);
        return NULL;
    }
    BadText = PyErr_NewException("wc._kernel.BadText", PyExc_ValueError, NULL);
    BadDelta = PyErr_NewException("wc._kernel.BadDelta", PyExc_ValueError, NULL);
    if (!BadText || !BadDelta || PyModule_AddObjectRef(module, "BadText", BadText) < 0 ||
        PyModule_AddObjectRef(module, "BadDelta", BadDelta) < 0 ||
        PyModule_AddObjectRef(module, "Table", type) < 0) {
        Py_CLEAR(module);
    }
    Py_DECREF(type);
    return module;
}
