/*
 * actors/await.c - waiting for futures: one, all, the first, every outcome.
 *
 * Room: actors/. The waiting process.
 * Touch freely: what is made of the outcomes. Ask first: when a value may be read.
 *
 * A wait subscribes a notice to each future that is not settled, all under one reference, and counts
 * them as they come, in the order of time: runtime/notice.c says how. Each notice holds its future, so
 * a value may be read when its notice is there, although another may have released the last handle.
 *
 * What is waited for need not be the future of the handle: another may stand in for it, this time
 * (copi_future_wanted). So what has come is read from the future that the notice holds, and the handle
 * says only whether there is anything to wait for. The hold that stands between asking and subscribing is
 * given back before the wait, in which the process may end.
 *
 * A wait for a single task publishes whom it waits for, as a call does: a circle of tasks and calls is
 * refused. Waits for several have no single edge; only the caller's own task among them is refused, and
 * the header says so.
 */
#include "actors/future.h"
#include "runtime/cycle.h"
#include "runtime/inbox.h"
#include "runtime/notice.h"
#include "runtime/process.h"
#include "runtime/table.h"

#include <errno.h>

/* ---------------------------------------------------------------- one */

/* All that is here is an exit point, also when there is nothing to wait for: who awaits in a loop has to
 * be able to end. */
static int
enter(struct copi_process **self)
{
    int r = copi_enter_exit_point(self);
    if (r == 0) {
        if (copi_load_relaxed_32(&(*self)->signals)) {
            copi_take_in(*self);
        }
        copi_exit_point(*self);
    }
    return r;
}

static int
subscribe(struct copi_process *self, cop_future *future, cop_ref ref, size_t index)
{
    struct copi_message *node =
        copi_message_new(COPI_NOTE, (uint32_t)index, sizeof(struct copi_outside));
    if (!node) {
        return copi_fail(-ENOMEM);
    }
    node->ref = ref;
    copi_future_subscribe(future, self->pid, node);
    return 0;
}

/* Say whom the wait is for, where that is a process. -EDEADLK. */
static int
begin_edge(struct copi_process *self, cop_future *future, cop_ref *ref)
{
    cop_pid pid = cop_future_pid(future);
    struct copi_process *task = copi_table_find(pid);
    *ref = copi_make_ref(self, task ? task->index : self->index);
    return task ? copi_cycle_begin(self, pid, *ref) : 0;
}

/* What has settled, held for as long as the notice is there. */
static cop_future *
settled_by(struct copi_message *notice)
{
    return ((struct copi_outside *)(void *)notice->body)->data;
}

static int
subscribe_to_one(struct copi_process *self, cop_future *future, cop_time timeout)
{
    cop_ref ref;
    int r = cop_cancelled();
    if (r) {
        copi_future_observed(future); /* nothing is begun for who cannot wait */
        return r;
    }
    cop_future *awaited = copi_future_wanted(future, timeout);
    r = begin_edge(self, awaited, &ref);
    if (r == 0) {
        copi_notices_begin(self, ref);
        r = subscribe(self, awaited, ref, 0);
    }
    cop_future_release(awaited);
    return r;
}

/* Until it is settled: 0, and *settled has its outcome, for as long as the notices of the process last. */
static int
wait_for(struct copi_process *self, cop_future *future, cop_time timeout, cop_future **settled)
{
    struct copi_message *notice = NULL;
    struct copi_wait wait = COPI_WAIT("await", timeout);
    int r = subscribe_to_one(self, future, timeout);
    r = r ? r : copi_notices_next(self, &wait, &notice);
    if (r == 0) {
        *settled = settled_by(notice);
    } else if (r == -ETIMEDOUT && copi_future_outcome(future) != -EINPROGRESS) {
        *settled = future; /* its notice was late, in the hands of a sweeper */
        r = 0;
    }
    return r;
}

static int
fail_with(cop_future *future)
{
    copi_future_observed(future);
    return copi_fail_why(&future->why, copi_future_outcome(future));
}

static int
copy_value(cop_future *future, void *out, size_t size)
{
    int r = copi_future_outcome(future);
    if (r) {
        return fail_with(future);
    }
    if (future->value.size != size) {
        return copi_fail(-EMSGSIZE);
    }
    if (size > 0) {
        memcpy(out, future->value.data, size);
    }
    return 0;
}

/* A rejection has no size. */
static int
check_size(const cop_future *future, size_t size)
{
    bool fits = future->value_size == COP_ANY || future->value_size == size;
    int outcome = copi_future_outcome(future);
    return fits || (outcome != 0 && outcome != -EINPROGRESS) ? 0 : copi_fail(-EMSGSIZE);
}

/* *rejected: whether it is the future that has failed, and not the wait. */
static int
await(cop_future *future, void *out, size_t size, cop_time timeout, bool *rejected)
{
    struct copi_process *self;
    cop_future *settled = future;
    int r = enter(&self);
    r = r ? r : check_size(future, size);
    if (r) {
        return r;
    }
    bool waits = copi_future_outcome(future) == -EINPROGRESS;
    r = waits ? wait_for(self, future, timeout, &settled) : 0;
    if (r == 0) {
        *rejected = copi_future_outcome(settled) != 0;
        r = copy_value(settled, out, size);
    }
    if (waits) {
        copi_notices_end(self);
    }
    return r;
}

int
cop_await(cop_future *future, void *out, size_t size, cop_time timeout)
{
    bool rejected;
    return await(future, out, size, timeout, &rejected);
}

int
cop_await_bytes(cop_future *future, cop_bytes *out, cop_time timeout)
{
    struct copi_process *self;
    cop_future *settled = future;
    int r = enter(&self);
    if (r) {
        return r;
    }
    bool waits = copi_future_outcome(future) == -EINPROGRESS;
    r = waits ? wait_for(self, future, timeout, &settled) : 0;
    if (r == 0 && copi_future_outcome(settled) != 0) {
        r = fail_with(settled);
    }
    if (r == 0) {
        *out = settled->value; /* the handle holds it, also when another stood in */
    }
    if (waits) {
        copi_notices_end(self);
    }
    return r;
}

void
cop_must_await(cop_future *future, void *out, size_t size)
{
    bool rejected = false;
    int r = await(future, out, size, COP_FOREVER, &rejected);
    cop_reason why = cop_why();
    if (r && rejected && !cop_is_crash(why)) {
        char words[sizeof why.text]; /* how the other has ended is no way for this one to end */
        cop_exit(cop_failed(r, "%s", cop_reason_string(why, words, sizeof words)));
    } else if (r) {
        cop_exit(why);
    }
}

/* ---------------------------------------------------------------- several */

struct several {
    cop_future *const *futures;
    size_t n;
    struct copi_wait wait;
    struct copi_message *notice; /* the last one that has come */
};

static int
check_several(const struct copi_process *self, const struct several *all, size_t each)
{
    for (size_t i = 0; i < all->n; i++) {
        int r = check_size(all->futures[i], each);
        if (r) {
            return r;
        }
        if (cop_pid_eq(cop_future_pid(all->futures[i]), self->pid)) {
            return copi_fail(-EDEADLK);
        }
    }
    return 0;
}

static int
subscribe_to_all(struct copi_process *self, const struct several *all)
{
    cop_ref ref = copi_make_ref(self, self->index);
    copi_notices_begin(self, ref);
    int r = 0;
    bool can_wait = cop_cancelled() == 0;
    for (size_t i = 0; i < all->n && r == 0; i++) {
        if (can_wait || copi_future_outcome(all->futures[i]) != -EINPROGRESS) {
            cop_future *awaited = copi_future_wanted(all->futures[i], all->wait.timeout);
            r = subscribe(self, awaited, ref, i);
            cop_future_release(awaited);
        }
    }
    if (r) {
        copi_notices_end(self);
    }
    return r;
}

static int
begin_several(struct copi_process **self, struct several *all, size_t each, cop_time timeout)
{
    all->wait = COPI_WAIT("await", timeout);
    int r = enter(self);
    r = r ? r : check_several(*self, all, each);
    return r ? r : subscribe_to_all(*self, all);
}

/* The next that is settled, in the order of time. */
static int
next_settled(struct copi_process *self, struct several *all, cop_future **settled)
{
    int r = copi_notices_next(self, &all->wait, &all->notice);
    if (r == 0) {
        *settled = settled_by(all->notice);
    }
    return r;
}

static void *
place(void *out, size_t index, size_t each)
{
    return each > 0 ? (char *)out + index * each : NULL;
}

/* All have come, with values. */
static int
copy_all(const struct copi_process *self, void *out, size_t each)
{
    struct copi_message *first = self->notices.first, *at;
    int r = 0;
    for (at = first; at && r == 0; at = at->next) {
        r = settled_by(at)->value.size == each ? 0 : copi_fail(-EMSGSIZE);
    }
    for (at = first; at && r == 0; at = at->next) {
        r = copy_value(settled_by(at), place(out, at->tag, each), each);
    }
    return r;
}

int
cop_await_all(cop_future *const futures[], size_t n, void *out, size_t each, cop_time timeout)
{
    struct copi_process *self;
    struct several all = {.futures = futures, .n = n};
    cop_future *settled;
    int r = begin_several(&self, &all, each, timeout);
    if (r) {
        return r;
    }
    for (size_t left = n; left > 0 && r == 0; left--) {
        r = next_settled(self, &all, &settled);
        if (r == 0 && copi_future_outcome(settled) != 0) {
            r = fail_with(settled);
        }
    }
    if (r == 0) {
        r = copy_all(self, out, each);
    }
    copi_notices_end(self);
    return r;
}

int
cop_await_first(cop_future *const futures[], size_t n, void *out, size_t each, size_t *winner,
                cop_time timeout)
{
    struct copi_process *self;
    struct several all = {.futures = futures, .n = n};
    cop_future *settled = NULL;
    if (n == 0) {
        return copi_fail(-EINVAL);
    }
    int r = begin_several(&self, &all, each, timeout);
    if (r) {
        return r;
    }
    bool failed = true;
    for (size_t left = n; left > 0 && failed && r == 0; left--) {
        r = next_settled(self, &all, &settled);
        failed = r == 0 && copi_future_outcome(settled) != 0;
    }
    if (r == 0) {
        r = copy_value(settled, out, each);
    }
    if (r == 0 && winner) {
        *winner = all.notice->tag;
    }
    copi_notices_end(self);
    return r;
}

int
cop_race(cop_future *const futures[], size_t n, void *out, size_t each, size_t *winner,
         cop_time timeout)
{
    size_t won = 0;
    int r = cop_await_first(futures, n, out, each, &won, timeout);
    if (r) {
        return r;
    }
    for (size_t i = 0; i < n; i++) {
        if (i != won) {
            cop_future_cancel(futures[i], cop_failed(-ECANCELED, "another was first"));
        }
    }
    if (winner) {
        *winner = won;
    }
    return 0;
}

static int
tell(cop_future *future, void *out, size_t each)
{
    int outcome = copi_future_outcome(future);
    return outcome == 0 ? copy_value(future, out, each) : outcome;
}

/* The outcome of each, as far as there is one: those that have come, and those whose notices are late. */
static void
tell_all(const struct copi_process *self, const struct several *all, void *out, size_t each,
         int status[])
{
    for (size_t i = 0; i < all->n; i++) {
        status[i] = -EINPROGRESS;
    }
    for (struct copi_message *at = self->notices.first; at; at = at->next) {
        status[at->tag] = tell(settled_by(at), place(out, at->tag, each), each);
    }
    for (size_t i = 0; i < all->n; i++) {
        if (status[i] == -EINPROGRESS) {
            status[i] = tell(all->futures[i], place(out, i, each), each);
        }
    }
}

int
cop_await_some(cop_future *const futures[], size_t n, size_t limit, void *out, size_t each,
               int status[], cop_time timeout)
{
    struct copi_process *self;
    struct several all = {.futures = futures, .n = n};
    cop_future *settled;
    int r = begin_several(&self, &all, each, timeout);
    if (r) {
        return r;
    }
    for (size_t left = limit < n ? limit : n; left > 0 && r == 0; left--) {
        r = next_settled(self, &all, &settled);
    }
    if (r == 0 || r == -ETIMEDOUT) {
        tell_all(self, &all, out, each, status);
    }
    copi_notices_end(self);
    return copi_wait_failed(r);
}

int
cop_await_settled(cop_future *const futures[], size_t n, void *out, size_t each, int status[],
                  cop_time timeout)
{
    return cop_await_some(futures, n, n, out, each, status, timeout);
}

int
copi_await_any(cop_future *const futures[], size_t n, cop_time timeout)
{
    struct copi_process *self;
    struct several all = {.futures = futures, .n = n, .wait = COPI_WAIT("await", timeout)};
    cop_future *settled;
    int r = enter(&self);
    r = r ? r : subscribe_to_all(self, &all);
    if (r) {
        return r;
    }
    r = next_settled(self, &all, &settled);
    copi_notices_end(self);
    return r;
}
