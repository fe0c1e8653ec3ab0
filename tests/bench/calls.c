/*
 * tests/bench/calls.c - what a question and its answer cost: call, call_raw, call_4to1, agent_update.
 *
 * Room: tests/.
 */
#include "tests/bench/bench.h"
#include "tests/bench/server.h"

/* ---------------------------------------------------------------- a server's calls */

static void
call(double scale)
{
    int64_t n = bench_count(500000, scale);
    cop_pid pid = server_start();
    server_call(pid, bench_warmup(n));
    cop_time begin = bench_begin();
    server_call(pid, n);
    bench_result_per("call", bench_end(begin, n), n);
}

const struct bench bench_call = {
    .name = "call",
    .what = "one client, one server, 500,000 calls one at a time",
    .figures = {{"call", "ns/call"}},
    .run = call,
};

static void
call_4to1(double scale)
{
    int64_t each = bench_count(500000 / SERVER_CLIENTS, scale);
    cop_pid pid = server_start();
    server_clients(pid, bench_warmup(each), server_call, NULL);
    cop_time wall = server_clients(pid, each, server_call, NULL);
    bench_result_per("call_4to1", wall, SERVER_CLIENTS * each);
}

const struct bench bench_call_4to1 = {
    .name = "call_4to1",
    .what = "four clients released together, 500,000 calls in all",
    .figures = {{"call_4to1", "ns/call"}},
    .run = call_4to1,
};

/* ---------------------------------------------------------------- bare messages */

enum {
    ASK = 1,
    ANSWER,
};

/* As a reference is fresh for each request, so is the number. */
struct raw {
    int64_t number;
    int value;
};

static int
echo(cop_bytes unused)
{
    (void)unused;
    cop_msg msg;
    int r;
    while ((r = cop_receive(&msg, COP_FOREVER)) == 0) {
        struct raw answer = *COP_BODY(msg, struct raw);
        answer.value++;
        bench_must("answering", cop_send(msg.from, COP_MSG_OF(ANSWER, answer)));
    }
    return r;
}

static bool
is_answer(const cop_msg *msg, void *number)
{
    const struct raw *answer = msg->body.data;
    return msg->tag == ANSWER && answer->number == *(const int64_t *)number;
}

static void
exchange(cop_pid other, int64_t n)
{
    int64_t sum = 0;
    for (int64_t left = n; left > 0; left--) {
        struct raw request = {.number = left, .value = (int)left};
        cop_msg msg;
        bench_must("asking", cop_send(other, COP_MSG_OF(ASK, request)));
        bench_must("waiting for the answer",
                   cop_receive_match(&msg, is_answer, &left, COP_FOREVER));
        sum += COP_BODY(msg, struct raw)->value;
    }
    bench_check("the sum of the answers", sum, n * (n + 1) / 2 + n);
}

static void
call_raw(double scale)
{
    int64_t n = bench_count(500000, scale);
    cop_pid pid;
    bench_must_start("starting the other", cop_spawn(&pid, echo));
    exchange(pid, bench_warmup(n));
    cop_time begin = bench_begin();
    exchange(pid, n);
    bench_result_per("call_raw", bench_end(begin, n), n);
}

const struct bench bench_call_raw = {
    .name = "call_raw",
    .what = "the same by bare messages, the answer received by its number",
    .figures = {{"call_raw", "ns/call"}},
    .run = call_raw,
};

/* ---------------------------------------------------------------- an agent */

static void
increment(void *state, cop_bytes arg)
{
    (void)arg;
    (*(int *)state)++;
}

static void
make_updates(cop_pid agent, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        bench_must("an update", cop_agent_update(agent, increment, (cop_bytes){0}, COP_FOREVER));
    }
}

static void
agent_update(double scale)
{
    int64_t n = bench_count(500000, scale);
    int start = 0, total;
    cop_pid agent;
    bench_must_start("starting the agent",
                     cop_agent_start(&agent, COP_BYTES(start), .link = false));
    make_updates(agent, bench_warmup(n));
    cop_time begin = bench_begin();
    make_updates(agent, n);
    cop_time wall = bench_end(begin, n);
    bench_must("reading the count", cop_agent_get(agent, COP_OUT(total), COP_FOREVER));
    bench_check("the count", total, n + bench_warmup(n));
    bench_result_per("agent_update", wall, n);
}

const struct bench bench_agent_update = {
    .name = "agent_update",
    .what = "500,000 updates of an agent's count, one at a time",
    .figures = {{"agent_update", "ns/update"}},
    .run = agent_update,
};
