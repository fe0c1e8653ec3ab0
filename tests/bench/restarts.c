/*
 * tests/bench/restarts.c - from a crash to its successor's answer: restart, one_for_all_100.
 *
 * Room: tests/.
 */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    UP = 1,
    WHO,
    CRASH,
};

/* ---------------------------------------------------------------- workers */

static cop_step
come_up(void *state, cop_bytes arg)
{
    (void)state;
    const cop_pid *client = arg.data, self = cop_self();
    bench_must("saying that it is up", cop_send(*client, COP_MSG_OF(UP, self)));
    return cop_ok();
}

static cop_step
say_who(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    const cop_pid self = cop_self();
    return cop_reply(from, COP_MSG_OF(0, self));
}

static cop_step
crash(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    cop_exit(cop_failed(-ENOTRECOVERABLE, "crash"));
}

static const cop_genserver worker = {
    .type = "worker",
    .init = come_up,
    .handle_call = say_who,
    .handle_cast = crash,
};

struct worker {
    char name[8];
    cop_pid named, current;
};

static cop_pid
start_supervisor(struct worker *workers, int n, cop_strategy strategy)
{
    cop_pid supervisor, client = cop_self();
    cop_child_spec *specs = bench_array((size_t)n, sizeof *specs);
    for (int i = 0; i < n; i++) {
        (void)snprintf(workers[i].name, sizeof workers[i].name, "w%d", i);
        specs[i] = (cop_child_spec){
            .id = workers[i].name,
            .name = workers[i].name,
            .genserver = &worker,
            .arg = COP_BYTES(client),
            .restart = COP_PERMANENT,
        };
    }
    bench_must_start("starting the supervisor",
                     cop_supervisor_start(&supervisor, &(cop_supervisor_spec){
                                                           .strategy = strategy,
                                                           .max_restarts = 1000000,
                                                           .max_seconds = 1,
                                                           .children = specs,
                                                           .child_count = (size_t)n,
                                                       }));
    free(specs);
    return supervisor;
}

static cop_pid
next_up(void)
{
    cop_msg msg;
    bench_must("waiting for a new worker", cop_receive(&msg, COP_FOREVER));
    bench_check("the tag of a new worker's message", msg.tag, UP);
    return *COP_BODY(msg, cop_pid);
}

/* In the order of their start. */
static void
note_workers(struct worker *workers, int n)
{
    for (int i = 0; i < n; i++) {
        workers[i].named = cop_named(workers[i].name);
        workers[i].current = next_up();
    }
}

/* Call the name until it leads to another worker than the old one. */
static void
call_new(struct worker *it)
{
    cop_pid who;
    int r;
    do {
        r = cop_call(it->named, COP_TAG(WHO), COP_OUT(who), COP_FOREVER);
    } while (r == -ESRCH || r == -EPIPE || (r == 0 && cop_pid_eq(who, it->current)));
    bench_must("a call of a new worker", r);
    it->current = who;
}

static uint64_t
restarts_of(cop_pid supervisor, int n)
{
    cop_child_info *infos = bench_array((size_t)n, sizeof *infos);
    size_t count;
    uint64_t restarts = 0;
    bench_must("asking for the children",
               cop_supervisor_children(supervisor, infos, (size_t)n, &count));
    bench_check("the number of children", (int64_t)count, n);
    for (int i = 0; i < n; i++) {
        bench_check("whether a child is alive", cop_alive(infos[i].pid), true);
        restarts += infos[i].restarts;
    }
    free(infos);
    return restarts;
}

/* ---------------------------------------------------------------- one for one */

/* From just before the crash is asked for to the new worker's answer. */
static cop_time
restart_once(struct worker *it)
{
    cop_time begin = cop_now();
    bench_must("asking for a crash", cop_cast(it->named, COP_TAG(CRASH)));
    cop_pid fresh = next_up();
    call_new(it);
    cop_time wall = cop_now() - begin;
    bench_check("who answered", (int64_t)it->current.id, (int64_t)fresh.id);
    return wall;
}

static void
restart(double scale)
{
    int64_t n = bench_count(2000, scale);
    cop_time *walls = bench_array((size_t)n, sizeof *walls);
    struct worker it;
    bench_silence_reports(); /* each crash is one */

    cop_pid supervisor = start_supervisor(&it, 1, COP_ONE_FOR_ONE);
    note_workers(&it, 1);
    for (int64_t i = 0; i < bench_warmup(n); i++) {
        restart_once(&it);
    }
    cop_time begin = bench_begin();
    for (int64_t i = 0; i < n; i++) {
        walls[i] = restart_once(&it);
    }
    bench_end(begin, n);
    bench_check("the number of restarts", (int64_t)restarts_of(supervisor, 1), n + bench_warmup(n));
    bench_result("restart", bench_median(walls, n));
    free(walls);
}

const struct bench bench_restart = {
    .name = "restart",
    .what = "from the crash of a supervised worker to its successor's answer, 2,000 times",
    .figures = {{"restart", "ns"}},
    .run = restart,
};

/* ---------------------------------------------------------------- one for all */

enum {
    WORKERS = 100,
    STEP = 37, /* so that each round crashes another one */
    WARMUP = 5,
};

/* Names that lead to no worker, or one twice, show as pids that do not differ. */
static void
check_that_all_are_new(const cop_pid old[WORKERS], const struct worker workers[WORKERS])
{
    for (int i = 0; i < WORKERS; i++) {
        bench_check("whether a worker is new", cop_pid_eq(old[i], workers[i].current), false);
        for (int j = 0; j < i; j++) {
            bench_check("whether two names lead to one worker",
                        cop_pid_eq(workers[i].current, workers[j].current), false);
        }
    }
}

static cop_time
crash_one_of_all(struct worker workers[WORKERS], int64_t round)
{
    cop_pid old[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        old[i] = workers[i].current;
    }
    cop_time begin = cop_now();
    bench_must("asking for a crash",
               cop_cast(workers[STEP * round % WORKERS].named, COP_TAG(CRASH)));
    for (int i = 0; i < WORKERS; i++) {
        next_up();
    }
    for (int i = 0; i < WORKERS; i++) {
        call_new(&workers[i]);
    }
    cop_time wall = cop_now() - begin;
    check_that_all_are_new(old, workers);
    return wall;
}

static void
one_for_all_100(double scale)
{
    int64_t n = bench_count(50, scale);
    cop_time *walls = bench_array((size_t)n, sizeof *walls);
    struct worker workers[WORKERS];
    bench_silence_reports(); /* each crash is one */

    cop_pid supervisor = start_supervisor(workers, WORKERS, COP_ONE_FOR_ALL);
    note_workers(workers, WORKERS);
    for (int64_t i = 1; i <= WARMUP; i++) {
        crash_one_of_all(workers, i);
    }
    cop_time begin = bench_begin();
    for (int64_t i = 0; i < n; i++) {
        walls[i] = crash_one_of_all(workers, i + 1);
    }
    bench_end(begin, n);
    bench_check("the number of restarts", (int64_t)restarts_of(supervisor, WORKERS),
                WORKERS * (n + WARMUP));
    bench_result("one_for_all_100", bench_median(walls, n));
    free(walls);
}

const struct bench bench_one_for_all_100 = {
    .name = "one_for_all_100",
    .what = "the same with 100 workers that all start anew, 50 times",
    .figures = {{"one_for_all_100", "ns"}},
    .run = one_for_all_100,
};
