/*
 * tests/bench/idle.c - servers that have nothing to do: idle, idle_100k.
 *
 * Room: tests/.
 */
#include "tests/bench/bench.h"
#include "tests/bench/resident.h"

#include <stdlib.h>

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
        bench_must_start("starting a server",
                         cop_genserver_start(&pids[i], &idle_server, .link = false));
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
run_idle(const char *memory, const char *start, int64_t n)
{
    enum {
        WARMUP = 100
    };
    cop_pid *pids = bench_array((size_t)n + WARMUP, sizeof *pids);
    memset(pids, 0xff, ((size_t)n + WARMUP) * sizeof *pids); /* resident before, not during */
    bench_must_fit(n + WARMUP);

    start_servers(pids, WARMUP);
    double before = resident_bytes();
    cop_time begin = bench_begin();
    start_servers(pids + WARMUP, n);
    cop_time wall = bench_end(begin, n);
    double after = resident_bytes();
    ask_servers(pids, n + WARMUP);
    bench_result(memory, (after - before) / (double)n);
    bench_result_per(start, wall, n);
    free(pids);
}

static void
idle(double scale)
{
    run_idle("idle_rss", "idle_start", bench_count(10000, scale));
}

const struct bench bench_idle = {
    .name = "idle",
    .what = "10,000 idle servers: memory each, time to start each",
    .figures = {{"idle_rss", "bytes/actor"}, {"idle_start", "ns/start"}},
    .run = idle,
};

static void
idle_100k(double scale)
{
    run_idle("idle_rss_100k", "idle_start_100k", bench_count(100000, scale));
}

const struct bench bench_idle_100k = {
    .name = "idle_100k",
    .what = "the same with 100,000",
    .figures = {{"idle_rss_100k", "bytes/actor"}, {"idle_start_100k", "ns/start"}},
    .run = idle_100k,
};
