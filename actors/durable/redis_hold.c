/*
 * actors/durable/redis_hold.c - the lock was taken: compute, keep the lock meanwhile, settle.
 *
 * Room: actors/durable/, libcoppice-redis. The flow's process; the computation's is another.
 * Touch freely: nothing. Ask first: when the lock counts as lost.
 *
 * The computation is a task in a context of its own below the flow's. So it is asked to stop when nobody waits
 * any more, without anything being done for that here; and, by its own context, when the lock is lost:
 *
 *   the server says so           a renewal finds another's token, or none
 *   nobody says anything         until a tenth before the end of what was last renewed, counted from when that
 *                                was sent: from then on another may be computing
 *
 * The lock is kept until the computation has ended, also when it was asked to stop because nobody waits: two
 * at a time is what the lock is there to prevent. So this process waits in a context of no end.
 *
 * What the task returns is offered to the server, whatever we believe of the lock: the server knows who took it
 * last. Taken: it is the result, for all. Refused with another's result: that is the result. Refused because
 * another computes: the value is kept, and offered again under a lock of our own, should we ever get it.
 *
 * A failure is stored if that was asked for; else the lock is given back, and whoever waits elsewhere computes. What
 * ended because the lock was lost is no failure: it is as if it had not begun.
 */
#include "actors/durable/redis_flow.h"

#include <stdlib.h>

/* ---------------------------------------------------------------- the computation */

/* What its task gets; the argument follows. */
struct work {
    cop_task_fn compute;
    uint64_t number;
};

static const char number_key; /* its address */

uint64_t
cop_shared_number(void)
{
    const uint64_t *number = cop_get(&number_key);
    return number ? *number : 0;
}

static int
compute(cop_bytes arg, void *result)
{
    const struct work *work = arg.data;
    union {
        const uint64_t *in;
        void *out;
    } number = {.in = &work->number};
    int r = cop_put(&number_key, number.out, NULL);
    return r ? r : work->compute((cop_bytes){work + 1, arg.size - sizeof *work}, result);
}

/* In a context. */
static cop_future *
start(const struct copi_redis_flow *flow)
{
    size_t size = sizeof(struct work) + flow->job->arg;
    struct work *work = malloc(size);
    if (!work) {
        return NULL;
    }
    *work = (struct work){flow->job->compute, flow->number};
    memcpy(work + 1, flow->job + 1, flow->job->arg);
    cop_future *task = cop_async(compute, .arg = {work, size}, .result_size = COP_ANY);
    free(work);
    return task;
}

/* Its end, as an outcome. */
static void
take_end(struct copi_redis_outcome *out, cop_future *task)
{
    cop_reason why = COP_REASON_NORMAL;
    cop_bytes value = {0};
    int r = cop_future_state(task, &why);
    r = r ? r : cop_await_bytes(task, &value, 0);
    if (r) {
        copi_redis_fail(out, r, why.text);
    } else if (value.size > COP_SHARED_RESULT_MAX) {
        copi_redis_fail(out, -EMSGSIZE, "the result is too long to be shared");
    } else {
        copi_redis_succeed(out, value);
    }
}

/* ---------------------------------------------------------------- keeping the lock */

static void
lose(struct copi_redis_flow *flow, cop_context *context)
{
    flow->is_lost = true;
    cop_context_cancel(context, cop_failed(-ESTALE, "the lock is lost"));
}

static void
renew(struct copi_redis_flow *flow, cop_context *context)
{
    struct copi_redis_number ttl = {{0}};
    const cop_bytes words[] = {flow->names.lock,
                               {flow->token.text, COPI_REDIS_TOKEN},
                               copi_redis_number(&ttl, flow->lease.ttl / COP_MS(1))};
    cop_msg reply;
    cop_time sent = cop_now();
    int r = copi_redis_ask(flow->job->opts.redis, COPI_REDIS_RENEW, words, 3,
                           flow->lease.trust_until, &reply);
    if (r) {
        copi_redis_lease_missed(&flow->lease, cop_now());
    } else if (copi_redis_answer_of(&reply)->number == 1) {
        copi_redis_lease_begin(&flow->lease, flow->lease.ttl, sent);
    } else {
        lose(flow, context);
    }
    cop_msg_release(&reply);
}

static void
keep(struct copi_redis_flow *flow, cop_context *context)
{
    cop_time now = cop_now();
    if (now >= flow->lease.trust_until) {
        lose(flow, context);
    } else if (now >= flow->lease.renew_at) {
        renew(flow, context);
    }
}

static cop_time
until_next_deed(const struct copi_redis_flow *flow)
{
    const struct copi_redis_lease *lease = &flow->lease;
    cop_time when = lease->renew_at < lease->trust_until ? lease->renew_at : lease->trust_until;
    cop_time left = when - cop_now();
    return flow->is_lost ? COP_FOREVER : left > 0 ? left : 0;
}

/* Until it has ended. -ECANCELED: we are to end, at once. */
static int
watch_over(struct copi_redis_flow *flow, cop_future *task, cop_context *context)
{
    cop_bytes value;
    while (cop_future_state(task, NULL) == -EINPROGRESS) {
        int r = cop_await_bytes(task, &value, until_next_deed(flow));
        if (cop_future_state(task, NULL) != -EINPROGRESS) {
            break;
        }
        if (r == -ECANCELED) {
            return r;
        }
        if (r == -EDEADLK) { /* it has asked for its own key while we were with the server */
            cop_context_cancel(context, cop_failed(r, "it waits for itself"));
        }
        if (r != -ETIMEDOUT) {
            cop_sleep(COP_MS(1)); /* are we to end, the next wait says so, too */
        }
        if (!flow->is_lost) {
            keep(flow, context);
        }
    }
    return 0;
}

/* Not to be cancelled while we hold it. */
static int
watch_over_to_the_end(struct copi_redis_flow *flow, cop_future *task, cop_context *context)
{
    cop_context *endless = cop_context_detached(COP_FOREVER);
    int r = endless ? cop_context_enter(endless) : -ENOMEM;
    if (r == 0) {
        r = watch_over(flow, task, context);
        cop_context_leave(endless);
    }
    cop_context_free(endless);
    return r;
}

/* ---------------------------------------------------------------- the end */

static void
release(const struct copi_redis_flow *flow)
{
    const cop_bytes words[] = {
        flow->names.lock, {flow->token.text, COPI_REDIS_TOKEN}, flow->names.channel};
    cop_msg reply;
    copi_redis_ask(flow->job->opts.redis, COPI_REDIS_RELEASE, words, 3, COP_FOREVER, &reply);
    cop_msg_release(&reply);
    copi_redis_trace(flow, "released");
}

static int
ask_to_settle(const struct copi_redis_flow *flow, const struct copi_redis_outcome *end,
              cop_msg *reply)
{
    const struct copi_redis_record record = {
        .code = end->code,
        .token = flow->token,
        .body = end->code ? COP_TEXT(end->words) : (cop_bytes){end->data, end->size},
    };
    struct copi_redis_number ttl = {{0}};
    const cop_shared_opts *opts = &flow->job->opts;
    size_t size = 0;
    void *stored = copi_redis_record_write(&record, &size);
    *reply = (cop_msg){0};
    if (!stored) {
        return -ENOMEM;
    }
    const cop_bytes words[] = {
        flow->names.lock,
        flow->names.value,
        flow->names.epoch,
        {flow->token.text, COPI_REDIS_TOKEN},
        {stored, size},
        copi_redis_number(&ttl, (end->code ? opts->negative_ttl : opts->ttl) / COP_MS(1)),
        flow->names.channel,
    };
    int r = copi_redis_ask(opts->redis, COPI_REDIS_SETTLE, words, 7, COP_FOREVER, reply);
    free(stored);
    return r;
}

/* Takes `end`. false: it was refused, and a value is kept. */
static bool
settle(struct copi_redis_flow *flow, struct copi_redis_outcome *end)
{
    cop_msg reply;
    int r = ask_to_settle(flow, end, &reply);
    const struct copi_redis_answer *answer = copi_redis_answer_of(&reply);
    bool is_refused = false, is_anothers = r == 0 && answer->number == 2;
    if (r && !(copi_redis_is_gone(r) && flow->job->opts.alone_if_gone)) {
        copi_redis_fail(&flow->out, r, copi_redis_words(answer));
    } else if (is_anothers) { /* or our own: the answer before was lost */
        copi_redis_take_record(&flow->out, (cop_bytes){answer->bytes, answer->size});
    } else if (r == 0 && answer->number == 0 && end->code == 0) {
        is_refused = true;
    } else {
        flow->out = *end;
        end->data = NULL;
    }
    cop_msg_release(&reply);
    copi_redis_trace(flow, is_refused ? "fenced" : "settled");
    if (is_refused) {
        flow->has_value = true;
        flow->value = *end;
    } else {
        free(end->data);
    }
    return !is_refused;
}

/* What becomes of it. false: it is as if it had not begun. */
static bool
conclude(struct copi_redis_flow *flow, struct copi_redis_outcome *end)
{
    if (end->code && flow->is_lost && end->code == -ECANCELED) {
        return false;
    }
    if (end->code == 0 || flow->job->opts.negative_ttl > 0) {
        return settle(flow, end);
    }
    release(flow);
    flow->out = *end;
    return true;
}

/* NULL: out of memory. */
static cop_future *
start_in(const struct copi_redis_flow *flow, cop_context *context)
{
    if (cop_context_enter(context) != 0) {
        return NULL;
    }
    cop_future *task = start(flow);
    cop_context_leave(context);
    return task;
}

static bool
compute_and_conclude(struct copi_redis_flow *flow, cop_context *context)
{
    struct copi_redis_outcome end;
    cop_future *task = start_in(flow, context);
    int r = task ? watch_over_to_the_end(flow, task, context) : -ENOMEM;
    if (r == 0) {
        take_end(&end, task);
    }
    cop_future_release(task);
    if (r) {
        cop_context_cancel(context, COP_REASON_SHUTDOWN); /* we do not watch it any more */
    }
    if (r == -ENOMEM) {
        copi_redis_fail(&flow->out, r, "");
        return true;
    }
    if (r) {
        return false;
    }
    copi_redis_trace(flow, "computed");
    return conclude(flow, &end);
}

bool
copi_redis_hold(struct copi_redis_flow *flow)
{
    if (flow->has_value) {
        struct copi_redis_outcome value = flow->value;
        flow->has_value = false;
        flow->value.data = NULL;
        return settle(flow, &value);
    }
    cop_context *context = cop_context_new(COP_FOREVER);
    if (!context) {
        copi_redis_fail(&flow->out, -ENOMEM, "");
        return true;
    }
    bool is_over = compute_and_conclude(flow, context);
    cop_context_free(context);
    return is_over;
}

void
copi_redis_compute_alone(struct copi_redis_flow *flow)
{
    cop_bytes value;
    flow->number = 0;
    cop_future *task = start(flow);
    int r = task ? cop_await_bytes(task, &value, COP_FOREVER) : -ENOMEM;
    if (task && cop_future_state(task, NULL) != -EINPROGRESS) {
        take_end(&flow->out, task);
    } else {
        copi_redis_fail(&flow->out, r,
                        ""); /* its context is ours: it has been asked to stop, too */
    }
    cop_future_release(task);
}
