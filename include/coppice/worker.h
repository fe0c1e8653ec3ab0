/*
 * coppice/worker.h - workers: who computes what durable promises wait for, on any number of machines.
 *
 * A worker takes pending promises of a queue, calls a function for each, and settles it with what that returns.
 * Workers of one queue may run in any processes that have opened the same data: each promise is leased to one
 * of them, for `ttl`, and the lease is renewed while the function runs. A worker that dies, or is cut off,
 * renews nothing; when the lease is over another inherits the promise, under a new epoch, and what the old one
 * says later is refused.
 *
 *     cop_worker_spec("resizer", .store = "jobs", .queue = "images", .work = resize)
 *
 * So a promise is settled once, and its function may run more than once: it must bear that. What else it
 * does to the world is fenced by lease->epoch, which grows with each lease, where the world can compare.
 */
#ifndef COPPICE_WORKER_H
#define COPPICE_WORKER_H

#include <coppice/durable.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a worker's function has to work on; borrowed for the call. */
typedef struct cop_lease {
    cop_pid store;
    const char *id, *queue, *tags;
    cop_bytes param;
    uint64_t epoch;
    cop_owner owner;
    unsigned attempts; /* this one included */
    unsigned max_attempts;
} cop_lease;

/*
 * Compute one promise. In a process of its own, in a context that is cancelled when the lease cannot be trusted
 * any more (the cause has the code -ESTALE), and when the worker is asked to stop: a function that calls
 * nothing that blocks looks at cop_cancelled() now and then.
 *
 *   value   to be filled in; its bytes are copied when the function has returned, so memory of cop_alloc will
 *           do
 *
 * 0         the promise is resolved with the value
 * negative  it is rejected with that code; but when the context was cancelled the promise is given back, or
 *           another has it. A text beside the code: settle it here, with cop_durable_reject(lease->store,
 *           lease->id, reason, .owner = lease->owner, .epoch = lease->epoch), and return the code
 * positive, a crash   as if the program had died: the lease runs out, and counts as an attempt
 */
typedef int (*cop_work_fn)(const cop_lease *lease, cop_bytes *value, void *env);

typedef struct cop_worker_opts {
    size_t size;      /* set by the macro */
    const char *name; /* under which it is registered; NULL: none */
    const char *store;
    const char *queue; /* NULL: "" */
    cop_work_fn work;
    void *env;       /* the function's; it must outlive the worker */
    unsigned places; /* computed at a time; 0: as many as there are processors */
    cop_time ttl;    /* of a lease; 0: 30 s. At least 10 ms */
    cop_time poll;   /* how long it may take to see what others have created; 0: 1 s */
    cop_time grace;  /* how long functions have to return when the worker stops; 0: 3 s */
    size_t stack_size;
    bool contain_faults; /* in the function */
    void *reserved[4];
} cop_worker_opts;

/*
 * A worker as a child of a supervisor, permanent. cop_worker_spec("id", options...)
 *
 * The options are copied when the supervisor starts; until then they are in the calling block. Strings and env
 * must be there for as long as the tree is. It starts whether or not there is a store of that name: it waits
 * for one.
 *
 * It takes as many as it has free places, and no more. When it is asked to stop, it takes no more, cancels what
 * runs and, after .grace, gives back what is unfinished: it was no attempt, and another takes it at once. The
 * child's shutdown time (5 s) should be longer than .grace.
 *
 * -EINVAL   no options, no store or no function, or an option out of range: the start fails
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_child_spec cop_worker_spec_with(const char *id, const cop_worker_opts *opts);
#define cop_worker_spec(...)      COP_WORKER_SPEC_(__VA_ARGS__, .size = sizeof(cop_worker_opts))
#define COP_WORKER_SPEC_(id, ...) cop_worker_spec_with((id), &(cop_worker_opts){__VA_ARGS__})

/* What a worker has done since it started. */
typedef struct cop_worker_counts {
    unsigned held;      /* now */
    uint64_t claimed;   /* that nobody had, or that were given back */
    uint64_t inherited; /* whose worker was lost */
    uint64_t settled;   /* by the function's outcome */
    uint64_t released;  /* given back */
    uint64_t stale;     /* another had it, or may have had it, before it was settled */
    uint64_t crashed;
} cop_worker_counts;

/* Ask a worker. Errors as cop_call. Exit point: yes. */
COP_API int cop_worker_count(cop_pid worker, cop_worker_counts *out, cop_time timeout);

/*
 * Tell this program's workers of a queue that there may be something to do, so that they need not wait for
 * their poll. For stores that have heard so.
 *
 *   queue   NULL: of every queue
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API void cop_worker_wake(const char *queue);

#ifdef __cplusplus
}
#endif
#endif
