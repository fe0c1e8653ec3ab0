/*
 * actors/chain.c - futures made of futures: map, then, recover, finally.
 *
 * Room: actors/. Workers, but for the making.
 * Touch freely: nothing. Ask first: who holds whom.
 *
 * A child is one block: its cell, the continuation that waits for the source, the room for a result.
 * The continuation counts as a hold on the cell, given back when it has run: whoever releases the child
 * or the source meanwhile disturbs nothing.
 *
 * A child whose outcome is that of another future, unchanged, does not copy the value. It shows the
 * other's (copi_future_adopt); so what owns memory is dropped once.
 *
 * cop_then's function gives a future, which the child waits for in its turn, by a continuation again.
 * That future may wait for the child: each for the other, for ever. So what a child waits for stands in
 * `waits_for`, and before the child waits for what the function made, it walks along these, under one
 * lock, which guards the changes, too.
 */
#include "actors/continuation.h"
#include "actors/future.h"
#include "actors/result.h"
#include "actors/workers.h"
#include "runtime/process.h"
#include "runtime/thread.h"

#include <coppice/chain.h>

#include <errno.h>
#include <stdlib.h>

union function {
    cop_map_fn map;
    cop_then_fn then;
    cop_recover_fn recover;
    void (*finally)(void *env);
};

struct child {
    cop_future future;
    struct copi_continuation continuation;
    struct copi_continuation adoption; /* of what cop_then's function has made */
    union function fn;
    void *env;
    void (*drop_env)(void *env);
    struct copi_result result;
    cop_future *waits_for; /* guarded by `circle`; NULL: settled, or about to be */
    _Alignas(max_align_t) unsigned char room[];
};

static copi_lock circle = COPI_LOCK_INIT;

static struct child *
of(cop_future *future)
{
    return (struct child *)(void *)future;
}

static struct child *
of_continuation(struct copi_continuation *continuation)
{
    return (struct child *)(void *)((char *)continuation - offsetof(struct child, continuation));
}

/* ---------------------------------------------------------------- as a future's source */

static void
free_child(cop_future *future)
{
    free(of(future));
}

static const struct copi_source source = {.free = free_child};

/* ---------------------------------------------------------------- settling */

/* It does not wait for this one any more; it may for another. */
static void
stop_waiting(struct child *child, const cop_future *settled)
{
    copi_lock_take(&circle);
    if (child->waits_for == settled) {
        child->waits_for = NULL;
    }
    copi_lock_give(&circle);
}

static void
reject(struct child *child, const cop_reason *why)
{
    copi_future_reject(&child->future, why); /* it may have been cancelled */
}

/* The same outcome as the other's, which is settled; if it has not been cancelled. */
static void
adopt(struct child *child, cop_future *other)
{
    copi_future_adopt(&child->future, other);
}

/* What a function has said of the result that it was to make. */
static void
conclude(struct child *child, int code)
{
    if (code == 0) {
        code = copi_result_keep(&child->result, &child->future);
    }
    if (code != 0) {
        cop_reason why =
            code < 0 ? cop_failed(code, NULL) : cop_failed(-EINVAL, "{bad_return_value,%d}", code);
        reject(child, &why);
    } else if (copi_future_claim(&child->future)) {
        copi_result_publish(&child->result, &child->future);
    } else {
        copi_result_drop(&child->result, &child->future);
    }
}

static bool
is_settled(const struct child *child)
{
    return copi_future_outcome(&child->future) != -EINPROGRESS;
}

static void *
place(struct child *child)
{
    return copi_result_place(&child->result, &child->future);
}

/* ---------------------------------------------------------------- the four */

/* Whether there is a value for its function; a rejection goes on as it is. */
static bool
has_value(struct child *child, const cop_future *settled)
{
    if (is_settled(child)) {
        return false;
    }
    if (copi_future_outcome(settled) != 0) {
        reject(child, &settled->why);
        return false;
    }
    return true;
}

static void
run_map(struct copi_continuation *continuation, cop_future *settled)
{
    struct child *child = of_continuation(continuation);
    if (has_value(child, settled)) {
        conclude(child, child->fn.map(copi_future_given(settled), place(child), child->env));
    }
}

static void
run_recover(struct copi_continuation *continuation, cop_future *settled)
{
    struct child *child = of_continuation(continuation);
    if (is_settled(child)) {
        return;
    }
    if (copi_future_outcome(settled) == 0) {
        adopt(child, settled);
    } else {
        conclude(child, child->fn.recover(settled->why, place(child), child->env));
    }
}

static void
run_finally(struct copi_continuation *continuation, cop_future *settled)
{
    struct child *child = of_continuation(continuation);
    child->fn.finally(child->env);
    adopt(child, settled);
}

/* What it waits for; NULL: nothing. One that was cancelled does not wait any more. */
static const cop_future *
waits_for_locked(const cop_future *future)
{
    bool waits = future->source == &source && copi_future_outcome(future) == -EINPROGRESS;
    return waits ? ((const struct child *)(const void *)future)->waits_for : NULL;
}

/* Whether `from` waits, directly or through others, for the child. */
static bool
leads_to_locked(const cop_future *from, const struct child *child)
{
    const cop_future *at = from;
    while (at && at != &child->future) {
        at = waits_for_locked(at);
    }
    return at != NULL;
}

static bool
wait_without_circle(struct child *child, cop_future *other)
{
    copi_lock_take(&circle);
    bool is_circle = leads_to_locked(other, child);
    child->waits_for = is_circle ? NULL : other;
    copi_lock_give(&circle);
    return !is_circle;
}

/* Takes the handle on what was made: what is pending is held by who will settle it. */
static void
wait_for_made(struct child *child, cop_future *made)
{
    cop_future *awaited = made ? copi_future_wanted(made, -1) : NULL;
    int code = !awaited ? -EINVAL : !wait_without_circle(child, awaited) ? -EDEADLK : 0;
    if (code == 0) {
        cop_future_retain(&child->future);
        copi_future_continue(awaited, &child->adoption);
    } else {
        const cop_reason why = cop_failed(code, NULL);
        reject(child, &why);
    }
    cop_future_release(awaited);
    cop_future_release(made);
}

static void
run_then(struct copi_continuation *continuation, cop_future *settled)
{
    struct child *child = of_continuation(continuation);
    if (has_value(child, settled)) {
        wait_for_made(child, child->fn.then(copi_future_given(settled), child->env));
    }
}

/* ---------------------------------------------------------------- after each */

static void
failed(struct copi_continuation *continuation, const cop_reason *why)
{
    reject(of_continuation(continuation), why);
}

static void
drop_env(struct child *child)
{
    if (child->drop_env) {
        copi_run_drop(child->drop_env, child->env);
    }
}

static void
done(struct copi_continuation *continuation, const cop_future *settled)
{
    struct child *child = of_continuation(continuation);
    drop_env(child);
    stop_waiting(child, settled);
    cop_future_release(&child->future);
}

/* ---------------------------------------------------------------- cop_then's second half */

static struct child *
of_adoption(struct copi_continuation *adoption)
{
    return (struct child *)(void *)((char *)adoption - offsetof(struct child, adoption));
}

static void
run_adoption(struct copi_continuation *adoption, cop_future *settled)
{
    adopt(of_adoption(adoption), settled);
}

static void
adoption_failed(struct copi_continuation *adoption, const cop_reason *why)
{
    reject(of_adoption(adoption), why);
}

static void
adoption_done(struct copi_continuation *adoption, const cop_future *settled)
{
    struct child *child = of_adoption(adoption);
    stop_waiting(child, settled);
    cop_future_release(&child->future);
}

static const struct copi_continuation_kind adoption = {run_adoption, adoption_failed,
                                                       adoption_done};

/* ---------------------------------------------------------------- making */

static struct child *
allocate(size_t inside)
{
    return inside > SIZE_MAX / 2 ? NULL : copi_workers_alloc(sizeof(struct child) + inside);
}

static size_t
room_for_result(const cop_chain_opts *opts)
{
    return opts->result_size == COP_ANY ? 0 : opts->result_size;
}

/* With room `inside` for what a function makes; what is adopted needs none. */
static cop_future *
make(cop_future *future, const struct copi_continuation_kind *kind, union function fn,
     const cop_chain_opts *opts, size_t inside)
{
    size_t value_size = kind->run == run_finally ? future->value_size : opts->result_size;
    struct child *child = allocate(inside);
    if (!child) {
        if (opts->drop_env) {
            copi_run_drop(opts->drop_env, opts->env);
        }
        return copi_future_no_memory();
    }
    copi_future_init(&child->future,
                     &(struct copi_future_init){&source, value_size, opts->file, opts->line});
    child->continuation.kind = kind;
    child->adoption.kind = &adoption;
    child->fn = fn;
    child->env = opts->env;
    child->drop_env = opts->drop_env;
    child->result = (struct copi_result){.drop = opts->drop, .inside = inside ? child->room : NULL};
    if (!fn.map) { /* whichever it is */
        const cop_reason why = cop_failed(-EINVAL, "no function");
        drop_env(child);
        reject(child, &why);
        return &child->future;
    }
    cop_future *awaited = copi_future_wanted(future, -1);
    child->waits_for = awaited;
    cop_future_retain(&child->future);
    copi_future_continue(awaited, &child->continuation);
    cop_future_release(awaited); /* what is pending is held by who will settle it */
    return &child->future;
}

static const cop_chain_opts *
or_none(const cop_chain_opts *opts)
{
    static const cop_chain_opts none;
    return opts ? opts : &none;
}

cop_future *
cop_map_with(cop_future *future, cop_map_fn fn, const cop_chain_opts *opts)
{
    static const struct copi_continuation_kind kind = {run_map, failed, done};
    return make(future, &kind, (union function){.map = fn}, or_none(opts),
                room_for_result(or_none(opts)));
}

cop_future *
cop_then_with(cop_future *future, cop_then_fn fn, const cop_chain_opts *opts)
{
    static const struct copi_continuation_kind kind = {run_then, failed, done};
    return make(future, &kind, (union function){.then = fn}, or_none(opts), 0);
}

cop_future *
cop_recover_with(cop_future *future, cop_recover_fn fn, const cop_chain_opts *opts)
{
    static const struct copi_continuation_kind kind = {run_recover, failed, done};
    return make(future, &kind, (union function){.recover = fn}, or_none(opts),
                room_for_result(or_none(opts)));
}

cop_future *
cop_finally_with(cop_future *future, void (*fn)(void *env), const cop_chain_opts *opts)
{
    static const struct copi_continuation_kind kind = {run_finally, failed, done};
    return make(future, &kind, (union function){.finally = fn}, or_none(opts), 0);
}
