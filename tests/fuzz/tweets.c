/* Fuzzing of tweets: a CSV file, cut into pieces, against the same read a byte at a time.
 *
 * Bytes of an input: 8 for the table's seed, 2 for how many words are asked for, 1 for what the header
 * is said to be, then as for count.c.
 */
#include "cut_text.h"
#include "oracle_csv.h"

/* What the reader's callback says about the header. */
typedef struct {
    Tweets tweets;
    const Csv *csv;
    const uint8_t *text;
    uint64_t wanted, width;
    bool refuse;
} Stream;

static int
read_header(Tweets *tweets, const uint8_t *header, size_t length, bool last)
{
    Stream *stream = (Stream *)tweets;
    EXPECT(length == stream->csv->header && last == !stream->csv->headed);
    EXPECT(length == 0 || memcmp(header, stream->text, length) == 0);
    tweets->wanted = stream->wanted;
    tweets->width = stream->width;
    return stream->refuse ? CALLBACK_FAILED : OK;
}

static int
feed_csv(void *state, Table *table, const uint8_t *piece, size_t length, const char **reason,
         uint64_t *where)
{
    return feed_tweets(state, table, piece, length, reason, where);
}

static int
finish_csv(void *state, Table *table, const char **reason, uint64_t *where)
{
    return finish_tweets(state, table, reason, where);
}

/* Read a file, of which so much is expected; the table is left empty. */
static void
check_csv(Table *table, Stream stream, size_t length, Cuts cuts, const Fault *fault, size_t most)
{
    size_t good = fault->reason ? fault->where : length;
    uint8_t *text = copy_of(stream.text, good); /* nothing may be read behind what is text */
    Csv csv = read_csv(text, good, stream.wanted, stream.width);
    free(text);
    stream.tweets = (Tweets){.read_header = read_header};
    stream.csv = &csv;
    int record = OK;
    size_t decided = csv.decided;
    if (stream.refuse) {
        record = CALLBACK_FAILED;
        decided = csv.headed ? csv.header : SIZE_MAX;
    } else if (csv.too_long || csv.unclosed) {
        record = BAD_RECORD;
        decided = csv.unclosed ? SIZE_MAX : csv.decided;
    }
    Reader reader = {feed_csv, finish_csv, &stream.tweets};
    int result = feed_all(reader, table, stream.text, length, cuts, fault, record, decided);
    if (result == BAD_RECORD) {
        EXPECT(stream.tweets.record == csv.record);
        EXPECT(stream.tweets.record_line + 1 == csv.line);
        EXPECT(stream.tweets.unclosed == csv.unclosed);
        EXPECT(csv.unclosed || stream.tweets.field + 1 == csv.fields);
    } else if (result == OK) {
        check_table(table, &csv.answer, most);
    }
    EXPECT(empty_table(table) == OK);
    free(csv.answer.words);
    free(csv.room);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input input = {data, size};
    uint64_t seed = take(&input, 8);
    size_t most = take(&input, 2), length;
    unsigned header = (unsigned)take(&input, 1);
    Cuts cuts = take_cuts(&input);
    uint8_t *text = take_text(&input, '\n', &length);
    Fault fault, none = {0};
    Answer unused = split(text, length, is_white, &fault);
    free(unused.words);
    Stream stream = {.text = text, .wanted = header % 4, .refuse = header > 250};
    stream.width = stream.wanted + 1 + header / 4 % 4;

    Table table = {0};
    EXPECT(begin_table(&table, seed, seed % 2) == OK);
    check_csv(&table, stream, length, cuts, &fault, most);
    /* Without what is bad, and cut elsewhere. */
    cuts.many /= 2;
    check_csv(&table, stream, fault.reason ? fault.where : length, cuts, &none, most / 2);
    free_table(&table);
    free(text);
    return 0;
}
