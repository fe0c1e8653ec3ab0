/*
 * tests/actors/durable/peer_redis_bench.c - what a shared result costs, beside what the server can do.
 *
 * Room: tests/. A program for people, started by hand: tests/bench/RESULTS.md.
 *
 *   peer_redis_bench ADDRESS [SECONDS]      "unix:/path" or "127.0.0.1:6379"; a second for each line
 *
 * bare    hiredis in the same thread: GET, one at a time
 * hit     cop_shared_get of what is there
 * miss    cop_shared_get of what is not: look, acquire, settle, and a task that returns at once
 */
#include <coppice-redis.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MOST = 1000000,
    CALLERS = 16,
};

static const cop_bytes nothing;
static cop_time times[MOST], span = COP_SEC(1);
static cop_shared *shared;

static int
compute(cop_bytes arg, void *result)
{
    (void)arg;
    *(cop_bytes *)result = COP_TEXT("a result of about so many bytes");
    return 0;
}

static int
get(const char *key)
{
    cop_msg value;
    int r = cop_shared_get(shared, key, compute, nothing, &value, COP_SEC(5));
    if (r == 0) {
        cop_msg_release(&value);
    }
    return r;
}

static int
by_size(const void *left, const void *right)
{
    cop_time a = *(const cop_time *)left, b = *(const cop_time *)right;
    return (a > b) - (a < b);
}

static void
report(const char *what, size_t count, cop_time took)
{
    qsort(times, count, sizeof *times, by_size);
    size_t middle = count / 2, late = count - count / 100 - 1;
    printf("%-18s %8.0f/s   p50 %7.1f us   p99 %7.1f us\n", what,
           (double)count / ((double)took / 1e9), (double)times[middle] / 1e3,
           (double)times[late] / 1e3);
}

static void
measure(const char *what, int (*once)(size_t i))
{
    size_t count = 0;
    cop_time begun = cop_now(), now = begun;
    while (now - begun < span && count < MOST) {
        if (once(count) != 0) {
            printf("%-18s failed: %s\n", what, cop_strerror(cop_why().code));
            return;
        }
        cop_time end = cop_now();
        times[count++] = end - now;
        now = end;
    }
    report(what, count, now - begun);
}

/* ---------------------------------------------------------------- one at a time */

static redisContext *bare;

static int
bare_get(size_t i)
{
    (void)i;
    redisReply *reply = redisCommand(bare, "GET {bench}v");
    bool is_there = reply && reply->type == REDIS_REPLY_STRING;
    freeReplyObject(reply);
    return is_there ? 0 : -1;
}

static int
hit(size_t i)
{
    (void)i;
    return get("bench");
}

static int
miss(size_t i)
{
    char key[64];
    (void)snprintf(key, sizeof key, "bench:%d:%zu", (int)(cop_now() % 1000000), i);
    return get(key);
}

/* ---------------------------------------------------------------- many */

static int
hit_all_the_time(cop_bytes arg, void *result)
{
    cop_time until = cop_now() + span;
    (void)arg;
    for (size_t *count = result; cop_now() < until; ++*count) {
        if (get("bench") != 0) {
            return -EIO;
        }
    }
    return 0;
}

static void
measure_many(void)
{
    cop_future *futures[CALLERS];
    size_t counts[CALLERS], sum = 0;
    for (int i = 0; i < CALLERS; i++) {
        futures[i] = cop_async(hit_all_the_time, .result_size = sizeof(size_t));
    }
    if (cop_await_all(futures, CALLERS, counts, sizeof *counts, COP_FOREVER) == 0) {
        for (int i = 0; i < CALLERS; i++) {
            sum += counts[i];
        }
    }
    printf("%-18s %8.0f/s\n", "hit, 16 callers", (double)sum / ((double)span / 1e9));
    for (int i = 0; i < CALLERS; i++) {
        cop_future_release(futures[i]);
    }
}

int
main(int argc, char **argv)
{
    const char *address = argc > 1 ? argv[1] : "";
    cop_pid tree;
    span = argc > 2 ? COP_SEC(strtod(argv[2], NULL)) : span;
    bare = strncmp(address, "unix:", 5) == 0 ? redisConnectUnix(address + 5)
                                             : redisConnect("127.0.0.1", 6379);
    if (!bare || bare->err
        || cop_supervisor_start(
            &tree, &(cop_supervisor_spec){COP_CHILDREN(cop_redis_spec(.address = address))})
        || cop_shared_new(&shared) || get("bench")) {
        (void)fprintf(stderr, "usage: peer_redis_bench unix:PATH|127.0.0.1:6379 [SECONDS]\n");
        return 2;
    }
    measure("bare GET", bare_get);
    measure("hit", hit);
    measure("miss", miss);
    measure_many();
    redisFree(bare);
    cop_shared_free(shared);
    (void)cop_supervisor_stop(tree, COP_SEC(5));
    return cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
