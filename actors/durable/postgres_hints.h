/*
 * actors/durable/postgres_hints.h - the process that listens to others, and tells them.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq.
 */
#ifndef COPI_ACTORS_DURABLE_POSTGRES_HINTS_H
#define COPI_ACTORS_DURABLE_POSTGRES_HINTS_H

#include "actors/durable/postgres_news.h"

#include <coppice-postgres.h>

/* Start it for the calling store; linked to it, and gone with it. -EAGAIN, -ENOMEM, -EINVAL */
int copi_postgres_hints_start(cop_pid *out, const cop_postgres_opts *opts);

/* Stop it and wait, a little. */
void copi_postgres_hints_stop(cop_pid hints);

/* Tell other processes, soon: those are settled, and there is work in those queues. What cannot be told is found by
 * their poll. */
void copi_postgres_hints_tell(cop_pid hints, const struct copi_postgres_news *settled,
                              const struct copi_postgres_news *queues);

#endif
