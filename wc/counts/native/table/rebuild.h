/* Rebuilding the hash table: to grow it, or to mix it. */
#ifndef FAULTLINE_REBUILD_H
#define FAULTLINE_REBUILD_H

#include "table/slots.h"

#define FEW_SLOTS 1024u
/* From this size on a table grows by half, not to twice its size, to save memory. */
#define LARGE_SLOTS ((size_t)1 << 18)
#define FARTHEST_MEAN 32u /* slots from home, the mean of all words. By chance it is 1 at two thirds */
#define FREQUENT 4u /* the least count of a word that gets its home slot first */

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

/* Whether words are so far from home that they must be crafted. */
static inline bool
is_crowded(const Table *table)
{
    return table->far_off || table->distance / FARTHEST_MEAN > table->used + FARTHEST;
}

/* Put a word into a free slot. */
static inline void
put_entry(Table *table, const Entry *entry)
{
    size_t home = home_of(table, entry_hash(table, entry)), at = home;
    while (is_word(&table->entries[at]))
        at++;
    table->distance += at - home;
    table->far_off |= at - home > FARTHEST;
    table->entries[at] = *entry;
    table->used++;
}

/* Put the words of at most BATCH slots into free slots, the frequent ones first, which gives them their home
 * slots. They have the hashes of `seed`. */
static inline void
put_words(Table *table, const Entry *slots, size_t many, const uint64_t *seed)
{
    Entry words[BATCH];
    size_t front = 0, back = BATCH;
    for (size_t i = 0; i < many; i++) { /* no branch: which slots have a word is unpredictable */
        Entry entry = slots[i];
        bool is_frequent = entry.count >= FREQUENT;
        words[front] = words[back - 1] = entry;
        front += is_frequent;
        back -= is_word(&entry) & !is_frequent;
    }
    for (size_t i = 0; i < BATCH && seed[0] != table->seed[0]; i++)
        if ((i < front || i >= back) && is_far(&words[i]))
            words[i].key.far.hash = long_hash(table->seed, far_bytes(table, &words[i]), length_of(&words[i]));
    for (size_t i = 0; i < front; i++)
        put_entry(table, &words[i]);
    for (size_t i = back; i < BATCH; i++)
        put_entry(table, &words[i]);
}

static inline void
use_empty_slots(Table *table, size_t slots)
{
    table->slots = slots;
    table->full = slots / 3 * 2;
    table->room = table->room < slots ? slots : table->room;
    table->used = table->distance = 0;
    table->far_off = false;
}

#define HEAD (4 * FARTHEST) /* slots at the beginning whose words are moved last, together */

/* Grow within the block, from the last slot to the first: a word's new home is behind its old one by half
 * of that at least, and so behind all slots that are still to come, but for those of the head. From any new home
 * on there are no more words than there were, so the spare slots suffice. */
static inline void
stretch_table(Table *table, size_t slots)
{
    Entry head[HEAD];
    size_t last = all_slots(table), rest = last < HEAD ? last : HEAD;
    use_empty_slots(table, slots);
    while (last > rest) {
        size_t some = last - rest < BATCH ? last - rest : BATCH;
        last -= some;
        memcpy(head, table->entries + last, some * sizeof(Entry));
        memset(table->entries + last, 0, some * sizeof(Entry));
        put_words(table, head, some, table->seed);
    }
    memcpy(head, table->entries, rest * sizeof(Entry));
    memset(table->entries, 0, rest * sizeof(Entry));
    for (size_t i = 0; i < rest; i += BATCH)
        put_words(table, head + i, rest - i < BATCH ? rest - i : BATCH, table->seed);
}

/* Move all words to another block with this many slots. A table that would be crowded is mixed, and if
 * chance has it crowded even then, it gets another seed and more slots. */
static inline int
move_table(Table *table, size_t slots)
{
    Table fresh = *table;
    size_t all = table->entries ? all_slots(table) : 0;
    for (bool crowded = is_crowded(table);; crowded = true) {
        if (!slots)
            return TOO_LARGE;
        if (crowded) {
            fresh.random = mix(fresh.random ^ K0, K1);
            fresh.seed[0] = fresh.random & ~(uint64_t)1; /* even, so it is not the canonical one */
            fresh.seed[1] = mix(fresh.random ^ K1, K0);
        }
        fresh.block = new_block((slots + SPARE) * sizeof(Entry));
        fresh.entries = (Entry *)(void *)fresh.block.bytes;
        if (!fresh.entries)
            return NO_MEMORY;
        fresh.room = 0;
        use_empty_slots(&fresh, slots);
        for (size_t i = 0; i < all && !fresh.far_off; i += BATCH)
            put_words(&fresh, table->entries + i, all - i < BATCH ? all - i : BATCH, table->seed);
        if (!is_crowded(&fresh))
            break;
        free_block(fresh.block);
        slots = is_mixed(&fresh) ? more_slots(&fresh, 0) : slots;
    }
    free_block(table->block);
    *table = fresh;
    return OK;
}

/* Grow to this many slots, 0 for too many; or leave the slots that words have crowded. */
static inline int
grow_table(Table *table, size_t slots)
{
    size_t capacity = table->block.size / sizeof(Entry) - SPARE;
    if (slots > table->slots && slots <= capacity && !is_crowded(table)) {
        stretch_table(table, slots);
        if (!is_crowded(table))
            return OK;
    }
    return move_table(table, slots);
}

#endif
