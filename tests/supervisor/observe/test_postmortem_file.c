/*
 * tests/supervisor/observe/test_postmortem_file.c - a recording is read as far as it can be believed.
 *
 * Room: tests/.
 */
#include "supervisor/observe/postmortem_file.h"
#include "tests/supervisor/observe/recordings.h"
#include "tests/support/wrap.h"

static struct recording recording;
static char why[WHY_SIZE];

static int
read_it(void)
{
    return recording_read(path, &recording, why);
}

/* ---------------------------------------------------------------- refused */

TEST(what_cannot_be_opened_is_the_systems_error)
{
    ck_assert_int_eq(recording_read("/nowhere", &recording, why), -ENOENT);
    ck_assert_str_eq(why, "");
    ck_assert_int_lt(recording_read("/tmp", &recording, why), 0);
    ck_assert_int_lt(recording_read("/dev/null", &recording, why), 0);
}

static void
refused(const char *words)
{
    write_made();
    ck_assert_int_eq(read_it(), -EBADMSG);
    ck_assert_msg(strstr(why, words), "%s", why);
}

TEST(what_is_no_recording_is_refused_with_what_is_wrong)
{
    make();
    struct made good = made;
    made.head.magic[0] = 'x';
    refused("not a recording");
    made = good;
    made.head.byte_order = 0x04030201;
    refused("order of bytes");
    made = good;
    made.head.version = 99;
    refused("version 99");
    write_bytes(&good, 100);
    ck_assert_int_eq(read_it(), -EBADMSG);
    write_bytes("", 0);
    ck_assert_int_eq(read_it(), -EBADMSG);
}

TEST(sizes_that_no_writer_would_write_are_refused)
{
    make();
    struct made good = made;
    const struct {
        size_t offset;
        uint32_t value;
    } wrong[] = {
        {offsetof(struct copi_recording_head, head_size), 0},
        {offsetof(struct copi_recording_head, ring_size), UINT32_MAX},
        {offsetof(struct copi_recording_head, ring_head_size), 8},
        {offsetof(struct copi_recording_head, record_size), 64},
        {offsetof(struct copi_recording_head, rings), 0},
        {offsetof(struct copi_recording_head, rings), UINT32_MAX},
        {offsetof(struct copi_recording_head, records), 0},
        {offsetof(struct copi_recording_head, records), 15},
        {offsetof(struct copi_recording_head, records), 1u << 31},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        made = good;
        memcpy(made.bytes + wrong[i].offset, &wrong[i].value, sizeof wrong[i].value);
        refused("damaged");
    }
    made = good;
    made.head.time = -1;
    refused("damaged");
    made = good;
    made.head.wall = INT64_MAX;
    refused("damaged");
    made = good;
    made.head.ticks_in_a_second = 1;
    refused("damaged");
}

/* ---------------------------------------------------------------- read */

TEST(a_recording_is_read_with_its_names_and_times)
{
    make();
    struct made_ring *ring = add_actor("", 7, 3);
    strcpy(ring->head.label, "counter");
    add_record(ring, COP_RECORD_CALL, 250, 20, 5, 3, COP_VERDICT_REPLY);
    add_actor("client", 3, 0);
    made.head.tags[0] = (struct copi_recording_tag){.is_there = 1, .tag = 5, .name = "deposit"};
    write_made();
    ck_assert_int_eq(read_it(), 0);
    ck_assert_uint_eq(recording.count, 2);
    const struct actor *actor = recording_find(&recording, made_pid(7));
    ck_assert_ptr_nonnull(actor);
    ck_assert_uint_eq(actor->count, 1);
    ck_assert_int_eq(actor->records[0].when, COP_SEC(100) + COP_MS(250));
    ck_assert_int_le(llabs(recording.last - (COP_SEC(100) + COP_MS(270))), COP_US(2));
    ck_assert_int_le(llabs(recording.last_wall - (COP_SEC(1700000000) + COP_MS(270))), COP_US(2));
    char name[ACTOR_NAME_SIZE], words[200];
    ck_assert_str_eq(recording_name(&recording, made_pid(7), name), "counter<7.1>");
    ck_assert_str_eq(recording_name(&recording, made_pid(9), name), "<9.1>");
    ck_assert_str_eq(recording_string(&recording, &actor->records[0], words, sizeof words),
                     "call deposit from client<3.1>: reply, 20.0 ms");
    ck_assert_ptr_null(recording_find(&recording, made_pid(4)));
    ck_assert(!recording.is_live);
    recording_free(&recording);
    recording_free(&recording); /* twice is safe */
}

TEST(what_a_terminal_would_obey_is_a_question_mark)
{
    make();
    struct made_ring *ring = add_actor("a\033[2Jb", 7, 0);
    memset(ring->head.label, 'x', sizeof ring->head.label); /* and no end */
    strcpy(made.head.program, "p\nq");
    write_made();
    ck_assert_int_eq(read_it(), 0);
    ck_assert_str_eq(recording.actors[0].name, "a?[2Jb");
    ck_assert_uint_eq(strlen(recording.actors[0].label), sizeof recording.actors[0].label - 1);
    ck_assert_str_eq(recording.head.program, "p?q");
    recording_free(&recording);
}

static long allocations = -1, reads = -1; /* that still succeed; -1: all */

static bool
succeeds(long *left)
{
    *left -= *left > 0;
    return *left != 0;
}

void *real_calloc(size_t count, size_t size) REAL(calloc);
void *calloc_if_there_is_memory(size_t count, size_t size) WRAP(calloc);
void *
calloc_if_there_is_memory(size_t count, size_t size)
{
    return succeeds(&allocations) ? real_calloc(count, size) : NULL;
}

ssize_t real_pread(int fd, void *to, size_t size, off_t at) REAL(pread);
ssize_t pread_if_the_disk_is_whole(int fd, void *to, size_t size, off_t at) WRAP(pread);
ssize_t
pread_if_the_disk_is_whole(int fd, void *to, size_t size, off_t at)
{
    errno = EIO;
    return succeeds(&reads) ? real_pread(fd, to, size, at) : -1;
}

/* The n-th of them and all after it fail; how often that was so, and nothing was left of it. */
static int
failures_of(long *left, int error)
{
    for (long n = 1;; n++) {
        *left = n;
        int r = read_it();
        bool was_reached = *left == 0;
        *left = -1;
        if (!was_reached) {
            ck_assert_int_eq(r, 0);
            recording_free(&recording);
            return (int)n - 1;
        }
        ck_assert_int_eq(r, error);
    }
}

TEST(without_memory_or_from_a_broken_disk_nothing_is_read)
{
    make();
    for (unsigned i = 1; i <= 3; i++) {
        add_record(add_actor("actor", i, 0), COP_RECORD_CAST, 1, 1, 1, 0, 0);
    }
    write_made();
    ck_assert_int_ge(failures_of(&allocations, -ENOMEM), 4);
    ck_assert_int_ge(failures_of(&reads, -EIO), 4);
}

TEST(a_ring_that_changes_hands_is_left_out)
{
    make();
    add_actor("gone", 7, 0)->head.pid = 0;
    add_actor("there", 8, 0);
    write_made();
    ck_assert_int_eq(read_it(), 0);
    ck_assert_uint_eq(recording.count, 1);
    ck_assert_str_eq(recording.actors[0].name, "there");
    recording_free(&recording);
}

TEST(of_a_file_cut_short_what_is_there_is_read)
{
    make();
    for (unsigned i = 1; i <= 4; i++) {
        add_record(add_actor("actor", i, 0), COP_RECORD_CAST, 1, 1, 1, 0, 0);
    }
    for (size_t size = sizeof made.bytes; size < sizeof made; size += 333) {
        write_bytes(&made, size);
        ck_assert_int_eq(read_it(), 0);
        size_t whole = (size - sizeof made.bytes) / sizeof(struct made_ring);
        whole = whole < 4 ? whole : 4;
        ck_assert_uint_eq(recording.count, whole);
        ck_assert_uint_eq(recording.missing, 4 - whole);
        recording_free(&recording);
    }
}

TEST(the_latest_moment_that_can_be_one_sets_the_clock)
{
    make();
    made.head.ticks = 5000;
    made.head.ticks_in_a_second = 2000000000; /* and it is one in a thousand more */
    for (unsigned i = 0; i < 3; i++) {
        struct copi_ring *ring = &add_actor("actor", i + 1, 0)->head;
        ring->anchor_ticks = 5000 + UINT64_C(2002000000) * (10 + 10 * i);
        ring->anchor_time = (uint64_t)COP_SEC(110 + 10 * i);
    }
    made.rings[2].head.anchor_time = 0; /* no moment */
    made.rings[0].records[0].when = 5000 + UINT64_C(2002000000) * 20;
    made.rings[0].records[0].what = copi_recording_what(COP_RECORD_CAST, 1, 0);
    made.rings[0].head.written = 1;
    write_made();
    ck_assert_int_eq(read_it(), 0);
    ck_assert_int_le(llabs(recording.actors[0].records[0].when - COP_SEC(120)), 1000);
    recording_free(&recording);
}

/* ---------------------------------------------------------------- damaged */

static uint64_t random_state = 88172645463325252u;

static uint64_t
chance(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void
fill(void)
{
    make();
    for (unsigned i = 1; i <= RINGS; i++) {
        struct made_ring *ring = add_actor("actor", i, i / 2);
        for (int j = 0; j < 40; j++) {
            add_record(ring, (cop_record_kind)(1 + j % COP_RECORD_LOGGED), j, j % 3 - 1, 1, i, 0);
        }
    }
}

static void
read_all_words(void)
{
    char words[300], name[ACTOR_NAME_SIZE];
    for (size_t i = 0; i < recording.count; i++) {
        recording_name(&recording, recording.actors[i].pid, name);
        for (size_t j = 0; j < recording.actors[i].count; j++) {
            recording_string(&recording, &recording.actors[i].records[j], words, sizeof words);
        }
    }
}

TEST(a_time_that_cannot_have_been_is_not_the_last)
{
    make();
    struct made_ring *ring = add_actor("actor", 1, 0);
    add_record(ring, COP_RECORD_CALL, 5, -1, 1, 0, 0); /* it would have taken until the next */
    add_record(ring, COP_RECORD_CAST, 6, 1, 1, 0, 0);
    ring->records[1].when = UINT64_MAX;
    write_made();
    ck_assert_int_eq(read_it(), 0);
    ck_assert_uint_eq(recording.actors[0].count, 2);
    const cop_record *records = recording.actors[0].records;
    ck_assert_int_eq(records[1].when, COPI_RECORDING_LATEST);
    ck_assert_int_gt(records[1].when + records[1].took, records[1].when);
    ck_assert_int_eq(recording.last, COP_SEC(100));
    ck_assert_int_eq(recording.last_wall, COP_SEC(1700000000));
    recording_free(&recording);
}

/* A byte here, a word there, and sometimes an end that comes too soon. */
TEST_TIMES(4, whatever_is_damaged_nothing_is_believed_that_leads_outside)
{
    fill();
    struct made good = made;
    random_state += (uint64_t)_i * 977;
    for (int round = 0; round < 150; round++) {
        made = good;
        for (uint64_t n = chance() % 20; n > 0; n--) {
            size_t at =
                chance() % (chance() % 2 ? sizeof(struct copi_recording_head) : sizeof made);
            ((char *)&made)[at] = (char)chance();
        }
        write_bytes(&made, chance() % 4 ? sizeof made : chance() % sizeof made);
        if (read_it() == 0) {
            read_all_words();
            recording_free(&recording);
        }
    }
}

SUITE("postmortem_file")
