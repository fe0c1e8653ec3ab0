/*
 * tests/actors/stream.h - sources that count what they are asked, subscribers that remember what they are
 * told, elements that are counted from their making to their end.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_ACTORS_STREAM_H
#define COPI_TESTS_ACTORS_STREAM_H

#include "actors/stream.h"
#include "tests/support/support.h"

#include <errno.h>

/* ---------------------------------------------------------------- a source of 0, 1, 2, … */

enum {
    ENDLESS = -1
};

struct source {
    int count;     /* elements; ENDLESS */
    int fails_at;  /* asked for this element it fails with -EIO; 0: never */
    int open_code; /* what `open` returns */
    atomic_int asked;
    atomic_uint opened, closed, env_dropped;
};

static inline int
source_next(void *element, void *env)
{
    struct source *source = env;
    int n = source->asked++;
    if (source->fails_at > 0 && n == source->fails_at) {
        return -EIO;
    }
    if (source->count != ENDLESS && n >= source->count) {
        return -ENODATA;
    }
    memcpy(element, &n, sizeof n);
    return 0;
}

static inline int
source_open(void *env)
{
    struct source *source = env;
    source->opened++;
    return source->open_code;
}

static inline void
source_close(void *env)
{
    ((struct source *)env)->closed++;
}

static inline void
source_drop_env(void *env)
{
    ((struct source *)env)->env_dropped++;
}

static inline cop_stream *
source_stream(struct source *source)
{
    return cop_stream_generate_with(&(cop_generator){.next = source_next,
                                                     .open = source_open,
                                                     .close = source_close,
                                                     .drop_env = source_drop_env,
                                                     .env = source,
                                                     .size = sizeof(int),
                                                     .file = __FILE__,
                                                     .line = __LINE__});
}

/* ---------------------------------------------------------------- a subscriber that remembers */

struct record {
    /* what it is to do */
    uint64_t request_first, request_each; /* from inside its functions */
    unsigned cancel_at; /* from inside on_element, with so many elements; 0: never */
    unsigned crash_at;
    /* what it was told */
    atomic_uint subscribed, elements, errors, completes, env_dropped;
    atomic_uint broken_rules; /* signals after the end, before the beginning, or two at once */
    atomic_int last;          /* element */
    bool in_order;            /* each was one more than the last */
    cop_reason why;
    atomic_uint inside;
    cop_subscription *subscription;
};

static inline unsigned
record_ends(const struct record *record)
{
    return record->errors + record->completes;
}

static inline void
record_begin(struct record *record, bool is_first)
{
    record->broken_rules += record->inside++ > 0;
    record->broken_rules += record_ends(record) > 0;
    record->broken_rules += record->subscribed != (is_first ? 0U : 1U);
}

static inline void
record_subscribed(cop_subscription *subscription, void *env)
{
    struct record *record = env;
    record_begin(record, true);
    record->subscription = subscription;
    record->last = -1;
    record->in_order = true;
    record->subscribed++;
    if (record->request_first > 0) {
        cop_subscription_request(subscription, record->request_first);
    }
    record->inside--;
}

static inline void
record_element(void *element, void *env)
{
    struct record *record = env;
    int n;
    record_begin(record, false);
    memcpy(&n, element, sizeof n);
    record->in_order = record->in_order && n == record->last + 1;
    record->last = n;
    unsigned count = ++record->elements;
    if (record->request_each > 0) {
        cop_subscription_request(record->subscription, record->request_each);
    }
    if (count == record->cancel_at) {
        cop_subscription_cancel(record->subscription);
    }
    record->inside--;
    if (count == record->crash_at) {
        cop_exit(cop_failed(-EPROTO, "{crashed,here}"));
    }
}

static inline void
record_error(cop_reason why, void *env)
{
    struct record *record = env;
    record_begin(record, false);
    record->why = why;
    record->errors++;
    record->inside--;
}

static inline void
record_complete(void *env)
{
    struct record *record = env;
    record_begin(record, false);
    record->completes++;
    record->inside--;
}

static inline void
record_drop_env(void *env)
{
    ((struct record *)env)->env_dropped++;
}

static inline cop_subscriber
record_subscriber(struct record *record, bool manual)
{
    return (cop_subscriber){.on_subscribed = record_subscribed,
                            .on_element = record_element,
                            .on_error = record_error,
                            .on_complete = record_complete,
                            .drop_env = record_drop_env,
                            .env = record,
                            .manual = manual,
                            .file = __FILE__,
                            .line = __LINE__};
}

/* Subscribe it, with elements to come as they are requested; it is told that it is before this returns. */
static inline cop_subscription *
record_subscribe(struct record *record, cop_stream *stream)
{
    cop_subscription *subscription;
    const cop_subscriber is = record_subscriber(record, true);
    ck_assert_int_eq(cop_stream_subscribe_with(&subscription, stream, &is), 0);
    EVENTUALLY(record->subscribed == 1);
    return subscription;
}

/* The same, and all elements come. */
static inline cop_subscription *
record_all(struct record *record, cop_stream *stream)
{
    cop_subscription *subscription;
    const cop_subscriber is = record_subscriber(record, false);
    ck_assert_int_eq(cop_stream_subscribe_with(&subscription, stream, &is), 0);
    return subscription;
}

/* Wait for the end, whichever it is, and let go. Returns what `ended` was settled with. */
static inline int
record_await(struct record *record, cop_subscription *subscription)
{
    cop_future *ended = cop_subscription_ended(subscription);
    EVENTUALLY(cop_future_state(ended, NULL) != -EINPROGRESS); /* which needs no memory */
    int r = cop_future_state(ended, NULL);
    cop_future_release(ended);
    cop_subscription_release(subscription);
    ck_assert_uint_eq(record->broken_rules, 0);
    ck_assert_uint_eq(record->env_dropped, 1);
    return r;
}

/* The same after a cancellation. */
static inline void
record_cancel(struct record *record, cop_subscription *subscription)
{
    ck_assert_int_eq(cop_subscription_cancel_wait(subscription, SOON), 0);
    (void)record_await(record, subscription);
}

/* Nothing is to be done for it now. */
static inline bool
is_at_rest(const cop_subscription *subscription)
{
    return copi_load_acquire_32(&subscription->wakes) == 0;
}

/* ---------------------------------------------------------------- elements that are counted */

/* Pointers to int, each of its own. */
static atomic_uint made, unmade;

static inline int
owner_next(void *element, void *env)
{
    int n, *own, r = source_next(&n, env);
    if (r) {
        return r;
    }
    own = malloc(sizeof *own);
    ck_assert_ptr_nonnull(own);
    *own = n;
    memcpy(element, &own, sizeof own);
    made++;
    return 0;
}

static inline void
owner_drop(void *element)
{
    int *own;
    memcpy(&own, element, sizeof own);
    free(own); /* twice: a sanitizer, or malloc, sees that */
    unmade++;
}

static inline cop_stream *
owner_stream(struct source *source)
{
    return cop_stream_generate_with(&(cop_generator){.next = owner_next,
                                                     .close = source_close,
                                                     .drop_env = source_drop_env,
                                                     .env = source,
                                                     .size = sizeof(int *),
                                                     .drop = owner_drop,
                                                     .file = __FILE__,
                                                     .line = __LINE__});
}

/* ---------------------------------------------------------------- functions that change nothing */

static inline int
same_int(void *element, void *result, void *env)
{
    (void)env;
    memcpy(result, element, sizeof(int));
    return 0;
}

static inline int
same_owner(void *element, void *result, void *env)
{
    (void)env;
    memcpy(result, element, sizeof(int *));
    return 0;
}

static inline bool
every(const void *element, void *env)
{
    (void)element, (void)env;
    return true;
}

static inline cop_stream *
map_owner(cop_stream *stream)
{
    return cop_stream_map_with(
        stream, same_owner,
        &(cop_stream_opts){.size = sizeof(int *), .drop = owner_drop, .takes = true});
}

/* An element that owns its number, as that number: for cop_stream_map. */
static inline int
owner_number(void *element, void *result, void *env)
{
    int *own;
    (void)env;
    memcpy(&own, element, sizeof own);
    memcpy(result, own, sizeof(int));
    return 0;
}

#endif
