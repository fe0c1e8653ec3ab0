/*
 * actors/durable/redis_flow.c - a key that is not in the cache: who computes it, and who waits.
 *
 * Room: actors/durable/, libcoppice-redis. A process of its own, one for all in this program who wait for the key.
 * Touch freely: nothing. Ask first: the order.
 *
 * Who calls has looked (GET), and found nothing. Then:
 *
 *   1 acquire    the result is there after all: that is it. The lock was free: compute (redis_hold.c). It is held:
 *   2 subscribe  and wait until that is confirmed
 *   3 acquire    again: what was settled or released between the first look and the confirmation was said to
 *                nobody; from here on whatever happens is heard
 *   4 wait       for news, or for the holder's time to be over, or for the next poll, whichever is first; and 3
 *
 * News is a hint, and is not read: only acquire tells what is. News that is lost costs a poll; a server that
 * loses the subscription, or a connection that does, the same. Who subscribes first and then looks
 * would pay a round trip more for every miss that nobody else computes, and those are the many.
 *
 * After a lock was lost the next has another token. The same question twice is answered with the same lock, and
 * answers that are lost are the client's affair.
 *
 * The end: an outcome. Or everybody has left, and the context is cancelled: the lock is given back, also one of
 * which nothing is known, because the answer was not waited for.
 */
#include "actors/durable/redis_flow.h"

#include "actors/durable/redis.h"

#include <stdlib.h>

#define EPOCH_TTL_MS INT64_C(86400000)

void
copi_redis_trace(const struct copi_redis_flow *flow, const char *step)
{
    if (flow->job->opts.trace) {
        flow->job->opts.trace(step, flow->job->opts.trace_env);
    }
}

/* ---------------------------------------------------------------- questions */

static int
acquire(const struct copi_redis_flow *flow, cop_msg *reply)
{
    struct copi_redis_number ttl = {{0}}, epoch_ttl = {{0}};
    const struct copi_redis_names *names = &flow->names;
    const cop_bytes words[] = {
        names->lock,
        names->value,
        names->epoch,
        {flow->token.text, COPI_REDIS_TOKEN},
        copi_redis_number(&ttl, flow->job->opts.lock_ttl / COP_MS(1)),
        copi_redis_number(&epoch_ttl, EPOCH_TTL_MS),
    };
    return copi_redis_ask(flow->job->opts.redis, COPI_REDIS_ACQUIRE, words, 6, COP_FOREVER, reply);
}

/* What comes of it is nobody's concern: then there is the poll. */
static void
subscribe(struct copi_redis_flow *flow)
{
    struct copi_redis_interest interest = {.until = cop_now() + flow->job->opts.poll,
                                           .size = flow->names.channel.size};
    cop_msg reply;
    memcpy(interest.name, flow->names.channel.data, interest.size);
    int r = cop_call_any(flow->job->opts.redis, COP_MSG_OF(COPI_REDIS_SUBSCRIBE, interest), &reply,
                         flow->job->opts.poll);
    if (r == 0) {
        cop_msg_release(&reply);
    }
    flow->has_subscribed = true;
}

static void
wait_for_news(int64_t left_ms, cop_time poll)
{
    cop_msg news;
    int r = cop_receive(&news, copi_redis_lease_wait(left_ms, poll, (uint32_t)cop_random()));
    while (r == 0) {
        r = cop_receive(&news, 0); /* all of it is answered by one look */
    }
}

/* ---------------------------------------------------------------- rounds */

/* Every look that finds the lock held ends here. */
static void
wait_for_holder(struct copi_redis_flow *flow, int64_t left_ms)
{
    if (flow->has_subscribed) {
        wait_for_news(left_ms, flow->job->opts.poll);
        return;
    }
    copi_redis_trace(flow, "looked");
    subscribe(flow);
    copi_redis_trace(flow, "subscribed");
}

static void
give_lock_back(struct copi_redis_flow *flow)
{
    const cop_bytes words[] = {
        flow->names.lock, {flow->token.text, COPI_REDIS_TOKEN}, flow->names.channel};
    if (flow->may_hold) {
        copi_redis_tell(flow->job->opts.redis, COPI_REDIS_RELEASE, words, 3);
    }
    flow->may_hold = false;
}

static bool
begin_to_hold(struct copi_redis_flow *flow, cop_time sent, int64_t number)
{
    flow->number = (uint64_t)number;
    flow->is_lost = false;
    copi_redis_lease_begin(&flow->lease, flow->job->opts.lock_ttl, sent);
    copi_redis_trace(flow, "locked");
    bool is_over = copi_redis_hold(flow);
    if (is_over) {
        flow->may_hold = flow->out.code != 0; /* it may be that nobody could be told */
    } else {
        give_lock_back(flow);
        flow->token = copi_redis_token_new();
    }
    return is_over;
}

/* There is no answer to be had, but the end. false: because nobody waits any more. */
static bool
give_up(struct copi_redis_flow *flow, int r, const struct copi_redis_answer *answer)
{
    if (cop_cancelled() != 0) {
        return false;
    }
    if (copi_redis_is_gone(r) && flow->has_value && flow->job->opts.alone_if_gone) {
        flow->out = flow->value;
        flow->value.data = NULL;
    } else if (copi_redis_is_gone(r) && flow->job->opts.alone_if_gone) {
        copi_redis_compute_alone(flow);
    } else {
        copi_redis_fail(&flow->out, r, copi_redis_words(answer));
    }
    return true;
}

enum {
    HELD, /* by another */
    TAKEN,
    SETTLED,
};

/* One look, and what follows. true: there is an outcome. */
static bool
look(struct copi_redis_flow *flow)
{
    cop_msg reply;
    flow->may_hold = true;
    int r = acquire(flow, &reply);
    const struct copi_redis_answer *answer = copi_redis_answer_of(&reply);
    bool is_over = r && give_up(flow, r, answer);
    int64_t what = r ? HELD : answer->number, more = r ? 0 : answer->left;
    cop_time sent = r ? 0 : answer->sent;
    if (what == SETTLED) {
        copi_redis_take_record(&flow->out, (cop_bytes){answer->bytes, answer->size});
        is_over = true;
    }
    flow->may_hold = r != 0 || what == TAKEN;
    cop_msg_release(&reply);
    if (r || is_over) {
        return is_over;
    }
    if (what == TAKEN) {
        return begin_to_hold(flow, sent, more);
    }
    wait_for_holder(flow, more);
    return false;
}

/* ---------------------------------------------------------------- the task */

static void
leave(void *arg)
{
    struct copi_redis_flow *flow = arg;
    if (flow->has_subscribed) {
        cop_cast(flow->job->opts.redis,
                 (cop_msg){.tag = COPI_REDIS_LEAVE, .body = flow->names.channel});
    }
    give_lock_back(flow);
    free(flow->value.data);
    free(flow);
}

static int
run(struct copi_redis_flow *flow)
{
    if (flow->job->is_gone) {
        copi_redis_compute_alone(flow);
        return 0;
    }
    bool is_over = false;
    int r = 0;
    while (!is_over && (r = cop_cancelled()) == 0) {
        is_over = look(flow);
    }
    return is_over ? 0 : r;
}

int
copi_redis_flow(cop_bytes arg, void *result)
{
    struct copi_redis_flow *flow = calloc(1, sizeof *flow);
    if (!flow) {
        return -ENOMEM;
    }
    flow->job = arg.data;
    flow->token = copi_redis_token_new();
    const char *key = (const char *)arg.data + sizeof *flow->job + flow->job->arg;
    copi_redis_names(&flow->names, key, flow->job->key);
    int r = cop_defer(leave, flow);
    if (r) {
        free(flow);
        return r;
    }
    r = run(flow);
    if (r == 0) {
        memcpy(result, &flow->out, sizeof flow->out);
    }
    return r; /* what is deferred runs now */
}
