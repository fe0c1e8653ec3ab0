/*
 * tests/runtime/test_io.c - the readiness of descriptors, as messages.
 *
 * Room: tests/. What lies behind it is test_reactor.c's.
 */
#include "runtime/alloc.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    GO = 1,
    BACK,
};

static int one, other; /* a pair of sockets */

static void
prepare(void)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    one = pair[0];
    other = pair[1];
}

static void
close_both(void)
{
    close(one);
    close(other);
}

static void
say(int fd)
{
    ck_assert_int_eq(write(fd, "!", 1), 1);
}

static cop_ref
watch(int fd, int events)
{
    cop_ref ref = cop_io_watch(fd, events);
    ck_assert_uint_ne(ref.id, 0);
    return ref;
}

static struct cop_io_ready
next_answer(void)
{
    return *COP_BODY(test_receive(COP_MSG_IO), struct cop_io_ready);
}

/* ---------------------------------------------------------------- what is refused */

TEST(what_cannot_be_watched_is_refused_with_the_reason)
{
    prepare();
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    const struct {
        int fd, events, error;
    } wrong[] = {
        {-1, COP_IO_READ, -EBADF}, {900, COP_IO_READ, -EBADF}, {file, COP_IO_READ, -EPERM},
        {one, 0, -EINVAL},         {one, 4, -EINVAL},          {one, COP_IO_READ | 8, -EINVAL},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_uint_eq(cop_io_watch(wrong[i].fd, wrong[i].events).id, 0);
        ck_assert_int_eq(cop_why().code, wrong[i].error);
    }
    ck_assert(!test_has_mail());
    close(file);
    close_both();
}

TEST(what_is_no_request_cannot_be_cancelled)
{
    prepare();
    cop_ref ref = watch(one, COP_IO_READ);
    const cop_ref none[] = {{0}, {1}, {UINT64_MAX}, {ref.id + 1}, {ref.id + (UINT64_C(1) << 40)}};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        ck_assert_int_eq(cop_io_cancel(none[i]), -ENOENT);
        ck_assert_int_eq(cop_why().code, -ENOENT);
    }
    ck_assert_int_eq(cop_io_cancel(ref), 0);
    ck_assert_int_eq(cop_io_cancel(ref), -ENOENT);
    close_both();
}

static int
try_to_watch(void *ref)
{
    *(cop_ref *)ref = cop_io_watch(one, COP_IO_READ);
    return ((cop_ref *)ref)->id ? 0 : cop_why().code;
}

TEST(without_memory_nothing_is_watched_and_readiness_needs_none)
{
    prepare();
    cop_ref ref;
    int r;
    cop_self();
    ck_assert_uint_ge(test_out_of_memory(try_to_watch, &ref, &r), 2);
    ck_assert_int_eq(r, 0);
    copi_alloc_fail_after(0);
    say(other);
    ck_assert_uint_eq(next_answer().watch.id, ref.id);
    copi_alloc_fail_after(-1);
    close_both();
}

TEST(in_the_child_of_a_fork_nothing_is_watched)
{
    prepare();
    cop_ref ref = watch(one, COP_IO_READ);
    pid_t child = fork();
    if (child == 0) {
        bool refused = cop_io_watch(one, COP_IO_READ).id == 0 && cop_io_cancel(ref) == -EPERM;
        _exit(refused ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    say(other); /* and the parent's goes on */
    ck_assert_uint_eq(next_answer().watch.id, ref.id);
    close_both();
}

/* ---------------------------------------------------------------- answers */

TEST(each_request_has_one_answer)
{
    prepare();
    for (int i = 0; i < 10; i++) {
        cop_ref ref = watch(one, COP_IO_READ);
        say(other);
        cop_msg msg = test_receive(COP_MSG_IO);
        const struct cop_io_ready *ready = COP_BODY(msg, struct cop_io_ready);
        ck_assert_uint_eq(ready->watch.id, ref.id);
        ck_assert_int_eq(ready->fd, one);
        ck_assert_int_eq(ready->events, COP_IO_READ);
        ck_assert_int_eq(ready->error, 0);
        ck_assert_int_eq(cop_io_cancel(ref), -ENOENT);
    }
    say(other);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_MS(5)), -ETIMEDOUT);
    close_both();
}

TEST(of_both_events_the_first_answers)
{
    prepare();
    watch(one, COP_IO_READ | COP_IO_WRITE);
    ck_assert_int_eq(next_answer().events, COP_IO_WRITE);
    say(other);
    watch(one, COP_IO_READ | COP_IO_WRITE);
    ck_assert_int_eq(next_answer().events, COP_IO_READ | COP_IO_WRITE);
    close_both();
}

TEST(what_is_cancelled_does_not_answer)
{
    prepare();
    cop_ref cancelled = watch(one, COP_IO_READ), kept = watch(one, COP_IO_READ);
    ck_assert_int_eq(cop_io_cancel(cancelled), 0);
    say(other);
    ck_assert_uint_eq(next_answer().watch.id, kept.id);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_MS(5)), -ETIMEDOUT);
    close_both();
}

TEST(a_descriptor_that_was_closed_is_told_of_when_its_number_is_watched_again)
{
    prepare();
    int kept = one;
    cop_ref stale = watch(kept, COP_IO_READ);
    close_both();
    prepare();
    ck_assert_int_eq(dup2(one, kept), kept);
    cop_ref fresh = watch(kept, COP_IO_WRITE);
    for (int i = 0; i < 2; i++) { /* in any order */
        struct cop_io_ready ready = next_answer();
        bool is_stale = ready.watch.id == stale.id;
        ck_assert(is_stale || ready.watch.id == fresh.id);
        ck_assert_int_eq(ready.events, is_stale ? 0 : COP_IO_WRITE);
        ck_assert_int_eq(ready.error, is_stale ? -EBADF : 0);
    }
    if (kept != one && kept != other) {
        close(kept);
    }
    close_both();
}

/* ---------------------------------------------------------------- the end of who asked */

static int
ask_and_wait(cop_bytes arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        watch(one, COP_IO_READ);
        watch(other, COP_IO_READ);
    }
    cop_send(cop_named("main"), COP_TAG(BACK));
    cop_msg msg;
    return cop_receive(&msg, COP_FOREVER);
}

TEST_TIMES(3, what_a_process_asked_ends_with_it_however_it_ends)
{
    prepare();
    cop_reason reasons[] = {COP_REASON_SHUTDOWN, COP_REASON_KILLED, cop_failed(-EIO, "broken")};
    cop_ref monitor;
    cop_pid pid;
    ck_assert_int_eq(cop_register("main", cop_self()), 0);
    ck_assert_int_eq(cop_spawn(&pid, ask_and_wait, .monitor = &monitor), 0);
    test_receive(BACK);
    cop_exit_signal(pid, reasons[_i]);
    test_down(monitor);
    watch(one, COP_IO_READ);
    say(other);
    say(one);
    next_answer();
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, COP_MS(5)), -ETIMEDOUT);
    close_both();
}

static void
ask_too_late(void *unused)
{
    (void)unused;
    ck_assert_uint_eq(cop_io_watch(one, COP_IO_READ).id, 0);
    ck_assert_int_eq(cop_why().code, -ECANCELED);
    cop_send(cop_named("main"), COP_TAG(BACK));
}

static int
leave_something_behind(cop_bytes unused)
{
    (void)unused;
    static char body[1];
    return cop_send(cop_self(), COP_MSG_MOVE(GO, body, 1, ask_too_late));
}

TEST(who_has_ended_cannot_ask)
{
    prepare();
    cop_ref monitor;
    ck_assert_int_eq(cop_register("main", cop_self()), 0);
    ck_assert_int_eq(cop_spawn(NULL, leave_something_behind, .monitor = &monitor), 0);
    test_receive(BACK);
    test_down(monitor);
    close_both();
}

static void *
ask_in_a_thread(void *unused)
{
    (void)unused;
    watch(one, COP_IO_READ);
    return NULL;
}

TEST(what_a_foreign_thread_asked_ends_with_it)
{
    prepare();
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_in_a_thread, NULL), 0);
    pthread_join(thread, NULL);
    watch(one, COP_IO_READ);
    say(other);
    next_answer();
    close_both();
}

TEST(a_shutdown_forgets_what_was_asked_and_it_can_be_asked_again)
{
    prepare();
    cop_ref forgotten = watch(one, COP_IO_READ);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(cop_io_cancel(forgotten), -ENOENT);
    say(other);
    cop_ref ref = watch(one, COP_IO_READ);
    ck_assert_uint_eq(next_answer().watch.id, ref.id);
    close_both();
}

/* ---------------------------------------------------------------- many */

/* Sends what it is sent, without its hands on it: it hears of everything in its mailbox. */
static int
echo(cop_bytes arg)
{
    int fd = *(const int *)arg.data;
    for (;;) {
        char text[64];
        watch(fd, COP_IO_READ);
        struct cop_io_ready ready = next_answer();
        ck_assert_int_eq(ready.fd, fd);
        ssize_t size = read(fd, text, sizeof text);
        if (size <= 0) {
            close(fd);
            return 0;
        }
        ck_assert_int_eq(write(fd, text, (size_t)size), size);
    }
}

TEST(many_processes_wait_for_many_descriptors)
{
    enum {
        PAIRS = 60,
        ROUNDS = 20
    };
    int near[PAIRS];
    cop_ref monitors[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        prepare();
        near[i] = one;
        ck_assert_int_eq(cop_spawn(NULL, echo, .arg = COP_BYTES(other), .monitor = &monitors[i]),
                         0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < PAIRS; i++) {
            say(near[i]);
            watch(near[i], COP_IO_READ);
        }
        for (int i = 0; i < PAIRS; i++) {
            char c;
            ck_assert_int_eq(read(next_answer().fd, &c, 1), 1);
        }
    }
    for (int i = 0; i < PAIRS; i++) {
        close(near[i]);
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
}

static int
ask_and_leave(cop_bytes unused)
{
    (void)unused;
    cop_ref cancelled = cop_io_watch(one, COP_IO_READ | COP_IO_WRITE);
    cop_io_watch(one, COP_IO_WRITE);
    cop_io_watch(other, COP_IO_READ);
    cop_io_cancel(cancelled);
    return 0;
}

TEST(processes_come_and_go_while_what_they_asked_is_answered)
{
    prepare();
    for (int i = 0; i < 500; i++) {
        cop_ref monitors[4];
        for (int k = 0; k < 4; k++) {
            ck_assert_int_eq(cop_spawn(NULL, ask_and_leave, .monitor = &monitors[k]), 0);
        }
        for (int k = 0; k < 4; k++) {
            test_down(monitors[k]);
        }
    }
    cop_ref ref = watch(one, COP_IO_WRITE);
    ck_assert_uint_eq(next_answer().watch.id, ref.id);
    close_both();
}

static int
ask_for_what_never_comes(cop_bytes unused)
{
    (void)unused;
    for (int i = 0; i < 10; i++) {
        watch(one, COP_IO_READ);
    }
    return 0;
}

TEST(what_the_dead_have_asked_costs_nothing)
{
    prepare();
    size_t before = 0;
    for (int i = 0; i < 1200; i++) {
        cop_ref monitor;
        ck_assert_int_eq(cop_spawn(NULL, ask_for_what_never_comes, .monitor = &monitor), 0);
        test_down(monitor);
        before = i == 99 ? test_allocated() : before;
    }
    ck_assert_uint_lt(test_allocated(), before + TEST_POOLS_GROW);
    close_both();
}

SUITE("io")
