/*
 * tests/runtime/test_recorder.c - what each process does is written down.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/live_kinds.h"
#include "runtime/recorder.h"
#include "runtime/recording.h"
#include "runtime/table.h"
#include "runtime/thread.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    MOST = 256,
    DEPOSIT = 1,
    WITHDRAW,
    LATER,
    NEXT,
    SLEEPS,
    MUCH,
    CRASH,
};

static char folder[] = "/tmp/coppice-recorder-XXXXXX", path[64], last[72];
static cop_record seen[MOST];

static void
remove_folder(void)
{
    unlink(path);
    unlink(last);
    rmdir(folder);
}

static void
name_file(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/recording", folder);
    snprintf(last, sizeof last, "%s.last", path);
    atexit(remove_folder);
}

static void
begin_with(unsigned rings, unsigned records)
{
    cop_config config = {
        .size = sizeof config,
        .recorder_rings = rings,
        .recorder_records = records,
        .kill_grace = COP_MS(20),
    };
    name_file();
    config.recorder = path;
    ck_assert_int_eq(cop_configure(&config), 0);
    ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr)); /* some crash */
}

static void
begin(void)
{
    begin_with(0, 0);
}

/* ---------------------------------------------------------------- a server */

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    cop_from *waiting = state;
    switch (request.tag) {
    case LATER:
        *waiting = from;
        return cop_ok();
    case NEXT:
        cop_reply(from, COP_TAG(0));
        return cop_ok_continue(COP_TAG(NEXT));
    case SLEEPS:
        cop_sleep(COP_MS(2));
        return cop_reply(from, COP_TAG(0));
    case MUCH:
        for (int i = 0; i < 20; i++) {
            cop_call(COP_NOBODY, COP_TAG(0), NULL, 0, SOON);
        }
        return cop_reply(from, COP_TAG(0));
    case CRASH:
        cop_exit(cop_failed(-EIO, "the disk has gone"));
    default:
        return cop_reply(from, COP_TAG(0));
    }
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    cop_from *waiting = state;
    return msg.tag == LATER ? cop_reply(*waiting, COP_TAG(0)) : cop_ok();
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    (void)state;
    return msg.tag == COP_MSG_TIMEOUT ? cop_ok() : cop_ok_timeout(COP_MS(1));
}

static cop_step
handle_continue(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    return cop_ok();
}

static const cop_genserver server = {
    .type = "server",
    .state_size = sizeof(cop_from),
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
    .handle_continue = handle_continue,
};

static cop_pid
start(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "server"), 0);
    return pid;
}

static int
ask(cop_pid pid, uint32_t tag)
{
    return cop_call(pid, COP_TAG(tag), NULL, 0, SOON);
}

/* ---------------------------------------------------------------- looking */

/* The newest record of that kind; NULL: none. */
static const cop_record *
look(cop_pid pid, cop_record_kind kind)
{
    for (int i = cop_recorder_read(pid, seen, MOST) - 1; i >= 0; i--) {
        if (seen[i].kind == kind) {
            return &seen[i];
        }
    }
    return NULL;
}

static const cop_record *
must(cop_pid pid, cop_record_kind kind)
{
    const cop_record *record = look(pid, kind);
    ck_assert_ptr_nonnull(record);
    return record;
}

static int
count(cop_pid pid, cop_record_kind kind)
{
    int records = cop_recorder_read(pid, seen, MOST), found = 0;
    for (int i = 0; i < records; i++) {
        found += seen[i].kind == kind;
    }
    return found;
}

static const struct copi_recording_head *
open_file(void)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat it;
    ck_assert_int_eq(fstat(fd, &it), 0);
    void *memory = mmap(NULL, (size_t)it.st_size, PROT_READ, MAP_SHARED, fd, 0);
    ck_assert(memory != MAP_FAILED);
    close(fd);
    return memory;
}

/* ---------------------------------------------------------------- on and off */

TEST(nothing_is_recorded_that_nobody_has_asked_for)
{
    ck_assert_int_eq(cop_recorder_read(cop_self(), seen, MOST), -EOPNOTSUPP);
    ck_assert_int_eq(cop_why().code, -EOPNOTSUPP);
}

TEST(a_file_that_cannot_be_made_is_an_error_and_nothing_is_configured)
{
    cop_config config = {.size = sizeof config, .recorder = "/nowhere/at/all", .max_processes = 2};
    ck_assert_int_eq(cop_configure(&config), -ENOENT);
    for (int i = 0; i < 5; i++) {
        cop_pid pid;
        ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end), 0);
    }
    ck_assert_int_eq(cop_recorder_read(cop_self(), seen, MOST), -EOPNOTSUPP);
}

TEST(a_size_without_sense_is_refused)
{
    name_file();
    cop_config config = {.size = sizeof config, .recorder = path, .recorder_rings = 1u << 21};
    ck_assert_int_eq(cop_configure(&config), -EINVAL);
    config.recorder_rings = 1u << 19;
    config.recorder_records = 1u << 19;
    ck_assert_int_eq(cop_configure(&config), -EINVAL);
    config.recorder_records = UINT32_MAX;
    ck_assert_int_eq(cop_configure(&config), -EINVAL);
    ck_assert_int_ne(access(path, F_OK), 0);
}

TEST(the_environment_turns_it_on)
{
    name_file();
    setenv("COPPICE_RECORDER", path, 1);
    ck_assert_int_eq(cop_recorder_read(cop_self(), seen, MOST), 1);
    ck_assert_int_eq(access(path, F_OK), 0);
}

TEST(the_environment_turns_it_off)
{
    name_file();
    setenv("COPPICE_RECORDER", "", 1);
    ck_assert_int_eq(cop_configure(&(cop_config){.size = sizeof(cop_config), .recorder = path}), 0);
    ck_assert_int_eq(cop_recorder_read(cop_self(), seen, MOST), -EOPNOTSUPP);
    ck_assert_int_ne(access(path, F_OK), 0);
}

TEST(a_file_of_the_environment_that_cannot_be_made_is_said_and_the_program_goes_on)
{
    setenv("COPPICE_RECORDER", "/nowhere/at/all", 1);
    test_catch_stderr();
    ck_assert(cop_alive(cop_self()));
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "nothing is recorded in /nowhere/at/all"), 1);
    free(said);
}

TEST(a_shutdown_is_seen_in_the_file_until_something_starts_again)
{
    begin();
    cop_pid pid = start();
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    const struct copi_recording_head *head = open_file();
    ck_assert_uint_ne(head->ended, 0);
    ck_assert_ptr_nonnull(look(pid, COP_RECORD_EXIT)); /* and it can be read still */
    start();
    ck_assert_uint_eq(head->ended, 0);
    munmap((void *)(uintptr_t)head, head->size);
}

/* ---------------------------------------------------------------- what is recorded */

TEST(a_request_is_recorded_with_what_became_of_it)
{
    begin();
    cop_pid pid = start();
    cop_time before = cop_now();
    ck_assert_int_eq(ask(pid, DEPOSIT), 0);
    ck_assert_int_eq(ask(pid, SLEEPS), 0);
    EVENTUALLY(must(pid, COP_RECORD_CALL)->took >= 0);
    const cop_record *slept = must(pid, COP_RECORD_CALL);
    ck_assert_uint_eq(slept->tag, SLEEPS);
    ck_assert_int_eq(slept->code, COP_VERDICT_REPLY);
    ck_assert(cop_pid_eq(slept->other, cop_self()));
    const cop_time least = copi_ticks_are_time() ? COP_MS(1.9) : 0; /* else the clock is coarse */
    ck_assert_int_ge(slept->took, least);
    ck_assert_int_ge(slept->when, before - COP_MS(10));
    ck_assert_int_le(slept->when + slept->took, cop_now() + COP_MS(10));
    ck_assert_str_eq(must(pid, COP_RECORD_WAIT)->text, "sleep");
    ck_assert_int_ge(must(pid, COP_RECORD_WAIT)->took, least);
}

static int
sleep_call_and_wait(cop_bytes arg)
{
    int r = cop_sleep(COP_MS(1));
    cop_call(COP_NOBODY, COP_TAG(0), NULL, 0, SOON);
    return r ? r : test_wait_for_end(arg);
}

/* Records of processes are handed out in turn. The last one found nothing more to do when it had written its start,
 * a wait and a call. This one, when it begins to wait, has written its start, a wait and a call that failed. */
TEST(a_wait_is_recorded_whatever_the_last_process_in_the_record_did)
{
    begin();
    cop_pid last_one = start(), next;
    EVENTUALLY(look(last_one, COP_RECORD_WAIT));
    ck_assert_int_eq(ask(last_one, DEPOSIT), 0);
    EVENTUALLY(look(last_one, COP_RECORD_CALL) && must(last_one, COP_RECORD_CALL)->took >= 0);
    cop_ref monitor = cop_monitor(last_one);
    cop_exit_signal(last_one, COP_REASON_SHUTDOWN);
    test_down(monitor);
    do {
        ck_assert_int_eq(cop_spawn(&next, sleep_call_and_wait, .monitor = &monitor), 0);
        if ((next.id & COPI_INDEX_MASK) == (last_one.id & COPI_INDEX_MASK)) {
            EVENTUALLY(count(next, COP_RECORD_WAIT) == 2);
        }
        cop_exit_signal(next, COP_REASON_KILLED);
        test_down(monitor);
    } while ((next.id & COPI_INDEX_MASK) != (last_one.id & COPI_INDEX_MASK));
}

static bool has_no_ticks;

bool real_ticks_are_time(void) REAL(copi_ticks_are_time);
bool ticks_are_time(void) WRAP(copi_ticks_are_time);
bool
ticks_are_time(void)
{
    return !has_no_ticks && real_ticks_are_time();
}

TEST(where_the_processor_counts_no_time_records_have_the_clocks)
{
    has_no_ticks = true;
    cop_time earliest = copi_clock_coarse();
    begin();
    cop_pid pid = start();
    ck_assert_int_eq(ask(pid, DEPOSIT), 0);
    EVENTUALLY(look(pid, COP_RECORD_CALL) && must(pid, COP_RECORD_CALL)->took >= 0);
    const cop_record *call = must(pid, COP_RECORD_CALL);
    ck_assert_int_ge(call->when, earliest);
    ck_assert_int_le(call->when, cop_now());
    const struct copi_recording_head *head = open_file();
    ck_assert_int_ge(head->time, earliest);
    ck_assert_uint_eq(head->ticks, (uint64_t)head->time);
    ck_assert_uint_eq(head->ticks_in_a_second, 0);
    munmap((void *)(uintptr_t)head, head->size);
}

TEST(what_runs_is_seen_before_it_returns)
{
    begin();
    cop_pid pid = start();
    cop_ref ref;
    (void)ref;
    ck_assert_int_eq(cop_call(pid, COP_TAG(LATER), NULL, 0, COP_MS(1)), -ETIMEDOUT);
    const cop_record *failed = must(cop_self(), COP_RECORD_CALL_FAILED);
    ck_assert_int_eq(failed->code, -ETIMEDOUT);
    ck_assert_uint_eq(failed->tag, LATER);
    ck_assert(cop_pid_eq(failed->other, pid));
    EVENTUALLY(count(pid, COP_RECORD_CALL) == 1);
    EVENTUALLY(must(pid, COP_RECORD_CALL)->code == COP_VERDICT_NOREPLY);
}

TEST(casts_messages_tokens_and_timeouts_are_told_apart)
{
    begin();
    cop_pid pid = start();
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WITHDRAW)), 0);
    ck_assert_int_eq(cop_send(pid, COP_TAG(DEPOSIT)), 0);
    EVENTUALLY(look(pid, COP_RECORD_TIMEOUT));
    ck_assert_uint_eq(must(pid, COP_RECORD_CAST)->tag, WITHDRAW);
    ck_assert_int_eq(must(pid, COP_RECORD_CAST)->code, COP_VERDICT_NOREPLY);
    ck_assert_uint_eq(must(pid, COP_RECORD_INFO)->tag, DEPOSIT);
    ck_assert_int_eq(ask(pid, NEXT), 0);
    EVENTUALLY(look(pid, COP_RECORD_CONTINUE));
    ck_assert_int_eq(must(pid, COP_RECORD_CALL)->code, COP_VERDICT_CONTINUE);
    ck_assert_uint_eq(must(pid, COP_RECORD_CONTINUE)->tag, NEXT);
    test_status(pid);
    ck_assert_ptr_nonnull(look(pid, COP_RECORD_SYSTEM));
}

TEST(an_end_is_recorded_with_its_reason_and_stays)
{
    begin();
    cop_pid pid = start();
    ck_assert_int_eq(ask(pid, CRASH), -EPIPE);
    const cop_record *end = must(pid, COP_RECORD_EXIT);
    ck_assert_uint_eq(end->tag, COP_FAILED);
    ck_assert_int_eq(end->code, -EIO);
    ck_assert_str_eq(end->text, "the disk has gone");
    ck_assert_int_eq(must(pid, COP_RECORD_CALL)->code, COP_VERDICT_NONE);
    char words[100];
    ck_assert_str_eq(cop_record_string(end, words, sizeof words), "ends: the disk has gone");
}

TEST(a_call_that_failed_was_to_who_had_the_name_then)
{
    begin();
    cop_pid pid = start();
    ck_assert_int_eq(cop_call(cop_named("server"), COP_TAG(CRASH), NULL, 0, SOON), -EPIPE);
    EVENTUALLY(cop_pid_eq(cop_whereis("server"), COP_NOBODY));
    ck_assert(cop_pid_eq(must(cop_self(), COP_RECORD_CALL_FAILED)->other, pid));
}

TEST(a_stop_and_an_exit_signal_are_recorded_with_who_sent_them)
{
    begin();
    cop_pid pid = start();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert(cop_pid_eq(must(pid, COP_RECORD_STOP)->other, cop_self()));
    ck_assert_uint_eq(must(pid, COP_RECORD_EXIT)->tag, COP_NORMAL);
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = &monitor), 0);
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    test_down(monitor);
    ck_assert_uint_eq(must(pid, COP_RECORD_SIGNAL)->tag, COP_KILLED);
    ck_assert(cop_pid_eq(must(pid, COP_RECORD_SIGNAL)->other, cop_self()));
}

static int
receive_two(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_receive(&msg, COP_FOREVER);
    return cop_receive(&msg, COP_FOREVER);
}

TEST(a_plain_process_is_seen_waiting_after_its_message)
{
    begin();
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, receive_two, .link = true), 0);
    cop_send(pid, COP_TAG(DEPOSIT));
    EVENTUALLY(look(pid, COP_RECORD_MESSAGE));
    EVENTUALLY(must(pid, COP_RECORD_MESSAGE)->took >= 0);
    ck_assert_uint_eq(must(pid, COP_RECORD_MESSAGE)->tag, DEPOSIT);
    ck_assert(cop_pid_eq(must(pid, COP_RECORD_STARTED)->other, cop_self()));
    cop_send(pid, COP_TAG(DEPOSIT));
    EVENTUALLY(look(pid, COP_RECORD_EXIT));
}

static int
contained(cop_bytes arg)
{
    (void)arg;
    volatile int *nowhere = NULL;
    *nowhere = 1; /* NOLINT(clang-analyzer-core.NullDereference): which is the point */
    return 0;
}

TEST(a_fault_is_recorded)
{
    if (TEST_SANITIZED) {
        return;
    }
    begin();
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, contained, .contain_faults = true, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_FAULTED);
    ck_assert_int_eq(must(pid, COP_RECORD_FAULT)->code, SIGSEGV);
    ck_assert_uint_eq(must(pid, COP_RECORD_EXIT)->tag, COP_FAULTED);
}

TEST(an_error_in_the_log_is_recorded_and_a_warning_is_not)
{
    begin();
    cop_log(COP_LOG_WARNING, "the disk is nearly full");
    ck_assert_ptr_null(look(cop_self(), COP_RECORD_LOGGED));
    cop_log(COP_LOG_ERROR, "the disk is full, and has been for longer than it takes to say so");
    ck_assert_str_eq(must(cop_self(), COP_RECORD_LOGGED)->text,
                     "the disk is full, and has been for longer than it takes to say so");
}

TEST(a_name_given_late_is_in_the_file)
{
    begin();
    ck_assert_int_eq(cop_register("late", cop_self()), 0);
    const struct copi_recording_head *head = open_file();
    const struct copi_ring *ring = (const void *)((const char *)head + head->head_size);
    ck_assert_str_eq(ring->name, "late");
    ck_assert_str_eq(ring->kind, "thread");
    ck_assert_uint_eq(ring->pid, cop_self().id);
    ck_assert_uint_eq(ring->state, COPI_RING_LIVES);
    munmap((void *)(uintptr_t)head, head->size);
}

TEST(a_tag_that_was_named_before_is_in_the_file)
{
    ck_assert_int_eq(cop_tag_name(MUCH, "much"), 0);
    begin();
    const struct copi_recording_head *head = open_file();
    cop_self();
    ck_assert_uint_eq(copi_load_acquire_32(&head->tags[0].is_there), 1);
    ck_assert_uint_eq(head->tags[0].tag, MUCH);
    ck_assert_str_eq(head->tags[0].name, "much");
    munmap((void *)(uintptr_t)head, head->size);
}

TEST(a_tag_has_its_name_in_the_words)
{
    begin();
    cop_pid pid = start();
    ck_assert_int_eq(cop_tag_name(DEPOSIT, "deposit"), 0);
    ck_assert_int_eq(cop_register("client", cop_self()), 0);
    ck_assert_int_eq(ask(pid, DEPOSIT), 0);
    cop_record record = *must(pid, COP_RECORD_CALL);
    record.took = -1;
    char words[100];
    EVENTUALLY(must(pid, COP_RECORD_CALL)->code == COP_VERDICT_REPLY);
    record.code = COP_VERDICT_REPLY;
    ck_assert_str_eq(cop_record_string(&record, words, sizeof words),
                     "call deposit from client: reply");
    const struct copi_recording_head *head = open_file();
    ck_assert_uint_eq(head->tags[0].is_there, 1);
    ck_assert_uint_eq(head->tags[0].tag, DEPOSIT);
    ck_assert_str_eq(head->tags[0].name, "deposit");
    munmap((void *)(uintptr_t)head, head->size);
}

/* ---------------------------------------------------------------- rings */

static int
end_at_once(cop_bytes arg)
{
    (void)arg;
    return 0;
}

static int
crash_at_once(cop_bytes arg)
{
    (void)arg;
    return -EIO;
}

static cop_pid
run(cop_process_fn fn)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, fn, .monitor = &monitor), 0);
    test_down(monitor);
    return pid;
}

TEST(a_full_ring_keeps_the_newest)
{
    begin_with(4, 8);
    cop_pid pid = start();
    for (uint32_t i = 0; i < 1000; i++) {
        ck_assert_int_eq(cop_cast(pid, COP_TAG(100 + i)), 0);
    }
    EVENTUALLY(look(pid, COP_RECORD_CAST) && must(pid, COP_RECORD_CAST)->tag == 1099);
    int records = cop_recorder_read(pid, seen, MOST);
    ck_assert_int_ge(records, 6);
    ck_assert_int_le(records, 7);
    for (int i = 1; i < records; i++) {
        ck_assert_int_ge(seen[i].when, seen[i - 1].when);
    }
    ck_assert_int_eq(cop_recorder_read(pid, seen, 2), 2);
}

TEST(an_outcome_whose_record_is_gone_is_written_into_no_other)
{
    begin_with(4, 8);
    cop_pid pid = start();
    ck_assert_int_eq(ask(pid, MUCH), 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WITHDRAW)), 0);
    EVENTUALLY(look(pid, COP_RECORD_CAST) && must(pid, COP_RECORD_CAST)->took >= 0);
    for (int i = cop_recorder_read(pid, seen, MOST) - 1; i >= 0; i--) {
        ck_assert(seen[i].kind != COP_RECORD_CALL_FAILED || seen[i].code == -ESRCH);
    }
}

TEST(who_ended_longest_ago_is_forgotten_first_and_who_crashed_last)
{
    begin_with(4, 8); /* one is the test's own */
    cop_pid crashed = run(crash_at_once), first = run(end_at_once), second = run(end_at_once);
    EVENTUALLY(look(second, COP_RECORD_EXIT));
    for (int i = 0; i < 10; i++) {
        cop_pid next;
        EVENTUALLY((next = run(end_at_once), look(next, COP_RECORD_EXIT)));
    }
    ck_assert_int_eq(cop_recorder_read(first, seen, MOST), -ESRCH);
    ck_assert_ptr_nonnull(look(crashed, COP_RECORD_EXIT));
}

/* Who has ended and given its ring back, too, is no object any more. */
static size_t
records(void)
{
    cop_live_count counts[COPI_LIVE_COUNT];
    size_t n = cop_live(counts, COPI_LIVE_COUNT);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(counts[i].kind, "processes") == 0) {
            return counts[i].count;
        }
    }
    return 0;
}

TEST(a_ring_that_was_the_only_free_one_is_used_again_and_again)
{
    begin_with(2, 8); /* one is the test's own */
    const struct copi_recording_head *head = open_file();
    for (uint64_t i = 0; i < 10; i++) {
        cop_pid pid;
        cop_ref monitor;
        ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = &monitor), 0);
        EVENTUALLY(look(pid, COP_RECORD_STARTED));
        ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
        test_down(monitor);
        EVENTUALLY(records() == 1);
        ck_assert_uint_eq(copi_load_relaxed_64(&head->reused), i);
        ck_assert_uint_eq(copi_load_relaxed_64(&head->unrecorded), 0);
    }
    munmap((void *)(uintptr_t)head, head->size);
}

TEST(more_processes_than_rings_are_counted_and_do_no_harm)
{
    enum {
        PROCESSES = 50
    };
    begin_with(8, 8);
    cop_pid pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        ck_assert_int_eq(cop_spawn(&pids[i], test_wait_for_end), 0);
    }
    const struct copi_recording_head *head = open_file();
    EVENTUALLY(copi_load_relaxed_64(&head->unrecorded) == PROCESSES - 7);
    int recorded = 0;
    for (int i = 0; i < PROCESSES; i++) {
        recorded += cop_recorder_read(pids[i], seen, MOST) > 0;
    }
    ck_assert_int_eq(recorded, 7);
    munmap((void *)(uintptr_t)head, head->size);
}

TEST(thousands_that_come_and_go_use_the_rings_in_turn)
{
    enum {
        PROCESSES = 2000
    };
    begin_with(16, 8);
    const struct copi_recording_head *head = open_file();
    cop_pid pid = COP_NOBODY;
    for (int i = 0; i < PROCESSES; i++) {
        pid = run(end_at_once);
    }
    EVENTUALLY(look(pid, COP_RECORD_EXIT));
    ck_assert_uint_eq(copi_load_relaxed_64(&head->used), 16);
    ck_assert_uint_ge(copi_load_relaxed_64(&head->reused) + copi_load_relaxed_64(&head->unrecorded),
                      PROCESSES - 16);
    munmap((void *)(uintptr_t)head, head->size);
}

/* ---------------------------------------------------------------- reading while others write */

static int
read_until_end(cop_bytes arg)
{
    cop_pid pid;
    cop_record records[64];
    memcpy(&pid, arg.data, sizeof pid);
    while (cop_alive(pid)) {
        int n = cop_recorder_read(pid, records, 64);
        for (int i = 0; i < n; i++) {
            if (records[i].kind == COP_RECORD_CAST && records[i].code > COP_VERDICT_NOREPLY) {
                return -EILSEQ;
            }
            if (records[i].kind == COP_RECORD_CAST && i > 0
                && records[i - 1].kind == COP_RECORD_CAST && records[i].tag <= records[i - 1].tag) {
                return -EILSEQ;
            }
        }
        cop_checkpoint();
    }
    return 0;
}

TEST(who_reads_while_it_is_written_sees_whole_records_in_order)
{
    enum {
        CASTS = TEST_SANITIZED ? 3000 : 100000
    };
    begin_with(8, 8);
    cop_pid pid = start(), reader;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&reader, read_until_end, .arg = COP_BYTES(pid), .monitor = &monitor),
                     0);
    for (uint32_t i = 0; i < CASTS; i++) {
        ck_assert_int_eq(cop_cast(pid, COP_TAG(100 + i)), 0);
    }
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

/* ---------------------------------------------------------------- the disowned, the forked, the killed */

static int
never_look(cop_bytes arg)
{
    (void)arg;
    for (volatile int i = 0;; i++) {
    }
    return 0;
}

TEST(who_is_disowned_is_seen_as_that)
{
    begin();
    test_leaves_things_behind();
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, never_look, .monitor = &monitor), 0);
    EVENTUALLY(look(pid, COP_RECORD_STARTED));
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
    const struct copi_recording_head *head = open_file();
    const struct copi_ring *ring =
        (const void *)((const char *)head + head->head_size + head->ring_size);
    ck_assert_uint_eq(ring->pid, pid.id);
    ck_assert_uint_eq(ring->state, COPI_RING_DISOWNED);
    _exit(0); /* its thread would keep the test's program */
}

TEST(the_child_of_a_fork_records_nothing)
{
    begin();
    cop_self();
    pid_t child = fork();
    if (child == 0) {
        _exit(cop_recorder_read(cop_self(), seen, MOST) == -EPERM ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(count(cop_self(), COP_RECORD_STARTED), 1);
}

static void
be_killed(int ready)
{
    cop_configure(&(cop_config){.size = sizeof(cop_config), .recorder = path});
    cop_pid pid = start();
    for (uint32_t i = 0;; i++) {
        cop_cast(pid, COP_TAG(i));
        if (i == 1000 && write(ready, "", 1) != 1) {
            _exit(1);
        }
        ask(pid, DEPOSIT);
    }
}

TEST_TIMES(4, what_was_written_survives_a_kill)
{
    int ends[2];
    char byte;
    name_file();
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        be_killed(ends[1]);
    }
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    const struct copi_recording_head *head = open_file();
    const struct copi_ring *ring =
        (const void *)((const char *)head + head->head_size + head->ring_size);
    ck_assert_str_eq(ring->name, "server");
    ck_assert_uint_gt(ring->written, 1000);
    for (uint64_t n = ring->written - head->records + 1; n < ring->written; n++) {
        uint64_t what = copi_ring_records_of(ring)[n % head->records].what;
        ck_assert_uint_eq(what >> 32 & 0xffffff, n & 0xffffff);
        ck_assert(what >> 56 == COP_RECORD_CALL || what >> 56 == COP_RECORD_CAST
                  || what >> 56 == COP_RECORD_WAIT);
    }
    munmap((void *)(uintptr_t)head, head->size);
}

SUITE("recorder")
