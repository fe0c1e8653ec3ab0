/*
 * actors/durable/store.h - a store's process, as its parts know it.
 *
 * Room: actors/durable/. The store's process.
 */
#ifndef COPI_ACTORS_DURABLE_STORE_H
#define COPI_ACTORS_DURABLE_STORE_H

#include "actors/durable/ask.h"
#include "actors/durable/awaited.h"
#include "actors/durable/gather.h"

#include <coppice/store.h>

enum {
    COPI_BATCH_OPS = 1024,
    COPI_BATCH_BYTES = 1024 * 1024, /* one operation may have more, alone */
    COPI_OWN_OPS = 2,
};

/* What the store does by itself, now and then: times of cop_now(), COP_FOREVER for never. */
struct copi_duties {
    cop_time expire_at, prune_at; /* with the next batch, or one of their own */
    cop_time expired;             /* when that was done last */
    cop_time poll_at, reopen_at;
};

struct copi_store {
    cop_store_opts opts;
    const cop_store_backend *backend;
    void *data; /* the backend's */
    cop_pid self;
    bool is_open; /* the backend is */
    int closed;   /* to writes: why; 0: it is not */
    cop_time pause;
    cop_ref watch; /* of the backend's descriptor; 0: none */
    struct copi_duties due;
    struct copi_awaited awaited;
    cop_store_op own[COPI_OWN_OPS]; /* of the duties, in this batch */
    /* the batch */
    struct copi_ask *asks[COPI_BATCH_OPS];
    cop_store_op *ops[COPI_BATCH_OPS + COPI_OWN_OPS];
    size_t count, bytes;
    struct copi_gather gather;
};

/* ---------------------------------------------------------------- store.c */

void copi_store_trace(const struct copi_store *store, const char *step);

/* A batch, or what should have followed it, has failed: if that was a sync, the store is closed to writes. */
void copi_store_failed(struct copi_store *store, int error);

/* ---------------------------------------------------------------- store_batch.c */

/* Whether there is room for one more. */
bool copi_store_has_room(const struct copi_store *store, const struct copi_ask *ask);

/* Join the batch. Takes the ask. */
void copi_store_add(struct copi_store *store, struct copi_ask *ask);

/* Run the batch, with the duties that are due; publish, answer. */
void copi_store_commit(struct copi_store *store);

/* Read what is awaited, and hinted at, again. */
void copi_store_look(struct copi_store *store);

/* ---------------------------------------------------------------- store_duties.c */

void copi_duties_init(struct copi_store *store);

/* The earliest of them; COP_FOREVER: none. */
cop_time copi_duties_next(struct copi_store *store);

/* Whether it is time to ask what others have changed. */
bool copi_duties_poll(struct copi_store *store);

/* Put the operations that are due into `ops`. Returns how many. */
size_t copi_duties_begin(struct copi_store *store, cop_store_op **ops);

/* They have been run (0), or not. */
void copi_duties_end(struct copi_store *store, size_t count, int error);

/* What was asked, and has been done, may be a reason for more. */
void copi_duties_note(struct copi_store *store, const struct copi_ask *ask);

/* Others have changed something: there may be new deadlines. */
void copi_duties_others(struct copi_store *store);

#endif
