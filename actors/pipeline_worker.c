/*
 * actors/pipeline_worker.c - the processes that work on a pipeline's items.
 *
 * Room: actors/. Workers, but for the starting and the waking.
 * Touch freely: nothing. Ask first: who has the item when a worker does not come back.
 *
 * A worker takes an item of its stage, works on it, says that it is done, and takes the next; when there is
 * none it waits in its stage's list of idle ones. It is started with the pipeline and ends when that is over.
 *
 * It is woken by its parker, by somebody inside the pipeline who has taken it out of the list. From then
 * until it looks it is counted as woken, so that no two are woken for one item.
 *
 * Its end, whatever that comes from, is told to the pipeline by copi_behaviour's `ended`: one that ends
 * while there is something to do is a failure of the pipeline, and the item in its hands has failed with it.
 *
 * A worker that is disowned may still be in its function, and use the item. Whoever disowns it rejects the
 * item's future, and leaves the item to it. Should it ever come back it finds `is_gone`: then the item is
 * its own, and it lets go of that and of its hold on the pipeline, and ends.
 */
#include "actors/pipeline.h"
#include "actors/task.h"
#include "runtime/context.h"
#include "runtime/exit.h"
#include "runtime/inbox.h"
#include "runtime/wait.h"

#include <errno.h>

static struct copi_pipeline_stage *
stage_of(const struct copi_pipeline_worker *worker)
{
    return &worker->pipeline->stages[worker->stage];
}

/* ---------------------------------------------------------------- idle ones */

static void
wake_one_locked(struct copi_pipeline_stage *stage)
{
    struct copi_pipeline_worker *worker = stage->idle;
    stage->idle = worker->next_idle;
    stage->woken++;
    worker->is_idle = false;
    worker->is_woken = true;
    copi_unpark(&worker->process->parker);
}

void
copi_pipeline_wake_workers(cop_pipeline *pipeline)
{
    bool is_over = copi_pipeline_is_over(pipeline);
    for (size_t i = 0; i < pipeline->flow.count; i++) {
        struct copi_pipeline_stage *stage = &pipeline->stages[i];
        while (stage->idle && (is_over || stage->woken < copi_flow_takeable(&pipeline->flow, i))) {
            wake_one_locked(stage);
        }
    }
}

static void
set_idle_locked(struct copi_pipeline_worker *worker)
{
    struct copi_pipeline_stage *stage = stage_of(worker);
    worker->is_idle = true;
    worker->next_idle = stage->idle;
    stage->idle = worker;
}

/* It looks for an item, or is gone: neither idle nor on its way. */
static void
set_awake_locked(struct copi_pipeline_worker *worker)
{
    struct copi_pipeline_stage *stage = stage_of(worker);
    struct copi_pipeline_worker **link = &stage->idle;
    while (worker->is_idle && *link != worker) {
        link = &(*link)->next_idle;
    }
    if (worker->is_idle) {
        *link = worker->next_idle;
    }
    if (worker->is_woken) {
        stage->woken--;
    }
    worker->is_idle = worker->is_woken = false;
}

/* ---------------------------------------------------------------- taking an item */

/* NULL: none now, or, when *is_over, none any more. */
static struct copi_pipeline_item *
take(struct copi_pipeline_worker *worker, bool *is_over)
{
    cop_pipeline *pipeline = worker->pipeline;
    copi_pipeline_enter(pipeline);
    set_awake_locked(worker);
    *is_over = copi_pipeline_is_over(pipeline);
    void *item = *is_over ? NULL : copi_flow_take(&pipeline->flow, worker->stage);
    worker->item = item;
    if (!item && !*is_over) {
        set_idle_locked(worker);
    }
    copi_pipeline_leave(pipeline);
    return item;
}

/* Somebody has cancelled what is above the pipeline, or asked this worker to end. */
static void
heed_cancellation(struct copi_process *self, cop_pipeline *pipeline)
{
    int r = cop_cancelled();
    if (r) {
        cop_reason why = copi_task_failure(self, r);
        copi_pipeline_fail(pipeline, &why);
    }
}

/* Waits for one; NULL: it is over. An exit point. */
static struct copi_pipeline_item *
next(struct copi_process *self, struct copi_pipeline_worker *worker)
{
    struct copi_wait wait = COPI_WAIT("work", COP_FOREVER);
    for (;;) {
        bool is_over;
        copi_take_in(self);
        heed_cancellation(self, worker->pipeline);
        struct copi_pipeline_item *item = take(worker, &is_over);
        if (item || is_over) {
            return item;
        }
        copi_pause(self, &wait); /* why it returns is seen above */
    }
}

/* ---------------------------------------------------------------- working on it */

/* What becomes of it now. */
struct verdict {
    bool goes_on;
    bool ends_all; /* it is the pipeline's failure */
    enum copi_pipeline_outcome how;
    cop_reason why;
};

static struct verdict
work_on(const struct copi_pipeline_worker *worker, struct copi_pipeline_item *item)
{
    struct verdict verdict = {.how = COPI_PIPELINE_DROPPED};
    if (!copi_pipeline_item_is_wanted(item)) {
        return verdict;
    }
    verdict.goes_on = copi_pipeline_item_work(item, &stage_of(worker)->what, &verdict.why);
    if (!verdict.goes_on) {
        verdict.how = COPI_PIPELINE_FAILED;
        verdict.ends_all =
            !worker->pipeline->keep_going && copi_pipeline_fail(worker->pipeline, &verdict.why);
    }
    return verdict;
}

/* It is in the worker's hands no more, if that has not been disowned: then false. After a failure of another
 * it goes no further, whatever became of it here. */
static bool
put_down(struct copi_pipeline_worker *worker, struct verdict *verdict)
{
    cop_pipeline *pipeline = worker->pipeline;
    copi_pipeline_enter(pipeline);
    bool is_ours = !worker->is_gone;
    if (is_ours && pipeline->has_failed && !verdict->ends_all) {
        *verdict = (struct verdict){.how = COPI_PIPELINE_DROPPED, .why = pipeline->failure};
    }
    if (is_ours && verdict->goes_on) {
        copi_flow_done(&pipeline->flow, worker->stage, &worker->item->flow);
    } else if (is_ours) {
        copi_flow_out(&pipeline->flow, worker->stage, &worker->item->flow);
    }
    if (is_ours) {
        worker->item = NULL;
    }
    copi_pipeline_leave(pipeline);
    return is_ours;
}

static void
work(struct copi_process *self, struct copi_pipeline_worker *worker,
     struct copi_pipeline_item *item)
{
    cop_pipeline *pipeline = worker->pipeline;
    struct verdict verdict = work_on(worker, item);
    if (!put_down(worker, &verdict)) {
        copi_pipeline_item_reject(item, &COP_REASON_KILLED);
        cop_future_release(&pipeline->future);
        copi_exit_disowned(self);
    }
    if (!verdict.goes_on) {
        copi_pipeline_discard(pipeline, item, verdict.how, &verdict.why);
    } else if (worker->stage == pipeline->flow.count - 1) {
        copi_pipeline_deliver(pipeline);
    }
}

/* ---------------------------------------------------------------- its life */

static struct copi_pipeline_worker *
worker_of(const struct copi_process *process)
{
    union {
        const void *in;
        struct copi_pipeline_worker *out;
    } what = {.in = process->what};
    return what.out;
}

static cop_reason
run(struct copi_process *self)
{
    struct copi_pipeline_worker *worker = worker_of(self);
    struct copi_pipeline_item *item;
    worker->process = self;
    while ((item = next(self, worker))) {
        work(self, worker, item);
    }
    return COP_REASON_NORMAL;
}

/* Its item, if it has one, is out: only a worker that is disowned has, as none ends in a function. Its future,
 * held. */
static bool
take_leave(struct copi_pipeline_worker *worker, bool was_disowned, cop_future **outcome)
{
    cop_pipeline *pipeline = worker->pipeline;
    copi_pipeline_enter(pipeline);
    struct copi_pipeline_item *item = worker->item;
    if (item) {
        *outcome = item->outcome ? cop_future_retain(item->outcome) : NULL;
        copi_flow_out(&pipeline->flow, worker->stage, &item->flow);
    }
    worker->item = NULL;
    worker->is_gone = was_disowned;
    set_awake_locked(worker);
    copi_pipeline_leave(pipeline);
    return item != NULL;
}

static void
ended(struct copi_process *process, const cop_reason *reason, bool was_disowned)
{
    struct copi_pipeline_worker *worker = worker_of(process);
    cop_pipeline *pipeline = worker->pipeline;
    cop_future *outcome = NULL;
    cop_future_retain(
        &pipeline->future); /* the worker's own may go, should it come back right now */
    bool had_item = take_leave(worker, was_disowned, &outcome);
    bool is_first = copi_pipeline_fail(pipeline, reason);
    if (outcome) {
        copi_future_reject(outcome, reason);
        cop_future_release(outcome);
    }
    copi_pipeline_enter(pipeline);
    if (had_item) {
        copi_pipeline_count_out(pipeline, is_first ? COPI_PIPELINE_FAILED : COPI_PIPELINE_DROPPED);
    }
    pipeline->workers--;
    copi_pipeline_leave(pipeline);
    if (!was_disowned) {
        cop_future_release(&pipeline->future);
    }
    cop_future_release(&pipeline->future);
}

static const struct copi_behaviour behaviour = {.kind = "stage", .run = run, .ended = ended};

bool
copi_pipeline_is_inside(const cop_pipeline *pipeline)
{
    const struct copi_process *self = copi_here.process;
    return self && self->behaviour == &behaviour && worker_of(self)->pipeline == pipeline;
}

/* ---------------------------------------------------------------- started */

static void
count_workers(cop_pipeline *pipeline, size_t change)
{
    copi_pipeline_enter(pipeline);
    pipeline->workers += change;
    copi_pipeline_leave(pipeline);
}

static int
start_worker(cop_pipeline *pipeline, size_t stage, size_t k)
{
    struct copi_pipeline_worker *worker = &pipeline->stages[stage].workers[k];
    const cop_start_opts opts = {
        .size = sizeof opts,
        .label = pipeline->stages[stage].what.name,
        .context = pipeline->context,
    };
    worker->pipeline = pipeline;
    worker->stage = stage;
    cop_future_retain(&pipeline->future);
    count_workers(pipeline, 1);
    int r =
        copi_spawn(&worker->pid, NULL,
                   &(struct copi_spawn){.behaviour = &behaviour, .what = worker, .opts = &opts});
    if (r) {
        count_workers(pipeline, (size_t)-1);
        cop_future_release(&pipeline->future);
    }
    return r;
}

int
copi_pipeline_start_workers(cop_pipeline *pipeline)
{
    int r = 0;
    for (size_t i = 0; i < pipeline->flow.count && r == 0; i++) {
        for (size_t k = 0; k < pipeline->stages[i].what.width && r == 0; k++) {
            r = start_worker(pipeline, i, k);
        }
    }
    return r;
}
