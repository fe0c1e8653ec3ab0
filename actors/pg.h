/*
 * actors/pg.h - what registries need of groups.
 *
 * Room: actors/.
 */
#ifndef COPI_ACTORS_PG_H
#define COPI_ACTORS_PG_H

#include "actors/registrations.h"

/* Somebody joins a group, or is about to leave it: tell those who watch it. Under the partition's lock. */
void copi_pg_tell_locked(struct copi_registrations *watching,
                         const struct copi_registration *changed, bool joined);

#endif
