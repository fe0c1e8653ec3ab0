/*
 * actors/durable/worker.c - a worker: takes promises, has them computed, and keeps their leases.
 *
 * Room: actors/durable/. The worker's process, a genserver; cop_worker_wake any thread.
 * Touch freely: the times (worker_times.c). Ask first: when trust in a lease ends; what a stop gives back.
 *
 * The worker itself never waits: it asks the store, and the answers come as messages (cop_future_notify). Three things
 * are under way:
 *
 *   a take      one claim, or one look for leases that are over, for as many as there are free places. The next
 *               begins with a reason: the last one was full, somebody has said that there is work, a place has
 *               become free when there was more than could be taken, or the poll's time has come
 *   renewals    one for each lease, all at once, so that the store has them in one batch; at a third of the lease
 *   jobs        worker_job.c: a task for each lease, which settles it
 *
 * A lease is trusted until its last good renewal, counted from before that was sent, says so; then the job's context is
 * cancelled with -ESTALE. So it is when a renewal is refused. The job has its place until its task has ended,
 * whatever became of the lease: no worker computes more at a time than it has places.
 *
 * Time: each callback ends with the time of what is next to be done, as the server's idle timeout.
 *
 * A stop: no more takes; every job's context is cancelled, and they have .grace to return. Then every lease that was
 * not settled is released, also those whose function has not returned: what it says later is refused, because nobody
 * owns the lease any more. They end with the worker, to which they are linked.
 *
 * Workers that can be woken stand in a list of the program's, under a lock that is held for a few stores and
 * posts.
 */
#include "actors/durable/worker.h"

#include "runtime/alloc.h"
#include "runtime/thread.h"

#include <coppice/genserver.h>
#include <coppice/name.h>
#include <coppice/signal.h>

#include <errno.h>
#include <stdlib.h>

enum message {
    COUNT = 1,
    WAKE,
    TICK,
    TAKEN,
    RENEWED,
    ENDED,
};

#define TTL       COP_SEC(30)
#define TTL_LEAST COP_MS(10)
#define POLL      COP_SEC(1)
#define GRACE     COP_SEC(3)

struct held {
    struct held *next;
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

struct worker {
    cop_worker_opts opts; /* filled in */
    cop_worker_counts counts;
    struct held *held;
    cop_future *take; /* held; NULL: none is under way */
    cop_ref taken;
    cop_time asked;
    bool inherits; /* the take does */
    bool wants;    /* there may be more to claim */
    cop_time claim_at, inherit_at, renew_at;
    /* guarded by the list's lock */
    struct worker *next, **link;
    cop_pid self;
};

/* ---------------------------------------------------------------- who can be woken */

static struct {
    copi_lock lock;
    struct worker *first;
} all = {.lock = COPI_LOCK_INIT};

static void
enter_list(struct worker *worker)
{
    worker->self = cop_self();
    copi_lock_take(&all.lock);
    worker->next = all.first;
    worker->link = &all.first;
    if (worker->next) {
        worker->next->link = &worker->next;
    }
    all.first = worker;
    copi_lock_give(&all.lock);
}

static void
leave_list(struct worker *worker)
{
    copi_lock_take(&all.lock);
    *worker->link = worker->next;
    if (worker->next) {
        worker->next->link = worker->link;
    }
    copi_lock_give(&all.lock);
}

/* A worker that has no memory for the message has its poll. */
void
cop_worker_wake(const char *queue)
{
    copi_lock_take(&all.lock);
    for (struct worker *worker = all.first; worker; worker = worker->next) {
        if (!queue || strcmp(worker->opts.queue, queue) == 0) {
            (void)cop_send(worker->self, COP_TAG(WAKE));
        }
    }
    copi_lock_give(&all.lock);
}

/* ---------------------------------------------------------------- asking */

static cop_pid
store_of(const struct worker *worker)
{
    return cop_named(worker->opts.store);
}

/* A future whose end comes as a message; NULL: not even that could be had. */
static cop_future *
ask(struct worker *worker, const cop_store_op *op, uint32_t tag, cop_ref *ref)
{
    cop_future *answer = copi_ask(store_of(worker), op, &(struct copi_ask_opts){0});
    *ref = answer ? cop_future_notify(answer, tag) : (cop_ref){0};
    if (answer && !ref->id) {
        cop_future_release(answer);
        return NULL;
    }
    return answer;
}

static cop_owner
draw_owner(void)
{
    uint64_t numbers[2] = {copi_random(), copi_random()};
    cop_owner owner;
    memcpy(owner.bytes, numbers, sizeof owner.bytes);
    return owner;
}

/* Half of it at least, and at most one and a half: workers that began together do not stay so. */
static cop_time
around(cop_time pause)
{
    return pause / 2 + (cop_time)(copi_random() % (uint64_t)pause);
}

/* ---------------------------------------------------------------- holding */

static cop_store_op
fenced(const struct held *held, cop_store_kind kind)
{
    return (cop_store_op){
        .kind = kind,
        .id = held->id,
        .epoch = held->epoch,
        .owner = held->owner,
    };
}

static void
free_held(struct held *held)
{
    cop_future_release(held->task);
    cop_future_release(held->renewal);
    cop_context_free(held->context);
    free(held);
}

static struct held *
new_held(const cop_durable_record *record, cop_time trusted_until)
{
    size_t size = strlen(record->id) + 1;
    struct held *held = copi_zalloc(sizeof *held + size);
    if (!held) {
        return NULL;
    }
    memcpy(held->id, record->id, size);
    held->epoch = record->epoch;
    held->owner = record->owner;
    held->trusted_until = trusted_until;
    held->context = cop_context_new(COP_FOREVER);
    if (!held->context) {
        free(held);
        return NULL;
    }
    return held;
}

/* A lease that cannot be worked on is given back; if that is lost, too, it runs out. */
static void
give_back(struct worker *worker, const cop_durable_record *record)
{
    cop_store_op op = {
        .kind = COP_STORE_RELEASE,
        .id = record->id,
        .epoch = record->epoch,
        .owner = record->owner,
    };
    worker->counts.released++;
    (void)copi_ask_post(store_of(worker), &op);
}

/* Why it could not be started; one that has crashed already could. */
static int
start_error(cop_future *task)
{
    return cop_pid_eq(cop_future_pid(task), COP_NOBODY) ? cop_future_state(task, NULL) : 0;
}

/* 0, or an error: it cannot be worked on now. */
static int
hold(struct worker *worker, const cop_durable_record *record)
{
    cop_time trust = copi_lease_trust(worker->opts.ttl, record->lease_left);
    struct held *held = new_held(record, worker->asked + trust);
    if (!held) {
        return -ENOMEM;
    }
    held->task = copi_job_start(&worker->opts, record, held->context);
    int error = held->task ? start_error(held->task) : -ENOMEM;
    held->ended = error ? (cop_ref){0} : cop_future_notify(held->task, ENDED);
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
distrust(struct worker *worker, struct held *held)
{
    if (held->trusted_until != COP_FOREVER) {
        held->trusted_until = COP_FOREVER;
        worker->counts.stale++;
        cop_context_cancel(held->context, cop_failed(-ESTALE, "lease_lost"));
    }
}

/* ---------------------------------------------------------------- taking */

static unsigned
free_places(const struct worker *worker)
{
    return worker->opts.places > worker->counts.held ? worker->opts.places - worker->counts.held
                                                     : 0;
}

static void
take_some(struct worker *worker, bool inherits)
{
    cop_store_op op = {
        .kind = inherits ? COP_STORE_INHERIT : COP_STORE_CLAIM,
        .queue = worker->opts.queue,
        .owner = draw_owner(),
        .time = worker->opts.ttl,
        .limit = free_places(worker),
    };
    worker->asked = cop_now();
    worker->inherits = inherits;
    if (!inherits) {
        worker->wants = false;
        worker->claim_at = worker->asked + around(worker->opts.poll);
    }
    worker->take = ask(worker, &op, TAKEN, &worker->taken);
    if (!worker->take && inherits) {
        worker->inherit_at = worker->asked + worker->opts.poll;
    }
}

static void
begin_take(struct worker *worker, cop_time now)
{
    if (worker->take || free_places(worker) == 0) {
        return;
    }
    if (worker->wants || worker->claim_at <= now) {
        take_some(worker, false);
    } else if (worker->inherit_at <= now) {
        take_some(worker, true);
    }
}

static void
use(struct worker *worker, const cop_store_op *op)
{
    int error = 0;
    for (const cop_durable_record *record = op->first; record; record = record->next) {
        error = error ? error : hold(worker, record);
        if (error) {
            give_back(worker, record);
        }
    }
    *(worker->inherits ? &worker->counts.inherited : &worker->counts.claimed) += op->count;
    worker->wants |= !error && op->kind == COP_STORE_CLAIM && op->count == op->limit;
}

static void
end_take(struct worker *worker)
{
    cop_time now = cop_now();
    const struct copi_ask *answer = copi_ask_of(worker->take);
    if (cop_future_state(worker->take, NULL) == 0 && answer) {
        use(worker, &answer->op);
    }
    if (worker->inherits) {
        worker->inherit_at = now + around(copi_lease_inheriting(now - worker->asked));
    }
    cop_future_release(worker->take);
    worker->take = NULL;
}

/* ---------------------------------------------------------------- renewing */

static void
renew_all(struct worker *worker, cop_time now)
{
    worker->renew_at = now + copi_lease_renewal(worker->opts.ttl);
    for (struct held *held = worker->held; held; held = held->next) {
        if (held->renewal || held->trusted_until == COP_FOREVER) {
            continue;
        }
        cop_store_op op = fenced(held, COP_STORE_RENEW);
        op.time = worker->opts.ttl;
        held->asked = now;
        held->renewal = ask(worker, &op, RENEWED, &held->renewed);
    }
}

static bool
is_lost(int error)
{
    return error == -ESTALE || error == -EALREADY || error == -ENOENT;
}

static void
end_renewal(struct worker *worker, struct held *held, int code)
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

static void
distrust_the_old(struct worker *worker, cop_time now)
{
    for (struct held *held = worker->held; held; held = held->next) {
        if (held->trusted_until <= now) {
            distrust(worker, held);
        }
    }
}

/* ---------------------------------------------------------------- ends of jobs */

static enum copi_job_end
end_of(struct held *held)
{
    enum copi_job_end end;
    return cop_await(held->task, &end, sizeof end, 0) == 0 ? end : COPI_JOB_CRASHED;
}

static void
count_end(struct worker *worker, const struct held *held, enum copi_job_end end)
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
release(struct worker *worker, struct held *held)
{
    cop_store_op op = fenced(held, COP_STORE_RELEASE);
    worker->counts.released++;
    (void)copi_ask_post(store_of(worker), &op);
}

static void
end_job(struct worker *worker, struct held *held)
{
    enum copi_job_end end = end_of(held);
    count_end(worker, held, end);
    if (end == COPI_JOB_UNFINISHED && held->trusted_until != COP_FOREVER) {
        release(worker, held);
    }
    worker->counts.held--;
}

static struct held **
find(struct worker *worker, uint32_t tag, cop_ref ref)
{
    for (struct held **at = &worker->held; *at; at = &(*at)->next) {
        cop_ref its = tag == ENDED ? (*at)->ended : (*at)->renewed;
        if (its.id == ref.id) {
            return at;
        }
    }
    return NULL;
}

static void
take_settled(struct worker *worker, uint32_t tag, const struct cop_settled *settled)
{
    if (tag == TAKEN) {
        if (worker->take && settled->ref.id == worker->taken.id) {
            end_take(worker);
        }
        return;
    }
    struct held **at = find(worker, tag, settled->ref);
    if (!at) {
        return;
    }
    struct held *held = *at;
    if (tag == RENEWED && held->renewal) {
        end_renewal(worker, held, settled->code);
    } else if (tag == ENDED) {
        *at = held->next;
        end_job(worker, held);
        free_held(held);
    }
}

/* ---------------------------------------------------------------- the server */

static cop_time
earlier(cop_time a, cop_time b)
{
    return a < b ? a : b;
}

static cop_time
next_deed(const struct worker *worker)
{
    cop_time when = COP_FOREVER;
    if (!worker->take && free_places(worker) > 0) {
        when = earlier(worker->claim_at, worker->inherit_at);
    }
    for (const struct held *held = worker->held; held; held = held->next) {
        when = earlier(when, held->trusted_until);
    }
    return worker->held ? earlier(when, worker->renew_at) : when;
}

static cop_step
go_on(struct worker *worker)
{
    cop_time now = cop_now();
    distrust_the_old(worker, now);
    if (!worker->held) {
        worker->renew_at = now + copi_lease_renewal(worker->opts.ttl);
    } else if (worker->renew_at <= now) {
        renew_all(worker, now);
    }
    begin_take(worker, now);
    return cop_ok_timeout_at(next_deed(worker), COP_TAG(TICK));
}

/* At the end of the process, however it ends. */
static void
let_go_of_all(void *state)
{
    struct worker *worker = state;
    leave_list(worker);
    cop_future_release(worker->take);
    while (worker->held) {
        struct held *held = worker->held;
        worker->held = held->next;
        free_held(held);
    }
}

static int
fill_in(struct worker *worker, cop_bytes arg)
{
    cop_worker_opts *opts = &worker->opts;
    if (arg.size != sizeof *opts) {
        return -EINVAL;
    }
    memcpy(opts, arg.data, sizeof *opts);
    opts->queue = opts->queue ? opts->queue : "";
    opts->places = opts->places ? opts->places : copi_cores();
    opts->ttl = opts->ttl ? opts->ttl : TTL;
    opts->poll = opts->poll ? opts->poll : POLL;
    opts->grace = opts->grace ? opts->grace : GRACE;
    bool is_valid = opts->store && opts->work && opts->ttl >= TTL_LEAST && opts->poll > 0
                    && opts->grace > 0 && strlen(opts->queue) <= COP_DURABLE_ID_MOST;
    return is_valid ? 0 : -EINVAL;
}

static cop_step
init(void *state, cop_bytes arg)
{
    struct worker *worker = state;
    int error = fill_in(worker, arg);
    if (error) {
        return cop_stop(cop_failed(error, "{bad_option,worker}"));
    }
    (void)cop_trap_exits(true); /* jobs are linked, and may crash */
    enter_list(worker);
    error = cop_at_exit(let_go_of_all, worker);
    if (error) {
        leave_list(worker);
        return cop_stop(cop_failed(error, NULL));
    }
    return go_on(worker);
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct worker *worker = state;
    if (request.tag == COUNT) {
        (void)cop_reply(from, COP_MSG_OF(COUNT, worker->counts));
    }
    return go_on(worker);
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct worker *worker = state;
    switch (msg.tag) {
    case WAKE:
        worker->wants = true;
        break;
    case TAKEN:
    case RENEWED:
    case ENDED:
        take_settled(worker, msg.tag, COP_BODY(msg, struct cop_settled));
        break;
    default:
        break; /* TICK; exits of jobs, which are told by their futures, too */
    }
    return go_on(worker);
}

/* ---------------------------------------------------------------- stopping */

static void
await_all(struct worker *worker)
{
    cop_time until = cop_now() + worker->opts.grace;
    for (struct held *held = worker->held; held; held = held->next) {
        cop_time now = cop_now();
        (void)cop_await_bytes(held->task, &(cop_bytes){0}, until > now ? until - now : 0);
    }
}

/* Asked all at once, and then waited for: the store has them in one batch. */
static void
release_all(struct worker *worker)
{
    for (struct held *held = worker->held; held; held = held->next) {
        cop_future_release(held->renewal);
        held->renewal = NULL;
        int state = cop_future_state(held->task, NULL);
        enum copi_job_end end = state == -EINPROGRESS ? COPI_JOB_UNFINISHED : end_of(held);
        if (end == COPI_JOB_UNFINISHED) {
            cop_store_op op = fenced(held, COP_STORE_RELEASE);
            held->renewal = copi_ask(store_of(worker), &op, &(struct copi_ask_opts){0});
        }
    }
    for (struct held *held = worker->held; held; held = held->next) {
        if (held->renewal) {
            (void)cop_await_bytes(held->renewal, &(cop_bytes){0}, worker->opts.grace);
        }
    }
}

static void
terminate(void *state, cop_reason reason)
{
    struct worker *worker = state;
    (void)reason;
    for (struct held *held = worker->held; held; held = held->next) {
        cop_context_cancel(held->context, COP_REASON_SHUTDOWN);
    }
    await_all(worker);
    release_all(worker);
}

static const cop_genserver behaviour = {
    .type = "worker",
    .state_size = sizeof(struct worker),
    .init = init,
    .handle_call = handle_call,
    .handle_info = handle_info,
    .terminate = terminate,
};

/* ---------------------------------------------------------------- for users */

cop_child_spec
cop_worker_spec_with(const char *id, const cop_worker_opts *opts)
{
    return (cop_child_spec){
        .id = id,
        .genserver = &behaviour,
        .arg = {opts, sizeof *opts},
        .name = opts->name,
        .restart = COP_PERMANENT,
    };
}

int
cop_worker_count(cop_pid worker, cop_worker_counts *out, cop_time timeout)
{
    return cop_call(worker, COP_TAG(COUNT), COP_OUT(*out), timeout);
}
