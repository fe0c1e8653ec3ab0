/*
 * actors/durable/worker_held.c - the leases that a worker has, and the jobs that it has them for.
 *
 * Room: actors/durable/. The worker's process.
 * Ask first: when trust in a lease ends; what a stop gives back.
 *
 * A lease is renewed at a third of its time, all of them at once, so that the store has the renewals in one batch. It
 * is trusted until its last good renewal, counted from before that was sent, says so; then the job's context is
 * cancelled with -ESTALE. So it is when a renewal is refused. The job has its place until its task has ended,
 * whatever became of the lease: no worker computes more at a time than it has places.
 *
 * A stop: every job's context is cancelled, and they have .grace to return. Then every lease that was not settled is
 * released, also those whose function has not returned: what it says later is refused, because nobody owns the
 * lease any more. They end with the worker, to which they are linked.
 */
#include "actors/durable/worker.h"
#include "runtime/alloc.h"

#include <errno.h>
#include <stdlib.h>

struct copi_held {
    struct copi_held *next;
    cop_future *task;    /* held */
    cop_future *renewal; /* held; NULL: none is under way */
    cop_ref ended, renewed;
    cop_context *context;
    cop_time asked;         /* when the renewal was */
    cop_time trusted_until; /* COP_FOREVER: it was cancelled */
    uint64_t epoch;
    cop_owner owner;
    char id[];
};

/* ---------------------------------------------------------------- taking them on */

static cop_store_op
fenced(const struct copi_held *held, cop_store_kind kind)
{
    return (cop_store_op){
        .kind = kind,
        .id = held->id,
        .epoch = held->epoch,
        .owner = held->owner,
    };
}

static void
free_held(struct copi_held *held)
{
    cop_future_release(held->task);
    cop_future_release(held->renewal);
    cop_context_free(held->context);
    free(held);
}

static struct copi_held *
new_held(const cop_durable_record *record, cop_time trusted_until)
{
    size_t size = strlen(record->id) + 1;
    struct copi_held *held = copi_zalloc(sizeof *held + size);
    cop_context *context = cop_context_new(COP_FOREVER);
    if (!held || !context) {
        cop_context_free(context);
        free(held);
        return NULL;
    }
    memcpy(held->id, record->id, size);
    held->epoch = record->epoch;
    held->owner = record->owner;
    held->trusted_until = trusted_until;
    held->context = context;
    return held;
}

void
copi_worker_give_back(struct copi_worker *worker, const cop_durable_record *record)
{
    cop_store_op op = {
        .kind = COP_STORE_RELEASE,
        .id = record->id,
        .epoch = record->epoch,
        .owner = record->owner,
    };
    worker->counts.released++;
    (void)copi_ask_post(copi_worker_store(worker), &op);
}

/* Why it could not be started; one that has crashed already could. */
static int
start_error(cop_future *task)
{
    return cop_pid_eq(cop_future_pid(task), COP_NOBODY) ? cop_future_state(task, NULL) : 0;
}

int
copi_worker_hold(struct copi_worker *worker, const cop_durable_record *record)
{
    cop_time trust = copi_lease_trust(worker->opts.ttl, record->lease_left);
    struct copi_held *held = new_held(record, worker->asked + trust);
    if (!held) {
        return -ENOMEM;
    }
    held->task = copi_job_start(&worker->opts, record, held->context);
    int error = held->task ? start_error(held->task) : -ENOMEM;
    held->ended = error ? (cop_ref){0} : cop_future_notify(held->task, COPI_WORKER_ENDED);
    if (!held->ended.id) {
        cop_context_cancel(held->context, cop_failed(-ESTALE, "no_memory"));
        free_held(held);
        return error ? error : -ENOMEM;
    }
    held->next = worker->held;
    worker->held = held;
    worker->counts.held++;
    return 0;
}

static void
distrust(struct copi_worker *worker, struct copi_held *held)
{
    if (held->trusted_until != COP_FOREVER) {
        held->trusted_until = COP_FOREVER;
        worker->counts.stale++;
        cop_context_cancel(held->context, cop_failed(-ESTALE, "lease_lost"));
    }
}

/* ---------------------------------------------------------------- renewing */

void
copi_worker_renew(struct copi_worker *worker, cop_time now)
{
    worker->renew_at = now + copi_lease_renewal(worker->opts.ttl);
    for (struct copi_held *held = worker->held; held; held = held->next) {
        if (held->renewal || held->trusted_until == COP_FOREVER) {
            continue;
        }
        cop_store_op op = fenced(held, COP_STORE_RENEW);
        op.time = worker->opts.ttl;
        held->asked = now;
        held->renewal = copi_worker_ask(worker, &op, COPI_WORKER_RENEWED, &held->renewed);
    }
}

static bool
is_lost(int error)
{
    return error == -ESTALE || error == -EALREADY || error == -ENOENT;
}

static void
end_renewal(struct copi_worker *worker, struct copi_held *held, int code)
{
    const struct copi_ask *answer = copi_ask_of(held->renewal);
    if (is_lost(code)) {
        distrust(worker, held);
    } else if (code == 0 && answer && held->trusted_until != COP_FOREVER) {
        held->trusted_until = held->asked + copi_lease_trust(worker->opts.ttl, answer->op.left);
    }
    cop_future_release(held->renewal);
    held->renewal = NULL;
}

void
copi_worker_distrust(struct copi_worker *worker, cop_time now)
{
    for (struct copi_held *held = worker->held; held; held = held->next) {
        if (held->trusted_until <= now) {
            distrust(worker, held);
        }
    }
}

cop_time
copi_worker_trusted_until(const struct copi_worker *worker)
{
    cop_time first = COP_FOREVER;
    for (const struct copi_held *held = worker->held; held; held = held->next) {
        first = held->trusted_until < first ? held->trusted_until : first;
    }
    return first;
}

/* ---------------------------------------------------------------- ends of jobs */

static enum copi_job_end
end_of(struct copi_held *held)
{
    enum copi_job_end end;
    return cop_await(held->task, &end, sizeof end, 0) == 0 ? end : COPI_JOB_CRASHED;
}

static void
count_end(struct copi_worker *worker, const struct copi_held *held, enum copi_job_end end)
{
    bool was_stale = held->trusted_until == COP_FOREVER; /* and counted */
    switch (end) {
    case COPI_JOB_SETTLED:
        worker->counts.settled++;
        break;
    case COPI_JOB_CRASHED:
        worker->counts.crashed++;
        break;
    case COPI_JOB_STALE:
        worker->counts.stale += !was_stale;
        break;
    case COPI_JOB_UNFINISHED:
        break;
    }
}

static void
release(struct copi_worker *worker, struct copi_held *held)
{
    cop_store_op op = fenced(held, COP_STORE_RELEASE);
    worker->counts.released++;
    (void)copi_ask_post(copi_worker_store(worker), &op);
}

static void
end_job(struct copi_worker *worker, struct copi_held *held)
{
    enum copi_job_end end = end_of(held);
    count_end(worker, held, end);
    if (end == COPI_JOB_UNFINISHED && held->trusted_until != COP_FOREVER) {
        release(worker, held);
    }
    worker->counts.held--;
}

static struct copi_held **
find(struct copi_worker *worker, uint32_t tag, cop_ref ref)
{
    for (struct copi_held **at = &worker->held; *at; at = &(*at)->next) {
        cop_ref its = tag == COPI_WORKER_ENDED ? (*at)->ended : (*at)->renewed;
        if (its.id == ref.id) {
            return at;
        }
    }
    return NULL;
}

void
copi_worker_heard(struct copi_worker *worker, uint32_t tag, const struct cop_settled *settled)
{
    struct copi_held **at = find(worker, tag, settled->ref), *held = at ? *at : NULL;
    if (held && tag == COPI_WORKER_RENEWED && held->renewal) {
        end_renewal(worker, held, settled->code);
    } else if (held && tag == COPI_WORKER_ENDED) {
        *at = held->next;
        end_job(worker, held);
        free_held(held);
    }
}

/* ---------------------------------------------------------------- stopping */

static void
await_all(struct copi_worker *worker)
{
    cop_time until = cop_now() + worker->opts.grace;
    for (struct copi_held *held = worker->held; held; held = held->next) {
        cop_time now = cop_now();
        (void)cop_await_bytes(held->task, &(cop_bytes){0}, until > now ? until - now : 0);
    }
}

/* Asked all at once, and then waited for: the store has them in one batch. */
static void
release_all(struct copi_worker *worker)
{
    for (struct copi_held *held = worker->held; held; held = held->next) {
        cop_future_release(held->renewal);
        held->renewal = NULL;
        int state = cop_future_state(held->task, NULL);
        enum copi_job_end end = state == -EINPROGRESS ? COPI_JOB_UNFINISHED : end_of(held);
        if (end == COPI_JOB_UNFINISHED) {
            cop_store_op op = fenced(held, COP_STORE_RELEASE);
            held->renewal = copi_ask(copi_worker_store(worker), &op, &(struct copi_ask_opts){0});
        }
    }
    for (struct copi_held *held = worker->held; held; held = held->next) {
        if (held->renewal) {
            (void)cop_await_bytes(held->renewal, &(cop_bytes){0}, worker->opts.grace);
        }
    }
}

void
copi_worker_stop_jobs(struct copi_worker *worker)
{
    for (struct copi_held *held = worker->held; held; held = held->next) {
        cop_context_cancel(held->context, COP_REASON_SHUTDOWN);
    }
    await_all(worker);
    release_all(worker);
}

void
copi_worker_let_go(struct copi_worker *worker)
{
    while (worker->held) {
        struct copi_held *held = worker->held;
        worker->held = held->next;
        free_held(held);
    }
}
