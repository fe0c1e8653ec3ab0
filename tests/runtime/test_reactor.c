/*
 * tests/runtime/test_reactor.c - the thread that knows which descriptors are ready.
 *
 * Room: tests/. What processes see of it is test_io.c's.
 */
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/reactor.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct waiter {
    struct copi_interest interest;
    _Atomic int come;
    _Atomic unsigned told;
};

static void
note(struct copi_interest *interest, int events)
{
    struct waiter *waiter = (struct waiter *)(void *)interest;
    atomic_store(&waiter->come, events);
    atomic_fetch_add(&waiter->told, 1);
}

enum {
    WAITERS = 20
};
static struct waiter waiters[WAITERS];
static int one, other; /* a pair of sockets */

static void
prepare(void)
{
    int pair[2];
    cop_self(); /* the library is in use */
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    one = pair[0];
    other = pair[1];
    for (int i = 0; i < WAITERS; i++) {
        waiters[i].interest.ready = note;
    }
}

static void
close_both(void)
{
    close(one);
    close(other);
}

static int
arm(int i, int fd, int events)
{
    return copi_reactor_arm(&waiters[i].interest, fd, events);
}

static bool
is_told(int i)
{
    return atomic_load(&waiters[i].told) > 0;
}

static void
say(int fd)
{
    ck_assert_int_eq(write(fd, "!", 1), 1);
}

/* Whatever happened before this has been told by now. */
static void
let_reactor_come_round(void)
{
    struct waiter last = {.interest.ready = note};
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    for (int i = 0; i < 2; i++) { /* the second time surely after what came with the first */
        atomic_store(&last.told, 0);
        ck_assert_int_eq(copi_reactor_arm(&last.interest, ends[1], COP_IO_WRITE), 0);
        EVENTUALLY(atomic_load(&last.told) == 1);
    }
    close(ends[0]);
    close(ends[1]);
}

/* ---------------------------------------------------------------- what is refused */

TEST(what_is_no_descriptor_is_refused)
{
    prepare();
    ck_assert_int_eq(arm(0, -1, COP_IO_READ), -EBADF);
    ck_assert_int_eq(arm(0, 900, COP_IO_READ), -EBADF);
    close_both();
    ck_assert_int_eq(arm(0, one, COP_IO_READ), -EBADF);
    ck_assert(!copi_reactor_disarm(&waiters[0].interest));
    ck_assert_uint_eq(atomic_load(&waiters[0].told), 0);
}

TEST(what_is_always_ready_is_refused)
{
    prepare();
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC),
        folder = open("/", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(arm(0, file, COP_IO_READ), -EPERM);
    ck_assert_int_eq(arm(0, folder, COP_IO_READ), -EPERM);
    close(file);
    close(folder);
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
    ck_assert(copi_reactor_disarm(&waiters[0].interest));
    close_both();
}

TEST(without_memory_nothing_is_armed)
{
    prepare();
    copi_alloc_fail_after(0);
    int r = arm(0, one, COP_IO_READ);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert(!copi_reactor_disarm(&waiters[0].interest));
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
    say(other);
    EVENTUALLY(is_told(0));
    close_both();
}

static int
descriptors_left(int count)
{
    struct rlimit limit;
    int lowest = dup(STDIN_FILENO);
    close(lowest);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)lowest + (rlim_t)count;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

TEST_TIMES(2, without_a_descriptor_for_itself_it_does_not_start)
{
    prepare();
    struct rlimit before;
    getrlimit(RLIMIT_NOFILE, &before);
    ck_assert_int_eq(descriptors_left(_i), 0);
    ck_assert_int_eq(arm(0, one, COP_IO_READ), -EMFILE);
    setrlimit(RLIMIT_NOFILE, &before);
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0); /* and later it does */
    ck_assert(copi_reactor_disarm(&waiters[0].interest));
    close_both();
}

static atomic_bool is_set_full;

int real_control(int set, int what, int fd, struct epoll_event *event) REAL(epoll_ctl);
int fail_control(int set, int what, int fd, struct epoll_event *event) WRAP(epoll_ctl);
int
fail_control(int set, int what, int fd, struct epoll_event *event)
{
    if (is_set_full && what == EPOLL_CTL_ADD) {
        errno = ENOSPC;
        return -1;
    }
    return real_control(set, what, fd, event);
}

TEST(without_a_place_among_all_that_is_watched_it_does_not_start_and_leaves_nothing_open)
{
    prepare();
    unsigned open_before = test_descriptors();
    is_set_full = true;
    ck_assert_int_eq(arm(0, one, COP_IO_READ), -ENOSPC);
    is_set_full = false;
    ck_assert_uint_eq(test_descriptors(), open_before);
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0); /* and later it does */
    ck_assert(copi_reactor_disarm(&waiters[0].interest));
    close_both();
}

TEST(without_a_thread_it_does_not_start_and_leaves_nothing_open)
{
    prepare();
    unsigned open_before = test_descriptors();
    cop_self();
    test_refuse_system_call(SYS_clone3, EAGAIN);
#if !defined(__SANITIZE_ADDRESS__) /* whose look for leaks needs the old one */
    test_refuse_system_call(SYS_clone, EAGAIN);
#endif
    ck_assert_int_eq(arm(0, one, COP_IO_READ), -EAGAIN);
    ck_assert_uint_eq(test_descriptors(), open_before);
    close_both();
}

/* ---------------------------------------------------------------- telling */

TEST(who_is_armed_is_told_once)
{
    prepare();
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
    say(other);
    EVENTUALLY(is_told(0));
    say(other);
    let_reactor_come_round();
    ck_assert_uint_eq(atomic_load(&waiters[0].told), 1);
    ck_assert_int_eq(atomic_load(&waiters[0].come), COP_IO_READ);
    ck_assert(!copi_reactor_disarm(&waiters[0].interest));
    close_both();
}

TEST(what_is_ready_already_is_told_at_once_and_again_when_armed_again)
{
    prepare();
    say(other);
    for (unsigned i = 1; i <= 100; i++) {
        ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
        EVENTUALLY(atomic_load(&waiters[0].told) == i);
    }
    close_both();
}

TEST(who_is_disarmed_is_not_told)
{
    prepare();
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
    ck_assert_int_eq(arm(1, one, COP_IO_READ), 0);
    ck_assert(copi_reactor_disarm(&waiters[0].interest));
    ck_assert(!copi_reactor_disarm(&waiters[0].interest));
    say(other);
    EVENTUALLY(is_told(1));
    ck_assert_uint_eq(atomic_load(&waiters[0].told), 0);
    close_both();
}

TEST(who_is_armed_twice_is_told_once_of_what_was_said_last)
{
    prepare();
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
    ck_assert_int_eq(arm(0, other, COP_IO_READ), 0);
    say(other); /* one can be read now */
    let_reactor_come_round();
    ck_assert(!is_told(0));
    say(one);
    EVENTUALLY(is_told(0));
    let_reactor_come_round();
    ck_assert_uint_eq(atomic_load(&waiters[0].told), 1);
    close_both();
}

TEST(those_who_wait_for_something_else_go_on_to_wait)
{
    prepare();
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
    ck_assert_int_eq(arm(1, one, COP_IO_WRITE), 0);
    ck_assert_int_eq(arm(2, one, COP_IO_READ | COP_IO_WRITE), 0);
    EVENTUALLY(is_told(1) && is_told(2));
    let_reactor_come_round();
    ck_assert(!is_told(0));
    ck_assert_int_eq(atomic_load(&waiters[2].come), COP_IO_WRITE);
    say(other);
    EVENTUALLY(is_told(0));
    close_both();
}

TEST(many_who_wait_for_the_same_are_all_told)
{
    prepare();
    for (int i = 0; i < WAITERS; i++) {
        ck_assert_int_eq(arm(i, one, COP_IO_READ), 0);
    }
    ck_assert(copi_reactor_disarm(&waiters[WAITERS / 2].interest));
    say(other);
    for (int i = 0; i < WAITERS; i++) {
        EVENTUALLY(is_told(i) || i == WAITERS / 2);
    }
    let_reactor_come_round();
    for (int i = 0; i < WAITERS; i++) {
        ck_assert_uint_eq(atomic_load(&waiters[i].told), i != WAITERS / 2);
    }
    close_both();
}

TEST(an_end_is_told_to_readers_and_to_writers)
{
    prepare();
    char full[4096] = {0};
    while (write(one, full, sizeof full) > 0) {
    }
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
    ck_assert_int_eq(arm(1, one, COP_IO_WRITE), 0);
    let_reactor_come_round();
    ck_assert(!is_told(0) && !is_told(1));
    close(other);
    EVENTUALLY(is_told(0) && is_told(1));
    ck_assert_int_eq(atomic_load(&waiters[0].come), COP_IO_READ);
    ck_assert_int_eq(atomic_load(&waiters[1].come), COP_IO_WRITE);
    close(one);
}

static void
arm_again(struct copi_interest *interest, int events)
{
    struct waiter *waiter = (struct waiter *)(void *)interest;
    if (events > 0 && atomic_fetch_add(&waiter->told, 1) < 99) {
        ck_assert_int_eq(copi_reactor_arm(interest, interest->fd, COP_IO_WRITE), 0);
    }
}

TEST(who_is_told_may_arm_again)
{
    prepare();
    waiters[0].interest.ready = arm_again;
    ck_assert_int_eq(arm(0, one, COP_IO_WRITE), 0);
    EVENTUALLY(atomic_load(&waiters[0].told) == 100);
    close_both();
}

TEST(the_table_of_descriptors_grows_while_somebody_waits)
{
    prepare();
    enum {
        HIGH = 1000
    };
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
    ck_assert_int_eq(arm(1, one, COP_IO_READ), 0);
    ck_assert_int_eq(dup2(one, HIGH), HIGH);
    ck_assert_int_eq(arm(2, HIGH, COP_IO_READ), 0);
    ck_assert(copi_reactor_disarm(&waiters[0].interest));
    say(other);
    EVENTUALLY(is_told(1) && is_told(2));
    ck_assert(!is_told(0));
    close(HIGH);
    close_both();
}

/* ---------------------------------------------------------------- numbers and files */

TEST(a_number_that_is_another_files_tells_those_who_waited_for_the_last_one)
{
    prepare();
    int kept = one;
    ck_assert_int_eq(arm(0, kept, COP_IO_READ), 0);
    ck_assert_int_eq(arm(1, kept, COP_IO_WRITE | COP_IO_READ), 0);
    EVENTUALLY(is_told(1));
    close_both();
    prepare();
    ck_assert_int_eq(dup2(one, kept), kept);
    ck_assert_int_eq(arm(2, kept, COP_IO_READ), 0);
    ck_assert(is_told(0));
    ck_assert_int_eq(atomic_load(&waiters[0].come), -EBADF);
    ck_assert(!is_told(2));
    say(other);
    EVENTUALLY(is_told(2));
    ck_assert_int_eq(atomic_load(&waiters[2].come), COP_IO_READ);
    close_both();
}

TEST(a_file_that_lives_on_under_another_number_concerns_nobody_who_waits_for_the_new_one)
{
    prepare();
    int kept = one, old_peer = other, duplicate = fcntl(one, F_DUPFD_CLOEXEC, 200);
    ck_assert_int_eq(arm(0, kept, COP_IO_READ), 0);
    close(kept);
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    int fresh = pair[0] == kept ? pair[1] : pair[0]; /* one of them has the number */
    ck_assert(pair[0] == kept || pair[1] == kept);
    ck_assert_int_eq(arm(1, kept, COP_IO_READ), 0);
    ck_assert_int_eq(atomic_load(&waiters[0].come), -EBADF);
    say(old_peer); /* the old file is ready now */
    let_reactor_come_round();
    ck_assert(!is_told(1));
    say(fresh);
    EVENTUALLY(is_told(1));

    /* The old file under its old number again. */
    ck_assert_int_eq(dup2(duplicate, kept), kept);
    ck_assert_int_eq(arm(2, kept, COP_IO_READ), 0);
    EVENTUALLY(is_told(2));
    close(duplicate);
    close(fresh);
    close(old_peer);
    close(kept);
}

TEST(a_file_that_comes_back_to_its_number_is_watched_again)
{
    prepare();
    int kept = one, duplicate = fcntl(one, F_DUPFD_CLOEXEC, 200);
    ck_assert_int_eq(arm(0, kept, COP_IO_READ), 0);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(dup2(file, kept), kept); /* what cannot be watched has the number now */
    ck_assert_int_eq(arm(1, kept, COP_IO_READ), -EPERM);
    ck_assert_int_eq(atomic_load(&waiters[0].come), -EBADF);
    ck_assert_int_eq(dup2(duplicate, kept), kept);
    ck_assert_int_eq(arm(2, kept, COP_IO_READ), 0);
    say(other);
    EVENTUALLY(is_told(2));
    close(file);
    close(duplicate);
    close_both();
}

TEST(a_closed_descriptor_with_a_duplicate_is_still_told_of)
{
    prepare();
    int duplicate = dup(one);
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
    close(one);
    say(other);
    EVENTUALLY(is_told(0));
    ck_assert_int_eq(atomic_load(&waiters[0].come), COP_IO_READ);
    close(duplicate);
    close(other);
}

TEST(both_ends_and_duplicates_of_one_file_are_told_apart)
{
    prepare();
    int duplicate = dup(one);
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
    ck_assert_int_eq(arm(1, duplicate, COP_IO_READ), 0);
    ck_assert_int_eq(arm(2, other, COP_IO_READ), 0);
    say(other);
    EVENTUALLY(is_told(0) && is_told(1));
    let_reactor_come_round();
    ck_assert(!is_told(2));
    ck_assert(copi_reactor_disarm(&waiters[2].interest));
    close(duplicate);
    close_both();
}

/* ---------------------------------------------------------------- the end, and forks */

TEST(when_it_stops_those_who_wait_are_told_and_it_starts_again)
{
    prepare();
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
    ck_assert_int_eq(arm(1, other, COP_IO_READ), 0);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_int_eq(atomic_load(&waiters[0].come), -ECANCELED);
    ck_assert_int_eq(atomic_load(&waiters[1].come), -ECANCELED);
    ck_assert_int_eq(arm(2, one, COP_IO_READ), 0);
    say(other);
    EVENTUALLY(is_told(2));
    ck_assert_uint_eq(atomic_load(&waiters[0].told), 1);
    close_both();
}

TEST(it_stops_at_once_when_it_never_ran)
{
    copi_reactor_stop();
    cop_self();
    copi_reactor_stop();
}

TEST(it_costs_nothing_while_nobody_asks)
{
    prepare();
    say(other);
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
    EVENTUALLY(is_told(0)); /* and it is readable still */
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    cop_sleep(COP_MS(200));
    getrusage(RUSAGE_SELF, &after);
    ck_assert_int_lt(after.ru_nvcsw - before.ru_nvcsw, 100);
    close_both();
}

TEST(a_child_of_a_fork_that_holds_the_file_disturbs_nobody)
{
    prepare();
    ck_assert_int_eq(arm(0, one, COP_IO_READ), 0);
    int gate[2];
    ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0) {
        char c;
        close(gate[1]);
        _exit((int)read(gate[0], &c, 1));
    }
    int kept = one, old_peer = other;
    close(one);
    prepare();
    ck_assert_int_eq(one, kept);
    ck_assert_int_eq(arm(1, one, COP_IO_READ), 0);
    say(old_peer); /* readable in the child */
    let_reactor_come_round();
    ck_assert(!is_told(1));
    say(other);
    EVENTUALLY(is_told(1));
    close(gate[0]);
    close(gate[1]);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    close(old_peer);
    close_both();
}

/* ---------------------------------------------------------------- races */

enum {
    ROUNDS = 3000
};
static _Atomic unsigned disarmed;

static void *
arm_and_disarm(void *arg)
{
    struct waiter *waiter = arg;
    for (int i = 0; i < ROUNDS; i++) {
        unsigned before = atomic_load(&waiter->told);
        ck_assert_int_eq(copi_reactor_arm(&waiter->interest, one, COP_IO_READ | COP_IO_WRITE), 0);
        if (i % 3 == 0) {
            sched_yield();
        }
        if (copi_reactor_disarm(&waiter->interest)) {
            atomic_fetch_add(&disarmed, 1);
            ck_assert_uint_eq(atomic_load(&waiter->told), before);
        } else {
            while (atomic_load(&waiter->told) == before) {
                sched_yield();
            }
        }
    }
    return NULL;
}

TEST(of_arming_and_disarming_each_is_either_told_or_not_but_never_both)
{
    enum {
        THREADS = 4
    };
    prepare();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, arm_and_disarm, &waiters[i]), 0);
    }
    unsigned told = 0;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        told += atomic_load(&waiters[i].told);
    }
    ck_assert_uint_eq(told + atomic_load(&disarmed), THREADS * ROUNDS);
    close_both();
}

SUITE("reactor")
