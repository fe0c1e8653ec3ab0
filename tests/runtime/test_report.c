/*
 * tests/runtime/test_report.c - what the library has to say: events to the observer, lines to
 * standard error.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/inspect.h"
#include "runtime/report.h"
#include "runtime/table.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    GO = 1,
};

/* ---------------------------------------------------------------- helpers */

static int
return_zero(cop_bytes arg)
{
    (void)arg;
    return 0;
}

static int
crash(cop_bytes arg)
{
    (void)arg;
    cop_exit(cop_failed(-EIO, "boom"));
}

static int
fail_without_text(cop_bytes arg)
{
    (void)arg;
    return -EXDEV;
}

static int
crash_when_told(cop_bytes arg)
{
    cop_msg msg;
    (void)arg;
    cop_receive(&msg, COP_FOREVER);
    copi_alloc_fail_after(0);
    cop_exit(cop_failed(-EIO, "boom"));
}

static void
run(cop_process_fn function, const char *name)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, function, .name = name, .monitor = &monitor), 0);
    test_down(monitor);
}

/* The lines that were written while it ran; the caller frees them. */
static char *
lines_of(cop_process_fn function, const char *name)
{
    test_catch_stderr();
    run(function, name);
    return test_caught_stderr();
}

/* ---------------------------------------------------------------- lines */

TEST(a_line_says_who_speaks_and_how_bad_it_is)
{
    test_catch_stderr();
    copi_report(COPI_ERROR, "a %d", 1);
    copi_report(COPI_WARNING, "b");
    copi_report(COPI_NOTICE, "c");
    char *lines = test_caught_stderr();
    ck_assert_str_eq(lines, "coppice: error: a 1\ncoppice: warning: b\ncoppice: notice: c\n");
    free(lines);
}

TEST(a_line_that_is_too_long_is_cut_and_ends_as_a_line)
{
    test_catch_stderr();
    copi_report(COPI_ERROR, "%02000d", 7);
    char *lines = test_caught_stderr();
    size_t length = strlen(lines);
    ck_assert_uint_gt(length, 500);
    ck_assert_uint_lt(length, 2000);
    ck_assert_int_eq(lines[length - 1], '\n');
    ck_assert_ptr_nonnull(strstr(lines, "00...(+"));
    ck_assert_uint_eq(test_count(lines, "\n"), 1);
    free(lines);
}

/* Exactly so long that the last character and the line's end would fall out of the line. */
TEST(a_line_of_any_length_ends_as_a_line)
{
    for (int length = 980; length < 1040; length++) {
        test_catch_stderr();
        copi_report(COPI_ERROR, "%0*d", length, 7);
        char *lines = test_caught_stderr();
        ck_assert_int_eq(lines[strlen(lines) - 1], '\n');
        ck_assert_uint_eq(test_count(lines, "\n"), 1);
        free(lines);
    }
}

TEST(a_line_whose_level_is_off_is_not_made)
{
    cop_log_set_level(COP_LOG_CRITICAL);
    test_catch_stderr();
    copi_report_line(COPI_ERROR, "unheard %d", 1);
    char *lines = test_caught_stderr();
    ck_assert_str_eq(lines, "");
    free(lines);
}

TEST(a_line_leaves_errno_alone)
{
    close(STDERR_FILENO);
    errno = EXDEV;
    copi_report(COPI_ERROR, "unheard");
    ck_assert_int_eq(errno, EXDEV);
    test_leaves_things_behind(); /* a descriptor less */
}

/* A socket that keeps the boundaries of what is written. */
static int
stderr_as_packets(void)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    dup2(pair[1], STDERR_FILENO);
    close(pair[1]);
    test_leaves_things_behind();
    return pair[0];
}

TEST(each_report_is_one_write_also_from_many_threads)
{
    enum {
        MANY = 40
    };
    int packets = stderr_as_packets();
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_spawn(NULL, crash, .link = false), 0);
    }
    for (int i = 0; i < MANY; i++) {
        char line[2048];
        ssize_t size = recv(packets, line, sizeof line - 1, 0);
        ck_assert_int_gt(size, 0);
        line[size] = '\0';
        ck_assert_int_eq(strncmp(line, "coppice: error: process ", 24), 0);
        ck_assert_uint_eq(test_count(line, "\n"), 1);
        ck_assert_int_eq(line[size - 1], '\n');
    }
    close(packets);
}

TEST(a_closed_standard_error_costs_nothing_but_the_line)
{
    close(STDERR_FILENO);
    run(crash, NULL);
    run(return_zero, NULL);
    test_leaves_things_behind();
}

TEST(a_full_standard_error_costs_nothing_but_the_line)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(full, 0);
    dup2(full, STDERR_FILENO);
    close(full);
    run(crash, NULL);
    run(return_zero, NULL);
}

/* The pipe's reader is gone: SIGPIPE would end the program for a line that nobody reads. */
static void
break_stderr(void)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
    signal(SIGPIPE, SIG_DFL);
}

TEST(a_broken_pipe_as_standard_error_costs_a_process_nothing_but_the_line)
{
    break_stderr();
    run(crash, NULL);
    run(return_zero, NULL);
}

TEST(a_broken_pipe_as_standard_error_does_not_end_the_program)
{
    break_stderr();
    copi_report(COPI_ERROR, "unheard"); /* by a thread that has its signals unblocked */
}

/* ---------------------------------------------------------------- crashes */

/* A line that begins like this, and nothing else. */
static void
assert_begins(const char *lines, const char *head)
{
    ck_assert_msg(strncmp(lines, head, strlen(head)) == 0, "%s", lines);
    ck_assert_uint_eq(test_count(lines, "\n"), 1);
}

TEST(a_crash_names_the_process_and_its_reason)
{
    char *lines = lines_of(crash, "worker");
    assert_begins(lines, "coppice: error: process worker crashed: boom pid=<");
    free(lines);
}

TEST(a_crash_whose_level_is_off_is_not_reported)
{
    ck_assert_int_eq(cop_log_set_level(COP_LOG_CRITICAL), COP_LOG_INFO);
    char *lines = lines_of(crash, "worker");
    ck_assert_str_eq(lines, "");
    free(lines);
}

TEST(a_crash_tells_how_long_it_ran_what_waits_and_what_it_has_done)
{
    char *lines = lines_of(crash, "worker");
    ck_assert_ptr_nonnull(strstr(lines, " mailbox=0 handled=0 ran="));
    free(lines);
}

static int
crash_below(cop_bytes arg)
{
    cop_ref monitor;
    cop_pid below;
    if (arg.size > 0) {
        return crash(arg);
    }
    ck_assert_int_eq(cop_spawn(&below, crash_below, .name = "below", .link = true,
                               .arg = COP_BYTES(monitor), .monitor = &monitor),
                     0);
    cop_sleep(COP_FOREVER);
    return 0;
}

TEST(a_crash_tells_who_has_started_it)
{
    ck_assert_int_eq(cop_register("main", cop_self()), 0);
    cop_ref monitor;
    test_catch_stderr();
    ck_assert_int_eq(
        cop_spawn(NULL, crash_below, .name = "above", .link = true, .monitor = &monitor), 0);
    test_down(monitor);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, "process below crashed: boom"), 1);
    ck_assert_uint_eq(test_count(lines, " under=main/above "), 1);
    free(lines);
}

enum {
    GENERATIONS = 8
};

/* Each of a long name; the last one crashes. */
static int
crash_far_below(cop_bytes arg)
{
    int depth = *(const int *)arg.data + 1;
    if (depth == GENERATIONS) {
        return crash(arg);
    }
    char name[52] = "";
    memset(name, 'n', sizeof name - 1);
    name[0] = (char)('0' + depth);
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, crash_far_below, .name = name, .link = true,
                               .arg = COP_BYTES(depth), .monitor = &monitor),
                     0);
    cop_sleep(COP_FOREVER);
    return 0;
}

TEST(a_crash_deep_in_a_tree_tells_of_the_nearest_as_far_as_there_is_room)
{
    cop_ref monitor;
    int depth = 0;
    test_catch_stderr();
    ck_assert_int_eq(cop_spawn(NULL, crash_far_below, .arg = COP_BYTES(depth), .name = "top",
                               .monitor = &monitor),
                     0);
    test_down(monitor);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, "error: process 7nnn"), 1);
    ck_assert_uint_eq(test_count(lines, " under=2nnn"), 1); /* five of 51, and four between them */
    ck_assert_uint_eq(test_count(lines, "/6nnn"), 1);
    free(lines);
}

TEST(a_crash_by_exit_tells_where_in_the_program_it_was)
{
    char *lines = lines_of(crash, "worker");
    ck_assert_ptr_nonnull(strstr(lines, "stack="));
    ck_assert_ptr_nonnull(strstr(lines, "test_report+0x"));
    free(lines);
    lines = lines_of(fail_without_text, "worker"); /* a return is no place */
    ck_assert_ptr_null(strstr(lines, "stack="));
    free(lines);
}

TEST(without_memory_a_crash_is_told_without_the_place)
{
    cop_ref monitor;
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, crash_when_told, .name = "worker", .monitor = &monitor), 0);
    test_catch_stderr();
    ck_assert_int_eq(cop_send(pid, COP_TAG(GO)), 0);
    test_down(monitor);
    char *lines = test_caught_stderr();
    assert_begins(lines, "coppice: error: process worker crashed: boom pid=<");
    ck_assert_ptr_null(strstr(lines, "stack="));
    free(lines);
}

TEST(a_flood_of_crashes_of_one_actor_is_cut)
{
    enum {
        MANY = 50
    };
    cop_config config = {.size = sizeof config,
                         .log_limit = 5}; /* in five seconds, on any machine */
    ck_assert_int_eq(cop_configure(&config), 0);
    test_catch_stderr();
    for (int i = 0; i < MANY; i++) {
        run(crash, "worker");
    }
    run(crash, "another");
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    char *lines = test_caught_stderr();
    unsigned written = test_count(lines, "process worker crashed: boom"), withheld = 0;
    ck_assert_uint_eq(test_count(lines, "process another crashed: boom"), 1);
    for (char *at = lines; (at = strstr(at, "more lines were withheld lines=")); at++) {
        withheld += test_number_after(at, "=");
    }
    ck_assert_uint_gt(withheld, 0);
    ck_assert_uint_eq(written + withheld, MANY);
    free(lines);
}

TEST(a_crash_without_a_text_has_its_code_in_words)
{
    char *lines = lines_of(fail_without_text, "worker"), expected[128];
    snprintf(expected, sizeof expected, "coppice: error: process worker crashed: %s pid=<",
             cop_strerror(-EXDEV));
    assert_begins(lines, expected);
    free(lines);
}

TEST(a_crash_of_a_process_without_a_name_has_its_number)
{
    char *lines = lines_of(crash, NULL);
    ck_assert_uint_eq(test_count(lines, "process <"), 1);
    ck_assert_uint_eq(test_count(lines, "> crashed: boom mailbox=0 "), 1);
    free(lines);
}

TEST(a_crash_of_a_process_with_a_label_has_that_and_its_number)
{
    cop_ref monitor;
    char label[] = "pool";
    test_catch_stderr();
    ck_assert_int_eq(cop_spawn(NULL, crash, .label = label, .monitor = &monitor), 0);
    memset(label, '!', sizeof label - 1);
    test_down(monitor);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, "process pool<"), 1);
    ck_assert_uint_eq(test_count(lines, "> crashed: boom mailbox=0 "), 1);
    free(lines);
}

/* ---------------------------------------------------------------- crashes of servers */

static cop_step
crash_at_cast(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    return cop_stop(cop_failed(-EIO, "boom"));
}

static cop_step
crash_at_call(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)from, (void)request;
    cop_exit(cop_failed(-EIO, "boom"));
}

static cop_step
crash_at_info(void *state, cop_msg msg)
{
    (void)state;
    return msg.tag == GO ? cop_ok_timeout(0) : cop_stop(cop_failed(-EIO, "boom"));
}

static cop_step
wait_forever(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    cop_sleep(COP_FOREVER);
    return cop_ok();
}

static const cop_genserver accounts = {
    .type = "accounts",
    .state_size = 24,
    .handle_call = crash_at_call,
    .handle_cast = crash_at_cast,
    .handle_info = crash_at_info,
};

static struct crashing {
    cop_pid pid;
    cop_ref monitor;
} crashing;

static cop_pid
start_accounts(const cop_genserver *behaviour)
{
    ck_assert_int_eq(cop_genserver_start(&crashing.pid, behaviour, .name = "accounts"), 0);
    crashing.monitor = cop_monitor(crashing.pid);
    test_catch_stderr();
    return crashing.pid;
}

static void
crashed_with(const char *more)
{
    char expected[256];
    test_down(crashing.monitor);
    (void)snprintf(expected, sizeof expected, "> %smailbox=0 handled=", more);
    char *lines = test_caught_stderr();
    assert_begins(lines, "coppice: error: genserver accounts crashed: boom pid=<");
    ck_assert_msg(strstr(lines, expected) != NULL, "%s", lines);
    free(lines);
}

TEST(a_crash_of_a_server_tells_the_message_in_hand_its_sender_and_how_large_the_state_is)
{
    ck_assert_int_eq(cop_register("teller", cop_self()), 0);
    ck_assert_int_eq(cop_cast(start_accounts(&accounts), COP_TAG(77)), 0);
    crashed_with("in_hand=77 from=teller state_bytes=24 ");
}

TEST(a_crash_by_exit_does_so_too_and_names_the_caller)
{
    ck_assert_int_eq(cop_register("teller", cop_self()), 0);
    ck_assert_int_eq(cop_call(start_accounts(&accounts), COP_TAG(78), NULL, 0, SOON), -EPIPE);
    crashed_with("in_hand=78 from=teller state_bytes=24 ");
}

static const char *
in_hand(const char *tag, cop_pid pid)
{
    static char text[128];
    char label[COPI_LABEL_SIZE];
    (void)snprintf(text, sizeof text, "in_hand=%s from=%s ", tag, copi_label_pid(pid, label));
    return text;
}

static int
cast_and_end(cop_bytes arg)
{
    return cop_cast(*(const cop_pid *)arg.data, COP_TAG(79));
}

TEST(a_crash_of_a_server_names_no_state_where_there_is_none_and_who_is_gone_by_its_number)
{
    static const cop_genserver stateless = {.type = "stateless", .handle_cast = crash_at_cast};
    cop_pid pid = start_accounts(&stateless), sender;
    cop_ref ended;
    ck_assert_int_eq(cop_sys_suspend(pid, SOON), 0);
    ck_assert_int_eq(cop_spawn(&sender, cast_and_end, .arg = COP_BYTES(pid), .monitor = &ended), 0);
    test_down(ended);
    ck_assert_int_eq(cop_sys_resume(pid, SOON), 0);
    crashed_with(in_hand("79", sender));
}

static int
end_at_once(cop_bytes arg)
{
    cop_link(*(const cop_pid *)arg.data);
    return 0;
}

static cop_step
trap(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    cop_trap_exits(true);
    return cop_ok();
}

TEST(a_message_of_the_librarys_is_called_by_its_word)
{
    static const cop_genserver trapping = {
        .type = "trapping", .init = trap, .handle_info = crash_at_info};
    cop_pid pid = start_accounts(&trapping), ended;
    ck_assert_int_eq(cop_spawn(&ended, end_at_once, .arg = COP_BYTES(pid)), 0);
    crashed_with(in_hand("EXIT", ended));
}

static void
fail_update(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    cop_exit(cop_failed(-EIO, "boom"));
}

TEST(what_an_agent_was_asked_is_called_by_its_word)
{
    const int zero = 0;
    ck_assert_int_eq(cop_agent_start(&crashing.pid, COP_BYTES(zero), .name = "agent"), 0);
    crashing.monitor = cop_monitor(crashing.pid);
    test_catch_stderr();
    ck_assert_int_lt(cop_agent_update(crashing.pid, fail_update, COP_BYTES(zero), SOON), 0);
    test_down(crashing.monitor);
    char *lines = test_caught_stderr();
    ck_assert_msg(strstr(lines, " in_hand=UPDATE from=") != NULL, "%s", lines);
    free(lines);
}

TEST(a_crash_between_two_messages_names_none)
{
    ck_assert_int_eq(cop_send(start_accounts(&accounts), COP_TAG(GO)), 0); /* and then a timeout */
    crashed_with("state_bytes=24 ");
}

TEST(a_stop_with_a_reason_that_is_a_crash_names_no_message)
{
    cop_pid pid = start_accounts(&accounts);
    ck_assert_int_eq(cop_stop_process(pid, cop_failed(-EIO, "boom"), SOON), 0);
    crashed_with("state_bytes=24 ");
}

TEST(an_exit_signal_in_a_callback_finds_its_message_in_hand)
{
    static const cop_genserver waiting = {.type = "waiting", .handle_cast = wait_forever};
    ck_assert_int_eq(cop_register("teller", cop_self()), 0);
    cop_pid pid = start_accounts(&waiting);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(80)), 0);
    cop_process_info info;
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.callback);
    ck_assert_int_eq(cop_exit_signal(pid, cop_failed(-EIO, "boom")), 0);
    crashed_with("in_hand=80 from=teller ");
}

static cop_step
go_on_once(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    return cop_ok();
}

TEST(only_the_last_message_is_in_hand)
{
    static const cop_genserver server = {
        .type = "server", .handle_cast = go_on_once, .handle_info = crash_at_info};
    cop_pid pid = start_accounts(&server);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(1)), 0);
    ck_assert_int_eq(cop_sys_suspend(pid, SOON), 0); /* it has been handled */
    ck_assert_int_eq(cop_exit_signal(pid, cop_failed(-EIO, "boom")), 0);
    crashed_with("");
}

TEST(a_normal_end_is_not_reported)
{
    char *lines = lines_of(return_zero, "worker");
    ck_assert_str_eq(lines, "");
    free(lines);
}

static void
check_silent_end(cop_reason reason)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, test_wait_for_end, .monitor = &monitor), 0);
    test_catch_stderr();
    cop_exit_signal(pid, reason);
    ck_assert_int_eq(test_down(monitor).kind, reason.kind);
    char *lines = test_caught_stderr();
    ck_assert_str_eq(lines, "");
    free(lines);
}

TEST(a_shutdown_is_not_reported)
{
    check_silent_end(COP_REASON_SHUTDOWN);
}

TEST(a_shutdown_with_a_detail_is_not_reported)
{
    check_silent_end((cop_reason){.kind = COP_SHUTDOWN, .code = -EIO, .text = "{shutdown,x}"});
}

/* Whoever killed it knows. */
TEST(a_kill_is_not_reported)
{
    check_silent_end(COP_REASON_KILLED);
}

TEST(what_is_fatal_is_said_and_ends_the_program_with_status_1)
{
    cop_reason reason = cop_failed(-EIO, "boom");
    test_catch_stderr();
    pid_t child = fork();
    if (child == 0) {
        copi_report_fatal("it", &reason);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    char *lines = test_caught_stderr();
    ck_assert_int_eq(status, W_EXITCODE(EXIT_FAILURE, 0));
    ck_assert_str_eq(lines, "coppice: error: it: boom\n");
    free(lines);
}

/* ---------------------------------------------------------------- long mailboxes */

static void
send_to(cop_pid pid, int count)
{
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(cop_send(pid, COP_TAG(GO)), 0);
    }
}

static void
receive_all(void)
{
    cop_msg msg;
    while (cop_receive(&msg, 0) == 0) {
    }
}

static unsigned
count_long(char *lines)
{
    unsigned count = test_count(lines, "mailbox");
    ck_assert_uint_eq(count, test_count(lines, "coppice: warning: "));
    free(lines);
    return count;
}

TEST(a_mailbox_is_not_long_before_it_holds_10000_messages)
{
    test_catch_stderr();
    send_to(cop_self(), 9999);
    ck_assert_uint_eq(count_long(test_caught_stderr()), 0);
}

TEST(a_long_mailbox_is_reported_with_its_owner)
{
    ck_assert_int_eq(cop_register("slow", cop_self()), 0);
    test_catch_stderr();
    send_to(cop_self(), 10000);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, "slow"), 1);
    ck_assert_uint_eq(test_count(lines, "10000"), 1);
    free(lines);
}

TEST(a_long_mailbox_is_reported_again_at_each_doubling_only)
{
    test_catch_stderr();
    send_to(cop_self(), 79999);
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, " 10000 "), 1);
    ck_assert_uint_eq(test_count(lines, " 20000 "), 1);
    ck_assert_uint_eq(test_count(lines, " 40000 "), 1);
    ck_assert_uint_eq(count_long(lines), 3);
}

TEST(a_mailbox_that_fills_and_empties_is_reported_once_for_each_length)
{
    test_catch_stderr();
    for (int i = 0; i < 3; i++) {
        send_to(cop_self(), 15000);
        receive_all();
    }
    ck_assert_uint_eq(count_long(test_caught_stderr()), 1);
    test_catch_stderr();
    send_to(cop_self(), 20000);
    ck_assert_uint_eq(count_long(test_caught_stderr()), 1);
}

/* Takes nothing in until the other thread says so. */
static int
be_busy(cop_bytes arg)
{
    _Atomic bool *released;
    memcpy(&released, arg.data, sizeof released);
    while (!atomic_load(released)) {
        usleep(100);
    }
    return 0;
}

/* A process in this record (0: any), which gets 10,000 messages and ends. Returns the record's index:
 * records are handed out in turn, so it comes round. */
static uint64_t
fill_one_in(uint64_t record)
{
    uint64_t index;
    do {
        _Atomic bool released = false, *where = &released;
        cop_pid pid;
        cop_ref monitor;
        ck_assert_int_eq(cop_spawn(&pid, be_busy, .arg = COP_BYTES(where), .monitor = &monitor), 0);
        index = pid.id & COPI_INDEX_MASK;
        if (record == 0 || index == record) {
            send_to(pid, 10000);
        }
        atomic_store(&released, true);
        test_down(monitor);
    } while (record != 0 && index != record);
    return index;
}

TEST(the_next_process_in_a_record_is_reported_anew)
{
    test_catch_stderr();
    fill_one_in(fill_one_in(0));
    ck_assert_uint_eq(count_long(test_caught_stderr()), 2);
}

static bool
want_none(const cop_msg *msg, void *env)
{
    (void)msg, (void)env;
    return false;
}

/* Who looks for one message among many takes all of them in: they wait all the same. */
TEST(messages_that_were_passed_over_count)
{
    cop_msg msg;
    test_catch_stderr();
    for (int i = 0; i < 25; i++) {
        send_to(cop_self(), 1000);
        ck_assert_int_eq(cop_receive_match(&msg, want_none, NULL, 0), -ETIMEDOUT);
    }
    ck_assert_uint_eq(count_long(test_caught_stderr()), 2); /* at 10000 and at 20000 */
}

static void *
send_from_a_thread(void *pid)
{
    send_to(*(cop_pid *)pid, 10000);
    return NULL;
}

TEST(many_senders_report_a_length_once)
{
    enum {
        SENDERS = 4
    };
    pthread_t thread[SENDERS];
    cop_pid self = cop_self();
    test_catch_stderr();
    for (int i = 0; i < SENDERS; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, send_from_a_thread, &self), 0);
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(thread[i], NULL);
    }
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, " 10000 "), 1);
    ck_assert_uint_eq(test_count(lines, " 20000 "), 1);
    ck_assert_uint_eq(test_count(lines, " 40000 "), 1);
    ck_assert_uint_eq(count_long(lines), 3);
}

/* ---------------------------------------------------------------- events */

/* Written by the observer, one event after the other: so plain words, which a sanitizer would see
 * two threads write. */
static struct {
    unsigned count;
    cop_event event[4096];
    bool is_inside, were_two;
    unsigned known; /* atomic: for those who wait */
} events;

static _Atomic bool told, told_too_early;
static _Atomic bool hold_exits;

static void
observe(const cop_event *event, void *env)
{
    ck_assert_ptr_eq(env, &events);
    events.were_two |= events.is_inside;
    events.is_inside = true;
    if (events.count < sizeof events.event / sizeof *events.event) {
        events.event[events.count] = *event;
    }
    if (event->kind == COP_EVENT_EXIT && atomic_load(&hold_exits)) {
        usleep(20000); /* time enough for a message to arrive that must not */
        atomic_store(&hold_exits, false);
        atomic_store(&told_too_early, atomic_load(&told));
    }
    events.is_inside = false;
    __atomic_store_n(&events.known, ++events.count, __ATOMIC_RELEASE);
}

static void
observe_events(void)
{
    cop_config config = {.size = sizeof config, .observe = observe, .observe_env = &events};
    ck_assert_int_eq(cop_configure(&config), 0);
}

static unsigned
known(void)
{
    return __atomic_load_n(&events.known, __ATOMIC_ACQUIRE);
}

/* Where this event of this process is; -1: nowhere. */
static int
when(cop_event_kind kind, cop_pid pid)
{
    for (unsigned i = 0; i < known(); i++) {
        if (events.event[i].kind == kind && cop_pid_eq(events.event[i].pid, pid)) {
            return (int)i;
        }
    }
    return -1;
}

static _Atomic int started_before;

static int
look_for_ones_start(cop_bytes arg)
{
    (void)arg;
    atomic_store(&started_before, when(COP_EVENT_START, cop_self()));
    return 0;
}

TEST(the_start_is_seen_before_the_process_runs)
{
    observe_events();
    run(look_for_ones_start, NULL);
    ck_assert_int_ge(atomic_load(&started_before), 0);
}

TEST(the_exit_is_seen_with_its_reason_before_the_down_is)
{
    observe_events();
    cop_pid pid;
    cop_ref monitor;
    test_catch_stderr();
    ck_assert_int_eq(cop_spawn(&pid, crash, .monitor = &monitor), 0);
    test_down(monitor);
    free(test_caught_stderr());
    int at = when(COP_EVENT_EXIT, pid);
    ck_assert_int_ge(at, 0);
    ck_assert_int_eq(events.event[at].reason.code, -EIO);
    ck_assert_str_eq(events.event[at].reason.text, "boom");
    ck_assert_int_lt(when(COP_EVENT_START, pid), at);
}

static int
say_when_told(cop_bytes arg)
{
    cop_ref monitor = cop_monitor(*(const cop_pid *)arg.data);
    cop_send(*(const cop_pid *)arg.data, COP_TAG(GO));
    test_down(monitor);
    atomic_store(&told, true);
    return 0;
}

static int
wait_for_go(cop_bytes arg)
{
    (void)arg;
    test_receive(GO);
    return 0;
}

TEST(nobody_is_told_while_the_observer_sees_the_exit)
{
    observe_events();
    atomic_store(&hold_exits, true);
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, wait_for_go, .link = false), 0);
    ck_assert_int_eq(cop_spawn(NULL, say_when_told, .arg = COP_BYTES(pid), .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert(atomic_load(&told));
    ck_assert(!atomic_load(&told_too_early));
}

TEST(events_of_many_threads_are_seen_one_after_the_other_each_start_before_its_exit)
{
    enum {
        MANY = 300
    };
    static cop_pid pid[MANY];
    observe_events();
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_spawn(&pid[i], return_zero, .link = false), 0);
    }
    EVENTUALLY(known() == 2 * MANY);
    ck_assert(!events.were_two);
    for (int i = 0; i < MANY; i++) {
        int start = when(COP_EVENT_START, pid[i]), exit = when(COP_EVENT_EXIT, pid[i]);
        ck_assert_int_ge(start, 0);
        ck_assert_int_lt(start, exit);
        ck_assert_int_eq(events.event[exit].reason.kind, COP_NORMAL);
    }
}

static int
start_a_child(cop_bytes arg)
{
    cop_pid *child;
    memcpy(&child, arg.data, sizeof child);
    return cop_spawn(child, return_zero, .link = false);
}

TEST(a_parents_start_is_seen_before_its_childs)
{
    observe_events();
    cop_pid parent, child = {0}, *where = &child;
    cop_ref monitor;
    ck_assert_int_eq(
        cop_spawn(&parent, start_a_child, .arg = COP_BYTES(where), .monitor = &monitor), 0);
    test_down(monitor);
    ck_assert_int_ge(when(COP_EVENT_START, parent), 0);
    ck_assert_int_lt(when(COP_EVENT_START, parent), when(COP_EVENT_START, child));
}

static void *
call_the_library(void *unused)
{
    cop_self();
    return unused;
}

/* The library has neither started nor ended them. */
TEST(a_thread_that_the_library_did_not_start_makes_no_event)
{
    observe_events();
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, call_the_library, NULL), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(known(), 0);
}

TEST(a_supervisors_report_names_the_child_and_the_supervisor)
{
    observe_events();
    cop_pid supervisor;
    static const cop_child_spec worker = {
        .id = "worker",
        .worker = crash,
        .restart = COP_TEMPORARY,
    };
    const cop_supervisor_spec spec = {.children = &worker, .child_count = 1};
    test_catch_stderr();
    ck_assert_int_eq(cop_supervisor_start(&supervisor, &spec), 0);
    cop_child_counts counts = {.specs = 1};
    EVENTUALLY(cop_supervisor_count(supervisor, &counts) == 0 && counts.specs == 0);
    free(test_caught_stderr());
    unsigned found = 0;
    for (unsigned i = 0; i < known(); i++) {
        if (events.event[i].kind == COP_EVENT_CHILD_TERMINATED) {
            found++;
            ck_assert(cop_pid_eq(events.event[i].supervisor, supervisor));
            ck_assert_int_eq(events.event[i].reason.code, -EIO);
            ck_assert_int_lt(when(COP_EVENT_EXIT, events.event[i].pid), (int)i);
        }
    }
    ck_assert_uint_eq(found, 1);
}

SUITE("report")
