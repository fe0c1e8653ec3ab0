/*
 * actors/stream.h - stages, and the subscriptions that run them: what every file of streams stands on.
 *
 * Room: actors/. The protocol is in stream_subscription.c.
 */
#ifndef COPI_ACTORS_STREAM_H
#define COPI_ACTORS_STREAM_H

#include "actors/workers.h"
#include "runtime/atomic.h"

#include <coppice/stream.h>

struct copi_process;

/* ---------------------------------------------------------------- elements */

/* What the elements of a stage are. A room for one has `size` bytes, or is a cop_bytes. */
struct copi_elements {
    size_t size; /* or COP_ANY */
    void (*drop)(void *element);
};

size_t copi_room_size(const struct copi_elements *elements);

/* Whether their bytes lie elsewhere, and are only lent to who gets a room with them. */
static inline bool
copi_are_lent(const struct copi_elements *elements)
{
    return elements->size == COP_ANY && !elements->drop;
}

/* Nobody will get the one in the room. */
void copi_element_drop(const struct copi_elements *elements, void *room);

/* Make bytes that are lent bytes of the room's own: -ENOMEM. Then copi_element_let_go and not _drop. */
int copi_element_keep(const struct copi_elements *elements, void *room);
void copi_element_let_go(const struct copi_elements *elements, void *room);

/* The same bytes, lent to who takes the room until the next is lent: *lent holds them, and the last ones are
 * freed. Of elements that are not lent: nothing. */
void copi_element_lend(const struct copi_elements *elements, void **lent, void *room);

/* ---------------------------------------------------------------- stages */

enum copi_pulled {
    COPI_ELEMENT, /* the room is the caller's to use, and what it owns his to drop. Bytes that are lent
                     last until the next pull */
    COPI_NOT_YET, /* the subscription will be woken */
    COPI_COMPLETE,
    COPI_BROKEN, /* *why says how */
};

/* What a stage does. All but `free` and `abandon` are called in its subscription, one at a time; those that
 * are NULL have nothing to do. */
struct copi_stage_kind {
    void (*open)(cop_stream *stage, cop_subscription *subscription);
    /* The next element. room NULL: there is no demand; only whether it is over already. */
    enum copi_pulled (*pull)(cop_stream *stage, void *room, cop_reason *why);
    /* Nothing is wanted any more: cancel what is before it, drop what it holds. Once. */
    void (*close)(cop_stream *stage);
    /* Any thread: the subscription is stuck; whoever waits for it is to be told. */
    void (*abandon)(cop_stream *stage);
    void (*free)(cop_stream *stage);
    /* A stage for one more consumer; NULL: it has one. */
    cop_stream *(*join)(cop_stream *stage);
};

/* The beginning of every stage. */
struct cop_stream {
    const struct copi_stage_kind *kind; /* constant, as all down to `line` */
    struct copi_elements elements;
    cop_stream *up; /* what it pulls from, held; NULL: no stage of the same subscription */
    void *env;
    void (*drop_env)(void *env);
    const char *file;
    int line;
    copi_atomic32 handles; /* the users', which together are one hold */
    copi_atomic32 holds;
    copi_atomic32 is_consumed;
    copi_atomic_ptr reader; /* cop_stream_next's; let go with the last handle */
    /* in its subscription */
    void *in_hand; /* an element of `up` that a user's function has right now; not taken over */
};

struct copi_stage_init {
    const struct copi_stage_kind *kind;
    struct copi_elements elements;
    cop_stream *up; /* with its hold, from copi_stream_claim */
    void *env;
    void (*drop_env)(void *env);
    const char *file;
    int line;
};

/* `size` zeroed bytes that begin with a stage that has one handle. NULL: there is no memory, and `up` and
 * env have been let go of. */
void *copi_stage_new(size_t size, const struct copi_stage_init *how);

/* A stream that fails at once. */
cop_stream *copi_stream_failed(cop_reason why, const char *file, int line);
cop_stream *copi_stream_no_memory(void);
bool copi_stream_is_failed(const cop_stream *stream);

/* For a stage that cannot be made: let go of what it would have had, and what fails instead. */
cop_stream *copi_stage_refused(const struct copi_stage_init *how, cop_reason why);

/* Take a handle over, for its one consumer: the stage to pull from, held. What cannot be consumed is one
 * that fails. Never NULL. */
cop_stream *copi_stream_claim(cop_stream *stream);
void copi_stage_let_go(cop_stream *stage); /* of a hold */

/* What a function's return says: 0, or *why. */
int copi_returned(int code, cop_reason *why);

/* ---------------------------------------------------------------- subscriptions */

/* Who gets what comes out. All is called in the subscription. */
struct copi_sink {
    void (*subscribed)(cop_subscription *subscription);
    /* 0, or a code with which the stream fails. With copi_taken() it has taken the element. */
    int (*element)(cop_subscription *subscription, void *room);
    /* why NULL: it is complete. Not after a cancellation. */
    void (*over)(cop_subscription *subscription, const cop_reason *why);
    /* No function of the stream runs any more, nor will. After everything. */
    void (*closed)(cop_subscription *subscription);
    /* Any thread: the last hold is gone. Frees all. */
    void (*free)(cop_subscription *subscription);
};

/* The beginning of every subscription. */
struct cop_subscription {
    struct copi_work work;
    /* constant */
    const struct copi_sink *sink;
    cop_resolver *resolver; /* of `ended` */
    cop_future *ended;
    cop_context *context;
    /* any thread, atomic */
    copi_atomic_ptr feeds; /* the subscription that does not end before it; held */
    copi_atomic32 holds;
    copi_atomic32 wakes; /* what it has not looked at yet; > 0: a worker has it */
    copi_atomic64 demand;
    copi_atomic32 is_cancelled, is_refused;
    /* Other subscriptions that have not closed, without which it does not end */
    copi_atomic32 branches;
    copi_atomic64 runner;  /* the pid of the worker that is in it */
    copi_atomic32 grip;    /* who may signal */
    copi_atomic32 is_told; /* `over` was called */
    /* in the subscription */
    cop_stream *top; /* held */
    void *room;      /* of its elements */
    void *in_hand;   /* the room, while the sink has it */
    unsigned phase;
    cop_stream *to_close;
    bool is_failed, is_complete;
    cop_reason why;
    /* written by who disowns its worker, before grip says so */
    cop_reason lost_why;
};

/*
 * Make one, which is the beginning of `self` (zeroed): takes the claimed stage over, also when it fails.
 * It has one hold for the caller. -ENOMEM: the caller frees `self`.
 */
int copi_subscription_init(cop_subscription *self, const struct copi_sink *sink,
                           cop_stream *claimed, const char *file, int line);

/* The same for one that is not the caller's alone: not below the caller's context. */
int copi_subscription_init_detached(cop_subscription *self, const struct copi_sink *sink,
                                    cop_stream *claimed, const char *file, int line);

/* Let it run. */
void copi_subscription_start(cop_subscription *self);

/* Any thread that holds it: there is something new to look at. */
void copi_subscription_wake(cop_subscription *self);

/* Its worker was disowned: some function of the stream may still run. */
bool copi_subscription_is_lost(const cop_subscription *self);

cop_subscription *copi_subscription_retain(cop_subscription *self);

/* Any thread: so many more are wanted. */
void copi_subscription_ask(cop_subscription *self, uint64_t n);

/* `branch`, whose sink has not been told that it is closed, feeds `self`, which does not end before it:
 * until copi_subscription_branch_closed, which is called by that sink. */
void copi_subscription_branch(cop_subscription *branch, cop_subscription *self);
void copi_subscription_branch_closed(cop_subscription *branch);

/* In a sink's element(): it was taken over. */
static inline void
copi_taken(cop_subscription *self)
{
    self->in_hand = NULL;
}

#endif
