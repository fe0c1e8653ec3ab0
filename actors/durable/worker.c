/*
 * actors/durable/worker.c - a worker: takes promises, has them computed, and keeps their leases.
 *
 * Room: actors/durable/. The worker's process, a genserver.
 * Touch freely: the times (worker_times.c).
 *
 * The worker itself never waits: it asks the store, and the answers come as messages (cop_future_notify). Under way are
 *
 *   worker_take.c   a take: leases of what is ready, or of what others have lost
 *   worker_held.c   a renewal for each lease that it has, and the jobs
 *   worker_job.c    a task for each lease, which computes and settles
 *
 * and worker_list.c knows whom to wake. Time: each callback ends with the time of what is next to be done, as the
 * server's idle timeout. After a stop there are no more takes.
 */
#include "actors/durable/worker.h"

#include "runtime/thread.h"

#include <coppice/name.h>
#include <coppice/signal.h>

#include <errno.h>

#define TTL       COP_SEC(30)
#define TTL_LEAST COP_MS(10)
#define POLL      COP_SEC(1)
#define GRACE     COP_SEC(3)

/* ---------------------------------------------------------------- asking */

cop_pid
copi_worker_store(const struct copi_worker *worker)
{
    return cop_named(worker->opts.store);
}

cop_future *
copi_worker_ask(struct copi_worker *worker, const cop_store_op *op, uint32_t tag, cop_ref *ref)
{
    cop_future *answer = copi_ask(copi_worker_store(worker), op, &(struct copi_ask_opts){0});
    *ref = answer ? cop_future_notify(answer, tag) : (cop_ref){0};
    if (answer && !ref->id) {
        cop_future_release(answer);
        return NULL;
    }
    return answer;
}

/* ---------------------------------------------------------------- the server */

static cop_time
earlier(cop_time a, cop_time b)
{
    return a < b ? a : b;
}

static cop_time
next_deed(const struct copi_worker *worker)
{
    cop_time when = copi_worker_trusted_until(worker);
    if (!worker->take && copi_worker_free_places(worker) > 0) {
        when = earlier(when, earlier(worker->claim_at, worker->inherit_at));
    }
    return worker->held ? earlier(when, worker->renew_at) : when;
}

static cop_step
go_on(struct copi_worker *worker)
{
    cop_time now = cop_now();
    copi_worker_distrust(worker, now);
    if (!worker->held) {
        worker->renew_at = now + copi_lease_renewal(worker->opts.ttl);
    } else if (worker->renew_at <= now) {
        copi_worker_renew(worker, now);
    }
    copi_worker_begin_take(worker, now);
    return cop_ok_timeout_at(next_deed(worker), COP_TAG(COPI_WORKER_TICK));
}

/* At the end of the process, however it ends. */
static void
let_go_of_all(void *state)
{
    struct copi_worker *worker = state;
    copi_worker_leave_list(worker);
    cop_future_release(worker->take);
    copi_worker_let_go(worker);
}

static int
fill_in(struct copi_worker *worker, cop_bytes arg)
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
    struct copi_worker *worker = state;
    int error = fill_in(worker, arg);
    if (error) {
        return cop_stop(cop_failed(error, "{bad_option,worker}"));
    }
    (void)cop_trap_exits(true); /* jobs are linked, and may crash */
    copi_worker_enter_list(worker);
    error = cop_at_exit(let_go_of_all, worker);
    if (error) {
        copi_worker_leave_list(worker);
        return cop_stop(cop_failed(error, NULL));
    }
    return go_on(worker);
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct copi_worker *worker = state;
    if (request.tag == COPI_WORKER_COUNT) {
        (void)cop_reply(from, COP_MSG_OF(COPI_WORKER_COUNT, worker->counts));
    }
    return go_on(worker);
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct copi_worker *worker = state;
    switch (msg.tag) {
    case COPI_WORKER_WAKE:
        worker->wants = true;
        break;
    case COPI_WORKER_TAKEN:
        copi_worker_end_take(worker, COP_BODY(msg, struct cop_settled));
        break;
    case COPI_WORKER_RENEWED:
    case COPI_WORKER_ENDED:
        copi_worker_heard(worker, msg.tag, COP_BODY(msg, struct cop_settled));
        break;
    default:
        break; /* COPI_WORKER_TICK; exits of jobs, which are told by their futures, too */
    }
    return go_on(worker);
}

static void
terminate(void *state, cop_reason reason)
{
    struct copi_worker *worker = state;
    (void)reason;
    copi_worker_stop_jobs(worker);
}

static const cop_genserver behaviour = {
    .type = "worker",
    .state_size = sizeof(struct copi_worker),
    .init = init,
    .handle_call = handle_call,
    .handle_info = handle_info,
    .terminate = terminate,
};

/* ---------------------------------------------------------------- for users */

cop_child_spec
cop_worker_spec_with(const char *id, const cop_worker_opts *given)
{
    static const cop_worker_opts none = {.size = sizeof none};
    const cop_worker_opts *opts = given ? given : &none;
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
    return cop_call(worker, COP_TAG(COPI_WORKER_COUNT), out, sizeof *out, timeout);
}
