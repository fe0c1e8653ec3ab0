/*
 * tests/bench/server.c - the server of the benches, and clients of it.
 *
 * Room: tests/.
 */
#include "tests/bench/server.h"

#include "tests/bench/bench.h"

#include <semaphore.h>

enum {
    ADD_ONE = 1, /* call, int: the answer is one more */
    COUNT,       /* call: the answer is the count */
    RESET,       /* call */
    ADD,         /* cast, int */
    BLOCK,       /* cast, sem_t * */
    GO,
    DONE,
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
take(void *state, cop_msg msg)
{
    if (msg.tag == BLOCK) {
        bench_check("waiting for the semaphore", sem_wait(*COP_BODY(msg, sem_t *)), 0);
    } else {
        *(int64_t *)state += *COP_BODY(msg, int);
    }
    return cop_ok();
}

static const cop_genserver count_server = {
    .type = "server",
    .state_size = sizeof(int64_t),
    .handle_call = answer,
    .handle_cast = take,
};

cop_pid
server_start(void)
{
    cop_pid pid;
    bench_must_start("starting the server",
                     cop_genserver_start(&pid, &count_server, .link = false));
    return pid;
}

/* ---------------------------------------------------------------- talking to it */

void
server_call(cop_pid server, int64_t n)
{
    int64_t sum = 0;
    for (int64_t left = n; left > 0; left--) {
        int i = (int)left, reply;
        bench_must("a call", cop_call(server, COP_MSG_OF(ADD_ONE, i), COP_OUT(reply), COP_FOREVER));
        sum += reply;
    }
    bench_check("the sum of the answers", sum, n * (n + 1) / 2 + n);
}

void
server_cast(cop_pid server, int64_t n)
{
    const int one = 1;
    for (int64_t i = 0; i < n; i++) {
        bench_must("a cast", cop_cast(server, COP_MSG_OF(ADD, one)));
    }
}

int64_t
server_count(cop_pid server)
{
    int64_t total;
    bench_must("asking for the count",
               cop_call(server, COP_TAG(COUNT), COP_OUT(total), COP_FOREVER));
    return total;
}

void
server_reset(cop_pid server)
{
    bench_must("resetting the count", cop_call(server, COP_TAG(RESET), NULL, 0, COP_FOREVER));
}

void
server_block(cop_pid server, void *semaphore)
{
    bench_must("blocking the server", cop_cast(server, COP_MSG_OF(BLOCK, semaphore)));
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

cop_time
server_clients(cop_pid server, int64_t each, void (*work)(cop_pid server, int64_t n),
               void (*finish)(cop_pid server, int64_t all))
{
    struct client task = {.server = server, .boss = cop_self(), .n = each, .work = work};
    cop_pid clients[SERVER_CLIENTS];
    for (int i = 0; i < SERVER_CLIENTS; i++) {
        bench_must_start("starting a client",
                         cop_spawn(&clients[i], client, .arg = COP_BYTES(task)));
    }
    cop_time begin = bench_begin();
    for (int i = 0; i < SERVER_CLIENTS; i++) {
        bench_must("releasing a client", cop_send(clients[i], COP_TAG(GO)));
    }
    for (int i = 0; i < SERVER_CLIENTS; i++) {
        cop_msg msg;
        bench_must("waiting for a client", cop_receive(&msg, COP_FOREVER));
        bench_check("the tag of a client's message", msg.tag, DONE);
    }
    if (finish) {
        finish(server, SERVER_CLIENTS * each);
    }
    return bench_end(begin, SERVER_CLIENTS * each);
}
