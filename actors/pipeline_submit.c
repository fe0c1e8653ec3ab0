/*
 * actors/pipeline_submit.c - how items come into a pipeline, and who waits for a place.
 *
 * Room: actors/. Any thread.
 * Touch freely: nothing. Ask first: who has the item when a submission fails.
 *
 * A submission takes all the memory that it needs first; from then on it can only be refused. Whoever submits
 * waits for a place as members of a group do (waiters.c); should it end meanwhile, the block is freed by a
 * deferred call, and what the user's item owns stays the user's.
 *
 * A future that waits for a place is in a list of those that do, newest first; all of them are settled at
 * the first place that becomes free, as they reserve nothing. One that was cancelled, or that nobody holds,
 * goes when it is the newest and another comes, so that who asks again and again leaves no heap behind.
 */
#include "actors/pipeline.h"
#include "actors/waiters.h"
#include "runtime/alloc.h"
#include "runtime/context.h"

#include <errno.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- one submission */

struct submission {
    cop_pipeline *pipeline;
    struct copi_pipeline_item *item;
    bool may_wait;
    int code; /* what came of it */
};

/* Inside. Why nothing is taken in: 0, or a code, and cop_why() has the reason. */
static int
refusal_locked(const cop_pipeline *pipeline)
{
    if (pipeline->has_failed) {
        return copi_fail_why(&pipeline->failure, cop_reason_error(pipeline->failure));
    }
    return pipeline->is_closed ? copi_fail(-EPIPE) : copi_context_check(pipeline->context);
}

static void
count_in_locked(cop_pipeline *pipeline)
{
    pipeline->counts.submitted++;
    pipeline->counts.in_flight++;
}

static void
put_locked(cop_pipeline *pipeline, struct copi_pipeline_item *item)
{
    count_in_locked(pipeline);
    copi_flow_put(&pipeline->flow, &item->flow);
}

/* The item that is dropped, one or the other. */
static struct copi_pipeline_item *
drop_one_locked(cop_pipeline *pipeline, struct copi_pipeline_item *item)
{
    if (pipeline->when_full == COP_PIPELINE_DROP_NEW) {
        count_in_locked(pipeline);
        return item;
    }
    void *oldest = copi_flow_evict(&pipeline->flow);
    put_locked(pipeline, item);
    return oldest;
}

/* -EAGAIN: a node waits for a place. Else submission->code says what came of it. */
static int
try(struct copi_process *self, void *env, cop_ref ref)
{
    struct submission *submission = env;
    cop_pipeline *pipeline = submission->pipeline;
    struct copi_pipeline_item *dropped = NULL;
    int r = 0;
    copi_pipeline_enter(pipeline);
    submission->code = refusal_locked(pipeline);
    if (submission->code == 0 && copi_flow_has_room(&pipeline->flow)) {
        put_locked(pipeline, submission->item);
    } else if (submission->code == 0 && pipeline->when_full >= COP_PIPELINE_DROP_OLD) {
        dropped = drop_one_locked(pipeline, submission->item);
    } else if (submission->code == 0 && submission->may_wait) {
        r = copi_waiters_add(&pipeline->for_place, self, ref);
        submission->code = r;
    } else if (submission->code == 0) {
        submission->code = copi_fail(-EAGAIN);
    }
    copi_pipeline_leave(pipeline);
    if (dropped) {
        const cop_reason why = cop_failed(-EAGAIN, "the queue was full");
        copi_pipeline_discard(pipeline, dropped, COPI_PIPELINE_DROPPED, &why);
    }
    return r;
}

/* It was not submitted: neither is the caller's handle on its future. */
static void
forget(void *arg)
{
    struct copi_pipeline_item *item = arg;
    cop_future_release(item->outcome);
    copi_pipeline_item_free(item);
}

static int
submit(struct copi_process *self, struct submission *submission, cop_time timeout)
{
    struct copi_pipeline_item *item = submission->item;
    submission->may_wait = submission->pipeline->when_full == COP_PIPELINE_BLOCK
                           && !copi_pipeline_is_inside(submission->pipeline);
    if (!submission->may_wait) {
        try(self, submission, (cop_ref){0});
        return submission->code;
    }
    int r = cop_defer(forget, item);
    if (r == 0) {
        r = copi_waiters_wait(self, timeout, try, submission);
        cop_undefer(forget, item, false);
    }
    return r ? r : submission->code;
}

/* With a future, if one is wanted, whose handle is the caller's. NULL: out of memory. */
static struct copi_pipeline_item *
make_item(const cop_pipeline *pipeline, bool is_wanted, const void *bytes, const char *file,
          int line)
{
    size_t size = pipeline->stages[pipeline->flow.count - 1].what.result_size;
    struct copi_pipeline_item *item =
        copi_pipeline_item_new(bytes, pipeline->item_size, pipeline->largest, pipeline->drop);
    if (item && is_wanted && copi_pipeline_item_promise(item, size, file, line) != 0) {
        copi_pipeline_item_free(item);
        item = NULL;
    }
    return item;
}

int
cop_pipeline_submit_at(cop_pipeline *pipeline, cop_future **outcome, const void *item,
                       cop_time timeout, const char *file, int line)
{
    struct copi_process *self;
    int r = copi_enter_exit_point(&self);
    if (r == 0) {
        r = item || pipeline->item_size == 0 ? cop_cancelled() : copi_fail(-EINVAL);
    }
    if (r) {
        return r;
    }
    struct submission submission = {
        .pipeline = pipeline,
        .item = make_item(pipeline, outcome != NULL, item, file, line),
    };
    if (!submission.item) {
        return copi_fail(-ENOMEM);
    }
    cop_future *future = submission.item->outcome;
    r = submit(self, &submission, timeout);
    if (r) {
        forget(submission.item);
        return r == -ENOMEM ? copi_fail(r) : r;
    }
    if (outcome) {
        *outcome = future;
    }
    return 0;
}

/* ---------------------------------------------------------------- futures that wait for a place */

static struct copi_pipeline_room *
room_of(cop_future *future)
{
    return (struct copi_pipeline_room *)(void *)future;
}

static void
free_room(cop_future *future)
{
    free(room_of(future));
}

static const struct copi_source source = {.free = free_room};

static bool
takes_nothing_in(cop_pipeline *pipeline, cop_reason *why)
{
    copi_pipeline_enter(pipeline);
    bool is_closed = pipeline->is_closed;
    if (is_closed) {
        *why = pipeline->has_failed ? pipeline->failure : cop_failed(-EPIPE, NULL);
    }
    copi_pipeline_leave(pipeline);
    return is_closed;
}

void
copi_pipeline_tell_rooms(cop_pipeline *pipeline, struct copi_pipeline_room *rooms)
{
    cop_reason why;
    bool is_closed = rooms && takes_nothing_in(pipeline, &why);
    while (rooms) {
        struct copi_pipeline_room *next = rooms->next;
        if (is_closed) {
            copi_future_reject(&rooms->future, &why);
        } else if (copi_future_claim(&rooms->future)) {
            copi_future_publish_value(&rooms->future, NULL, 0);
        }
        cop_future_release(&rooms->future);
        rooms = next;
    }
}

static bool
is_forgotten(struct copi_pipeline_room *room)
{
    return copi_load_relaxed_32(&room->future.holds) == 1
           || copi_future_outcome(&room->future) != -EINPROGRESS;
}

static void
free_chain(struct copi_pipeline_room *rooms)
{
    while (rooms) {
        struct copi_pipeline_room *next = rooms->next;
        cop_future_release(&rooms->future);
        rooms = next;
    }
}

cop_future *
cop_pipeline_room_at(cop_pipeline *pipeline, const char *file, int line)
{
    struct copi_pipeline_room *room = copi_alloc(sizeof *room), *forgotten = NULL;
    if (!room) {
        return copi_future_no_memory();
    }
    copi_future_init(&room->future, &(struct copi_future_init){&source, 0, file, line});
    cop_future_retain(&room->future);
    copi_pipeline_enter(pipeline);
    while (pipeline->rooms && is_forgotten(pipeline->rooms)) {
        struct copi_pipeline_room *next = pipeline->rooms->next;
        pipeline->rooms->next = forgotten;
        forgotten = pipeline->rooms;
        pipeline->rooms = next;
    }
    room->next = pipeline->rooms;
    pipeline->rooms = room;
    copi_pipeline_leave(pipeline); /* where it is settled, if there is a place or will be none */
    free_chain(forgotten);
    return &room->future;
}
