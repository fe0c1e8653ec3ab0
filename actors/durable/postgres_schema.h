/*
 * actors/durable/postgres_schema.h - the table, made and brought up to date.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq. Its owner's thread only.
 */
#ifndef COPI_ACTORS_DURABLE_POSTGRES_SCHEMA_H
#define COPI_ACTORS_DURABLE_POSTGRES_SCHEMA_H

#include "actors/durable/postgres_link.h"

/* See that the schema has had all of `migrations`, by whomever. Any number of processes may do so at the same
 * moment.
 *
 * -EPROTO   it has had more of them: a newer library's
 * -EACCES   the user may not make what is missing
 * else as copi_postgres_answer. Exit point: yes. */
int copi_postgres_migrate(struct copi_postgres_link *link, const char *const migrations[],
                          int count, cop_time until);

#endif
