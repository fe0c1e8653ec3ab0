/*
 * actors/future.h - the cell of a future, as what stands behind it knows it.
 *
 * Room: actors/. Any thread.
 */
#ifndef COPI_ACTORS_FUTURE_H
#define COPI_ACTORS_FUTURE_H

#include "actors/workers.h"
#include "runtime/atomic.h"
#include "runtime/message.h"

#include <coppice/future.h>

enum copi_future_state {
    COPI_PENDING,
    COPI_CLAIMED, /* somebody settles it right now */
    COPI_RESOLVED,
    COPI_REJECTED,
};

/* What stands behind a future. A member that is NULL has nothing to do. */
struct copi_source {
    /* Reject it with `why`, or see to it that it will be: 0, or -EALREADY. NULL: copi_future_reject. */
    int (*cancel)(cop_future *future, const cop_reason *why);
    cop_pid (*pid)(cop_future *future);
    /* Somebody is about to wait for it, for so long; -1: will be told of it, and does not wait. Returns
     * what is to be waited for in its place, held; NULL: it is this one itself. */
    cop_future *(*wanted)(cop_future *future, cop_time timeout);
    /* cop_task_shutdown. NULL: it is not a task. */
    int (*shutdown)(cop_future *future, cop_time timeout);
    /* The last hold is gone. Frees what is the source's, and the cell. */
    void (*free)(cop_future *future);
};

/* The beginning of what a source allocates. */
struct cop_future {
    const struct copi_source *source; /* NULL: the one cell that is not counted */
    const char *file;                 /* where it was made */
    int line;
    copi_atomic32 holds;
    copi_atomic32 state;
    copi_atomic32 until_sweep; /* so many more may wait before the list is swept: future.c */
    copi_atomic_ptr waiters;   /* nodes, newest first; or closed: future.c */
    /* continuation.c's */
    copi_atomic_ptr continuations; /* newest first */
    copi_atomic_ptr running;       /* by a worker */
    copi_atomic32 is_scheduled;    /* a worker has it, or will */
    struct copi_continuation *due; /* the worker's, oldest first */
    struct copi_work work;         /* to run them */
    /* constant */
    size_t value_size;            /* or COP_ANY */
    struct copi_account *account; /* track.c's; NULL: not tracked */
    /* written by whoever has claimed it */
    cop_bytes value;
    void (*drop)(void *value); /* of what it owns; NULL: nothing */
    void *outside;     /* where the value lies, if not in the source's own memory; or NULL */
    cop_future *shown; /* whose value it shows instead of one of its own; held, or NULL */
    cop_reason why;
};

/* A pending cell, with one hold. */
struct copi_future_init {
    const struct copi_source *source;
    size_t value_size;
    const char *file;
    int line;
};
void copi_future_init(cop_future *future, const struct copi_future_init *how);

/* One more hold, for who knows that the memory is there, and not that anybody holds it: then false. */
bool copi_future_retain_held(cop_future *future);

/* The same, of one that is part of another: that one is tracked. */
void copi_future_init_part(cop_future *future, const struct copi_future_init *how);

/* The future that stands for "no memory for a future"; it is not counted. */
cop_future *copi_future_no_memory(void);

/*
 * Settle it: claim it, write the value or the reason, publish it. Only who has claimed it goes on.
 */
bool copi_future_claim(cop_future *future);
void copi_future_publish_value(cop_future *future, const void *data, size_t size);
void copi_future_publish_reason(cop_future *future, const cop_reason *reason);

/* The steps in one: -EALREADY, if others were first. */
int copi_future_reject(cop_future *future, const cop_reason *reason);

/*
 * Settle it with a copy of the bytes; into `inside`, which has room for value_size bytes, or outside
 * when the size is COP_ANY.
 *
 * -EMSGSIZE, -ENOMEM, -EALREADY: nothing changed
 */
int copi_future_resolve(cop_future *future, cop_bytes value, void *inside);

/* The same with what the caller owned: `drop` runs at the end. */
int copi_future_resolve_move(cop_future *future, void *data, size_t size, void (*drop)(void *data));

/*
 * Settle it with the outcome of another, which is settled: the reason, or the value, which is shown
 * and not copied, or -EMSGSIZE as a reason. -EALREADY.
 */
int copi_future_adopt(cop_future *future, cop_future *settled);

/* -EINPROGRESS, 0, or a code. After anything else than -EINPROGRESS value or why may be read. */
int copi_future_outcome(const cop_future *future);

/* What functions get of the value of one that is resolved: of any size, it is given as bytes are. */
static inline const void *
copi_future_given(const cop_future *resolved)
{
    return resolved->value_size == COP_ANY ? (const void *)&resolved->value : resolved->value.data;
}

/*
 * Let a node be sent to `to` when the future is settled, or at once if it is: a COPI_NOTE, or a
 * COPI_SEND with a struct cop_settled as its body, whose code is then filled in. Takes the node.
 */
void copi_future_subscribe(cop_future *future, cop_pid to, struct copi_message *node);

/* Somebody will learn of its outcome, for track.c. */
void copi_future_observed(cop_future *future);

/*
 * Tell what stands behind it that it is wanted, before each wait. Returns the future to wait for, with a
 * hold for the caller: this one, or another that stands in for it and has its outcome this time.
 */
__attribute__((warn_unused_result)) cop_future *copi_future_wanted(cop_future *future,
                                                                   cop_time timeout);

/* Wait until one of them, at least, is settled, in whatever way; all are held by the caller. Errors as
 * cop_await_first; an exit point. */
int copi_await_any(cop_future *const futures[], size_t n, cop_time timeout);

#endif
