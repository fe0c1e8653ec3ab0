/*
 * actors/promise.c - a future with a resolver.
 *
 * Room: actors/. Any thread.
 *
 * Both ends are one block of memory: the resolver counts as one hold on the cell, whoever and however
 * many use it.
 *
 * The function that is told of a cancellation waits in a word of its own:
 *
 *   EMPTY -> SETTING -> SET       cop_resolver_on_cancel, which writes fn and env in between
 *   SET -> TOLD                   who has cancelled, and calls it
 *   EMPTY, SETTING -> CANCELLED   who has cancelled, and finds nothing to call yet
 *   CANCELLED -> TOLD             cop_resolver_on_cancel that comes too late, and calls its own
 *
 * Whoever makes it TOLD calls, so one function is called, once. All are compare-and-swaps, after the
 * rejection was published: who is called sees it.
 */
#include "actors/future.h"
#include "runtime/alloc.h"
#include "runtime/live.h"
#include "runtime/process.h"

#include <errno.h>
#include <stdlib.h>

enum hook {
    EMPTY,
    SETTING,
    SET,
    CANCELLED,
    TOLD,
};

struct cop_resolver {
    cop_future future;
    copi_atomic32 hook;
    void (*on_cancel)(cop_reason cause, void *env);
    void *env;
    _Alignas(max_align_t) unsigned char value[];
};

static cop_resolver *
of(cop_future *future)
{
    return (cop_resolver *)(void *)future;
}

/* Whether there is a function to be called now. */
static bool
take_hook(cop_resolver *promise)
{
    uint32_t hook = copi_load_relaxed_32(&promise->hook);
    while (!copi_cas_32(&promise->hook, &hook, hook == SET ? TOLD : CANCELLED)) {
    }
    return hook == SET;
}

static int
cancel(cop_future *future, const cop_reason *why)
{
    cop_resolver *promise = of(future);
    int r = copi_future_reject(future, why);
    if (r == 0 && take_hook(promise)) {
        promise->on_cancel(*why, promise->env);
    }
    return r;
}

static void
free_promise(cop_future *future)
{
    free(of(future));
}

static const struct copi_source source = {.cancel = cancel, .free = free_promise};

int
cop_promise_new_at(cop_future **future, cop_resolver **resolver, size_t value_size,
                   const char *file, int line)
{
    size_t inside = value_size == COP_ANY ? 0 : value_size;
    cop_resolver *promise =
        inside > SIZE_MAX - sizeof *promise ? NULL : copi_alloc(sizeof *promise + inside);
    if (!promise) {
        return copi_fail(-ENOMEM);
    }
    copi_future_init(&promise->future, &(struct copi_future_init){&source, value_size, file, line});
    copi_store_relaxed_32(&promise->hook, EMPTY);
    *future = &promise->future;
    *resolver = promise;
    cop_future_retain(&promise->future);
    copi_live_born(COPI_LIVE_RESOLVER);
    return 0;
}

int
cop_resolve(cop_resolver *resolver, cop_bytes value)
{
    return copi_future_resolve(&resolver->future, value, resolver->value);
}

int
cop_resolve_move(cop_resolver *resolver, void *data, size_t size, void (*drop)(void *data))
{
    return data && drop ? copi_future_resolve_move(&resolver->future, data, size, drop) : -EINVAL;
}

int
cop_reject(cop_resolver *resolver, cop_reason reason)
{
    return copi_future_reject(&resolver->future, &reason);
}

void
cop_resolver_free(cop_resolver *resolver)
{
    if (resolver) {
        const cop_reason broken = cop_failed(-EPIPE, "the resolver is gone");
        copi_live_gone(COPI_LIVE_RESOLVER);
        copi_future_reject(&resolver->future, &broken);
        cop_future_release(&resolver->future);
    }
}

static bool
move_hook(cop_resolver *resolver, enum hook from, enum hook to)
{
    uint32_t expected = from;
    return copi_cas_32(&resolver->hook, &expected, to);
}

int
cop_resolver_on_cancel(cop_resolver *resolver, void (*fn)(cop_reason cause, void *env), void *env)
{
    if (move_hook(resolver, EMPTY, SETTING)) {
        resolver->on_cancel = fn;
        resolver->env = env;
        if (move_hook(resolver, SETTING, SET)) { /* pairs with take_hook */
            return 0;
        }
    }
    if (!move_hook(resolver, CANCELLED, TOLD)) {
        return -EALREADY;
    }
    fn(resolver->future.why, env);
    return 0;
}
