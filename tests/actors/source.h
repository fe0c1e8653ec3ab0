/*
 * tests/actors/source.h - a future that is settled at one of three times: before something is registered
 * with it, right after that on the same thread, or later on another one.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_SOURCE_H
#define COPI_TESTS_SOURCE_H

#include "tests/support/support.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

enum when {
    BEFORE,
    RIGHT_AFTER,
    LATER,
    ALL_THREE,
};

static const uint64_t VALUE = 40;

static struct {
    cop_future *future;
    cop_resolver *resolver;
    enum when when;
    bool fails;
} source;

static inline cop_reason
failure(void)
{
    return cop_failed(-EBADMSG, "{these,are,the,words}");
}

static inline void
settle(void)
{
    int r = source.fails ? cop_reject(source.resolver, failure())
                         : cop_resolve(source.resolver, COP_BYTES(VALUE));
    ck_assert_int_eq(r, 0);
}

static inline void
begin(int when, bool fails)
{
    ck_assert_int_eq(cop_promise_new(&source.future, &source.resolver, sizeof VALUE), 0);
    source.when = (enum when)when;
    source.fails = fails;
    if (source.when == BEFORE) {
        settle();
    }
}

static inline void *
settle_later(void *arg)
{
    usleep(20000);
    settle();
    return arg;
}

/* What was to be registered is. */
static inline void
proceed(void)
{
    pthread_t thread;
    if (source.when == RIGHT_AFTER) {
        settle();
    } else if (source.when == LATER) {
        ck_assert_int_eq(pthread_create(&thread, NULL, settle_later, NULL), 0);
        pthread_join(thread, NULL);
    }
}

static inline void
let_go(void)
{
    cop_resolver_free(source.resolver);
    cop_future_release(source.future);
}

#endif
