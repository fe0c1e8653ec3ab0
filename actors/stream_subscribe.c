/*
 * actors/stream_subscribe.c - consuming a stream by functions.
 *
 * Room: actors/.
 */
#include "actors/stream.h"
#include "runtime/alloc.h"
#include "runtime/message.h"
#include "runtime/process.h"

#include <errno.h>
#include <stdlib.h>

struct handlers {
    cop_subscription subscription;
    cop_subscriber is; /* constant, but for drop_env, which is called once */
};

static struct handlers *
of(cop_subscription *subscription)
{
    return (struct handlers *)(void *)subscription;
}

static void
subscribed(cop_subscription *subscription)
{
    const cop_subscriber *is = &of(subscription)->is;
    if (is->on_subscribed) {
        is->on_subscribed(subscription, is->env);
    }
    if (!is->manual) {
        copi_subscription_ask(subscription, UINT64_MAX);
    }
}

static int
element(cop_subscription *subscription, void *room)
{
    const cop_subscriber *is = &of(subscription)->is;
    if (is->takes) {
        copi_taken(subscription);
    }
    is->on_element(room, is->env);
    return 0;
}

static void
over(cop_subscription *subscription, const cop_reason *why)
{
    const cop_subscriber *is = &of(subscription)->is;
    if (why && is->on_error) {
        is->on_error(*why, is->env);
    } else if (!why && is->on_complete) {
        is->on_complete(is->env);
    }
}

static void
drop_env(cop_subscriber *is)
{
    void (*drop)(void *env) = is->drop_env;
    is->drop_env = NULL;
    if (drop) {
        copi_run_drop(drop, is->env);
    }
}

static void
closed(cop_subscription *subscription)
{
    if (!copi_subscription_is_lost(subscription)) {
        drop_env(&of(subscription)->is);
    }
}

static void
free_handlers(cop_subscription *subscription)
{
    drop_env(&of(subscription)->is);
    free(subscription);
}

static int
refuse(cop_stream *stream, const cop_subscriber *is, int code)
{
    cop_stream_release(stream);
    if (is && is->drop_env) {
        copi_run_drop(is->drop_env, is->env);
    }
    return copi_fail(code);
}

int
cop_stream_subscribe_with(cop_subscription **out, cop_stream *stream, const cop_subscriber *is)
{
    static const struct copi_sink sink = {subscribed, element, over, closed, free_handlers};
    if (!is || !is->on_element) {
        return refuse(stream, is, -EINVAL);
    }
    struct handlers *handlers = copi_zalloc(sizeof *handlers);
    if (!handlers) {
        return refuse(stream, is, -ENOMEM);
    }
    handlers->is = *is;
    int r = copi_subscription_init(&handlers->subscription, &sink, copi_stream_claim(stream),
                                   is->file, is->line);
    if (r) {
        drop_env(&handlers->is);
        free(handlers);
        return r;
    }
    if (out) {
        *out = &handlers->subscription;
    }
    copi_subscription_start(&handlers->subscription);
    if (!out) {
        cop_subscription_release(&handlers->subscription);
    }
    return 0;
}
