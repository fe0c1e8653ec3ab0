/*
 * actors/result.c - what a user's function makes, on its way into a future.
 *
 * Room: actors/. Whoever runs the function.
 *
 * A result of a known size is written in place, where nobody looks before the future is settled. One of
 * any size is bytes that the function points to: they are copied when it has returned, because they may
 * be memory of its process; or, with a drop function, taken over as they are.
 */
#include "actors/result.h"

#include "runtime/alloc.h"

#include <errno.h>
#include <stdlib.h>

static bool
has_any_size(const cop_future *future)
{
    return future->value_size == COP_ANY;
}

void *
copi_result_place(struct copi_result *result, const cop_future *future)
{
    return has_any_size(future) ? (void *)&result->any : result->inside;
}

int
copi_result_keep(struct copi_result *result, const cop_future *future)
{
    if (!has_any_size(future) || result->drop) {
        return 0;
    }
    result->copy = copi_alloc(result->any.size ? result->any.size : 1);
    if (!result->copy) {
        return -ENOMEM;
    }
    if (result->any.size > 0) {
        memcpy(result->copy, result->any.data, result->any.size);
    }
    result->any.data = result->copy;
    return 0;
}

cop_bytes
copi_result_value(const struct copi_result *result, const cop_future *future)
{
    return has_any_size(future) ? result->any : (cop_bytes){result->inside, future->value_size};
}

void
copi_result_publish(struct copi_result *result, cop_future *future)
{
    cop_bytes value = copi_result_value(result, future);
    future->drop = result->drop;
    future->outside = result->copy;
    copi_future_publish_value(future, value.data, value.size);
}

void
copi_result_drop(struct copi_result *result, const cop_future *future)
{
    union {
        const void *in;
        void *out;
    } any = {.in = result->any.data};
    if (result->drop) {
        copi_run_drop(result->drop, has_any_size(future) ? any.out : result->inside);
    }
    free(result->copy);
    result->copy = NULL;
}
