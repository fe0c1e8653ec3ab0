/*
 * actors/durable/ask.h - an operation on its way to a store, and its outcome.
 *
 * Room: actors/durable/. Whoever asks; the store's process.
 */
#ifndef COPI_ACTORS_DURABLE_ASK_H
#define COPI_ACTORS_DURABLE_ASK_H

#include "actors/future.h"

#include <coppice/store.h>

#define COPI_STORE_ASK 0xffff0601u /* the tag of its message, a cast: the body is the ask, moved */

/* One block: the future, the operation, and what that points to. */
struct copi_ask {
    cop_future future;
    cop_store_op op;  /* the store's until the future is settled */
    cop_future *cell; /* of a recovery: what is asked for; held. NULL: not yet, or taken */
    const char *file; /* where that was asked for */
    int line;
    bool is_recovery, is_bare, is_taken;
    size_t size; /* of all that it points to */
    unsigned char bytes[];
};

struct copi_ask_opts {
    bool is_recovery; /* a GET, answered with the promise as a future, too */
    bool is_bare;     /* the value has no bytes */
    bool is_public;   /* the future is the user's: it is tracked */
    const char *file;
    int line;
};

/*
 * Send an operation to a store. Resolved with the op itself, as a cop_store_op, with what it has found; or
 * rejected with its result, or as coppice/durable.h has it: then, too, what it has found is there. Never NULL.
 *
 *   op   copied, with what it points to. A settle under a lease that has no key gets the lease as one
 *
 * An exit point at a bounded mailbox only.
 */
cop_future *copi_ask(cop_pid store, const cop_store_op *op, const struct copi_ask_opts *opts);

/* The ask behind a future that copi_ask returned; NULL: out of memory. */
struct copi_ask *copi_ask_of(cop_future *future);

/* The same without waiting for room, and nobody wants to know what comes of it: 0, or -ENOMEM. */
int copi_ask_post(cop_pid store, const cop_store_op *op);

/*
 * Ask, and wait for the answer. An exit point.
 *
 *   answer   settled, for the caller to release, if that is what ended the wait, else NULL
 *
 * The operation's result, and all that copi_ask's future and cop_await can say.
 */
int copi_ask_and_wait(struct copi_ask **answer, cop_pid store, const cop_store_op *op,
                      const struct copi_ask_opts *opts, cop_time timeout);

/* ---------------------------------------------------------------- the store's side */

/* Whether somebody waits for the answer, as far as can be seen. */
bool copi_ask_is_awaited(const struct copi_ask *ask);

/* Answer with op.result, and let go of it. */
void copi_ask_answer(struct copi_ask *ask);

/* The same with another result, and words for it; what was found is forgotten. */
void copi_ask_refuse(struct copi_ask *ask, int result, const char *words);

/* What becomes of one that nobody has answered: a drop function. */
void copi_ask_lose(void *data);

#endif
