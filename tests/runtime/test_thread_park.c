/*
 * tests/runtime/test_thread_park.c - how a thread waits, and how it is woken.
 *
 * Room: tests/.
 */
#include "runtime/thread.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    ROUNDS = 10000,
};
#define A_WHILE COP_MS(30)

/* EVENTUALLY without the library, whose own parks would be counted, too. */
#define SPIN_UNTIL(condition)                                                     \
 do {                                                                             \
  for (cop_time until_ = copi_clock() + SOON; !(condition); usleep(100)) {        \
   ck_assert_msg(copi_clock() < until_, "has not happened in time: " #condition); \
  }                                                                               \
 } while (0)

static struct copi_parker parker;

static bool
is_asleep(void)
{
    return copi_load_relaxed_32(&parker.state) > 1; /* PARKED or POLLING */
}

static pthread_t
start(void *(*run)(void *arg), void *arg)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, run, arg), 0);
    return thread;
}

static bool
is_readable(int fd)
{
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    return poll(&polled, 1, 0) == 1;
}

/* ---------------------------------------------------------------- park and unpark */

TEST(a_wake_up_that_comes_before_the_park_is_kept)
{
    copi_parker_init(&parker);
    copi_unpark(&parker);
    ck_assert(copi_parker_notified(&parker));
    copi_park(&parker, COP_FOREVER);
    ck_assert(!copi_parker_notified(&parker));
}

TEST(a_wake_up_that_is_used_without_a_park_is_gone)
{
    copi_parker_init(&parker);
    ck_assert(!copi_parker_use(&parker));
    copi_unpark(&parker);
    ck_assert(copi_parker_use(&parker));
    ck_assert(!copi_parker_use(&parker));
}

TEST(two_wake_ups_before_the_park_are_one)
{
    copi_parker_init(&parker);
    copi_unpark(&parker);
    copi_unpark(&parker);
    copi_park(&parker, COP_FOREVER);
    cop_time deadline = copi_deadline(A_WHILE);
    copi_park(&parker, deadline);
    ck_assert(copi_clock() >= deadline);
}

TEST(a_park_that_nobody_ends_lasts_until_its_deadline)
{
    copi_parker_init(&parker);
    cop_time deadline = copi_deadline(A_WHILE);
    copi_park(&parker, deadline);
    ck_assert(copi_clock() >= deadline);
}

TEST(a_deadline_in_the_past_does_not_block)
{
    copi_parker_init(&parker);
    copi_park(&parker, 1);
    copi_park(&parker, 0);
    copi_park(&parker, -1);
    copi_park(&parker, INT64_MIN);
}

static int plain; /* handed over by the wake-up alone */

static void *
park_and_read(void *arg)
{
    int *seen = arg;
    copi_park(&parker, COP_FOREVER);
    *seen = plain;
    return NULL;
}

TEST(what_was_written_before_the_wake_up_is_seen_after_the_park)
{
    int seen = 0;
    copi_parker_init(&parker);
    pthread_t sleeper = start(park_and_read, &seen);
    SPIN_UNTIL(is_asleep());
    plain = 42;
    copi_unpark(&parker);
    pthread_join(sleeper, NULL);
    ck_assert_int_eq(seen, 42);
}

static struct copi_parker sides[2];
static unsigned counter; /* by turns */

static void *
play(void *arg)
{
    unsigned side = *(unsigned *)arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        while (__atomic_load_n(&counter, __ATOMIC_ACQUIRE) % 2 != side) {
            copi_park(&sides[side], COP_FOREVER);
        }
        __atomic_fetch_add(&counter, 1, __ATOMIC_RELEASE);
        copi_unpark(&sides[!side]);
    }
    return NULL;
}

TEST(no_wake_up_is_ever_lost)
{
    unsigned numbers[2] = {0, 1};
    copi_parker_init(&sides[0]);
    copi_parker_init(&sides[1]);
    pthread_t a = start(play, &numbers[0]), b = start(play, &numbers[1]);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    ck_assert_uint_eq(counter, 2u * ROUNDS);
}

static void
nothing(int signal)
{
    (void)signal;
}

static void *
park_until_told(void *told)
{
    while (!atomic_load((atomic_bool *)told)) {
        copi_park(&parker, COP_FOREVER);
    }
    return NULL;
}

TEST(a_signal_may_end_a_park_but_loses_no_wake_up)
{
    struct sigaction action = {.sa_handler = nothing};
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < 200; i++) {
        atomic_bool told = false;
        copi_parker_init(&parker);
        pthread_t sleeper = start(park_until_told, &told);
        pthread_kill(sleeper, SIGUSR1);
        pthread_kill(sleeper, SIGUSR1);
        atomic_store(&told, true);
        copi_unpark(&parker);
        pthread_join(sleeper, NULL);
    }
}

TEST(errno_survives_every_way_to_wait)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    copi_parker_init(&parker);
    errno = E2BIG;
    copi_park(&parker, 0);
    ck_assert_int_eq(errno, E2BIG);
    copi_unpark(&parker);
    ck_assert_int_eq(errno, E2BIG);
    copi_park_fd(&parker, ends[0], POLLIN, COP_FOREVER);
    copi_park_fd(&parker, ends[0], POLLIN, 0);
    copi_park_fd(&parker, 12345, POLLIN, COP_FOREVER);
    ck_assert_int_eq(errno, E2BIG);
    copi_poll_fd(ends[0], POLLIN);
    copi_poll_fd(12345, POLLIN);
    ck_assert_int_eq(errno, E2BIG);
    copi_parker_fini(&parker);
    close(ends[0]);
    close(ends[1]);
}

/* ---------------------------------------------------------------- descriptors */

static int ends[2];

static void
prepare_pipe(void)
{
    copi_parker_init(&parker);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
}

static void
close_pipe(void)
{
    copi_parker_fini(&parker);
    close(ends[0]);
    close(ends[1]);
}

TEST(a_wait_for_a_closed_descriptor_fails)
{
    copi_parker_init(&parker);
    ck_assert_int_eq(copi_park_fd(&parker, 12345, POLLIN, COP_FOREVER), -EBADF);
    ck_assert_int_eq(copi_poll_fd(12345, POLLIN), -EBADF);
    copi_parker_fini(&parker);
}

TEST(a_wait_for_which_no_descriptor_is_left_fails_and_can_be_repeated)
{
    prepare_pipe();
    struct rlimit before, none = {.rlim_cur = 3}; /* as many are open */
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    errno = E2BIG;
    int r = copi_park_fd(&parker, ends[0], POLLIN, COP_FOREVER), kept = errno;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(r, -EMFILE);
    ck_assert_int_eq(kept, E2BIG);
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(copi_park_fd(&parker, ends[0], POLLIN, COP_FOREVER), 1);
    close_pipe();
}

TEST(a_wait_for_a_descriptor_lasts_until_its_deadline)
{
    prepare_pipe();
    cop_time deadline = copi_deadline(A_WHILE);
    ck_assert_int_eq(copi_park_fd(&parker, ends[0], POLLIN, deadline), 0);
    ck_assert(copi_clock() >= deadline);
    close_pipe();
}

TEST(a_wake_up_that_comes_before_a_wait_for_a_descriptor_is_kept)
{
    prepare_pipe();
    copi_unpark(&parker);
    ck_assert_int_eq(copi_park_fd(&parker, ends[0], POLLIN, COP_FOREVER), 0);
    close_pipe();
}

TEST(a_descriptor_that_is_ready_ends_the_wait_at_once)
{
    prepare_pipe();
    ck_assert_int_eq(copi_park_fd(&parker, ends[1], POLLOUT, COP_FOREVER), 1);
    ck_assert_int_eq(copi_poll_fd(ends[1], POLLOUT), 1);
    ck_assert_int_eq(copi_poll_fd(ends[0], POLLIN), 0);
    close_pipe();
}

TEST(a_hang_up_counts_as_ready)
{
    prepare_pipe();
    close(ends[1]);
    ck_assert_int_eq(copi_park_fd(&parker, ends[0], POLLIN, COP_FOREVER), 1);
    ck_assert_int_eq(copi_poll_fd(ends[0], POLLIN), 1);
    ends[1] = dup(ends[0]);
    close_pipe();
}

static void *
park_for_descriptor(void *result)
{
    *(int *)result = copi_park_fd(&parker, ends[0], POLLIN, COP_FOREVER);
    return NULL;
}

TEST(a_descriptor_that_becomes_ready_ends_the_wait)
{
    int result = -1;
    prepare_pipe();
    pthread_t sleeper = start(park_for_descriptor, &result);
    SPIN_UNTIL(is_asleep());
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    pthread_join(sleeper, NULL);
    ck_assert_int_eq(result, 1);
    close_pipe();
}

TEST(a_wake_up_ends_the_wait_for_a_descriptor)
{
    int result = -1;
    prepare_pipe();
    pthread_t sleeper = start(park_for_descriptor, &result);
    SPIN_UNTIL(is_asleep());
    copi_unpark(&parker);
    pthread_join(sleeper, NULL);
    ck_assert_int_eq(result, 0);
    close_pipe();
}

static atomic_uint asked, woken;

/* The descriptor and the wake-up at the same moment. */
static void *
wake_twice_each_round(void *arg)
{
    (void)arg;
    for (unsigned i = 1; i <= ROUNDS; i++) {
        while (atomic_load(&asked) != i || !is_asleep()) {
            sched_yield();
        }
        if (write(ends[1], "x", 1) != 1) {
            abort();
        }
        copi_unpark(&parker);
        atomic_store(&woken, i);
    }
    return NULL;
}

TEST(nobody_writes_to_the_wake_up_descriptor_after_the_wait)
{
    prepare_pipe();
    pthread_t waker = start(wake_twice_each_round, NULL);
    unsigned late = 0;
    for (unsigned i = 1; i <= ROUNDS; i++) {
        char byte;
        atomic_store(&asked, i);
        copi_park_fd(&parker, ends[0], POLLIN, COP_FOREVER);
        while (atomic_load(&woken) != i) {
            sched_yield();
        }
        late += is_readable(parker.wake_fd);
        late += read(ends[0], &byte, 1) != 1;
        copi_park(&parker, 0); /* uses up a wake-up that came after the wait */
    }
    pthread_join(waker, NULL);
    ck_assert_uint_eq(late, 0);
    close_pipe();
}

TEST(the_wake_up_descriptor_is_not_inherited_and_is_closed_at_the_end)
{
    prepare_pipe();
    copi_park_fd(&parker, ends[0], POLLIN, 0);
    ck_assert_int_ge(parker.wake_fd, 0);
    ck_assert_int_eq(fcntl(parker.wake_fd, F_GETFD), FD_CLOEXEC);
    int fd = parker.wake_fd;
    copi_parker_fini(&parker);
    ck_assert_int_eq(parker.wake_fd, -1);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
    close_pipe();
}

/* ---------------------------------------------------------------- who is awake */

/* How many more may be awake until spinning is not allowed any more. */
static int
room_for_spinning(void)
{
    int room = 0;
    for (; copi_spin_allowed() && room < 1000; room++) {
        copi_blocking_end();
    }
    for (int i = 0; i < room; i++) {
        copi_blocking_begin();
    }
    return room;
}

TEST(who_is_awake_is_counted_exactly_whatever_ends_a_park)
{
    if (copi_cores() == 1) {
        return; /* nobody may spin, so nothing can be seen */
    }
    int before = room_for_spinning();
    unsigned numbers[2] = {0, 1};
    int result;
    copi_parker_init(&sides[0]);
    copi_parker_init(&sides[1]);
    pthread_t a = start(play, &numbers[0]), b = start(play, &numbers[1]);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    prepare_pipe();
    copi_park(&parker, copi_deadline(COP_US(10)));
    copi_unpark(&parker);
    copi_park(&parker, COP_FOREVER);
    copi_park_fd(&parker, ends[0], POLLIN, copi_deadline(COP_US(10)));
    copi_park_fd(&parker, ends[1], POLLOUT, COP_FOREVER);
    pthread_t sleeper = start(park_for_descriptor, &result);
    SPIN_UNTIL(is_asleep());
    copi_unpark(&parker);
    pthread_join(sleeper, NULL);
    close_pipe();
    ck_assert_int_eq(room_for_spinning(), before);
}

SUITE("thread_park")
