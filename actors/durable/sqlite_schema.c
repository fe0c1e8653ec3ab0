/*
 * actors/durable/sqlite_schema.c - how the tables came to be what they are.
 *
 * Room: actors/durable/, libcoppice-sqlite. The store's process.
 * Touch freely: nothing that was released. Ask first: a new step; a file that has taken it cannot go back.
 *
 * A file carries the number of steps that it has taken (user_version), and whose it is (application_id). Steps are only ever
 * added. A file that has taken more than are known here is of a newer program, and is refused as it is.
 *
 * An ordinary rowid table: without, ids in random order cost twice to three times as much. The partial indexes are
 * each for one question: what is pending, what is due, what may be forgotten, what can be claimed.
 */
#include "actors/durable/sqlite.h"

#include <errno.h>

#define OURS 0x434f5050 /* "COPP" */

static const char *const steps[] = {
    /* 1: promises */
    "CREATE TABLE promise("
    " id TEXT NOT NULL PRIMARY KEY CHECK(length(CAST(id AS BLOB)) BETWEEN 1 AND 255),"
    " queue TEXT NOT NULL DEFAULT '',"
    " tags TEXT NOT NULL DEFAULT '',"
    " state INTEGER NOT NULL DEFAULT 0 CHECK(state IN (0,1,2)),"
    " cause INTEGER NOT NULL DEFAULT 0,"
    " code INTEGER NOT NULL DEFAULT 0,"
    " text TEXT,"
    " expires_at INTEGER," /* milliseconds, as all times; NULL: never */
    " created_at INTEGER NOT NULL,"
    " settled_at INTEGER,"
    " create_key BLOB, settle_key BLOB, param BLOB, value BLOB,"
    " CHECK((state=0)=(settled_at IS NULL))"
    ") STRICT;"
    "CREATE INDEX promise_pending ON promise(id) WHERE state=0;"
    "CREATE INDEX promise_due ON promise(expires_at) WHERE state=0 AND expires_at IS NOT NULL;"
    "CREATE INDEX promise_gc ON promise(settled_at) WHERE state<>0;"
    /* the clock never shows less than this */
    "CREATE TABLE clock(one INTEGER PRIMARY KEY CHECK(one=1), mark INTEGER NOT NULL) STRICT;"
    "INSERT INTO clock VALUES(1,0);",
    /* 2: leases */
    "ALTER TABLE promise ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE promise ADD COLUMN owner BLOB;"
    "ALTER TABLE promise ADD COLUMN lease_until INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE promise ADD COLUMN ready_at INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE promise ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE promise ADD COLUMN max_attempts INTEGER NOT NULL DEFAULT 0;"
    "UPDATE promise SET ready_at=created_at WHERE state=0;"
    "CREATE INDEX promise_ready ON promise(queue,ready_at,id)"
    " WHERE state=0 AND owner IS NULL;"
    "CREATE INDEX promise_leased ON promise(queue,ready_at,id)"
    " WHERE state=0 AND owner IS NOT NULL;",
};

enum {
    STEPS = sizeof steps / sizeof *steps
};

/* ---------------------------------------------------------------- asking */

static int
ask(struct copi_sqlite *sqlite, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement;
    int r = sqlite3_prepare_v2(sqlite->db, sql, -1, &statement, NULL);
    if (r == SQLITE_OK) {
        r = sqlite3_step(statement);
        *out = r == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
        r = sqlite3_finalize(statement);
    }
    return r;
}

static int
refuse(cop_reason *why, const char *words)
{
    *why = cop_failed(-EPROTO, "%s", words);
    return -EPROTO;
}

int
copi_sqlite_schema_check(struct copi_sqlite *sqlite, cop_reason *why)
{
    int64_t whose = 0, version = 0, tables = 0;
    int r = ask(sqlite, "PRAGMA application_id", &whose);
    r = r ? r : ask(sqlite, "PRAGMA user_version", &version);
    r = r ? r : ask(sqlite, "SELECT count(*) FROM sqlite_schema", &tables);
    if (r) {
        return copi_sqlite_error(sqlite, r, why);
    }
    bool is_new = whose == 0 && version == 0 && tables == 0;
    if (!is_new && whose != OURS) {
        return refuse(why, "the database is another program's");
    }
    if (version < 0) {
        return copi_sqlite_error(sqlite, SQLITE_CORRUPT, why);
    }
    return version > STEPS ? refuse(why, "the database is of a newer version") : 0;
}

/* ---------------------------------------------------------------- changing */

static int
execute(struct copi_sqlite *sqlite, const char *sql)
{
    return sqlite3_exec(sqlite->db, sql, NULL, NULL, NULL);
}

static int
take_step(struct copi_sqlite *sqlite, int64_t step)
{
    char *number =
        sqlite3_mprintf("PRAGMA application_id=%d; PRAGMA user_version=%d", OURS, (int)step + 1);
    int r = number ? execute(sqlite, steps[step]) : SQLITE_NOMEM;
    r = r ? r : execute(sqlite, number);
    sqlite3_free(number);
    return r;
}

/* All or none: the numbers are part of the transaction. */
static int
take_steps(struct copi_sqlite *sqlite, int64_t version)
{
    int r = execute(sqlite, "BEGIN IMMEDIATE");
    for (; r == SQLITE_OK && version < STEPS; version++) {
        r = take_step(sqlite, version);
    }
    if (r == SQLITE_OK && sqlite->opts->trace) {
        sqlite->opts->trace("migrate", sqlite->opts->trace_env);
    }
    r = r ? r : execute(sqlite, "COMMIT");
    if (!sqlite3_get_autocommit(sqlite->db)) {
        (void)execute(sqlite, "ROLLBACK");
    }
    return r;
}

int
copi_sqlite_schema_migrate(struct copi_sqlite *sqlite, cop_reason *why)
{
    int64_t version = 0;
    int r = ask(sqlite, "PRAGMA user_version", &version);
    if (r == SQLITE_OK && version < STEPS) {
        r = take_steps(sqlite, version);
    }
    return copi_sqlite_error(sqlite, r, why);
}
