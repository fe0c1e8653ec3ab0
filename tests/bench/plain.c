/*
 * tests/bench/plain.c - plain processes: ring_100, ring_1000, skynet.
 *
 * Room: tests/.
 */
#include "tests/bench/bench.h"

#include <stdlib.h>

enum {
    NEXT = 1,
    TOKEN,
    DONE,
    SUM,
};

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

static cop_pid
make_ring(int64_t size)
{
    cop_pid boss = cop_self(), *actors = bench_array((size_t)size, sizeof *actors);
    for (int64_t i = 0; i < size; i++) {
        bench_must_start("starting an actor",
                         cop_spawn(&actors[i], ring_actor, .arg = COP_BYTES(boss)));
    }
    for (int64_t i = 0; i < size; i++) {
        bench_must("closing the ring",
                   cop_send(actors[i], COP_MSG_OF(NEXT, actors[(i + 1) % size])));
    }
    cop_pid first = actors[0];
    free(actors);
    return first;
}

static void
ring(const char *figure, int64_t size, double scale)
{
    int64_t hops = bench_count(1000000, scale), warmup = bench_warmup(hops);
    cop_pid first = make_ring(size);
    send_round(first, warmup > size ? warmup : size); /* once round at least */
    cop_time begin = bench_begin();
    send_round(first, hops);
    bench_result_per(figure, bench_end(begin, hops), hops);
}

static void
ring_100(double scale)
{
    ring("ring_100", 100, scale);
}

static void
ring_1000(double scale)
{
    ring("ring_1000", 1000, scale);
}

const struct bench bench_ring_100 = {
    .name = "ring_100",
    .what = "a token through 100 plain processes, 1,000,000 hops",
    .figures = {{"ring_100", "ns/hop"}},
    .run = ring_100,
};

const struct bench bench_ring_1000 = {
    .name = "ring_1000",
    .what = "a token through 1,000 plain processes, 1,000,000 hops",
    .figures = {{"ring_1000", "ns/hop"}},
    .run = ring_1000,
};

/* ---------------------------------------------------------------- skynet */

enum {
    CHILDREN = 10
};

struct sky {
    cop_pid parent;
    int64_t number, size; /* of the first leaf below it; how many leaves */
};

static int sky_actor(cop_bytes arg);

static void
start_children(const struct sky *self)
{
    struct sky child = {.parent = cop_self(), .size = self->size / CHILDREN};
    for (int64_t i = 0; i < CHILDREN; i++) {
        child.number = self->number + i * child.size;
        bench_must_start("starting a child", cop_spawn(NULL, sky_actor, .arg = COP_BYTES(child)));
    }
}

static int64_t
next_sum(void)
{
    cop_msg msg;
    bench_must("waiting for a sum", cop_receive(&msg, COP_FOREVER));
    return *COP_BODY(msg, int64_t);
}

static int
sky_actor(cop_bytes arg)
{
    const struct sky *self = arg.data;
    int64_t sum = self->number;
    if (self->size > 1) {
        start_children(self);
        sum = 0;
        for (int i = 0; i < CHILDREN; i++) {
            sum += next_sum();
        }
    }
    bench_must("telling the sum", cop_send(self->parent, COP_MSG_OF(SUM, sum)));
    return 0;
}

/* All of the tree: 1 and 10 and 100 and so on. */
static int64_t
actors_for(int64_t leaves)
{
    return leaves == 1 ? 1 : leaves + actors_for(leaves / CHILDREN);
}

static cop_time
run_skynet(int64_t leaves)
{
    struct sky root = {.parent = cop_self(), .size = leaves};
    bench_must_fit(actors_for(leaves));
    cop_time begin = bench_begin();
    bench_must_start("starting the root", cop_spawn(NULL, sky_actor, .arg = COP_BYTES(root)));
    int64_t sum = next_sum();
    cop_time wall = bench_end(begin, actors_for(leaves));
    bench_check("the sum", sum, leaves * (leaves - 1) / 2);
    return wall;
}

static void
skynet(double scale)
{
    int64_t most = bench_count(1000000, scale), leaves = 1;
    while (leaves * 10 <= most) {
        leaves *= 10;
    }
    bench_must_fit(actors_for(leaves)); /* before the work of warming up */
    run_skynet(10000);
    bench_result("skynet", (double)run_skynet(leaves) / 1e6);
}

const struct bench bench_skynet = {
    .name = "skynet",
    .what = "a tree of actors with 1,000,000 leaves sums their numbers",
    .figures = {{"skynet", "ms"}},
    .run = skynet,
};
