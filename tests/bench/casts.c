/*
 * tests/bench/casts.c - what is sent without waiting: cast, cast_4to1, pipeline_5, backlog.
 *
 * Room: tests/.
 */
#include "tests/bench/bench.h"
#include "tests/bench/resident.h"
#include "tests/bench/server.h"

#include <semaphore.h>

/* ---------------------------------------------------------------- one producer, or four */

static void
cast(double scale)
{
    int64_t n = bench_count(2000000, scale);
    bench_silence_reports(); /* of a long mailbox */
    cop_pid pid = server_start();
    server_cast(pid, bench_warmup(n));
    bench_check("the count", server_count(pid), bench_warmup(n));
    server_reset(pid);
    cop_time begin = bench_begin();
    server_cast(pid, n);
    int64_t total = server_count(pid);
    cop_time wall = bench_end(begin, n);
    bench_check("the count", total, n);
    bench_result_per("cast", wall, n);
}

const struct bench bench_cast = {
    .name = "cast",
    .what = "2,000,000 casts, then a call for the count",
    .figures = {{"cast", "ns/msg"}},
    .run = cast,
};

static void
cast_and_call(cop_pid pid, int64_t n)
{
    server_cast(pid, n);
    bool has_own = server_count(pid) >= n;
    bench_check("whether one's own casts are counted", has_own, true);
}

static void
check_count(cop_pid pid, int64_t all)
{
    bench_check("the count", server_count(pid), all);
}

static void
cast_4to1(double scale)
{
    int64_t each = bench_count(2000000 / SERVER_CLIENTS, scale);
    bench_silence_reports(); /* of a long mailbox */
    cop_pid pid = server_start();
    server_clients(pid, bench_warmup(each), cast_and_call, check_count);
    server_reset(pid);
    cop_time wall = server_clients(pid, each, cast_and_call, check_count);
    bench_result_per("cast_4to1", wall, SERVER_CLIENTS * each);
}

const struct bench bench_cast_4to1 = {
    .name = "cast_4to1",
    .what = "the same of four producers",
    .figures = {{"cast_4to1", "ns/msg"}},
    .run = cast_4to1,
};

/* ---------------------------------------------------------------- a pipeline */

enum {
    STAGES = 5,
    REPORT = 1,
};

/* What a stage starts with, and its state. */
struct stage {
    cop_pid next; /* of the last: who hears of the end */
    bool is_last;
    int64_t seen, all;
};

static cop_step
become_stage(void *state, cop_bytes arg)
{
    memcpy(state, arg.data, arg.size);
    return cop_ok();
}

static cop_step
pass_on(void *state, cop_msg msg)
{
    struct stage *stage = state;
    int item = *COP_BODY(msg, int);
    stage->seen += item;
    if (!stage->is_last) {
        bench_must("passing an item on", cop_cast(stage->next, COP_MSG_OF(msg.tag, item)));
    } else if (stage->seen == stage->all) {
        bench_must("reporting", cop_send(stage->next, COP_MSG_OF(REPORT, stage->seen)));
    }
    return cop_ok();
}

static const cop_genserver stage_server = {
    .type = "stage",
    .state_size = sizeof(struct stage),
    .init = become_stage,
    .handle_cast = pass_on,
};

static cop_pid
start_stages(cop_pid stages[STAGES], int64_t n)
{
    struct stage stage = {.next = cop_self(), .is_last = true, .all = n};
    for (int i = STAGES - 1; i >= 0; i--) {
        bench_must_start("starting a stage",
                         cop_genserver_start(&stages[i], &stage_server, .arg = COP_BYTES(stage)));
        stage = (struct stage){.next = stages[i]};
    }
    return stages[0];
}

static cop_time
run_pipeline(int64_t n)
{
    cop_pid stages[STAGES], first = start_stages(stages, n);
    cop_msg msg;
    cop_time begin = bench_begin();
    server_cast(first, n);
    bench_must("waiting for the report", cop_receive(&msg, COP_FOREVER));
    cop_time wall = bench_end(begin, n);
    bench_check("the tag of the report", msg.tag, REPORT);
    bench_check("the number of items", *COP_BODY(msg, int64_t), n);
    for (int i = 0; i < STAGES; i++) {
        bench_must("stopping a stage", cop_stop_process(stages[i], COP_REASON_NORMAL, COP_FOREVER));
    }
    return wall;
}

static void
pipeline_5(double scale)
{
    int64_t n = bench_count(1000000, scale);
    bench_silence_reports(); /* of long mailboxes */
    run_pipeline(bench_warmup(n));
    bench_result_per("pipeline_5", run_pipeline(n), n);
}

const struct bench bench_pipeline_5 = {
    .name = "pipeline_5",
    .what = "1,000,000 items through five servers",
    .figures = {{"pipeline_5", "ns/item"}},
    .run = pipeline_5,
};

/* ---------------------------------------------------------------- a backlog */

static void
backlog(double scale)
{
    enum {
        WARMUP = 1000
    };
    int64_t n = bench_count(5000000, scale);
    sem_t gate;
    bench_check("making a semaphore", sem_init(&gate, 0, 0), 0);
    bench_silence_reports(); /* of a long mailbox */
    cop_pid pid = server_start();
    server_cast(pid, WARMUP);
    bench_check("the count", server_count(pid), WARMUP);
    server_reset(pid);

    server_block(pid, &gate);
    double before = resident_bytes();
    server_cast(pid, n);
    double after = resident_bytes();
    cop_time begin = bench_begin();
    bench_check("releasing the server", sem_post(&gate), 0);
    int64_t total = server_count(pid);
    cop_time wall = bench_end(begin, n);
    bench_check("the count", total, n);
    bench_result("backlog_rss", (after - before) / (double)n);
    bench_result_per("backlog_drain", wall, n);
    sem_destroy(&gate);
}

const struct bench bench_backlog = {
    .name = "backlog",
    .what = "5,000,000 casts to a blocked server: memory each, then time to drain each",
    .figures = {{"backlog_rss", "bytes/msg"}, {"backlog_drain", "ns/msg"}},
    .run = backlog,
};
