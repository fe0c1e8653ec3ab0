/*
 * actors/group.c - tasks that succeed together.
 *
 * Room: actors/.
 * Touch freely: nothing. Ask first: who wakes whom.
 *
 * A group is a count of members under a lock, a context, and the first failure. A member is a process
 * that tells the group of its end by copi_behaviour's `ended`, whoever ends it; it has a hold on the
 * group, and so has the handle. A member that was disowned may be in its function still: its block is
 * never freed.
 *
 * Who waits leaves a node in one of two lists (waiters.c): for a place, or for the end of all. A member that
 * ends wakes one who waits for a place; whose node, wherever it ends up, looks whether there is still room,
 * and wakes the next.
 */
#include "actors/task.h"
#include "actors/waiters.h"
#include "runtime/alloc.h"
#include "runtime/context.h"
#include "runtime/inbox.h"
#include "runtime/live.h"
#include "runtime/process.h"

#include <coppice/context.h>
#include <coppice/group.h>

#include <errno.h>
#include <stdlib.h>

struct cop_group {
    cop_context *context;
    size_t limit;
    copi_atomic32 holds;
    copi_lock lock;
    /* guarded by it */
    size_t running;
    struct copi_list for_place, for_end; /* nodes; `from` is whose */
    bool has_failed;
    cop_reason failure;
};

struct member {
    cop_group *group; /* held */
    cop_task_fn fn;
    bool succeeded;
};

/* ---------------------------------------------------------------- holds */

static void
release(void *arg)
{
    cop_group *group = arg;
    if (copi_fetch_add_32(&group->holds, (uint32_t)-1) == 1) {
        copi_waiters_free(&group->for_place);
        copi_waiters_free(&group->for_end);
        cop_context_free(group->context);
        copi_live_gone(COPI_LIVE_GROUP);
        free(group);
    }
}

static void *
hold(void *arg)
{
    cop_group *group = arg;
    copi_fetch_add_32(&group->holds, 1);
    return group;
}

/* ---------------------------------------------------------------- waking */

static bool
has_room_locked(const cop_group *group)
{
    return group->limit == 0 || group->running < group->limit;
}

static void pass_on(void *arg);

static void
wake_one(cop_group *group)
{
    copi_lock_take(&group->lock);
    struct copi_message *node =
        has_room_locked(group) ? copi_waiters_take_one(&group->for_place) : NULL;
    copi_lock_give(&group->lock);
    copi_waiters_tell(node, hold, pass_on, group);
}

/* The node of somebody who was woken, and has taken the place or has not. */
static void
pass_on(void *arg)
{
    wake_one(arg);
    release(arg);
}

/* --------------------------------------------------------------- cancelling */

static void
cancel(cop_group *group, const cop_reason *why)
{
    cop_context_cancel(group->context, *why);
    copi_lock_take(&group->lock);
    struct copi_message *waiting =
        copi_waiters_take_all(&group->for_place); /* there will be none for them */
    copi_lock_give(&group->lock);
    copi_waiters_tell(waiting, hold, release, group);
}

/* ---------------------------------------------------------------- a member */

static void
note_failure(cop_group *group, const cop_reason *why)
{
    copi_lock_take(&group->lock);
    bool is_first = !group->has_failed;
    if (is_first) {
        group->has_failed = true;
        group->failure = *why;
    }
    copi_lock_give(&group->lock);
    if (is_first) {
        cancel(group, why);
    }
}

static void
give_place(cop_group *group)
{
    struct copi_message *waiting = NULL;
    copi_lock_take(&group->lock);
    if (--group->running == 0) {
        waiting = copi_waiters_take_all(&group->for_end);
    }
    copi_lock_give(&group->lock);
    wake_one(group);
    copi_waiters_tell(waiting, hold, release, group);
}

static cop_reason
run(struct copi_process *self)
{
    union {
        const void *in;
        struct member *out;
    } what = {.in = self->what};
    copi_callback_begin(self, "member");
    int code = what.out->fn(self->arg, NULL);
    copi_callback_end(self);
    what.out->succeeded = code == 0;
    self->quiet = code < 0; /* who waits for the group learns of it */
    return code ? copi_task_failure(self, code) : COP_REASON_NORMAL;
}

static void
ended(struct copi_process *process, const cop_reason *reason, bool was_disowned)
{
    union {
        const void *in;
        struct member *out;
    } what = {.in = process->what};
    struct member *member = what.out;
    cop_group *group = member->group;
    if (was_disowned || !(member->succeeded || reason->kind == COP_NORMAL)) {
        note_failure(group, reason);
    }
    give_place(group);
    if (!was_disowned) {
        free(member);
        release(group);
    }
}

static const struct copi_behaviour behaviour = {.kind = "member", .run = run, .ended = ended};

/* ---------------------------------------------------------------- adding one */

/* 0: the place is taken. -EAGAIN: it is not, and a node waits for it under `ref` ({0}: none). */
static int
try_place(struct copi_process *self, void *arg, cop_ref ref)
{
    cop_group *group = arg;
    int r = copi_context_check(group->context);
    if (r) {
        return r;
    }
    copi_lock_take(&group->lock);
    if (has_room_locked(group)) {
        group->running++;
    } else {
        r = ref.id ? copi_waiters_add(&group->for_place, self, ref) : -EAGAIN;
    }
    copi_lock_give(&group->lock);
    return r;
}

/* In a place that is taken: it is the member's from here on, or free again. */
static int
start(cop_group *group, cop_task_fn fn, cop_bytes arg)
{
    const cop_start_opts opts = {
        .size = sizeof opts,
        .arg = arg,
        .context = group->context,
    };
    struct member *member = copi_alloc(sizeof *member);
    if (!member) {
        give_place(group);
        return copi_fail(-ENOMEM);
    }
    *member = (struct member){.group = hold(group), .fn = fn};
    int r =
        copi_spawn(NULL, NULL,
                   &(struct copi_spawn){.behaviour = &behaviour, .what = member, .opts = &opts});
    if (r) {
        free(member);
        give_place(group);
        release(group);
    }
    return r;
}

static int
go(cop_group *group, cop_task_fn fn, cop_bytes arg, bool waits)
{
    struct copi_process *self;
    int r = copi_enter_exit_point(&self);
    if (r == 0) {
        r = fn ? cop_cancelled() : copi_fail(-EINVAL);
    }
    if (r == 0) {
        r = waits ? copi_waiters_wait(self, COP_FOREVER, try_place, group)
                  : try_place(self, group, (cop_ref){0});
    }
    if (r) {
        return r == -EAGAIN || r == -ENOMEM ? copi_fail(r) : r;
    }
    return start(group, fn, arg);
}

/* ---------------------------------------------------------------- public */

cop_group *
cop_group_new(size_t limit)
{
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_group *group = context ? copi_zalloc(sizeof *group) : NULL;
    if (!group) {
        cop_context_free(context);
        copi_fail(-ENOMEM);
        return NULL;
    }
    copi_live_born(COPI_LIVE_GROUP);
    group->context = context;
    group->limit = limit;
    copi_store_relaxed_32(&group->holds, 1);
    copi_lock_init(&group->lock);
    copi_list_init(&group->for_place);
    copi_list_init(&group->for_end);
    return group;
}

int
cop_group_go(cop_group *group, cop_task_fn fn, cop_bytes arg)
{
    return go(group, fn, arg, true);
}

int
cop_group_try_go(cop_group *group, cop_task_fn fn, cop_bytes arg)
{
    return go(group, fn, arg, false);
}

/* 0: all have ended. -EAGAIN: they have not, and a node waits under `ref`. */
static int
all_have_ended(struct copi_process *self, void *arg, cop_ref ref)
{
    cop_group *group = arg;
    copi_lock_take(&group->lock);
    int r = group->running > 0 ? copi_waiters_add(&group->for_end, self, ref) : 0;
    copi_lock_give(&group->lock);
    return r;
}

int
cop_group_wait(cop_group *group, cop_reason *first_failure)
{
    struct copi_process *self;
    int r = copi_enter_exit_point(&self);
    if (r == 0) {
        copi_take_in(self);
        r = copi_waiters_wait(self, COP_FOREVER, all_have_ended, group);
    }
    if (r) {
        return r == -ENOMEM ? copi_fail(r) : r;
    }
    copi_lock_take(&group->lock);
    bool has_failed = group->has_failed;
    cop_reason failure = group->failure;
    copi_lock_give(&group->lock);
    if (!has_failed) {
        const cop_reason over = cop_failed(-ECANCELED, "the group has ended");
        cancel(group, &over); /* what members have left behind */
        return 0;
    }
    if (first_failure) {
        *first_failure = failure;
    }
    return copi_fail_why(&failure, cop_reason_error(failure));
}

void
cop_group_cancel(cop_group *group, cop_reason cause)
{
    cancel(group, &cause);
}

void
cop_group_free(cop_group *group)
{
    if (group) {
        const cop_reason why = cop_failed(-ECANCELED, "the group is gone");
        cancel(group, &why);
        release(group);
    }
}
