/*
 * tests/bench/messages.c - what a message costs: calls, casts, a ring, an agent's update.
 *
 * Room: tests/.
 *
 * N is for scale 1; a tenth of it comes first, to warm up. Sums and counts are checked.
 */
#include "tests/bench/bench.h"

enum {
    ADD_ONE = 1, /* call, int: the answer is one more */
    COUNT,       /* call: the answer is the count */
    RESET,       /* call */
    ADD,         /* cast, int */
    GO,
    DONE,
    NEXT,
    TOKEN,
};

enum {
    CLIENTS = 4,
    RING = 100,
};

/* ---------------------------------------------------------------- the server */

static cop_step
answer(void *state, cop_from from, cop_msg request)
{
    int64_t *count = state;
    switch (request.tag) {
    case ADD_ONE: {
        int reply = *COP_BODY(request, int) + 1;
        return cop_reply(from, COP_MSG_OF(0, reply));
    }
    case COUNT:
        return cop_reply(from, COP_MSG_OF(0, *count));
    default:
        *count = 0;
        return cop_reply(from, COP_TAG(0));
    }
}

static cop_step
count(void *state, cop_msg msg)
{
    *(int64_t *)state += *COP_BODY(msg, int);
    return cop_ok();
}

static const cop_genserver server = {
    .type = "server",
    .state_size = sizeof(int64_t),
    .handle_call = answer,
    .handle_cast = count,
};

static cop_pid
start_server(void)
{
    cop_pid pid;
    bench_must("starting the server", cop_genserver_start(&pid, &server, .link = false));
    return pid;
}

static void
make_calls(cop_pid pid, int64_t n)
{
    int64_t sum = 0;
    for (int64_t left = n; left > 0; left--) {
        int i = (int)left, reply;
        bench_must("a call", cop_call(pid, COP_MSG_OF(ADD_ONE, i), COP_OUT(reply), COP_FOREVER));
        sum += reply;
    }
    bench_check("the sum of the answers", sum, n * (n + 1) / 2 + n);
}

static int64_t
count_of(cop_pid pid)
{
    int64_t total;
    bench_must("asking for the count", cop_call(pid, COP_TAG(COUNT), COP_OUT(total), COP_FOREVER));
    return total;
}

static void
make_casts(cop_pid pid, int64_t n)
{
    const int one = 1;
    for (int64_t i = 0; i < n; i++) {
        bench_must("a cast", cop_cast(pid, COP_MSG_OF(ADD, one)));
    }
}

/* ---------------------------------------------------------------- several clients */

struct client {
    cop_pid server, boss;
    int64_t n;
    void (*work)(cop_pid server, int64_t n);
};

static int
client(cop_bytes arg)
{
    const struct client *self = arg.data;
    cop_msg msg;
    bench_must("waiting for the release", cop_receive(&msg, COP_FOREVER));
    self->work(self->server, self->n);
    bench_must("telling of the end", cop_send(self->boss, COP_TAG(DONE)));
    return 0;
}

/* Wall time from the release to the end of the last. */
static cop_time
run_clients(cop_pid pid, int64_t each, void (*work)(cop_pid server, int64_t n))
{
    struct client task = {.server = pid, .boss = cop_self(), .n = each, .work = work};
    cop_pid clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        bench_must("starting a client", cop_spawn(&clients[i], client, .arg = COP_BYTES(task)));
    }
    cop_time begin = cop_now();
    for (int i = 0; i < CLIENTS; i++) {
        bench_must("releasing a client", cop_send(clients[i], COP_TAG(GO)));
    }
    for (int i = 0; i < CLIENTS; i++) {
        cop_msg msg;
        bench_must("waiting for a client", cop_receive(&msg, COP_FOREVER));
        bench_check("the tag of a client's message", msg.tag, DONE);
    }
    return cop_now() - begin;
}

/* ---------------------------------------------------------------- calls */

static void
call(double scale)
{
    int64_t n = bench_count(500000, scale);
    cop_pid pid = start_server();
    make_calls(pid, bench_warmup(n));
    cop_time begin = cop_now();
    make_calls(pid, n);
    bench_result("call", "ns/call", (double)(cop_now() - begin) / (double)n);
}

static void
call_4to1(double scale)
{
    int64_t each = bench_count(500000 / CLIENTS, scale);
    cop_pid pid = start_server();
    run_clients(pid, bench_warmup(each), make_calls);
    cop_time wall = run_clients(pid, each, make_calls);
    bench_result("call_4to1", "ns/call", (double)wall / (double)(CLIENTS * each));
}

/* ---------------------------------------------------------------- casts */

static void
reset(cop_pid pid)
{
    bench_must("resetting the count", cop_call(pid, COP_TAG(RESET), NULL, 0, COP_FOREVER));
}

static void
cast(double scale)
{
    int64_t n = bench_count(2000000, scale);
    bench_silence_reports(); /* of a long mailbox */
    cop_pid pid = start_server();
    make_casts(pid, bench_warmup(n));
    bench_check("the count", count_of(pid), bench_warmup(n));
    reset(pid);
    cop_time begin = cop_now();
    make_casts(pid, n);
    int64_t total = count_of(pid);
    cop_time wall = cop_now() - begin;
    bench_check("the count", total, n);
    bench_result("cast", "ns/msg", (double)wall / (double)n);
}

static void
cast_and_call(cop_pid pid, int64_t n)
{
    make_casts(pid, n);
    if (count_of(pid) < n) {
        bench_check("the count after one's own casts", 0, n);
    }
}

static void
cast_4to1(double scale)
{
    int64_t each = bench_count(2000000 / CLIENTS, scale);
    bench_silence_reports(); /* of a long mailbox */
    cop_pid pid = start_server();
    run_clients(pid, bench_warmup(each), cast_and_call);
    bench_check("the count", count_of(pid), CLIENTS * bench_warmup(each));
    reset(pid);
    cop_time wall = run_clients(pid, each, cast_and_call), begin = cop_now();
    int64_t total = count_of(pid);
    wall += cop_now() - begin;
    bench_check("the count", total, CLIENTS * each);
    bench_result("cast_4to1", "ns/msg", (double)wall / (double)(CLIENTS * each));
}

/* ---------------------------------------------------------------- a ring */

static int
ring_actor(cop_bytes arg)
{
    const cop_pid *boss = arg.data;
    cop_msg msg;
    bench_must("waiting for the next one's pid", cop_receive(&msg, COP_FOREVER));
    cop_pid next = *COP_BODY(msg, cop_pid);
    int r;
    while ((r = cop_receive(&msg, COP_FOREVER)) == 0) {
        int left = *COP_BODY(msg, int);
        if (left == 0) {
            bench_must("telling of the end", cop_send(*boss, COP_TAG(DONE)));
        } else {
            left--;
            bench_must("passing the token on", cop_send(next, COP_MSG_OF(TOKEN, left)));
        }
    }
    return r;
}

static void
send_round(cop_pid first, int64_t hops)
{
    int left = (int)hops;
    cop_msg msg;
    bench_must("sending the token", cop_send(first, COP_MSG_OF(TOKEN, left)));
    bench_must("waiting for the end", cop_receive(&msg, COP_FOREVER));
    bench_check("the tag of the last one's message", msg.tag, DONE);
}

static void
ring_100(double scale)
{
    int64_t hops = bench_count(1000000, scale);
    cop_pid boss = cop_self(), actors[RING];
    for (int i = 0; i < RING; i++) {
        bench_must("starting an actor", cop_spawn(&actors[i], ring_actor, .arg = COP_BYTES(boss)));
    }
    for (int i = 0; i < RING; i++) {
        bench_must("closing the ring",
                   cop_send(actors[i], COP_MSG_OF(NEXT, actors[(i + 1) % RING])));
    }
    send_round(actors[0], bench_warmup(hops));
    cop_time begin = cop_now();
    send_round(actors[0], hops);
    bench_result("ring_100", "ns/hop", (double)(cop_now() - begin) / (double)hops);
}

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
    bench_must("starting the agent", cop_agent_start(&agent, COP_BYTES(start), .link = false));
    make_updates(agent, bench_warmup(n));
    cop_time begin = cop_now();
    make_updates(agent, n);
    cop_time wall = cop_now() - begin;
    bench_must("reading the count", cop_agent_get(agent, COP_OUT(total), COP_FOREVER));
    bench_check("the count", total, n + bench_warmup(n));
    bench_result("agent_update", "ns/update", (double)wall / (double)n);
}

const struct bench bench_messages[] = {
    {"call", "one client, one server, 500,000 calls one at a time", call},
    {"call_4to1", "four clients released together, 500,000 calls in all", call_4to1},
    {"cast", "2,000,000 casts, then a call for the count", cast},
    {"cast_4to1", "the same of four producers", cast_4to1},
    {"ring_100", "a token through 100 plain processes, 1,000,000 hops", ring_100},
    {"agent_update", "500,000 updates of an agent's count, one at a time", agent_update},
    {0},
};
