/*
 * actors/registry_lock.h - who may run under a key, and who waits.
 *
 * Room: actors/. A partition's process only.
 */
#ifndef COPI_ACTORS_REGISTRY_LOCK_H
#define COPI_ACTORS_REGISTRY_LOCK_H

#include "runtime/set.h"

#include <coppice/genserver.h>

#include <sys/queue.h>

/* Reserved tags. The body is the ticket's number, then the key. */
#define COPI_LOCK   0xffff0301u
#define COPI_UNLOCK 0xffff0302u

/* Of one partition. */
struct copi_locks {
    struct copi_set keys;
    TAILQ_HEAD(copi_tickets, copi_ticket) tickets; /* all of them */
};

void copi_locks_init(struct copi_locks *locks);

/* Forget everything; a deferred call. Who waits is told by the end of the process. */
void copi_locks_clear(void *arg);

/* A request, a cast, a DOWN: whether it was about a lock. */
bool copi_locks_call(struct copi_locks *locks, cop_from from, cop_msg request);
bool copi_locks_cast(struct copi_locks *locks, cop_msg msg);
bool copi_locks_info(struct copi_locks *locks, cop_msg msg);

#endif
