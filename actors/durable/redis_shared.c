/*
 * actors/durable/redis_shared.c - results that are shared: what users call.
 *
 * Room: actors/durable/, libcoppice-redis. Any process.
 * Touch freely: the limits. Ask first: that a hit costs one question.
 *
 * Who asks looks first, by himself: most find it. Who does not, joins the flight of that key (coppice/flight.h),
 * whose one computation for all who join is redis_flow.c: it waits, or computes, and has a context that ends when
 * the last of them has left. It fails by itself only when it is cancelled; else its result is an outcome, of which each
 * takes a share: a failure's words, too.
 */
#include "actors/durable/redis_flow.h"

#include <stdio.h>
#include <stdlib.h>

#define LONGEST_TIME COP_SEC(10 * INT64_C(365) * 86400)

struct cop_shared {
    cop_shared_opts opts; /* filled in */
    cop_flight *flight;
};

/* ---------------------------------------------------------------- a handle */

static cop_time
or_else(cop_time time, cop_time otherwise)
{
    return time ? time : otherwise;
}

static void
fill_in(cop_shared_opts *opts)
{
    opts->redis = opts->redis.id ? opts->redis : cop_named("coppice_redis");
    opts->ttl = or_else(opts->ttl, COP_SEC(60));
    opts->lock_ttl = or_else(opts->lock_ttl, COP_SEC(10));
    opts->poll = or_else(opts->poll, COP_SEC(1));
}

static bool
is_between(cop_time time, cop_time least)
{
    return time >= least && time <= LONGEST_TIME;
}

/* Who only polls must find what was stored. */
static bool
is_valid(const cop_shared_opts *opts)
{
    return is_between(opts->poll, COP_MS(1)) && is_between(opts->lock_ttl, COP_MS(100))
           && is_between(opts->ttl, 2 * opts->poll)
           && (opts->negative_ttl == 0 || is_between(opts->negative_ttl, 2 * opts->poll));
}

/* In the process of who gets it: it is his memory. */
static int
share(const void *result, void *out)
{
    const struct copi_redis_outcome *one = result;
    struct copi_redis_outcome *own = out;
    *own = *one;
    own->data = NULL;
    if (one->code) {
        return 0;
    }
    own->data = cop_alloc(one->size + 1);
    if (!own->data) {
        return -ENOMEM;
    }
    memcpy(own->data, one->data, one->size);
    return 0;
}

static void
drop(void *result)
{
    free(((struct copi_redis_outcome *)result)->data);
}

int
cop_shared_new_with(cop_shared **out, const cop_shared_opts *opts)
{
    static const cop_flight_opts flight_opts = {
        .result_size = sizeof(struct copi_redis_outcome), .share = share, .drop = drop};
    cop_shared_opts filled = {0};
    if (opts) {
        memcpy(&filled, opts, opts->size < sizeof filled ? opts->size : sizeof filled);
    }
    fill_in(&filled);
    if (!is_valid(&filled)) {
        return -EINVAL;
    }
    cop_shared *shared = malloc(sizeof *shared);
    cop_flight *flight = shared ? cop_flight_new_with(&flight_opts) : NULL;
    if (!flight) {
        free(shared);
        return -ENOMEM;
    }
    *shared = (cop_shared){filled, flight};
    *out = shared;
    return 0;
}

void
cop_shared_free(cop_shared *shared)
{
    if (shared) {
        cop_flight_free(shared->flight);
        free(shared);
    }
}

/* ---------------------------------------------------------------- outcomes */

/* With words in cop_why(): only what is awaited has any. */
static int
fail_with(int code, const char *words)
{
    cop_future *future;
    cop_resolver *resolver;
    if (cop_promise_new(&future, &resolver, 0) != 0) {
        return code;
    }
    bool was_shielded = cop_shield(true);
    cop_reject(resolver, cop_failed(code, "%s", words));
    cop_resolver_free(resolver);
    cop_await(future, NULL, 0, 0);
    cop_future_release(future);
    cop_shield(was_shielded);
    return code;
}

/* A share is the caller's own memory. */
static int
give(const struct copi_redis_outcome *outcome, cop_msg *value)
{
    if (outcome->code) {
        return fail_with(outcome->code, outcome->words);
    }
    *value = (cop_msg){.body = {outcome->data, outcome->size}, .drop = cop_free};
    return 0;
}

static int
give_record(const struct copi_redis_answer *answer, cop_msg *value)
{
    struct copi_redis_outcome stored, own;
    copi_redis_take_record(&stored, (cop_bytes){answer->bytes, answer->size});
    int r = share(&stored, &own);
    drop(&stored);
    return r ? fail_with(r, "") : give(&own, value);
}

/* ---------------------------------------------------------------- asking */

static void
release(void *reply)
{
    cop_msg_release(reply);
}

/* One question; 1: it is there, and given. 0: it is not. */
static int
peek(const cop_shared *shared, const char *key, size_t size, cop_msg *value, cop_time until)
{
    struct copi_redis_names names;
    cop_msg reply = {0};
    copi_redis_names(&names, key, size);
    const cop_bytes words[] = {COP_TEXT("GET"), names.value};
    int r = copi_redis_ask(shared->opts.redis, COPI_REDIS_PLAIN, words, 2, until, &reply);
    const struct copi_redis_answer *answer = copi_redis_answer_of(&reply);
    if (r) {
        r = fail_with(r, copi_redis_words(answer));
    } else if (answer->number) {
        r = give_record(answer, value);
        r = r ? r : 1;
    }
    release(&reply);
    return r;
}

static int
fly(const cop_shared *shared, const char *key, const struct copi_redis_job *job, cop_bytes arg,
    cop_msg *value, cop_time until)
{
    struct copi_redis_outcome outcome;
    size_t size = sizeof *job + arg.size + job->key;
    char *block = cop_alloc(size);
    if (!block) {
        return fail_with(-ENOMEM, "");
    }
    memcpy(block, job, sizeof *job);
    if (arg.size > 0) {
        memcpy(block + sizeof *job, arg.data, arg.size);
    }
    memcpy(block + sizeof *job + arg.size, key, job->key);
    cop_time now = cop_now(), left = until == COP_FOREVER ? until : until > now ? until - now : 0;
    int r = cop_flight_do(shared->flight, key, copi_redis_flow, (cop_bytes){block, size}, &outcome,
                          NULL, left);
    cop_free(block);
    return r ? r : give(&outcome, value);
}

static bool
is_key(const char *key)
{
    size_t size = key ? strnlen(key, COP_SHARED_KEY_MAX + 1) : 0;
    return size > 0 && size <= COP_SHARED_KEY_MAX;
}

static cop_time
until_of(cop_time timeout)
{
    cop_time now = cop_now();
    return timeout > COP_FOREVER - now ? COP_FOREVER : now + timeout;
}

int
cop_shared_get(cop_shared *shared, const char *key, cop_task_fn compute, cop_bytes arg,
               cop_msg *value, cop_time timeout)
{
    if (!shared || !is_key(key) || !compute || timeout < 0 || (arg.size > 0 && !arg.data)) {
        return fail_with(-EINVAL, "");
    }
    struct copi_redis_job job = {
        .opts = shared->opts, .compute = compute, .arg = arg.size, .key = strlen(key)};
    cop_time until = until_of(timeout);
    int r = peek(shared, key, job.key, value, until);
    job.is_gone = copi_redis_is_gone(r) && shared->opts.alone_if_gone;
    if (r == 0 || job.is_gone) {
        return fly(shared, key, &job, arg, value, until);
    }
    return r > 0 ? 0 : r;
}

int
cop_shared_forget(cop_shared *shared, const char *key, cop_time timeout)
{
    struct copi_redis_names names;
    cop_msg reply = {0};
    if (!shared || !is_key(key) || timeout < 0) {
        return fail_with(-EINVAL, "");
    }
    copi_redis_names(&names, key, strlen(key));
    const cop_bytes words[] = {COP_TEXT("DEL"), names.value};
    int r =
        copi_redis_ask(shared->opts.redis, COPI_REDIS_PLAIN, words, 2, until_of(timeout), &reply);
    const struct copi_redis_answer *answer = copi_redis_answer_of(&reply);
    r = r ? fail_with(r, copi_redis_words(answer)) : 0;
    cop_msg_release(&reply);
    return r;
}

/* ---------------------------------------------------------------- as a future */

/* The argument follows, and then the key. */
struct order {
    cop_shared *shared;
    cop_task_fn compute;
    cop_time until;
    size_t arg;
};

static int
get(cop_bytes arg, void *result)
{
    const struct order *order = arg.data;
    const char *bytes = (const char *)(order + 1);
    cop_time now = cop_now(),
             left = order->until == COP_FOREVER ? order->until : order->until - now;
    cop_msg value;
    int r = cop_shared_get(order->shared, bytes + order->arg, order->compute,
                           (cop_bytes){bytes, order->arg}, &value, left > 0 ? left : 0);
    if (r == 0) {
        *(cop_bytes *)result = value.body; /* this process's memory: it is copied */
    }
    return r;
}

cop_future *
cop_shared_start(cop_shared *shared, const char *key, cop_task_fn compute, cop_bytes arg,
                 cop_time timeout)
{
    const char *name = key ? key : "";
    size_t size = sizeof(struct order) + arg.size + strlen(name) + 1;
    struct order *order = cop_alloc(size);
    if (!order) {
        return NULL;
    }
    *order = (struct order){shared, compute, timeout < 0 ? 0 : until_of(timeout), arg.size};
    char *bytes = (char *)(order + 1);
    if (arg.size > 0) {
        memcpy(bytes, arg.data, arg.size);
    }
    memcpy(bytes + arg.size, name, strlen(name) + 1);
    cop_future *future = cop_async(get, .arg = {order, size}, .result_size = COP_ANY);
    cop_free(order);
    return future;
}
