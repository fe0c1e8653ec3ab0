/*
 * tests/bench/processes.c - what a process costs: to have, to start, to restart.
 *
 * Room: tests/.
 */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- idle servers */

static double
resident(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kib = strtoul(line + 6, NULL, 10);
        }
    }
    if (status) {
        (void)fclose(status);
    }
    bench_check("whether VmRSS can be read", kib > 0, true);
    return (double)kib * 1024;
}

static cop_step
answer_one_more(void *state, cop_from from, cop_msg request)
{
    (void)state;
    int reply = *COP_BODY(request, int) + 1;
    return cop_reply(from, COP_MSG_OF(0, reply));
}

static const cop_genserver idle_server = {
    .type = "idle",
    .state_size = sizeof(int),
    .handle_call = answer_one_more,
};

static void
start_servers(cop_pid *pids, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        bench_must("starting a server", cop_genserver_start(&pids[i], &idle_server, .link = false));
    }
}

static void
ask_servers(const cop_pid *pids, int64_t n)
{
    for (int i = 0; i < (int)n; i++) {
        int reply;
        bench_must("a call", cop_call(pids[i], COP_MSG_OF(1, i), COP_OUT(reply), COP_FOREVER));
        bench_check("an answer", reply, i + 1);
    }
}

static void
idle(double scale)
{
    enum {
        WARMUP = 100
    };
    int64_t n = bench_count(10000, scale);
    cop_pid *pids = bench_array((size_t)n + WARMUP, sizeof *pids);
    memset(pids, 0xff, ((size_t)n + WARMUP) * sizeof *pids); /* resident before, not during */

    start_servers(pids, WARMUP);
    double before = resident();
    cop_time begin = cop_now();
    start_servers(pids + WARMUP, n);
    cop_time wall = cop_now() - begin;
    double after = resident();
    ask_servers(pids, n + WARMUP);
    bench_result("idle_rss", "bytes/actor", (after - before) / (double)n);
    bench_result("idle_start", "ns/start", (double)wall / (double)n);
    free(pids);
}

/* ---------------------------------------------------------------- restarts */

enum {
    UP = 1,
    WHO,
    CRASH,
};

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

static cop_pid
next_up(void)
{
    cop_msg msg;
    bench_must("waiting for the new worker", cop_receive(&msg, COP_FOREVER));
    bench_check("the tag of the new worker's message", msg.tag, UP);
    return *COP_BODY(msg, cop_pid);
}

/* Time from just before the crash is asked for to the new worker's answer. */
static cop_time
restart_once(cop_pid name, cop_pid *current)
{
    cop_pid who;
    int r;
    cop_time begin = cop_now();
    bench_must("asking for a crash", cop_cast(name, COP_TAG(CRASH)));
    cop_pid fresh = next_up();
    do {
        r = cop_call(name, COP_TAG(WHO), COP_OUT(who), COP_FOREVER);
    } while (r == -ESRCH || r == -EPIPE || (r == 0 && cop_pid_eq(who, *current)));
    cop_time wall = cop_now() - begin;
    bench_must("a call of the new worker", r);
    bench_check("who answered", (int64_t)who.id, (int64_t)fresh.id);
    *current = fresh;
    return wall;
}

static int
by_length(const void *a, const void *b)
{
    cop_time x = *(const cop_time *)a, y = *(const cop_time *)b;
    return (x > y) - (x < y);
}

static void
restart(double scale)
{
    int64_t n = bench_count(2000, scale);
    cop_time *walls = bench_array((size_t)n, sizeof *walls);
    bench_silence_reports(); /* each crash is one */

    cop_pid supervisor, client = cop_self();
    bench_must("starting the supervisor",
               cop_supervisor_start(&supervisor, &(cop_supervisor_spec){
                                                     .strategy = COP_ONE_FOR_ONE,
                                                     .max_restarts = 1000000,
                                                     .max_seconds = 1,
                                                     COP_CHILDREN({
                                                         .id = "worker",
                                                         .name = "worker",
                                                         .genserver = &worker,
                                                         .arg = COP_BYTES(client),
                                                         .restart = COP_PERMANENT,
                                                     }),
                                                 }));
    cop_pid name = cop_named("worker"), current = next_up();
    for (int64_t i = 0; i < bench_warmup(n); i++) {
        restart_once(name, &current);
    }
    for (int64_t i = 0; i < n; i++) {
        walls[i] = restart_once(name, &current);
    }
    cop_child_info info;
    size_t count;
    bench_must("asking for the children", cop_supervisor_children(supervisor, &info, 1, &count));
    bench_check("the number of restarts", (int64_t)info.restarts, n + bench_warmup(n));
    qsort(walls, (size_t)n, sizeof *walls, by_length);
    size_t lower = (size_t)(n - 1) / 2, upper = (size_t)n / 2; /* of the median */
    bench_result("restart", "ns", (double)(walls[lower] + walls[upper]) / 2);
    free(walls);
}

const struct bench bench_processes[] = {
    {"idle", "10,000 idle servers: memory each, time to start each", idle},
    {"restart", "from the crash of a supervised worker to its successor's answer", restart},
    {0},
};
