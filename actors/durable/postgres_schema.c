/*
 * actors/durable/postgres_schema.c - the table, made and brought up to date.
 *
 * Room: actors/durable/, libcoppice-postgres. The public API only, and libpq. Its owner's thread only.
 * Ask first: the lock's number, and how the version is kept. Libraries of all ages have to agree on both.
 *
 * The version is how many migrations have been done, in the one row of cop_schema. Who finds it too low takes a lock of
 * the database's that everybody knows by its number, and looks again: of many who come at the same moment one
 * does the work. Each migration is one transaction with the number that it leads to. The lock is the session's: who
 * dies gives it back.
 */
#include "actors/durable/postgres_schema.h"

#include <errno.h>
#include <stdio.h>

#define LOCK_NUMBER "4861520" /* 0x4a2e50: drawn once, and nobody else's */

static int
ask_number(struct copi_postgres_link *link, const char *statement, int64_t *out, cop_time until)
{
    PGresult *rows = NULL;
    int error = copi_postgres_ask(link, statement, NULL, 0);
    error = error ? error : copi_postgres_answer(link, &rows, until);
    if (error == 0) {
        *out =
            PQntuples(rows) > 0 && PQnfields(rows) > 0 ? copi_postgres_field_number(rows, 0, 0) : 0;
        PQclear(rows);
    }
    return error;
}

static int
find_version(struct copi_postgres_link *link, int64_t *version, cop_time until)
{
    int64_t is_there = 0;
    int error = ask_number(link, "SELECT to_regclass('cop_schema') IS NOT NULL", &is_there, until);
    *version = 0;
    return error || !is_there ? error
                              : ask_number(link, "SELECT version FROM cop_schema", version, until);
}

static int
migrate_once(struct copi_postgres_link *link, const char *migration, int64_t version,
             cop_time until)
{
    static const char *const form =
        "CREATE TABLE IF NOT EXISTS cop_schema (version bigint NOT NULL);"
        "%s;"
        "DELETE FROM cop_schema;"
        "INSERT INTO cop_schema VALUES (%lld);";
    size_t size = strlen(form) + strlen(migration) + 24;
    char *text = cop_alloc(size); /* an exit may leave from here */
    if (!text) {
        return -ENOMEM;
    }
    (void)snprintf(text, size, form, migration, (long long)version);
    int error = copi_postgres_run(link, text, until);
    cop_free(text);
    return error;
}

static int
refuse_newer(struct copi_postgres_link *link, int64_t version, int known)
{
    link->why =
        cop_failed(-EPROTO, "{postgres,schema,{version,%lld,known,%d}}", (long long)version, known);
    return -EPROTO;
}

static int
migrate_locked(struct copi_postgres_link *link, const char *const migrations[], int count,
               cop_time until)
{
    int64_t version = 0;
    int error = find_version(link, &version, until);
    for (; error == 0 && version < count; version++) {
        error = migrate_once(link, migrations[version], version + 1, until);
    }
    return error ? error : version > count ? refuse_newer(link, version, count) : 0;
}

/* lock_timeout counts for it, too: then once more, until the time is over. */
static int
take_lock(struct copi_postgres_link *link, cop_time until)
{
    int error;
    int64_t nothing;
    do {
        error = ask_number(link, "SELECT pg_advisory_lock(" LOCK_NUMBER ")", &nothing, until);
    } while (error == -EAGAIN && cop_now() < until);
    return error;
}

int
copi_postgres_migrate(struct copi_postgres_link *link, const char *const migrations[], int count,
                      cop_time until)
{
    int64_t version = 0, nothing;
    int error = find_version(link, &version, until);
    if (error || version == count) {
        return error;
    }
    if (version > count) {
        return refuse_newer(link, version, count);
    }
    error = take_lock(link, until);
    if (error) {
        return error;
    }
    error = migrate_locked(link, migrations, count, until);
    if (link->connection) {
        int unlocked =
            ask_number(link, "SELECT pg_advisory_unlock(" LOCK_NUMBER ")", &nothing, until);
        error = error ? error : unlocked;
    }
    return error;
}
