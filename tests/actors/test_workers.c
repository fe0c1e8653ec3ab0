/*
 * tests/actors/test_workers.c - the library's processes that run continuations: as many as are needed,
 * none that holds up others, none that stays.
 *
 * Room: tests/.
 */
#include "actors/workers.h"
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/thread.h"
#include "tests/actors/promise.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <coppice/chain.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Then no standstill has to be waited for. */
static atomic_bool has_many_cores;

unsigned real_cores(void) REAL(copi_cores);
unsigned many_cores(void) WRAP(copi_cores);
unsigned
many_cores(void)
{
    return has_many_cores ? 1000 : real_cores();
}

/* ---------------------------------------------------------------- promises, handlers that count */

static void
watch(struct promise made, void (*fn)(const void *value, void *env), void *env)
{
    ck_assert_int_eq(cop_on_settled(made.future, fn, NULL, env), 0);
}

/* A future that is settled, and for which this has to be done. */
static void
let_run(void (*fn)(const void *value, void *env), void *env)
{
    struct promise made = promise_of(0);
    watch(made, fn, env);
    settle(made);
    let_go(made);
}

static void
count(const void *value, void *counter)
{
    (void)value;
    (*(atomic_uint *)counter)++;
}

static atomic_uint counted;

static void
assert_others_run(void)
{
    unsigned before = counted;
    let_run(count, &counted);
    EVENTUALLY(counted == before + 1);
}

/* Processes that run for the library's sake: all, in these tests, but this one. */
static size_t
workers(void)
{
    cop_self(); /* which counts */
    return cop_processes(NULL, 0) - 1;
}

/* ---------------------------------------------------------------- ones that wait */

static atomic_uint waiting, gone_on;
static atomic_bool may_go_on;

static void
wait_in_library(const void *value, void *env)
{
    (void)value, (void)env;
    waiting++;
    while (!may_go_on) {
        if (cop_sleep(COP_MS(1)) != 0) {
            break;
        }
    }
    gone_on++;
}

static int pipe_ends[2];

static void
wait_outside(const void *value, void *env)
{
    char byte;
    (void)value, (void)env;
    waiting++;
    while (read(pipe_ends[0], &byte, 1) < 0) {
        ck_assert_int_eq(errno, EINTR);
    }
    gone_on++;
}

static void
write_bytes(unsigned n)
{
    while (n-- > 0) {
        ck_assert_int_eq(write(pipe_ends[1], "x", 1), 1);
    }
}

static void
close_pipe(void)
{
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

TEST(continuations_that_wait_in_the_library_hold_up_nobody_else)
{
    enum {
        SO_MANY = 40
    };
    for (int i = 0; i < SO_MANY; i++) {
        let_run(wait_in_library, NULL);
    }
    EVENTUALLY(waiting == SO_MANY); /* each though the others wait */
    assert_others_run();
    ck_assert_uint_eq(gone_on, 0);
    may_go_on = true;
    EVENTUALLY(gone_on == SO_MANY);
}

TEST(continuations_that_wait_outside_the_library_hold_up_nobody_else)
{
    enum {
        SO_MANY = 10
    };
    ck_assert_int_eq(pipe(pipe_ends), 0);
    for (int i = 0; i < SO_MANY; i++) {
        let_run(wait_outside, NULL);
        cop_sleep(COP_MS(10)); /* longer than a standstill */
    }
    EVENTUALLY(waiting == SO_MANY);
    assert_others_run();
    write_bytes(SO_MANY);
    EVENTUALLY(gone_on == SO_MANY);
    close_pipe();
}

static atomic_uint inside, most_inside;

static void
be_inside(const void *value, void *env)
{
    unsigned now = ++inside, most = most_inside;
    while (now > most && !atomic_compare_exchange_weak(&most_inside, &most, now)) {
    }
    wait_outside(value, env);
    inside--;
}

TEST(there_are_never_more_than_256_at_work)
{
    enum {
        MOST = 256,
        SO_MANY = MOST + 10
    };
    ck_assert_int_eq(pipe(pipe_ends), 0);
    has_many_cores = true;
    for (int i = 0; i < SO_MANY; i++) {
        let_run(be_inside, NULL);
    }
    EVENTUALLY(waiting == MOST);
    write_bytes(SO_MANY);
    EVENTUALLY(gone_on == SO_MANY);
    ck_assert_uint_eq(most_inside, MOST);
    close_pipe();
}

/* Nothing else comes that would show that the queue stands still. */
TEST(the_last_that_is_due_is_run_though_all_workers_wait_outside_the_library)
{
    unsigned so_many = copi_cores();
    atomic_uint last = 0;
    ck_assert_int_eq(pipe(pipe_ends), 0);
    for (unsigned i = 0; i < so_many; i++) {
        let_run(wait_outside, NULL);
        EVENTUALLY(waiting == i + 1);
    }
    let_run(count, &last);
    EVENTUALLY(last == 1);
    ck_assert_uint_eq(gone_on, 0);
    write_bytes(so_many);
    EVENTUALLY(gone_on == so_many);
    close_pipe();
}

static void
wait_for_descriptor(const void *value, void *env)
{
    (void)value, (void)env;
    waiting++;
    cop_wait_fd(pipe_ends[0], POLLIN, COP_FOREVER);
    gone_on++;
}

TEST(continuations_that_wait_for_descriptors_hold_up_nobody_else)
{
    enum {
        SO_MANY = 20
    };
    ck_assert_int_eq(pipe(pipe_ends), 0);
    for (int i = 0; i < SO_MANY; i++) {
        let_run(wait_for_descriptor, NULL);
    }
    EVENTUALLY(waiting == SO_MANY);
    assert_others_run();
    write_bytes(1);
    EVENTUALLY(gone_on == SO_MANY);
    close_pipe();
    cop_sleep(COP_SEC(2)); /* until the workers that have descriptors have ended */
    EVENTUALLY(workers() == 0);
}

static void
await_future(const void *value, void *future)
{
    (void)value;
    waiting++;
    ck_assert_int_eq(cop_await(future, NULL, 0, COP_FOREVER), 0);
    gone_on++;
}

TEST(continuations_that_await_each_others_futures_all_end)
{
    enum {
        SO_MANY = 50
    };
    struct promise promises[SO_MANY + 1];
    for (int i = 0; i <= SO_MANY; i++) {
        promises[i] = promise_of(0);
    }
    for (int i = 0; i < SO_MANY; i++) {
        let_run(await_future, promises[i].future);
    }
    EVENTUALLY(waiting == SO_MANY);
    for (int i = SO_MANY; i >= 0; i--) {
        settle(promises[i]);
    }
    EVENTUALLY(gone_on == SO_MANY);
    for (int i = 0; i <= SO_MANY; i++) {
        let_go(promises[i]);
    }
}

TEST(what_waits_holds_up_its_own_future)
{
    struct promise made = promise_of(0);
    atomic_uint after = 0;
    watch(made, wait_in_library, NULL);
    watch(made, count, &after);
    settle(made);
    EVENTUALLY(waiting == 1);
    assert_others_run();
    ck_assert_uint_eq(after, 0);
    may_go_on = true;
    EVENTUALLY(after == 1);
    let_go(made);
}

/* ---------------------------------------------------------------- how many there are */

TEST(without_continuations_there_is_no_worker)
{
    struct promise made = promise_of(0);
    watch(made, count, &counted); /* pending: nothing is due */
    ck_assert_uint_eq(workers(), 0);
    settle(made);
    EVENTUALLY(counted == 1);
    ck_assert_uint_eq(workers(), 1);
    let_go(made);
}

TEST(workers_end_after_a_while_of_idleness_and_come_again)
{
    for (int round = 0; round < 2; round++) {
        cop_time began = cop_now();
        assert_others_run();
        ck_assert_uint_ge(workers(), 1);
        EVENTUALLY(workers() == 0);
        ck_assert_int_ge(cop_now() - began, COP_SEC(1));
    }
}

TEST(a_worker_is_used_again)
{
    for (int i = 0; i < 1000; i++) {
        assert_others_run();
    }
    ck_assert_uint_le(workers(), copi_cores() + 1); /* one more, if this machine stood still */
}

/* ---------------------------------------------------------------- no threads, no memory */

TEST(what_finds_no_memory_for_a_worker_runs_with_the_next_that_is_due)
{
    struct promise made = promise_of(0);
    atomic_uint first = 0;
    cop_self();
    watch(made, count, &first);
    copi_alloc_fail_after(0);
    settle(made);
    ck_assert_uint_eq(workers(), 0);
    copi_alloc_fail_after(-1);
    assert_others_run();
    EVENTUALLY(first == 1);
    ck_assert_uint_ge(workers(), 1);
    let_go(made);
}

TEST(what_finds_no_thread_for_a_worker_runs_in_one_that_is_there)
{
    struct promise made = promise_of(0);
    atomic_uint first = 0;
    cop_self();
    watch(made, count, &first);
    watch(made, wait_in_library, NULL);
    settle(made); /* there is a worker */
    EVENTUALLY(waiting == 1);
    test_catch_stderr();
    test_refuse_system_call(SYS_clone3, EAGAIN);
#if !defined(__SANITIZE_ADDRESS__) /* whose look for leaks needs the old one */
    test_refuse_system_call(SYS_clone, EAGAIN);
#endif
    let_run(count, &counted);
    let_run(count, &counted);
    may_go_on = true;
    EVENTUALLY(counted == 2); /* by the one */
    free(test_caught_stderr());
    let_go(made);
}

/* ---------------------------------------------------------------- killed ones */

static cop_pid stuck;
static atomic_bool is_stuck;

static void
get_stuck(const void *value, void *env)
{
    char byte;
    (void)value, (void)env;
    stuck = cop_self();
    is_stuck = true;
    while (read(pipe_ends[0], &byte, 1) < 0) {
    }
}

static int
map_and_get_stuck(const void *value, void *result, void *env)
{
    (void)result;
    get_stuck(value, env);
    return 0;
}

static void
configure_short_grace(void)
{
    ck_assert_int_eq(
        cop_configure(&(cop_config){.size = sizeof(cop_config), .kill_grace = COP_MS(50)}), 0);
}

TEST(behind_a_continuation_whose_worker_is_disowned_another_goes_on)
{
    configure_short_grace();
    ck_assert_int_eq(pipe(pipe_ends), 0);
    struct promise made = promise_of(0);
    atomic_uint after = 0;
    watch(made, count, &counted);
    cop_future *child = cop_map(made.future, map_and_get_stuck, NULL, 0);
    watch(made, count, &after);
    test_catch_stderr();
    settle(made);
    EVENTUALLY(is_stuck);
    ck_assert_uint_eq(after, 0);
    cop_exit_signal(stuck, COP_REASON_KILLED);
    ck_assert_int_eq(cop_await(child, NULL, 0, SOON), -ECANCELED);
    cop_reason why;
    cop_future_state(child, &why);
    ck_assert_int_eq(why.kind, COP_KILLED);
    EVENTUALLY(after == 1);
    ck_assert_uint_eq(counted, 1);
    EVENTUALLY(cop_disowned() == 1);
    assert_others_run();
    write_bytes(1); /* it comes back, and ends */
    EVENTUALLY(cop_disowned() == 0);
    ck_assert_uint_eq(after, 1);
    assert_others_run();
    free(test_caught_stderr());
    cop_future_release(child);
    let_go(made);
    close_pipe();
}

TEST(a_disowned_worker_that_comes_back_leaves_the_next_one_alone)
{
    configure_short_grace();
    ck_assert_int_eq(pipe(pipe_ends), 0);
    struct promise made = promise_of(0);
    atomic_uint after = 0;
    watch(made, get_stuck, NULL);
    watch(made, wait_in_library, NULL);
    watch(made, count, &after);
    test_catch_stderr();
    settle(made);
    EVENTUALLY(is_stuck);
    cop_exit_signal(stuck, COP_REASON_KILLED);
    EVENTUALLY(waiting == 1);
    EVENTUALLY(cop_disowned() == 1);
    write_bytes(1);
    EVENTUALLY(cop_disowned() == 0);
    ck_assert_uint_eq(after, 0); /* whose turn has not come */
    may_go_on = true;
    EVENTUALLY(after == 1);
    assert_others_run();
    free(test_caught_stderr());
    ck_assert_uint_eq(gone_on, 1);
    EVENTUALLY(workers() == 0);
    let_go(made);
    close_pipe();
}

static void
be_killed(const void *value, void *env)
{
    (void)value;
    stuck = cop_self();
    is_stuck = true;
    *(atomic_int *)env = cop_sleep(COP_FOREVER);
}

TEST(a_continuation_that_waits_in_a_killed_worker_is_told_and_others_go_on)
{
    struct promise made = promise_of(0);
    atomic_int slept = 1;
    atomic_uint after = 0;
    watch(made, be_killed, &slept);
    watch(made, count, &after);
    settle(made);
    EVENTUALLY(is_stuck);
    cop_exit_signal(stuck, COP_REASON_KILLED);
    EVENTUALLY(after == 1);
    ck_assert_int_eq(slept, -ECANCELED);
    EVENTUALLY(!cop_alive(stuck));
    assert_others_run();
    let_go(made);
}

static void
note_self(const void *value, void *env)
{
    (void)value, (void)env;
    stuck = cop_self();
    is_stuck = true;
}

TEST_TIMES(2, an_idle_worker_that_is_stopped_is_replaced)
{
    let_run(note_self, NULL);
    EVENTUALLY(is_stuck);
    cop_exit_signal(stuck, _i == 0 ? COP_REASON_SHUTDOWN : COP_REASON_KILLED);
    EVENTUALLY(!cop_alive(stuck));
    assert_others_run();
    ck_assert_uint_eq(workers(), 1);
}

/* ---------------------------------------------------------------- shutdown */

TEST(a_shutdown_runs_what_is_due)
{
    enum {
        SO_MANY = 1000
    };
    for (int i = 0; i < SO_MANY; i++) {
        let_run(count, &counted);
    }
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(counted, SO_MANY);
    assert_others_run(); /* the library may be used again */
}

TEST(a_shutdown_runs_also_what_has_found_no_memory_for_a_worker)
{
    struct promise made = promise_of(0);
    cop_self();
    watch(made, count, &counted);
    copi_alloc_fail_after(0);
    settle(made);
    ck_assert_uint_eq(workers(), 0);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(counted, 1);
    let_go(made);
}

TEST(a_shutdown_asks_a_continuation_that_waits)
{
    let_run(wait_in_library, NULL);
    EVENTUALLY(waiting == 1);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(gone_on, 1);
    assert_others_run();
}

static void
settle_another(const void *value, void *env)
{
    unsigned *left = env;
    (void)value;
    counted++;
    if (--*left > 0) {
        let_run(settle_another, env);
    }
}

TEST(a_shutdown_runs_also_what_becomes_due_meanwhile)
{
    unsigned left = 1000;
    let_run(settle_another, &left);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    ck_assert_uint_eq(counted, 1000);
}

TEST(a_shutdown_kills_a_continuation_that_does_not_listen)
{
    ck_assert_int_eq(pipe(pipe_ends), 0);
    struct promise made = promise_of(0);
    atomic_uint after = 0;
    watch(made, wait_outside, NULL);
    watch(made, count, &after);
    settle(made);
    EVENTUALLY(waiting == 1);
    test_catch_stderr();
    close(pipe_ends[1]); /* whoever is interrupted reads the end */
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    free(test_caught_stderr());
    ck_assert_uint_eq(after, 1);
    close(pipe_ends[0]);
    let_go(made);
}

/* ---------------------------------------------------------------- many at once */

enum {
    THREADS = 8,
    EACH = 1000,
};

static struct promise many[THREADS * EACH];

static void *
settle_many(void *first)
{
    struct promise *mine = first;
    for (int i = 0; i < EACH; i++) {
        settle(mine[i]);
        cop_resolver_free(mine[i].resolver);
    }
    return NULL;
}

TEST(thousands_that_are_settled_at_once_by_many_threads_are_each_run_once)
{
    static atomic_uint runs[THREADS * EACH];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS * EACH; i++) {
        many[i] = promise_of(0);
        watch(many[i], count, &runs[i]);
        watch(many[i], count, &counted);
        cop_future_release(many[i].future);
    }
    for (int t = 0; t < THREADS; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, settle_many, &many[t * EACH]), 0);
    }
    for (int t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
    }
    EVENTUALLY(counted == THREADS * EACH);
    for (int i = 0; i < THREADS * EACH; i++) {
        ck_assert_uint_eq(runs[i], 1);
    }
}

static void *
settle_and_watch_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < EACH; i++) {
        let_run(count, &counted);
        if (i % 100 == 0) {
            usleep(100); /* workers become idle */
        }
    }
    return NULL;
}

TEST_TIMES(5, no_wake_up_is_lost_when_workers_come_and_go)
{
    pthread_t threads[THREADS];
    for (int t = 0; t < THREADS; t++) {
        ck_assert_int_eq(pthread_create(&threads[t], NULL, settle_and_watch_many, NULL), 0);
    }
    for (int t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
    }
    EVENTUALLY(counted == THREADS * EACH);
}

TEST_TIMES(8, no_wake_up_is_lost_when_a_worker_is_about_to_end)
{
    assert_others_run();
    cop_sleep(COP_MS(999) + _i * COP_US(500));
    assert_others_run();
}

/* ---------------------------------------------------------------- what is left */

TEST(when_the_workers_have_ended_no_thread_and_no_descriptor_is_left)
{
    cop_self();
    cop_sleep(1);
    cop_trim();
    unsigned threads = test_threads(), descriptors = test_descriptors();
    for (int i = 0; i < 100; i++) {
        assert_others_run();
    }
    EVENTUALLY(workers() == 0);
    EVENTUALLY((cop_trim(), test_threads() <= threads + 1)); /* the one that starts threads, say */
    ck_assert_uint_eq(test_descriptors(), descriptors);
}

SUITE("workers")
