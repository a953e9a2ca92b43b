/* Plausible bugs, to show that fuzzing finds such (test_fuzz.py). Each shows only on rare inputs: a cut
 * within U+3000; two words, one of them counted 256 times or more; a long run of letters cut behind a
 * letter that is not ASCII; a quoted field cut before a comma of its own. */
static volatile uint8_t planted_byte;

static inline int
planted_feed(Table *table, const uint8_t *piece, size_t length, const char **reason, uint64_t *where)
{
    if (length >= 2 && piece[length - 2] == 0xE3 && piece[length - 1] == 0x80)
        planted_byte = piece[length]; /* is it white space? That is for the next piece to say */
    return feed(table, piece, length, reason, where);
}

static inline int
planted_add_deltas(Table *table, const Delta *delta, size_t many)
{
    int failed = add_deltas(table, delta, many);
    if (delta->words > 1 && delta->count_width > 1)
        table->total -= count_at(delta, 1) >> 8; /* as if it were read with the wrong width */
    return failed;
}

static inline int
planted_feed_letters(Letters *letters, Table *table, const uint8_t *piece, size_t length,
                     const char **reason, uint64_t *where)
{
    int failed = feed_letters(letters, table, piece, length, reason, where);
    if (table->valid > table->start + 12 && table->buffer[table->valid - 1] >= 0x80)
        table->start++; /* one too many is taken for done */
    return failed;
}

static inline int
planted_feed_tweets(Tweets *tweets, Table *table, const uint8_t *piece, size_t length,
                    const char **reason, uint64_t *where)
{
    int failed = feed_tweets(tweets, table, piece, length, reason, where);
    if (tweets->at == AT_QUOTED && tweets->headed)
        tweets->at = AT_BARE; /* as if quotes ended with the piece */
    return failed;
}

#define feed planted_feed
#define add_deltas planted_add_deltas
#define feed_letters planted_feed_letters
#define feed_tweets planted_feed_tweets
