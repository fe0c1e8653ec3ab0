/*
 * tests/actors/promise.h - a promise as both of its ends, and who waits for one.
 *
 * Room: tests/. Knows the runtime.
 */
#ifndef COPI_TESTS_PROMISE_H
#define COPI_TESTS_PROMISE_H

#include "runtime/process.h"
#include "runtime/table.h"
#include "tests/support/support.h"

struct promise {
    cop_future *future;
    cop_resolver *resolver;
};

static inline struct promise
promise_of(size_t value_size)
{
    struct promise promise;
    ck_assert_int_eq(cop_promise_new(&promise.future, &promise.resolver, value_size), 0);
    return promise;
}

static inline void
let_go(struct promise promise)
{
    cop_resolver_free(promise.resolver);
    cop_future_release(promise.future);
}

/* With nothing: of a promise without a value. */
static inline void
settle(struct promise promise)
{
    ck_assert_int_eq(cop_resolve(promise.resolver, (cop_bytes){NULL, 0}), 0);
}

/* Asleep, and not before it has subscribed. */
static inline bool
is_awaiting(cop_pid pid)
{
    struct copi_process *process = copi_table_find(pid);
    return process && copi_load_relaxed_64(&process->noticed) != 0
           && copi_load_relaxed_64(&process->mailbox.word) & COPI_MAILBOX_ASLEEP;
}

#endif
