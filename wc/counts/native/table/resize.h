/* Growing the hash table.
 *
 * A large table grows in place: address space is reserved ahead, and words are moved from the last slot
 * to the first, as each new home slot is behind the old one. So the system clears each page only once.
 * Frequent words are moved first, so that they get their home slots.
 */
#ifndef FAULTLINE_RESIZE_H
#define FAULTLINE_RESIZE_H

#include "table/slots.h"

#define FEW_SLOTS 1024u
/* From this size on a table grows by half, not to twice its size, to save memory. */
#define LARGE_SLOTS ((size_t)1 << 18)
#define MOVED 512u  /* slots whose words are moved at once, the frequent ones first */
#define FREQUENT 4u /* the least count of a frequent word */
#define GIVEN_BACK ((size_t)2 << 20) /* bytes of a block that are returned to the system at once */
#define RESERVED 64u /* address space of a large block, as a multiple of its size */

static inline void
use_slots(Table *table, size_t slots)
{
    table->slots = slots;
    table->full = slots / 3 * 2;
}

/* Put words into their slots, the frequent ones first. */
static inline void
place_words(Table *table, const Entry *words, size_t many)
{
    for (size_t i = 0; i < many; i++)
        if (words[i].count >= FREQUENT)
            *free_slot(table, place_of(table, &words[i])) = words[i];
    for (size_t i = 0; i < many; i++)
        if (words[i].count < FREQUENT && is_word(&words[i]))
            *free_slot(table, place_of(table, &words[i])) = words[i];
}

/* Move all words to a new block with this many slots. */
static inline int
move_table(Table *table, size_t slots)
{
    size_t old_bytes = table->reserved, many = table->entries ? table->slots : 0, given = 0;
    size_t bytes = slots * sizeof(Entry);
    Entry *old = table->entries;
    table->reserved = is_mapped(bytes) ? RESERVED * bytes : bytes;
    table->entries = new_block(table->reserved);
    if (!table->entries) {
        table->reserved = bytes;
        table->entries = new_block(bytes);
    }
    if (!table->entries) {
        table->reserved = old_bytes;
        table->entries = old;
        return NO_MEMORY;
    }
    table->room = slots;
    use_slots(table, slots);
    for (size_t first = 0; first < many; first += MOVED) {
        size_t last = many - first < MOVED ? many : first + MOVED;
        place_words(table, old + first, last - first);
        if (is_mapped(old_bytes) && last * sizeof(Entry) - given >= GIVEN_BACK)
            given = give_back(old, given, last * sizeof(Entry));
    }
    free_block(old, old_bytes);
    return OK;
}

/* Words that wait for a slot. */
typedef struct {
    uint8_t *block; /* of `room` bytes, with `many` words */
    size_t many, room;
} Aside;

static inline int
put_aside(Aside *aside, const Entry *word)
{
    size_t used = aside->many * sizeof(Entry);
    if (reserve(&aside->block, &aside->room, used + sizeof(Entry), MOVED * sizeof(Entry)))
        return NO_MEMORY;
    memcpy(aside->block + used, word, sizeof(Entry));
    aside->many++;
    return OK;
}

/* Put a word into a slot from `first` on. If its home slot is before that, or if probing would wrap to
 * the beginning, it waits aside, because words that have not moved yet are there. */
static inline int
stretch_word(Table *table, const Entry *word, size_t first, Aside *aside)
{
    size_t at = home_of(table, place_of(table, word));
    while (at >= first && at < table->slots && is_word(&table->entries[at]))
        at++;
    if (at < first || at >= table->slots)
        return put_aside(aside, word);
    table->entries[at] = *word;
    return OK;
}

/* Move the words of at most MOVED slots to `words`: the frequent ones to its front, the others to its
 * end, backwards. Without a branch, as which slots hold a word is unpredictable. */
static inline void
take_words(Entry *slots, size_t many, Entry *words, size_t *frequent, size_t *others)
{
    size_t front = 0, back = 0;
    for (size_t i = 0; i < many; i++) {
        Entry entry = slots[i];
        bool is_frequent = entry.count >= FREQUENT;
        words[front] = words[MOVED - 1 - back] = entry;
        front += is_frequent;
        back += is_word(&entry) & !is_frequent;
    }
    memset(slots, 0, many * sizeof(Entry));
    *frequent = front;
    *others = back;
}

/* Grow to this many slots within the same block. Without memory for the words that wait aside, the table
 * becomes unusable: `full` is 0. */
static inline int
stretch_table(Table *table, size_t slots)
{
    Entry words[MOVED];
    Aside aside = {0};
    int failed = OK;
    size_t last = table->slots, frequent, others;
    table->room = slots > table->room ? slots : table->room;
    use_slots(table, slots);
    for (size_t first; last > 0 && !failed; last = first) {
        first = last > MOVED ? last - MOVED : 0;
        take_words(table->entries + first, last - first, words, &frequent, &others);
        for (size_t i = 0; i < frequent && !failed; i++)
            failed = stretch_word(table, &words[i], first, &aside);
        for (size_t i = 0; i < others && !failed; i++)
            failed = stretch_word(table, &words[MOVED - 1 - i], first, &aside);
    }
    place_words(table, (const Entry *)(const void *)aside.block, aside.many);
    free_block(aside.block, aside.room);
    table->full = failed ? 0 : table->full;
    return failed;
}

/* The next number of slots that has room for this many words; 0 if that is too many. */
static inline size_t
more_slots(const Table *table, size_t words)
{
    size_t slots = table->slots;
    do
        slots = slots < FEW_SLOTS ? FEW_SLOTS : slots + (slots < LARGE_SLOTS ? slots : slots / 2);
    while (slots / 3 * 2 < words);
    return slots > UINT32_MAX ? 0 : slots;
}

/* Grow to hold this many words in all. */
static inline int
grow_table(Table *table, size_t words)
{
    size_t slots = more_slots(table, words);
    if (!slots)
        return TOO_LARGE;
    return slots * sizeof(Entry) <= table->reserved ? stretch_table(table, slots)
                                                     : move_table(table, slots);
}

/* As grow_table(), and the table is parted no longer: places depend on the random seed alone. */
static inline int
mix_table(Table *table, size_t words)
{
    size_t slots = more_slots(table, words);
    if (!slots)
        return TOO_LARGE;
    table->seed.parted = table->crowded = false;
    for (size_t i = 0; i < table->slots; i++) {
        Entry *entry = &table->entries[i];
        if (is_far(entry))
            entry->key.far.place =
                long_place(&table->seed, far_bytes(table, entry), entry->key.far.length);
    }
    return move_table(table, slots);
}

#endif
