/*
 * tests/supervisor/observe/test_postmortem_tree.c - what each was doing, and below whom.
 *
 * Room: tests/.
 */
#include "supervisor/observe/postmortem_tree.h"
#include "tests/supervisor/observe/recordings.h"
#include "tests/support/wrap.h"

static struct recording recording;
static char state[STATE_SIZE];

static void
read_made(void)
{
    char why[WHY_SIZE];
    write_made();
    ck_assert_int_eq(recording_read(path, &recording, why), 0);
}

static const char *
state_of(unsigned index)
{
    return actor_state(&recording, recording_find(&recording, made_pid(index)), state);
}

TEST(what_a_process_was_doing_is_seen_from_its_last_records)
{
    make();
    struct made_ring *runs = add_actor("runs", 1, 0), *idle = add_actor("idle", 2, 0);
    struct made_ring *works = add_actor("works", 3, 0), *calls = add_actor("calls", 4, 0);
    struct made_ring *gone = add_actor("gone", 5, 0);
    add_record(runs, COP_RECORD_STARTED, 1, -1, 0, 0, 0);
    add_record(idle, COP_RECORD_CAST, 100, 100, 7, 1, COP_VERDICT_NOREPLY);
    add_record(works, COP_RECORD_CALL, 300, -1, 7, 4, COP_VERDICT_NONE);
    add_record(works, COP_RECORD_WAIT, 400, 10, 1, 0, 0);
    add_record(calls, COP_RECORD_INFO, 500, -1, 8, 0, COP_VERDICT_NONE);
    add_record(calls, COP_RECORD_WAIT, 600, -1, 1, 3, 0);
    add_record(idle, COP_RECORD_SIGNAL, 1000, -1, COP_SHUTDOWN, 0, 0); /* the last of all */
    gone->head.state = COPI_RING_DISOWNED;
    read_made();
    ck_assert_str_eq(state_of(1), "runs");
    ck_assert_str_eq(state_of(2), "waits for messages, for 800.0 ms");
    ck_assert_str_eq(state_of(3), "in handle_call: call 7 from calls<4.1>, for 700.0 ms");
    ck_assert_str_eq(state_of(4), "waits in call for works<3.1>, for 400.0 ms");
    ck_assert_ptr_nonnull(strstr(state_of(5), "disowned"));
    recording_free(&recording);
}

TEST(each_callback_is_called_by_its_name)
{
    static const struct {
        cop_record_kind kind;
        const char *words;
    } known[] = {
        {COP_RECORD_CAST, "in handle_cast: cast 7"},
        {COP_RECORD_TIMEOUT, "in handle_info: "},
        {COP_RECORD_CONTINUE, "in handle_continue: "},
        {COP_RECORD_MESSAGE, "handles "},
        {COP_RECORD_STOP, "handles "},
        {COP_RECORD_SYSTEM, "handles "},
    };
    make();
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        add_record(add_actor("actor", i + 1, 0), known[i].kind, 100, -1, 7, 0, COP_VERDICT_NONE);
    }
    read_made();
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        const char *words = state_of(i + 1);
        ck_assert_msg(strncmp(words, known[i].words, strlen(known[i].words)) == 0, "%u: %s", i,
                      words);
    }
    recording_free(&recording);
}

TEST(who_has_said_so_or_written_its_end_lived_no_more)
{
    make();
    add_actor("lives", 1, 0);
    add_actor("ended", 2, 0)->head.state = COPI_RING_ENDED;
    add_actor("crashed", 3, 0)->head.state = COPI_RING_CRASHED;
    add_record(add_actor("ends", 4, 0), COP_RECORD_EXIT, 1, -1, COP_NORMAL, 0, 0);
    add_actor("strange", 5, 0)->head.state = 77;
    read_made();
    for (unsigned i = 1; i <= 5; i++) {
        ck_assert_int_eq(actor_lived(recording_find(&recording, made_pid(i))), i == 1);
    }
    recording_free(&recording);
}

static bool has_no_memory;

void *real_calloc(size_t count, size_t size) REAL(calloc);
void *calloc_if_there_is_memory(size_t count, size_t size) WRAP(calloc);
void *
calloc_if_there_is_memory(size_t count, size_t size)
{
    return has_no_memory ? NULL : real_calloc(count, size);
}

TEST(without_memory_there_is_no_tree)
{
    make();
    add_actor("one", 1, 0);
    read_made();
    has_no_memory = true;
    int r = tree_print(&recording, stdout);
    has_no_memory = false;
    ck_assert_int_eq(r, -ENOMEM);
    recording_free(&recording);
}

static char *
print(void)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    read_made();
    ck_assert_int_eq(tree_print(&recording, out), 0);
    (void)fclose(out);
    recording_free(&recording);
    return text;
}

TEST(each_stands_below_who_has_started_it)
{
    make();
    add_actor("leaf", 9, 4);
    add_actor("root", 2, 0);
    add_actor("orphan", 3, 8);
    add_actor("branch", 4, 2);
    char *text = print();
    ck_assert_str_eq(text, "  genserver root<2.1>: runs\n"
                           "    genserver branch<4.1>: runs\n"
                           "      genserver leaf<9.1>: runs\n"
                           "  genserver orphan<3.1>: runs\n");
    free(text);
}

TEST(parents_in_a_circle_and_pids_that_are_there_twice_end_all_the_same)
{
    make();
    add_actor("one", 1, 2);
    add_actor("other", 2, 1);
    add_actor("itself", 3, 3);
    add_actor("twice", 4, 0);
    add_actor("twice", 4, 0);
    add_actor("child", 5, 4);
    char *text = print();
    ck_assert_uint_eq(test_count(text, "twice"), 2);
    ck_assert_uint_eq(test_count(text, "child"), 1);
    free(text);
}

SUITE("postmortem_tree")
