/*
 * actors/handlers.c - what is called with an outcome: one of two functions, once; fire and forget.
 *
 * Room: actors/. Workers, but for the registering.
 * Touch freely: the words of the report.
 */
#include "actors/handlers.h"

#include "actors/workers.h"
#include "runtime/process.h"
#include "runtime/report.h"

#include <coppice/chain.h>

#include <errno.h>
#include <stdlib.h>

static struct copi_handlers *
of(struct copi_continuation *continuation)
{
    return (struct copi_handlers *)(void *)continuation;
}

static void
run(struct copi_continuation *continuation, cop_future *settled)
{
    const struct copi_handlers *handlers = of(continuation);
    if (copi_future_outcome(settled) == 0) {
        if (handlers->on_success) {
            handlers->on_success(copi_future_given(settled), handlers->env);
        }
    } else if (handlers->on_failure) {
        handlers->on_failure(settled->why, handlers->env);
    }
}

/* Nobody awaits it: so it is said. */
static void
failed(struct copi_continuation *continuation, const cop_reason *why)
{
    if (cop_is_crash(*why)) {
        char words[sizeof why->text];
        copi_report(COPI_ERROR, "a handler of %s crashed: %s", of(continuation)->whose,
                    cop_reason_string(*why, words, sizeof words));
    }
}

static void
done(struct copi_continuation *continuation, const cop_future *settled)
{
    (void)settled;
    of(continuation)->over(of(continuation));
}

void
copi_handlers_register(cop_future *future, struct copi_handlers *handlers)
{
    static const struct copi_continuation_kind kind = {run, failed, done};
    handlers->continuation = (struct copi_continuation){.kind = &kind};
    copi_future_continue(future, &handlers->continuation);
}

static void
free_handlers(struct copi_handlers *handlers)
{
    free(handlers);
}

int
cop_on_settled(cop_future *future, void (*on_success)(const void *value, void *env),
               void (*on_failure)(cop_reason reason, void *env), void *env)
{
    struct copi_handlers *handlers = copi_workers_alloc(sizeof *handlers);
    if (!handlers) {
        return copi_fail(-ENOMEM);
    }
    *handlers = (struct copi_handlers){
        .on_success = on_success,
        .on_failure = on_failure,
        .env = env,
        .over = free_handlers,
        .whose = "cop_on_settled",
    };
    cop_future *awaited = copi_future_wanted(future, -1);
    copi_handlers_register(awaited, handlers);
    cop_future_release(awaited);
    return 0;
}
