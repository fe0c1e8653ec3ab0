/*
 * tests/runtime/test_recording.c - what is read of records, whole and damaged, and what they say.
 *
 * Room: tests/.
 */
#include "runtime/recording.h"
#include "tests/support/support.h"

enum {
    RECORDS = 8
};

static char words[COPI_RECORDING_WORDS][COPI_RECORDING_WORD_SIZE] = {"receive", "call"};

struct ring {
    uint64_t records[RECORDS][4];
    uint64_t written;
};

static bool
fetch(void *env, uint64_t number, uint64_t out[4])
{
    const struct ring *ring = env;
    memcpy(out, ring->records[number % RECORDS], sizeof ring->records[0]);
    return true;
}

static uint64_t
put(struct ring *ring, unsigned kind, uint64_t when, uint64_t other, uint32_t tag, uint64_t outcome)
{
    uint64_t number = ring->written++, *record = ring->records[number % RECORDS];
    record[0] = when;
    record[1] = other;
    record[2] = copi_recording_what(kind, tag, number);
    record[3] = outcome;
    return number;
}

static void
put_text(struct ring *ring, const char *text)
{
    uint64_t parts[3] = {0};
    memcpy(parts, text, strnlen(text, sizeof parts));
    put(ring, COPI_RECORD_TEXT, parts[0], parts[1], 0, parts[2]);
}

static size_t
take(struct ring *ring, cop_record *out, size_t capacity)
{
    struct copi_recording_source source = {
        .written = ring->written,
        .records = RECORDS,
        .clock = {.nanoseconds = 1.0},
        .words = words[0],
        .fetch = fetch,
        .env = ring,
    };
    return copi_recording_read(&source, out, capacity);
}

static const char *
in_words(const cop_record *record)
{
    static char out[200];
    return copi_recording_string(record, "other", "tag", out, sizeof out);
}

TEST(an_empty_ring_has_no_records)
{
    struct ring ring = {.written = 0};
    cop_record out[1];
    ck_assert_uint_eq(take(&ring, out, 1), 0);
}

/* In a file, a ring may say anything of itself. */
TEST_TIMES(2, a_ring_with_room_for_no_whole_record_has_none)
{
    struct ring ring = {.written = 0};
    put(&ring, COP_RECORD_STARTED, 1, 0, 0, 0);
    const struct copi_recording_source source = {
        .written = ring.written,
        .records = (unsigned)_i,
        .clock = {.nanoseconds = 1.0},
        .words = words[0],
        .fetch = fetch,
        .env = &ring,
    };
    cop_record out[1];
    ck_assert_uint_eq(copi_recording_read(&source, out, 1), 0);
}

TEST(the_oldest_of_a_full_ring_may_be_torn_and_is_left_out)
{
    struct ring ring = {.written = 0};
    cop_record out[2 * RECORDS];
    for (unsigned i = 0; i < 20; i++) {
        put(&ring, COP_RECORD_CAST, i, 0, i, 0);
    }
    ck_assert_uint_eq(take(&ring, out, 2 * RECORDS), RECORDS - 1);
    ck_assert_uint_eq(out[0].tag, 20 - RECORDS + 1);
    ck_assert_uint_eq(out[RECORDS - 2].tag, 19);
}

TEST(the_newest_are_given_where_there_is_no_room_for_all)
{
    struct ring ring = {.written = 0};
    cop_record out[2];
    for (unsigned i = 0; i < 5; i++) {
        put(&ring, COP_RECORD_CAST, i, 0, i, 0);
    }
    ck_assert_uint_eq(take(&ring, out, 2), 2);
    ck_assert_uint_eq(out[0].tag, 3);
    ck_assert_uint_eq(out[1].tag, 4);
    ck_assert_uint_eq(take(&ring, out, 0), 0);
}

TEST(a_record_of_another_number_is_left_out_and_so_is_its_text)
{
    struct ring ring = {.written = 0};
    cop_record out[RECORDS];
    put(&ring, COP_RECORD_CAST, 1, 0, 1, 0);
    uint64_t damaged = put(&ring, COP_RECORD_EXIT, 2, 0, COP_FAILED, 0);
    put_text(&ring, "of nobody");
    put(&ring, COP_RECORD_CAST, 3, 0, 3, 0);
    ring.records[damaged][2] ^= UINT64_C(1) << 32;
    ck_assert_uint_eq(take(&ring, out, RECORDS), 2);
    ck_assert_str_eq(out[0].text, "");
    ck_assert_uint_eq(out[1].tag, 3);
}

TEST(a_kind_that_nobody_knows_is_left_out)
{
    struct ring ring = {.written = 0};
    cop_record out[RECORDS];
    put(&ring, 0, 1, 0, 0, 0);
    put(&ring, COP_RECORD_LOGGED + 1, 1, 0, 0, 0);
    put(&ring, 255, 1, 0, 0, 0);
    ck_assert_uint_eq(take(&ring, out, RECORDS), 0);
}

TEST(a_text_is_put_together_and_cut_at_its_room)
{
    struct ring ring = {.written = 0};
    cop_record out[1];
    put(&ring, COP_RECORD_EXIT, 1, 0, COP_FAILED, copi_recording_outcome(0, -EIO));
    put_text(&ring, "123456789012345678901234");
    put_text(&ring, "abc");
    ck_assert_uint_eq(take(&ring, out, 1), 1);
    ck_assert_str_eq(out[0].text, "123456789012345678901234abc");
    for (int i = 0; i < 4; i++) {
        put_text(&ring, "123456789012345678901234");
    }
    ck_assert_uint_eq(take(&ring, out, 1), 1);
    ck_assert_uint_eq(strlen(out[0].text), sizeof out[0].text - 1);
}

TEST(what_was_in_hand_was_over_when_the_next_thing_was_taken)
{
    struct ring ring = {.written = 0};
    cop_record out[RECORDS];
    put(&ring, COP_RECORD_CAST, 1000, 0, 1, copi_recording_outcome(COPI_RECORD_OPEN, 1));
    put(&ring, COP_RECORD_WAIT, 2000, 0, 0, copi_recording_outcome(COPI_RECORD_OPEN, 0));
    put(&ring, COP_RECORD_CALL, 5000, 0, 2, copi_recording_outcome(3, 1));
    put(&ring, COP_RECORD_CAST, 9000, 0, 3, copi_recording_outcome(COPI_RECORD_OPEN, 1));
    ck_assert_uint_eq(take(&ring, out, RECORDS), 4);
    ck_assert_int_eq(out[0].took, 4000);
    ck_assert_int_eq(out[1].took, -1);
    ck_assert_int_eq(out[2].took, 2048);
    ck_assert_int_eq(out[3].took, -1);
}

/* The text's bytes are anybody's; only their number counts. */
TEST(random_words_never_lead_outside)
{
    cop_record out[RECORDS];
    uint64_t random = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        struct ring ring = {.written = RECORDS + (uint64_t)round};
        for (int i = 0; i < RECORDS * 4; i++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            ring.records[i / 4][i % 4] = random;
        }
        for (uint64_t n = ring.written - RECORDS; n < ring.written; n++) {
            uint64_t *what = &ring.records[n % RECORDS][2];
            unsigned kind = *what >> 56 & 1 ? COPI_RECORD_TEXT : *what >> 57 & 31;
            *what = copi_recording_what(kind, (uint32_t)*what, n);
        }
        size_t count = take(&ring, out, RECORDS);
        ck_assert_uint_lt(count, RECORDS);
        for (size_t i = 0; i < count; i++) {
            ck_assert_uint_lt(strnlen(out[i].text, sizeof out[i].text), sizeof out[i].text);
            ck_assert_int_ge(out[i].when, 0);
            ck_assert_uint_gt(strlen(in_words(&out[i])), 0);
        }
    }
}

/* ---------------------------------------------------------------- time */

static struct copi_recording_head head;

static struct copi_recording_clock
clock_of(uint64_t ticks_in_a_second, uint64_t ticks, int64_t time)
{
    head.ticks = 1000;
    head.time = COP_SEC(5);
    head.ticks_in_a_second = ticks_in_a_second;
    return copi_recording_clock_of(&head, ticks, time);
}

TEST(a_second_moment_makes_the_clock_exact)
{
    const uint64_t hour = 3600;
    struct copi_recording_clock clock =
        clock_of(2000000000, 1000 + hour * 2000100000, COP_SEC(5) + COP_SEC(3600));
    int64_t end = copi_recording_time(&clock, 1000 + hour * 2000100000);
    ck_assert_int_lt(llabs(end - COP_SEC(3605)), 1000);
    ck_assert_int_lt(llabs(copi_recording_time(&clock, 1000) - COP_SEC(5)), 10);
}

TEST(a_second_moment_that_cannot_be_is_none)
{
    const struct copi_recording_clock clocks[] = {
        clock_of(1000000000, 0, 0),
        clock_of(1000000000, 2000, COP_SEC(900)),
        clock_of(1000000000, UINT64_MAX, COP_SEC(6)),
        clock_of(0, 1500, INT64_MAX),
    };
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        ck_assert_int_eq(copi_recording_time(&clocks[i], 1500), COP_SEC(5) + 500);
    }
}

TEST(a_time_outside_all_times_is_the_next_that_there_is)
{
    struct copi_recording_clock clock = clock_of(1000000, 0, 0);
    ck_assert_int_eq(copi_recording_time(&clock, UINT64_MAX), COPI_RECORDING_LATEST);
    ck_assert_int_eq(copi_recording_time(&clock, 1000 - 1000), COP_SEC(5) - COP_MS(1));
    clock.ticks = UINT64_MAX;
    ck_assert_int_eq(copi_recording_time(&clock, 0), 0);
}

/* ---------------------------------------------------------------- words */

static void
says(cop_record record, const char *words_of_it)
{
    ck_assert_str_eq(in_words(&record), words_of_it);
}

TEST(every_kind_has_its_words)
{
    const cop_pid other = {7};
    says((cop_record){.kind = COP_RECORD_STARTED, .took = -1}, "started");
    says((cop_record){.kind = COP_RECORD_STARTED, .took = -1, .other = other}, "started by other");
    says((cop_record){.kind = COP_RECORD_MESSAGE, .took = -1, .other = other},
         "message tag from other");
    says((cop_record){.kind = COP_RECORD_CALL,
                      .took = COP_US(12),
                      .other = other,
                      .code = COP_VERDICT_REPLY},
         "call tag from other: reply, 12 us");
    says((cop_record){.kind = COP_RECORD_CAST, .took = COP_MS(3), .code = COP_VERDICT_NOREPLY},
         "cast tag: noreply, 3.0 ms");
    says((cop_record){.kind = COP_RECORD_INFO,
                      .took = COP_SEC(61),
                      .other = other,
                      .code = COP_VERDICT_STOP},
         "info tag from other: stop, 61.0 s");
    says((cop_record){.kind = COP_RECORD_CONTINUE, .took = -1, .code = COP_VERDICT_CONTINUE},
         "continue tag: continue");
    says((cop_record){.kind = COP_RECORD_TIMEOUT, .took = -1}, "timeout");
    says((cop_record){.kind = COP_RECORD_STOP, .took = -1}, "asked to stop by other");
    says((cop_record){.kind = COP_RECORD_SYSTEM, .took = -1}, "system request from other");
    says((cop_record){.kind = COP_RECORD_WAIT, .took = -1, .other = other, .text = "call"},
         "waits in call for other");
    says((cop_record){.kind = COP_RECORD_WAIT, .took = -1, .text = "sleep"}, "waits in sleep");
    says((cop_record){.kind = COP_RECORD_CALL_FAILED, .took = -1, .code = -ETIMEDOUT},
         "its call tag to other failed: not in time");
    says((cop_record){.kind = COP_RECORD_SIGNAL, .took = -1, .tag = COP_KILLED},
         "exit signal from other: killed");
    says((cop_record){.kind = COP_RECORD_EXIT, .took = -1, .tag = COP_FAILED, .text = "boom"},
         "ends: boom");
    says((cop_record){.kind = COP_RECORD_EXIT, .took = -1, .tag = 99}, "ends: ?");
    says((cop_record){.kind = COP_RECORD_FAULT, .took = -1, .code = 11}, "fault: SIGSEGV");
    says((cop_record){.kind = COP_RECORD_CHILD_ENDED, .took = -1, .other = other, .text = "db"},
         "child db other ended");
    says((cop_record){.kind = COP_RECORD_CHILD_RESTARTS, .took = -1, .text = "db"},
         "child db is to be restarted");
    says((cop_record){.kind = COP_RECORD_START_FAILED, .took = -1, .text = "db"},
         "child db did not start");
    says((cop_record){.kind = COP_RECORD_STOP_FAILED, .took = -1, .text = "db"},
         "child db did not stop as asked");
    says((cop_record){.kind = COP_RECORD_GAVE_UP, .took = -1, .text = "db"},
         "child db was restarted too often, giving up");
    says((cop_record){.kind = COP_RECORD_LONG_MAILBOX, .took = -1, .tag = 10000},
         "the mailbox of other holds 10000 messages or more");
    says((cop_record){.kind = COP_RECORD_LOGGED, .took = -1, .text = "disk full"},
         "error: disk full");
    says((cop_record){.kind = (cop_record_kind)99, .took = -1}, "?");
}

TEST(words_are_cut_at_the_room_for_them)
{
    const cop_record record = {.kind = COP_RECORD_CALL, .took = COP_US(1)};
    char out[300];
    for (size_t size = 0; size < 40; size++) {
        memset(out, 'x', sizeof out);
        copi_recording_string(&record, "other", "tag", out, size);
        ck_assert(size == 0 || strlen(out) < size);
        ck_assert_int_eq(out[size], 'x');
    }
}

SUITE("recording")
