/*
 * coppice/stream.h - streams: many values, and then an end or an error, at the pace of who consumes them.
 * GenStage and Reactive Streams, for C.
 *
 *     cop_stream *even = cop_stream_filter(cop_stream_generate(count, &n, sizeof n), is_even, NULL);
 *     int r = cop_stream_for_each(cop_stream_take(even, 5), show, NULL, COP_FOREVER);
 *
 * A stream is a source and what is done with its elements. Nothing runs before it is consumed: then its
 * source is asked for as many elements as the consumer has asked for, and for no more. What is signalled
 * is, in this order: subscribed, any number of elements, and at most one of error and complete; nothing
 * after a cancellation. On an error the elements that are queued come first.
 *
 * A stream has one consumer. Whatever takes a stream, another stage or a consumer, takes its handle over,
 * also when it fails: so calls nest. One that is consumed by another already fails with -EBUSY; for many
 * there is cop_stream_share. No function that gives a stream returns NULL: what could not be made is a
 * stream that fails, with -ENOMEM say.
 *
 * Stages have no threads. All functions of a stream, but that of cop_stream_for_each, are called in the
 * library's own processes, one at a time; they may block, and hold up only this stream. A crash in one
 * (cop_exit, a failed cop_assert) is the stream's error, and harms nobody else; a positive return is one
 * with -EINVAL. They run in a context below the consumer's (what is shared, below the root), which a
 * cancellation of the stream cancels: calls in which they block return -ECANCELED then. What is before
 * cop_stream_buffer, _merge and _share runs beside what is behind.
 *
 * Elements are blocks of a fixed size, or of any (COP_ANY): then functions get a cop_bytes *. Those that
 * own memory have a drop function, which gets the block, or the bytes' data: whoever holds an element
 * when nobody will get it any more drops it, once, on any thread, so it may not block. With COP_ANY and no
 * drop function the bytes are borrowed: they are copied where they are queued.
 *
 *                 the producer ends when           for_each returns when         it leaks if
 *   a sender      its stream is over: its sends    the end or the error has      the sender is not freed, or
 *                 fail with -EPIPE                 come, or its function fails;  the stream neither consumed
 *   a generator   it has no more, or the stream    and no function of the        nor released; a subscription,
 *                 is cancelled: `close` is called  stream runs any more          if it is never over
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_STREAM_H
#define COPPICE_STREAM_H

#include <coppice/future.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_stream cop_stream;
typedef struct cop_sender cop_sender;
typedef struct cop_subscription cop_subscription;

/* One more handle on it, for somebody else to release. Returns `stream`. */
COP_API cop_stream *cop_stream_retain(cop_stream *stream);

/* Give a handle back. The last one of a stream that nobody consumes ends it; of one that is read with
 * cop_stream_next, cancels it. Functions of it may still run. NULL does nothing. */
COP_API void cop_stream_release(cop_stream *stream);

/* ------------------------------------------------------------------ sources */

/* What becomes of an element for which there is no room. */
typedef enum cop_stream_full {
    COP_STREAM_BLOCK, /* who sends it waits */
    COP_STREAM_DROP_OLD,
    COP_STREAM_DROP_NEW,
    COP_STREAM_FAIL, /* the stream fails with -EOVERFLOW, after what is queued */
} cop_stream_full;

typedef struct cop_sender_opts {
    size_t size; /* of an element; or COP_ANY */
    void (*drop)(void *element);
    size_t bound; /* elements that are sent and not yet asked for; 0: 64 */
    cop_stream_full when_full;
    bool eager_error; /* cop_stream_fail drops what is queued */
    void *reserved[4];
    const char *file; /* where it was made: set by the macros */
    int line;
} cop_sender_opts;

/*
 * A stream and its other end, by which any process sends.
 *
 *   opts   NULL: the defaults, and elements without a size
 *
 * -EINVAL   a bound that is too large
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_stream_new_with(cop_stream **stream, cop_sender **sender,
                                const cop_sender_opts *opts);
/* cop_stream_new(&stream, &sender, .size = sizeof(struct tick)) */
#define cop_stream_new(stream, sender, ...) \
 cop_stream_new_with((stream), (sender),    \
                     &(cop_sender_opts){.file = __FILE__, .line = __LINE__, __VA_ARGS__})

/*
 * Send an element: copied, or, where elements have a drop function, taken over on 0; on an error it is
 * still the caller's. What one process sends arrives in that order.
 *
 * cop_stream_send waits for room; cop_stream_try_send does not. With a policy other than COP_STREAM_BLOCK
 * there always is: what is dropped is 0, too, and counted.
 *
 * -EPIPE       nobody will get it: the stream was cancelled, released, or is over
 * -EALREADY    cop_stream_close or cop_stream_fail was called
 * -EOVERFLOW   COP_STREAM_FAIL, and no room: the stream has failed
 * -EMSGSIZE    not an element's size
 * -EAGAIN      cop_stream_try_send: no room
 * -ETIMEDOUT   no room came in time, or the context's deadline passed
 * -ECANCELED   the context was cancelled, or the caller was asked to stop
 * -ENOMEM
 *
 * Threads: any.  cop_stream_send blocks, and is an exit point; cop_stream_try_send neither.
 */
COP_API int cop_stream_send(cop_sender *sender, cop_bytes element, cop_time timeout);
COP_API int cop_stream_try_send(cop_sender *sender, cop_bytes element);

/*
 * No more elements: after those that are queued the stream completes, or fails with the reason.
 *
 * -EALREADY   it was ended before, by either
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_stream_close(cop_sender *sender);
COP_API int cop_stream_fail(cop_sender *sender, cop_reason reason);

/* How many elements were dropped for want of room. */
COP_API uint64_t cop_sender_dropped(cop_sender *sender);

/* Give a sender back. A stream that it has not ended fails with -EPIPE: who consumes it does not wait for
 * ever. NULL does nothing. */
COP_API void cop_sender_free(cop_sender *sender);

/*
 * A source that is asked for each element.
 *
 *   next   writes the next element, and 0; -ENODATA: that was all; another negative code: the stream fails
 *   open   before the first: 0; -ENODATA: there are none; or a code. NULL: nothing to be done
 *   close  when the stream is over, in whatever way; if `open` returned 0, or is NULL
 */
typedef struct cop_generator {
    int (*next)(void *element, void *env);
    int (*open)(void *env);
    void (*close)(void *env);
    void *env;
    void (*drop_env)(void *env); /* once, with the last handle */
    size_t size; /* of an element; or COP_ANY: borrowed until `next` is called again */
    void (*drop)(void *element);
    void *reserved[4];
    const char *file;
    int line;
} cop_generator;

/* NULL, or without `next`: a stream that fails with -EINVAL. Threads: any.  Does not block.  Exit point: no. */
COP_API cop_stream *cop_stream_generate_with(const cop_generator *generator);
#define cop_stream_generate(next_, env_, size_) \
 cop_stream_generate_with(&(cop_generator){     \
     .next = (next_), .env = (env_), .size = (size_), .file = __FILE__, .line = __LINE__})

/* ------------------------------------------------------------------ stages */

typedef struct cop_stream_opts {
    void *env;
    void (*drop_env)(void *env); /* once, with the last handle on the stage */
    size_t size;                 /* cop_stream_map: of what the function makes; or COP_ANY */
    void (*drop)(void *element); /* the same: for those that own memory */
    /* cop_stream_map, cop_stream_for_each: the function takes each element over, also when it fails,
     * and drops it itself. Only with a drop function there is something to take */
    bool takes;
    bool eager_error; /* cop_stream_merge, cop_stream_batch: an error drops what is queued */
    void *reserved[4];
    const char *file;
    int line;
} cop_stream_opts;

/* NOLINTNEXTLINE(bugprone-macro-parentheses) */
#define COP_STREAM_OPTS_(env_, size_) \
 (&(cop_stream_opts){.env = (env_), .size = (size_), .file = __FILE__, .line = __LINE__})

/*
 * Each element, changed by a function: it writes `result`, and returns 0, or a code with which the stream
 * fails. With COP_ANY `result` is a cop_bytes to fill in, borrowed until the function is called again.
 *
 * opts NULL: the defaults; no function: a stream that fails with -EINVAL.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
typedef int (*cop_stream_map_fn)(void *element, void *result, void *env);
COP_API cop_stream *cop_stream_map_with(cop_stream *stream, cop_stream_map_fn fn,
                                        const cop_stream_opts *opts);
#define cop_stream_map(stream, fn, env, size) \
 cop_stream_map_with((stream), (fn), COP_STREAM_OPTS_(env, size))

/* Those elements for which the function says true; the others are dropped. */
typedef bool (*cop_stream_filter_fn)(const void *element, void *env);
COP_API cop_stream *cop_stream_filter_with(cop_stream *stream, cop_stream_filter_fn fn,
                                           const cop_stream_opts *opts);
#define cop_stream_filter(stream, fn, env) \
 cop_stream_filter_with((stream), (fn), COP_STREAM_OPTS_(env, 0))

/* The first n. It completes with the n-th, and cancels what is before it; with 0 at once. */
COP_API cop_stream *cop_stream_take_at(cop_stream *stream, uint64_t n, const char *file, int line);
#define cop_stream_take(stream, n) cop_stream_take_at((stream), (n), __FILE__, __LINE__)

/*
 * n elements at a time, as one: a struct cop_batch. The last may have fewer; so has the one before an error.
 * 0: a stream that fails with -EINVAL.
 *
 *   items   n elements, one behind the other; cop_bytes with COP_ANY. They are the batch's, to which
 *           cop_batch_drop belongs, as its drop function
 */
typedef struct cop_batch {
    void *items;
    size_t count;
    void (*drop_item)(void *item);
    size_t item_size; /* as the stream's, COP_ANY too */
} cop_batch;
COP_API void cop_batch_drop(void *batch);
COP_API cop_stream *cop_stream_batch_with(cop_stream *stream, size_t n,
                                          const cop_stream_opts *opts);
#define cop_stream_batch(stream, n) cop_stream_batch_with((stream), (n), COP_STREAM_OPTS_(NULL, 0))

/*
 * The elements of several streams, as they come; those of each in their order. It completes when all have,
 * and fails when one does: the others are cancelled then. Each is asked for up to 64 elements ahead.
 *
 * Elements must be of the same size, with the same drop function; else a stream that fails with -EINVAL.
 * None: one that completes.
 */
COP_API cop_stream *cop_stream_merge_with(cop_stream *const streams[], size_t n,
                                          const cop_stream_opts *opts);
#define cop_stream_merge(streams, n) \
 cop_stream_merge_with((streams), (n), COP_STREAM_OPTS_(NULL, 0))

/*
 * The same elements; but up to `most` are asked for ahead, and more as soon as `least` of them are used:
 * what is before it works on while what is behind it is busy. GenStage's max_demand and min_demand.
 *
 *   most, least   0: 64, and half of `most`. least > most: a stream that fails with -EINVAL
 */
COP_API cop_stream *cop_stream_buffer_at(cop_stream *stream, size_t most, size_t least,
                                         const char *file, int line);
#define cop_stream_buffer(stream, most, least) \
 cop_stream_buffer_at((stream), (most), (least), __FILE__, __LINE__)

typedef struct cop_share_opts {
    size_t bound; /* elements that wait for each consumer; 0: 64 */
    /* Of a consumer that is slower than others by more than that: all wait for it; elements are dropped
     * for it; or it fails with -EOVERFLOW, alone */
    cop_stream_full when_full;
    size_t consumers; /* it begins when so many consume it; 0: with the first */
    /* Elements with a drop function: makes another of the same, 0 or a code, with which the stream fails.
     * Called in the library's processes. */
    int (*share)(const void *element, void *out);
    void *reserved[4];
    const char *file;
    int line;
} cop_share_opts;

/*
 * A stream that may be consumed by many, each by a handle of its own (cop_stream_retain): all elements from
 * when it begins to consume, in the same order. It ends for all; and when the last consumer has left.
 * Who comes after that gets its end at once; -EPIPE, when it was cancelled.
 *
 * Elements with a drop function, and no share(): a stream that fails with -EINVAL. opts NULL: the defaults.
 */
COP_API cop_stream *cop_stream_share_with(cop_stream *stream, const cop_share_opts *opts);
/* cop_stream_share(stream, .bound = 16) */
#define cop_stream_share(...) COP_STREAM_SHARE_(__VA_ARGS__, .line = __LINE__)
#define COP_STREAM_SHARE_(stream, ...) \
 cop_stream_share_with((stream), &(cop_share_opts){.file = __FILE__, __VA_ARGS__})

/* ------------------------------------------------------------------ consumers */

/*
 * Call a function for each element, in the calling process, until the end. It gets the element, which is
 * its own to change; 0, or a negative code, which cancels the stream. Up to 64 elements are asked for
 * ahead, and more when half of them are used.
 *
 * 0 when the stream has completed. Whatever it returns, no function of the stream runs any more: it waits
 * for those that do, also when its time is over.
 *
 * The function's code, the stream's   it failed; cop_why() has the stream's reason
 * -EBUSY       another consumes the stream
 * -EINVAL      no function
 * -EMSGSIZE    cop_stream_next: elements have another size
 * -ETIMEDOUT   it is not over yet; or the context's deadline passed
 * -ECANCELED   the context was cancelled, or the caller was asked to stop
 * -ENOMEM
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
typedef int (*cop_stream_each_fn)(void *element, void *env);
COP_API int cop_stream_for_each(cop_stream *stream, cop_stream_each_fn fn, void *env,
                                cop_time timeout);
COP_API int cop_stream_for_each_with(cop_stream *stream, cop_stream_each_fn fn,
                                     const cop_stream_opts *opts, cop_time timeout);

/*
 * The next element. Of all functions this one alone does not take the handle over: releasing it cancels
 * the stream. An element with a drop function is the caller's; one of any size, without, is borrowed
 * until the next call.
 *
 *   out, size   where it is written: of the elements' size; a cop_bytes with COP_ANY
 *
 * -ENODATA     that was all
 * Errors else as cop_stream_for_each; after -ETIMEDOUT and -ECANCELED it may be called again.
 *
 * Threads: any, one at a time.  Blocks.  Exit point: yes.
 */
COP_API int cop_stream_next(cop_stream *stream, void *out, size_t size, cop_time timeout);

/* What is told of a stream, in the library's processes; any may be NULL but on_element. */
typedef struct cop_subscriber {
    /* The first; the subscription is held until the end */
    void (*on_subscribed)(cop_subscription *subscription, void *env);
    void (*on_element)(void *element, void *env);
    void (*on_error)(cop_reason why, void *env);
    void (*on_complete)(void *env);
    void *env;
    void (*drop_env)(void *env); /* once, when no function is called any more; also on failure */
    /* Elements come as cop_subscription_request asks for them, and not before; else all do */
    bool manual;
    bool takes; /* on_element takes each over */
    void *reserved[4];
    const char *file;
    int line;
} cop_subscriber;

/*
 * Consume a stream by functions.
 *
 *   out    a handle, to be given back with cop_subscription_release, which neither cancels nor disturbs;
 *          NULL: not wanted
 *
 * -EINVAL   no subscriber, no on_element
 * -ENOMEM   nobody is told anything
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_stream_subscribe_with(cop_subscription **out, cop_stream *stream,
                                      const cop_subscriber *subscriber);
#define cop_stream_subscribe(out, stream, ...) \
 cop_stream_subscribe_with((out), (stream),    \
                           &(cop_subscriber){.file = __FILE__, .line = __LINE__, __VA_ARGS__})

/*
 * Ask for n more elements; UINT64_MAX: all. It adds to what was asked for before. Also from inside the
 * subscription's functions, which are not called before they have returned. When it is over: nothing.
 *
 * -EINVAL   0 elements: on_error is called with that, and it is over
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_subscription_request(cop_subscription *subscription, uint64_t n);

/*
 * Want no more. Nothing is signalled any more, but what is being signalled right now. Any number of times,
 * from anywhere.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API void cop_subscription_cancel(cop_subscription *subscription);

/*
 * The same, and wait until no function of the stream runs, or will run. Without a cancellation:
 * cop_subscription_ended.
 *
 * -EDEADLK     from inside one of them; it is cancelled all the same
 * -ETIMEDOUT, -ECANCELED   as cop_await; it is cancelled all the same
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_subscription_cancel_wait(cop_subscription *subscription, cop_time timeout);

/* A future, without a value, of the end: resolved when it has completed, rejected with its error, or with
 * -ECANCELED, when no function of the stream runs any more. Give it back with cop_future_release. It is
 * what cop_unsettled (coppice/track.h) shows of a subscription that is not over. */
COP_API cop_future *cop_subscription_ended(cop_subscription *subscription);

/* Give a handle back. It goes on without. NULL does nothing. */
COP_API void cop_subscription_release(cop_subscription *subscription);

#ifdef __cplusplus
}
#endif
#endif
