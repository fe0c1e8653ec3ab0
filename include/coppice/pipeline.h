/*
 * coppice/pipeline.h - items that go through stages, with a bounded queue before each: a slow last stage
 * slows the first one, and memory stays flat. After Elixir's GenStage and Broadway.
 *
 *     submit -> [queue] -> stage 0, `width` workers -> [queue] -> stage 1 ... -> its outcome
 *
 * A stage is a function, and so many workers that run it side by side. A worker is a process of the
 * library's, which lives as long as the pipeline: functions may block, call and await in it. What a
 * function has left there (memory of cop_alloc, deferred calls, contexts that it has entered) goes when
 * it returns. Once a pipeline is made it needs neither memory nor threads, but for an item's own when
 * it is submitted.
 *
 * Order: in an ordered stage items leave as they came, at most `width` of them being worked on, or done
 * and waiting for their turn. So through ordered stages items of one submitter stay in order, and their
 * futures are settled in it. In an unordered stage each leaves when it is done.
 *
 * Items are bytes of a known size that are copied, and what they point to. Each has one owner at any time,
 * who drops it once: the submitter until cop_pipeline_submit returns 0, then the pipeline, and at the end
 * the item's future. A stage borrows its item; the library drops it when the function has returned. What the
 * function wants to keep of it, or to put into the result, it takes out, so that the drop function finds
 * nothing (a null pointer, say).
 *
 * The first failure of a function ends the pipeline: nothing is taken in from then on, what is queued is
 * dropped, functions that run are asked to stop by their context, and when all have, the pipeline's own
 * future is rejected with that failure, as the futures of all items are that had not got through. With
 * .keep_going a failure is that of the item alone. A cop_exit or a failed cop_assert in a function is a
 * failure with that reason; a fault is one of the program.
 *
 * A pipeline runs in a context below its maker's, belongs to the process that has made it, and ends with
 * that: it is cancelled and given back then. A plain thread's ends with the thread. Another process that
 * uses it holds its future (cop_pipeline_future) meanwhile: as long as anybody does, the pipeline may be
 * used, and says why it has ended.
 *
 *                 the producer ends when          await returns when          it leaks if
 *   an item       it has left the last stage, or  the same                    its handle is not released
 *                 is dropped
 *   room          there is a place, or there      the same                    its handle is not released
 *                 will be none
 *   the pipeline  it is closed and drained, or    no function runs, and no    cop_pipeline_free is not called,
 *                 has failed                      item is left                and its maker does not end
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_PIPELINE_H
#define COPPICE_PIPELINE_H

#include <coppice/future.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_pipeline cop_pipeline;

/*
 * What a stage does with an item: 0 and the result is there; a negative code is a failure, and a positive
 * one a failure with -EINVAL. After a failure nobody looks at the result.
 *
 *   item     what was submitted, or the stage before has made; may be changed
 *   result   result_size zeroed bytes; NULL when that is 0
 *
 * A cancellation or a kill shows in the function's blocking calls, as -ECANCELED; one that makes none may
 * ask cop_cancelled. One that awaits the outcome of an item behind its own waits for itself, for ever.
 */
typedef int (*cop_stage_fn)(void *item, void *result, void *env);

typedef struct cop_stage {
    cop_stage_fn fn;
    const char *name; /* of its workers, in reports and cop_inspect: as cop_start_opts.label */
    size_t width;     /* workers; 0: 1 */
    size_t bound;     /* of the queue before it; 0: 16 */
    bool unordered;
    size_t result_size;         /* of an item that has left it */
    void (*drop)(void *result); /* of what such an item owns: once, on any thread, so it may not
                                   block */
    void *env;
    void (*drop_env)(void *env); /* once, when the pipeline has ended and its last handle is gone */
    void *reserved[4];
} cop_stage;

/* What becomes of an item that finds the first queue full. As cop_when_full; but unless told otherwise a
 * pipeline slows down who submits. */
typedef enum cop_pipeline_full {
    COP_PIPELINE_BLOCK,    /* the submitter waits */
    COP_PIPELINE_REJECT,   /* the submitter gets -EAGAIN */
    COP_PIPELINE_DROP_OLD, /* the oldest in that queue is dropped, and rejected with -EAGAIN */
    COP_PIPELINE_DROP_NEW, /* the item is, at once */
} cop_pipeline_full;

typedef struct cop_pipeline_opts {
    const cop_stage *stages; /* copied; COP_STAGES({.fn = parse, .width = 4}, {.fn = store}) */
    size_t stage_count;
    size_t item_size;         /* of what is submitted */
    void (*drop)(void *item); /* of what that owns, as a stage's */
    cop_pipeline_full when_full;
    bool keep_going;
    void *reserved[4];
    const char *file; /* where it was made: set by the macros */
    int line;
} cop_pipeline_opts;
#define COP_STAGES(...)                      \
 .stages = (const cop_stage[]){__VA_ARGS__}, \
 .stage_count = sizeof((const cop_stage[]){__VA_ARGS__}) / sizeof(cop_stage)

/*
 * A pipeline, with all its workers.
 *
 * -EINVAL   no options, no stage, one without a function or with too long a name, or a size that no memory has
 * -EAGAIN   the system's limit of threads is reached
 * -ENOMEM
 *
 * On an error drop_env is not called.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_pipeline_new_with(cop_pipeline **out, const cop_pipeline_opts *opts);
/* cop_pipeline_new(out, options...) */
#define cop_pipeline_new(...) COP_PIPELINE_NEW_(__VA_ARGS__, .line = __LINE__)
#define COP_PIPELINE_NEW_(out, ...) \
 cop_pipeline_new_with((out), &(cop_pipeline_opts){.file = __FILE__, __VA_ARGS__})

/*
 * Submit an item.
 *
 * On an error nothing was submitted, and what the item owns is still the caller's.
 *
 *   outcome   given: a future with the last stage's result; an item that is dropped or fails rejects it.
 *             Cancelling it drops the item when a stage would begin with it. NULL: nobody
 *             wants to know, and there is no future
 *   item      item_size bytes, copied
 *   timeout   how long to wait for a place, with COP_PIPELINE_BLOCK
 *
 * -EAGAIN      the queue is full: with COP_PIPELINE_REJECT; and instead of waiting in a function of this
 *              pipeline's own stages, which would wait for itself
 * -ETIMEDOUT   no place in time, or the context's deadline has passed
 * -ECANCELED   the context was cancelled, or the caller was asked to stop
 * -EPIPE       the pipeline is closed
 * -EINVAL      no item, and its size is not 0
 * a failure's  the pipeline has failed, or was cancelled (-ECANCELED); cop_why() has the failure
 * -ENOMEM
 *
 * Threads: any.  Blocks with COP_PIPELINE_BLOCK only.  Exit point: yes.
 */
COP_API int cop_pipeline_submit_at(cop_pipeline *pipeline, cop_future **outcome, const void *item,
                                   cop_time timeout, const char *file, int line);
#define cop_pipeline_submit(pipeline, outcome, item, timeout) \
 cop_pipeline_submit_at((pipeline), (outcome), (item), (timeout), __FILE__, __LINE__)

/*
 * A future that is resolved, with no value, when the first queue has a place: for servers that must not
 * block. It reserves nothing: others may be faster. Rejected as cop_pipeline_submit would fail.
 *
 * Never NULL: without memory it is a future already rejected.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_future *cop_pipeline_room_at(cop_pipeline *pipeline, const char *file, int line);
#define cop_pipeline_room(pipeline) cop_pipeline_room_at((pipeline), __FILE__, __LINE__)

/*
 * One more handle on the pipeline's own future, which has no value: resolved when it was closed and all
 * items have left, rejected with the first failure when all is at rest. Cancelling it cancels the pipeline.
 */
COP_API cop_future *cop_pipeline_future(cop_pipeline *pipeline);

/* Refuse new items; those that were submitted go on. Does not wait: cop_pipeline_future says when the last
 * has left. Twice is safe. */
COP_API void cop_pipeline_close(cop_pipeline *pipeline);

/* End it as a failure does, with -ECANCELED and the cause's text. Does not wait. */
COP_API void cop_pipeline_cancel(cop_pipeline *pipeline, cop_reason cause);

/*
 * Close it, and wait until it has ended. After `timeout` it is cancelled and its workers are killed.
 *
 * A function that neither blocks in the library nor returns may go on a while after that; its worker is
 * disowned in the end (see coppice/process.h), and only then has the pipeline ended. Nobody frees what such
 * a function has in its hands.
 *
 *   timeout   0: at once
 *
 * 0, or the first failure's code
 * -ETIMEDOUT   the time was over: what was left is dropped. Or the context's: nothing was killed
 * -ECANCELED   the context was cancelled, or the caller was asked to stop: nothing was killed
 * -EDEADLK     from a function of its own stages
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_pipeline_stop(cop_pipeline *pipeline, cop_time timeout);

/* Give the pipeline back: its maker only, of anybody else it does nothing. What is under way is cancelled, and
 * ends by itself. NULL does nothing. Does not block. */
COP_API void cop_pipeline_free(cop_pipeline *pipeline);

/* At any instant submitted == delivered + failed + dropped + in_flight. */
typedef struct cop_pipeline_counts {
    uint64_t submitted;
    uint64_t delivered; /* left the last stage */
    uint64_t failed;    /* by a function */
    /* By a full queue, a failure of another, or because its future was cancelled */
    uint64_t dropped;
    uint64_t in_flight;
} cop_pipeline_counts;

typedef struct cop_stage_counts {
    size_t queued, most_queued; /* now, and at most so far: never above its bound */
    size_t inside;              /* worked on, or waiting to go on: never above its width */
} cop_stage_counts;

/*
 * What is where, all at one instant.
 *
 *   out         NULL: not wanted
 *   stages, n   for the first n stages; a place for one that is not there stays as it is
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API void cop_pipeline_inspect(cop_pipeline *pipeline, cop_pipeline_counts *out,
                                  cop_stage_counts stages[], size_t n);

#ifdef __cplusplus
}
#endif
#endif
