/*
 * actors/durable/worker_take.c - a worker takes leases: of what is ready, and of what others have lost.
 *
 * Room: actors/durable/. The worker's process.
 *
 * One take is under way at a time: one claim, or one look for leases that are over, for as many as there are free places.
 * The next begins with a reason: the last one was full, somebody has said that there is work, a place has become
 * free when there was more than could be taken, or the poll's time has come.
 */
#include "actors/durable/worker.h"
#include "runtime/thread.h"

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

unsigned
copi_worker_free_places(const struct copi_worker *worker)
{
    return worker->opts.places > worker->counts.held ? worker->opts.places - worker->counts.held
                                                     : 0;
}

static void
take_some(struct copi_worker *worker, bool inherits)
{
    cop_store_op op = {
        .kind = inherits ? COP_STORE_INHERIT : COP_STORE_CLAIM,
        .queue = worker->opts.queue,
        .owner = draw_owner(),
        .time = worker->opts.ttl,
        .limit = copi_worker_free_places(worker),
    };
    worker->asked = cop_now();
    worker->inherits = inherits;
    if (!inherits) {
        worker->wants = false;
        worker->claim_at = worker->asked + around(worker->opts.poll);
    }
    worker->take = copi_worker_ask(worker, &op, COPI_WORKER_TAKEN, &worker->taken);
    if (!worker->take && inherits) {
        worker->inherit_at = worker->asked + worker->opts.poll;
    }
}

void
copi_worker_begin_take(struct copi_worker *worker, cop_time now)
{
    if (worker->take || copi_worker_free_places(worker) == 0) {
        return;
    }
    if (worker->wants || worker->claim_at <= now) {
        take_some(worker, false);
    } else if (worker->inherit_at <= now) {
        take_some(worker, true);
    }
}

static void
use(struct copi_worker *worker, const cop_store_op *op)
{
    int error = 0;
    uint64_t *taken = worker->inherits ? &worker->counts.inherited : &worker->counts.claimed;
    for (const cop_durable_record *record = op->first; record; record = record->next) {
        if (record->is_damaged) {
            continue; /* nobody can do it, until its attempts are used up */
        }
        ++*taken;
        error = error ? error : copi_worker_hold(worker, record);
        if (error) {
            copi_worker_give_back(worker, record);
        }
    }
    worker->wants |= !error && op->kind == COP_STORE_CLAIM && op->count == op->limit;
}

void
copi_worker_end_take(struct copi_worker *worker, const struct cop_settled *settled)
{
    if (!worker->take || settled->ref.id != worker->taken.id) {
        return;
    }
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
