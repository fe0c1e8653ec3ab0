/*
 * actors/pipeline.c - items that go through stages, with a bounded queue before each.
 *
 * Room: actors/.
 * Touch freely: nothing. Ask first: what is done when somebody leaves, and what is not done inside.
 *
 * A pipeline has one lock, and everything in it is guarded by that: queues, counts, who waits. This is no
 * path of messages between actors; a stage does an item's work, and next to that a short lock is nothing.
 * In return each count is right at any instant, and there is no order of events to be afraid of:
 *
 *   entering   takes the lock
 *   inside     one change: an item is put, taken, done, out; a failure is noted; a worker is gone. No user
 *              code runs, nothing is freed, no message is sent
 *   leaving    does all that the change has made possible. Items go on (pipeline_flow.c). As many idle workers
 *              are woken as there are items for them. Then, without the lock: one of those who wait for a
 *              place is woken, if there is one, and all futures that wait for one are settled; and if
 *              no worker is left and no item, the pipeline's own future is
 *
 * So nobody asks "whom must I wake after this?": the answer is always the same, and is worked out from the
 * state, not from the event.
 *
 * An item has one owner at any time, and whoever takes it out of the flow, inside, is the next one: a worker,
 * the one who delivers, who has dropped it from a full queue, or who has noted the failure. That one lets
 * go of it, outside, and then enters again to count it. Until it is counted it is in flight, and so the
 * pipeline does not end before the last drop function has returned.
 *
 * Who delivers: items leave the last stage one by one, in its order, and their futures are settled outside the
 * lock. Whoever finds that nobody is at it does it, for all that are there, with `is_delivering` set, so
 * that no two of them can change places. Until then an item counts as inside the last stage: there is no queue
 * behind it that could grow.
 *
 * Holds are those on the pipeline's own future: of the maker, given back by cop_pipeline_free or by a call
 * that is deferred to its end; of each worker; of each node of somebody who was woken; and of all who have a
 * handle on that future.
 */
#include "actors/pipeline.h"

#include "actors/waiters.h"
#include "runtime/alloc.h"
#include "runtime/inbox.h"
#include "runtime/live.h"

#include <coppice/context.h>

#include <errno.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- holds */

static cop_pipeline *
of(cop_future *future)
{
    return (cop_pipeline *)(void *)future;
}

static void *
hold(void *pipeline)
{
    cop_future_retain(&((cop_pipeline *)pipeline)->future);
    return pipeline;
}

static void
free_parts(cop_pipeline *pipeline, size_t stages)
{
    for (size_t i = 0; i < stages; i++) {
        free(pipeline->stages[i].workers);
    }
    free(pipeline->stages);
    free(pipeline->flow_stages);
    cop_context_free(pipeline->context);
    free(pipeline);
}

static void
free_pipeline(cop_future *future)
{
    cop_pipeline *pipeline = of(future);
    for (size_t i = 0; i < pipeline->flow.count; i++) {
        const cop_stage *stage = &pipeline->stages[i].what;
        if (stage->drop_env) {
            copi_run_drop(stage->drop_env, stage->env);
        }
    }
    copi_waiters_free(&pipeline->for_place);
    copi_live_gone(COPI_LIVE_PIPELINE);
    free_parts(pipeline, pipeline->flow.count);
}

static int
cancel(cop_future *future, const cop_reason *why)
{
    copi_pipeline_fail(of(future), why);
    return 0;
}

static const struct copi_source source = {.cancel = cancel, .free = free_pipeline};

/* ---------------------------------------------------------------- entering and leaving */

void
copi_pipeline_enter(cop_pipeline *pipeline)
{
    copi_lock_take(&pipeline->lock);
}

bool
copi_pipeline_is_over(const cop_pipeline *pipeline)
{
    return pipeline->has_failed || (pipeline->is_closed && pipeline->counts.in_flight == 0);
}

/* What is to be told, without the lock. */
struct news {
    struct copi_message *for_place;
    struct copi_pipeline_room *rooms;
    bool is_end;
};

static struct news
take_news_locked(cop_pipeline *pipeline)
{
    struct news news = {0};
    if (pipeline->is_closed) {
        news.for_place = copi_waiters_take_all(&pipeline->for_place);
    } else if (copi_flow_has_room(&pipeline->flow)) {
        news.for_place = copi_waiters_take_one(&pipeline->for_place);
    }
    if (pipeline->is_closed || copi_flow_has_room(&pipeline->flow)) {
        news.rooms = pipeline->rooms;
        pipeline->rooms = NULL;
    }
    news.is_end = pipeline->workers == 0 && pipeline->counts.in_flight == 0 && !pipeline->has_ended;
    pipeline->has_ended = pipeline->has_ended || news.is_end;
    return news;
}

/* The node of somebody who was woken, and has taken the place or has not. */
static void
look_again(void *pipeline)
{
    copi_pipeline_enter(pipeline);
    copi_pipeline_leave(pipeline);
    cop_future_release(&((cop_pipeline *)pipeline)->future);
}

static void
settle(cop_pipeline *pipeline)
{
    (void)copi_future_claim(&pipeline->future); /* nobody else settles it */
    if (pipeline->has_failed) {                 /* nobody writes it any more */
        copi_future_publish_reason(&pipeline->future, &pipeline->failure);
    } else {
        copi_future_publish_value(&pipeline->future, NULL, 0);
    }
}

void
copi_pipeline_leave(cop_pipeline *pipeline)
{
    copi_flow_advance(&pipeline->flow);
    copi_pipeline_wake_workers(pipeline);
    struct news news = take_news_locked(pipeline);
    copi_lock_give(&pipeline->lock);
    copi_waiters_tell(news.for_place, hold, look_again, pipeline);
    copi_pipeline_tell_rooms(pipeline, news.rooms);
    if (news.is_end) {
        settle(pipeline);
    }
}

/* ---------------------------------------------------------------- items that leave */

void
copi_pipeline_count_out(cop_pipeline *pipeline, enum copi_pipeline_outcome how)
{
    cop_pipeline_counts *counts = &pipeline->counts;
    counts->in_flight--;
    switch (how) {
    case COPI_PIPELINE_DELIVERED:
        counts->delivered++;
        return;
    case COPI_PIPELINE_FAILED:
        counts->failed++;
        return;
    case COPI_PIPELINE_DROPPED:
        counts->dropped++;
        return;
    }
}

void
copi_pipeline_discard(cop_pipeline *pipeline, struct copi_pipeline_item *item,
                      enum copi_pipeline_outcome how, const cop_reason *why)
{
    copi_pipeline_item_reject(item, why);
    copi_pipeline_enter(pipeline);
    copi_pipeline_count_out(pipeline, how);
    copi_pipeline_leave(pipeline);
}

static struct copi_pipeline_item *
item_of(struct copi_flow_item *item)
{
    return (struct copi_pipeline_item *)(void *)item;
}

void
copi_pipeline_deliver(cop_pipeline *pipeline)
{
    size_t size = pipeline->stages[pipeline->flow.count - 1].what.result_size;
    struct copi_flow_item *item;
    copi_pipeline_enter(pipeline);
    bool is_mine = !pipeline->is_delivering;
    while (is_mine && (item = copi_flow_next_to_leave(&pipeline->flow))) {
        pipeline->is_delivering = true;
        copi_pipeline_leave(pipeline);
        bool is_taken = copi_pipeline_item_deliver(item_of(item), size);
        copi_pipeline_enter(pipeline);
        copi_flow_left(&pipeline->flow);
        copi_pipeline_count_out(pipeline,
                                is_taken ? COPI_PIPELINE_DELIVERED : COPI_PIPELINE_DROPPED);
        pipeline->is_delivering = false;
    }
    copi_pipeline_leave(pipeline);
}

/* ---------------------------------------------------------------- a failure */

bool
copi_pipeline_fail(cop_pipeline *pipeline, const cop_reason *why)
{
    struct copi_flow_item *item = NULL;
    copi_pipeline_enter(pipeline);
    bool is_first = !copi_pipeline_is_over(pipeline);
    if (is_first) {
        pipeline->has_failed = pipeline->is_closed = true;
        pipeline->failure = *why;
        item = copi_flow_empty(&pipeline->flow);
    }
    copi_pipeline_leave(pipeline);
    if (is_first) {
        cop_context_cancel(pipeline->context, *why);
    }
    while (item) {
        struct copi_flow_item *next = item->next;
        copi_pipeline_discard(pipeline, item_of(item), COPI_PIPELINE_DROPPED, why);
        item = next;
    }
    return is_first;
}

/* ---------------------------------------------------------------- made */

static bool
is_valid_stage(const cop_stage *stage)
{
    size_t most = SIZE_MAX / sizeof(struct copi_pipeline_worker) / 4;
    return stage->fn && stage->width < most && stage->result_size < SIZE_MAX / 4
           && (!stage->name || strnlen(stage->name, COPI_LABEL_ITSELF) < COPI_LABEL_ITSELF);
}

static bool
is_valid(const cop_pipeline_opts *opts)
{
    bool valid = opts->stages && opts->stage_count > 0
                 && opts->stage_count < SIZE_MAX / sizeof(struct copi_pipeline_stage) / 4
                 && opts->item_size < SIZE_MAX / 4 && opts->when_full <= COP_PIPELINE_DROP_NEW;
    for (size_t i = 0; i < opts->stage_count && valid; i++) {
        valid = is_valid_stage(&opts->stages[i]);
    }
    return valid;
}

static bool
fill_stage(cop_pipeline *pipeline, size_t i, const cop_stage *what)
{
    enum {
        BOUND = 16
    };
    struct copi_pipeline_stage *stage = &pipeline->stages[i];
    stage->what = *what;
    stage->what.width = what->width ? what->width : 1;
    stage->what.bound = what->bound ? what->bound : BOUND;
    stage->workers = copi_zalloc(stage->what.width * sizeof stage->workers[0]);
    pipeline->flow_stages[i] = (struct copi_flow_stage){
        .width = stage->what.width,
        .bound = stage->what.bound,
        .is_unordered = what->unordered,
    };
    if (what->result_size > pipeline->largest) {
        pipeline->largest = what->result_size;
    }
    return stage->workers != NULL;
}

static cop_pipeline *
make(const cop_pipeline_opts *opts)
{
    size_t made = 0, n = opts->stage_count;
    cop_pipeline *pipeline = copi_zalloc(sizeof *pipeline);
    if (!pipeline) {
        return NULL;
    }
    pipeline->stages = copi_zalloc(n * sizeof pipeline->stages[0]);
    pipeline->flow_stages = copi_zalloc(n * sizeof pipeline->flow_stages[0]);
    pipeline->context = cop_context_new(COP_FOREVER);
    pipeline->item_size = pipeline->largest = opts->item_size;
    bool is_made = pipeline->stages && pipeline->flow_stages && pipeline->context;
    for (; is_made && made < n; made++) {
        is_made = fill_stage(pipeline, made, &opts->stages[made]);
    }
    if (!is_made) {
        free_parts(pipeline, made);
        return NULL;
    }
    pipeline->drop = opts->drop;
    pipeline->when_full = opts->when_full;
    pipeline->keep_going = opts->keep_going;
    copi_lock_init(&pipeline->lock);
    copi_list_init(&pipeline->for_place);
    copi_flow_init(&pipeline->flow, pipeline->flow_stages, n);
    copi_live_born(COPI_LIVE_PIPELINE);
    copi_future_init(&pipeline->future,
                     &(struct copi_future_init){&source, 0, opts->file, opts->line});
    return pipeline;
}

static void
cancel_for(cop_pipeline *pipeline, const char *words)
{
    cop_pipeline_cancel(pipeline, cop_failed(-ECANCELED, "%s", words));
}

/* Who does not want it any more does not want to know how it ends. */
static void
let_go(cop_pipeline *pipeline, const char *words)
{
    cancel_for(pipeline, words);
    copi_future_observed(&pipeline->future);
    cop_future_release(&pipeline->future);
}

/* The maker ends. */
static void
abandon(void *pipeline)
{
    let_go(pipeline, "its maker has ended");
}

static int
start(cop_pipeline *pipeline)
{
    int r = cop_at_exit(abandon, pipeline);
    pipeline->workers = 1;
    r = r ? r : copi_pipeline_start_workers(pipeline);
    copi_pipeline_enter(pipeline);
    pipeline->workers--;
    copi_pipeline_leave(pipeline);
    return r;
}

/* Those of its workers that have started go, and drop nothing of the caller's. */
static int
give_up(cop_pipeline *pipeline, int code)
{
    cop_reason why = cop_why();
    for (size_t i = 0; i < pipeline->flow.count; i++) {
        pipeline->stages[i].what.drop_env = NULL;
    }
    cop_undefer(abandon, pipeline, false);
    let_go(pipeline, "it could not be started");
    return copi_fail_why(&why, code);
}

int
cop_pipeline_new_with(cop_pipeline **out, const cop_pipeline_opts *opts)
{
    if (!opts || !is_valid(opts)) {
        return copi_fail(-EINVAL);
    }
    cop_pipeline *pipeline = make(opts);
    if (!pipeline) {
        return copi_fail(-ENOMEM);
    }
    int r = start(pipeline);
    if (r) {
        return give_up(pipeline, r);
    }
    *out = pipeline;
    return 0;
}

/* ---------------------------------------------------------------- ended */

cop_future *
cop_pipeline_future(cop_pipeline *pipeline)
{
    return cop_future_retain(&pipeline->future);
}

void
cop_pipeline_close(cop_pipeline *pipeline)
{
    copi_pipeline_enter(pipeline);
    pipeline->is_closed = true;
    copi_pipeline_leave(pipeline);
}

void
cop_pipeline_cancel(cop_pipeline *pipeline, cop_reason cause)
{
    cop_future_cancel(&pipeline->future, cause);
}

static void
kill_workers(const cop_pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->flow.count; i++) {
        const struct copi_pipeline_stage *stage = &pipeline->stages[i];
        for (size_t k = 0; k < stage->what.width; k++) {
            cop_exit_signal(stage->workers[k].pid, COP_REASON_KILLED);
        }
    }
}

int
cop_pipeline_stop(cop_pipeline *pipeline, cop_time timeout)
{
    cop_bytes nothing;
    if (copi_pipeline_is_inside(pipeline)) {
        return copi_fail(-EDEADLK);
    }
    cop_pipeline_close(pipeline);
    int r = cop_await_bytes(&pipeline->future, &nothing, timeout);
    bool is_late = r == -ETIMEDOUT && copi_future_outcome(&pipeline->future) == -EINPROGRESS;
    if (is_late && cop_cancelled() == 0) {
        cancel_for(pipeline, "it was stopped");
        kill_workers(pipeline);
        return copi_fail(-ETIMEDOUT);
    }
    return r;
}

void
cop_pipeline_free(cop_pipeline *pipeline)
{
    if (pipeline && cop_undefer(abandon, pipeline, false) == 0) {
        let_go(pipeline, "the pipeline is gone");
    }
}

/* ---------------------------------------------------------------- seen from outside */

void
cop_pipeline_inspect(cop_pipeline *pipeline, cop_pipeline_counts *out, cop_stage_counts stages[],
                     size_t n)
{
    copi_pipeline_enter(pipeline);
    if (out) {
        *out = pipeline->counts;
    }
    for (size_t i = 0; i < n && i < pipeline->flow.count; i++) {
        const struct copi_flow_stage *stage = &pipeline->flow_stages[i];
        stages[i] = (cop_stage_counts){
            .queued = stage->queue.count,
            .most_queued = stage->most_queued,
            .inside = stage->inside,
        };
    }
    copi_pipeline_leave(pipeline);
}
