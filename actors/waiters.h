/*
 * actors/waiters.h - processes that wait for something which a lock guards: a place, or an end.
 *
 * Room: actors/. Lists of nodes, one for each that waits; under that lock, but for telling.
 */
#ifndef COPI_ACTORS_WAITERS_H
#define COPI_ACTORS_WAITERS_H

#include "runtime/process.h"

/*
 * Call try(self, env, ref) until it gives something else than -EAGAIN, or the time is over. When it does
 * give that, it has left a node under the reference, by copi_waiters_add, before others could change what it
 * has seen.
 *
 * Else errors as copi_notices_next. An exit point; who ends here has nothing to give back.
 */
int copi_waiters_wait(struct copi_process *self, cop_time timeout,
                      int (*try)(struct copi_process *self, void *env, cop_ref ref), void *env);

/* Leave a node: -EAGAIN, or -ENOMEM. */
int copi_waiters_add(struct copi_list *waiters, struct copi_process *self, cop_ref ref);

/* Take out the node of one who still waits, or NULL; all of them, as a chain. */
struct copi_message *copi_waiters_take_one(struct copi_list *waiters);
struct copi_message *copi_waiters_take_all(struct copi_list *waiters);

/* Wake whose nodes these are. Wherever a node ends up, it lets go of what hold(env) gives, by `drop`. */
void copi_waiters_tell(struct copi_message *nodes, void *(*hold)(void *env),
                       void (*drop)(void *held), void *env);

/* Nobody will be told. */
void copi_waiters_free(struct copi_list *waiters);

#endif
