/*
 * actors/result.h - what a user's function makes: bytes of a known size, or of any, that may own more.
 *
 * Room: actors/. Whoever runs the function.
 */
#ifndef COPI_ACTORS_RESULT_H
#define COPI_ACTORS_RESULT_H

#include "actors/future.h"

struct copi_result {
    void (*drop)(void *result); /* what it owns; NULL: nothing */
    void *inside;               /* room for the future's value_size bytes; NULL: none */
    cop_bytes any;              /* when it may have any size */
    void *copy;                 /* of that, ours to free */
};

/* What the function gets. */
void *copi_result_place(struct copi_result *result, const cop_future *future);

/* The function has returned with one: what it points to may go. -ENOMEM. */
int copi_result_keep(struct copi_result *result, const cop_future *future);

/* It, where it will lie when the future has it. */
cop_bytes copi_result_value(const struct copi_result *result, const cop_future *future);

/* The future is claimed: it gets the result, which is then kept by the future. */
void copi_result_publish(struct copi_result *result, cop_future *future);

/* Nobody gets it. */
void copi_result_drop(struct copi_result *result, const cop_future *future);

#endif
