/*
 * tests/actors/test_track.c - futures that were never settled, and failures that nobody looked at.
 *
 * Room: tests/. Case ids (LK01) are those of the list of futures' cases.
 */
#include "runtime/alloc.h"
#include "tests/support/support.h"

#include <coppice/chain.h>
#include <coppice/daemon.h>
#include <coppice/track.h>

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static cop_future *future;
static cop_resolver *resolver;

static void
make(void)
{
    ck_assert_int_eq(cop_promise_new(&future, &resolver, sizeof(int)), 0);
}

static void
let_go(void)
{
    cop_resolver_free(resolver);
    cop_future_release(future);
}

static int
succeed(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    return 0;
}

static int
refuse(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    return -EACCES;
}

TEST(what_is_not_tracked_is_not_told)
{
    cop_leak leaks[2];
    make();
    ck_assert_uint_eq(cop_unsettled(leaks, 2, 0), 0);
    cop_track_futures(true);
    ck_assert_uint_eq(cop_unsettled(leaks, 2, 0), 0); /* it was made before */
    let_go();
    cop_track_futures(false);
    make();
    ck_assert_uint_eq(cop_unsettled(leaks, 2, 0), 0);
    let_go();
}

TEST(a_clean_run_reports_nothing) /* LK01 */
{
    cop_track_futures(true);
    test_catch_stderr();
    make();
    ck_assert_int_eq(cop_resolve(resolver, COP_BYTES((int){1})), 0);
    let_go();
    cop_future *f = cop_async(succeed);
    ck_assert_int_eq(cop_await(f, NULL, 0, SOON), 0);
    cop_future_release(f);
    ck_assert_uint_eq(cop_unsettled(NULL, 0, 0), 0);
    cop_report_unsettled();
    char *said = test_caught_stderr();
    ck_assert_str_eq(said, "");
    free(said);
}

TEST(what_is_unsettled_is_told_with_its_place_and_age) /* GO07 */
{
    cop_leak leaks[3];
    cop_track_futures(true);
    int line = __LINE__ + 1;
    cop_future *lazy = cop_async(succeed, .lazy = true);
    make();
    cop_sleep(COP_MS(5));
    cop_future *settled = cop_async(succeed);
    ck_assert_int_eq(cop_await(settled, NULL, 0, SOON), 0);
    ck_assert_uint_eq(cop_unsettled(leaks, 3, 0), 2);
    ck_assert_int_eq(leaks[0].line, line);
    ck_assert_ptr_nonnull(strstr(leaks[0].file, "test_track.c"));
    ck_assert_int_ge(leaks[0].age, COP_MS(5));
    ck_assert_uint_lt(leaks[0].id, leaks[1].id);
    ck_assert_uint_eq(cop_unsettled(leaks, 1, 0), 2); /* as many as fit, and how many there are */
    ck_assert_uint_eq(cop_unsettled(leaks, 3, COP_SEC(60)), 0);
    let_go();
    ck_assert_uint_eq(cop_unsettled(leaks, 3, 0), 1);
    cop_future_release(lazy);
    ck_assert_uint_eq(cop_unsettled(leaks, 3, 0), 0);
    cop_future_release(settled);
}

TEST(leaks_of_one_place_are_one_line) /* LK02 */
{
    enum {
        MANY = 500
    };
    static cop_future *fs[2 * MANY];
    static cop_resolver *resolvers[2 * MANY];
    cop_track_futures(true);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_promise_new(&fs[i], &resolvers[i], 0), 0);
        ck_assert_int_eq(cop_promise_new(&fs[MANY + i], &resolvers[MANY + i], 0), 0);
    }
    test_catch_stderr();
    cop_report_unsettled();
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "\n"), 2);
    ck_assert_uint_eq(test_count(said, "500 futures from"), 2);
    free(said);
    for (int i = 0; i < 2 * MANY; i++) {
        cop_resolver_free(resolvers[i]);
        cop_future_release(fs[i]);
    }
}

static int
never_mind(cop_reason reason, void *result, void *env)
{
    (void)reason, (void)result, (void)env;
    return 0;
}

TEST(a_failure_that_nobody_looked_at_is_told_once) /* LK03 */
{
    cop_track_futures(true);
    test_catch_stderr();
    cop_pid pid;
    cop_future *f = cop_async(refuse), *g = cop_async(refuse), *h = cop_async(refuse),
               *k = cop_async(refuse);
    ck_assert_int_eq(cop_await(g, NULL, 0, SOON), -EACCES); /* looked at */
    cop_future *child = cop_recover(h, never_mind, NULL, 0);
    ck_assert_int_eq(cop_await(child, NULL, 0, SOON), 0); /* seen to */
    EVENTUALLY(cop_future_state(k, NULL) == -EACCES);     /* asked for */
    pid = cop_future_pid(f);
    EVENTUALLY(!cop_alive(pid));
    cop_future_release(f);
    cop_future_release(g);
    cop_future_release(h);
    cop_future_release(k);
    cop_future_release(child);
    cop_shutdown(SOON);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "nobody looked at the failure of a future from"), 1);
    ck_assert_uint_eq(test_count(said, "test_track.c"), 1);
    free(said);
}

static int
try_tracked(void *arg)
{
    (void)arg;
    cop_future *f = cop_async(succeed);
    int r = cop_await(f, NULL, 0, SOON);
    cop_future_release(f);
    return r;
}

TEST(without_memory_for_an_account_there_is_none)
{
    cop_track_futures(true);
    int r;
    test_out_of_memory(try_tracked, NULL, &r);
    ck_assert_int_eq(r, 0);
}

/* A program of its own: what it says to standard error, when `signal` reached its daemon, or at its end. */
static int
worker_until_stopped(cop_bytes arg)
{
    (void)arg;
    make();
    kill(getpid(), SIGUSR1);
    cop_sleep(COP_MS(50));
    kill(getpid(), SIGTERM);
    return cop_sleep(COP_FOREVER);
}

static unsigned
reported(bool without_memory)
{
    test_catch_stderr();
    copi_alloc_fail_after(without_memory ? 0 : -1);
    cop_report_unsettled();
    copi_alloc_fail_after(-1);
    char *reports = test_caught_stderr();
    unsigned n = test_number_after(reports, "warning: ");
    bool has_places = strstr(reports, __FILE__) != NULL;
    ck_assert_int_eq(has_places, !without_memory);
    if (!without_memory) { /* the sum, behind the places, of which not all are told */
        ck_assert_uint_eq(test_count(reports, "futures are not settled"), 1);
        n = test_number_after(strrchr(reports, 'w'), "warning: ");
    }
    free(reports);
    return n;
}

TEST(without_memory_for_the_places_it_is_told_how_many_are_not_settled)
{
    cop_track_futures(true);
    make();
    ck_assert_uint_eq(reported(true), 1);
    let_go();
}

TEST(of_very_many_that_are_not_settled_the_number_is_told)
{
    enum {
        MANY = 5000
    };
    static cop_future *futures[MANY];
    static cop_resolver *resolvers[MANY];
    cop_track_futures(true);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_promise_new(&futures[i], &resolvers[i], 0), 0);
    }
    ck_assert_uint_eq(reported(false), MANY);
    for (int i = 0; i < MANY; i++) {
        cop_resolver_free(resolvers[i]);
        cop_future_release(futures[i]);
    }
}

TEST(a_daemon_tells_at_a_signal_and_a_program_at_its_end)
{
    int said[2];
    ck_assert_int_eq(pipe(said), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(said[1], STDERR_FILENO);
        setenv("COPPICE_TRACK", "1", 1);
        exit(cop_run(&(cop_supervisor_spec){
            COP_CHILDREN({.id = "worker", .worker = worker_until_stopped})}));
    }
    close(said[1]);
    char words[4096] = {0};
    size_t size = 0;
    for (ssize_t n; size < sizeof words - 1
                    && (n = read(said[0], words + size, sizeof words - 1 - size)) > 0;) {
        size += (size_t)n;
    }
    int status;
    waitpid(child, &status, 0);
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_uint_eq(test_count(words, "1 futures from"), 2);
    close(said[0]);
}

SUITE("track")
