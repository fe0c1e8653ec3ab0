/*
 * actors/durable/postgres_statements.c - the statements, and the schema they are for.
 *
 * Room: actors/durable/, libcoppice-postgres. Constants only.
 * Touch freely: what a record has. Ask first: everything else. Each clause stands against something that was
 * seen to happen; tests/actors/durable/test_postgres_statements.c has the plans.
 *
 * Each statement is a transaction of its own, read committed, and does what it can for a whole array. Three
 * shapes:
 *
 *   found by id      lock the rows, in the order of ids (two of them cannot wait for each other in a circle);
 *                    read the clock; only then judge. A condition is evaluated before the wait for a lock, and
 *                    not again if the row has not changed: a clock in it would be that of before the wait, and
 *                    a promise could be resolved after its deadline
 *   found by search  SKIP LOCKED: never waits, so now() will do, and it must: clock_timestamp() is no
 *                    condition for an index, and idle claims would read every lease. In a materialised CTE,
 *                    or a nested loop may run the LIMIT again for each row, and take too many
 *   read             no locks
 *
 * The fence: a settle, a renewal and a release name the epoch and the owner that the lease had. `owner IS NOT
 * DISTINCT FROM`, since `owner =` implies that it is not NULL, and the planner takes the index of all leases
 * for that.
 *
 * lease_until is in no index: a renewal then changes no index, and old rows are reclaimed as the page is
 * next looked at. So inheriting scans the live leases of its queue.
 *
 * Ids and queues are compared as bytes (COLLATE "C"), as all stores do. Times come as microseconds.
 */
#include "actors/durable/postgres_statements.h"

#define MICROSECONDS " * interval '1 microsecond'"
#define NEVER        "9223372036854775807"

/* An infinite time is no number: a conversion would refuse the statement, with all the others that it is about. */
#define AS_MS(time)                                                                 \
 "CASE WHEN isfinite(" time ") THEN (extract(epoch FROM " time ") * 1000)::bigint " \
 "WHEN " time " IS NOT NULL THEN " NEVER " END"
#define LEFT_US(time)                                                      \
 "CASE WHEN isfinite(" time ") THEN GREATEST(0, (extract(epoch FROM " time \
 " - clock_timestamp()) * 1000000)::bigint) WHEN " time " > now() THEN " NEVER " ELSE 0 END"

#define RECORD                                                                                                             \
 "f.id, f.queue, f.tags, f.state, f.cause, f.code, f.message, f.param, f.value, "                                          \
 "f.create_key, f.settle_key, " AS_MS("f.created_at") " AS created_ms, " AS_MS("f.settled_at") " AS settled_ms, " AS_MS(   \
     "nullif(f.expires_at, 'infinity')") " AS deadline_ms, f.epoch, f.owner, " LEFT_US("f.lease_until") " AS lease_left, " \
                                                                                                        "f.attempts, f.max_attempts, f.state = 0 AND f.expires_at <= clock_timestamp() AS overdue "

/* A deadline is a whole number of milliseconds; so is what it is compared with, and what is stored of it. */
#define CLOCK "date_trunc('milliseconds', clock_timestamp())"

/* The rows of w, locked one after the other, each with the time at which it was. */
#define LOCKED                                                             \
 "l AS MATERIALIZED (SELECT f.id FROM w JOIN cop_future f ON f.id = w.id " \
 "WHERE f.state = 0 ORDER BY f.id FOR UPDATE OF f), "                      \
 "t AS MATERIALIZED (SELECT id, " CLOCK " AS now FROM l) "

#define FENCED "f.epoch = w.epoch AND f.owner IS NOT DISTINCT FROM w.owner"

#define ATTEMPTS_LEFT "(f.max_attempts = 0 OR f.attempts < f.max_attempts)"

const char copi_postgres_create[] =
    "WITH t AS MATERIALIZED (SELECT " CLOCK " AS now) "
    "INSERT INTO cop_future (id, queue, tags, param, created_at, ready_at, expires_at, create_key, "
    "max_attempts) SELECT u.id, u.queue, u.tags, u.param, t.now, t.now, "
    "COALESCE(t.now + u.time" MICROSECONDS ", 'infinity'), u.key, u.most::integer "
    "FROM t, unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::bytea[], "
    "$7::bigint[]) AS u(id, queue, tags, param, time, key, most) "
    "ORDER BY u.id COLLATE \"C\" ON CONFLICT (id) DO NOTHING RETURNING 0::bigint, id";

const char copi_postgres_get[] =
    "SELECT w.i, " RECORD "FROM unnest($1::text[]) WITH ORDINALITY AS w(id, i) "
    "JOIN cop_future f ON f.id = w.id";

/* A search for one row by its whole key has one plan, so it can be kept: nothing in it depends on what is in the table. */
const char copi_postgres_get_one[] =
    "SELECT 1::bigint, " RECORD "FROM cop_future f WHERE f.id = $1::text";

#define IN_TIME(then, otherwise) \
 "CASE WHEN f.expires_at > t.now THEN " then " ELSE " otherwise " END"

const char copi_postgres_settle[] =
    "WITH w AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], "
    "$4::bigint[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[], $9::bytea[]) "
    "WITH ORDINALITY AS u(id, epoch, owner, state, cause, code, message, value, key, i)), " LOCKED
    "UPDATE cop_future f SET "
    "state = " IN_TIME(
        "w.state",
        "2") ", "
             "cause = " IN_TIME(
                 "w.cause",
                 "3") ", "
                      "code = " IN_TIME(
                          "w.code",
                          "-62") ", "
                                 "message = " IN_TIME(
                                     "w.message",
                                     "''") ", "
                                           "value = " IN_TIME(
                                               "w.value",
                                               "NULL") ", "
                                                       "settle_key = " IN_TIME(
                                                           "w.key",
                                                           "NULL") ", "
                                                                   "settled_at = LEAST(t.now, f.expires_at), owner = NULL, lease_until = '-infinity' "
                                                                   "FROM t JOIN w ON w.id = t.id WHERE f.id = t.id AND f.state = 0 "
                                                                   "AND (w.owner IS NULL OR (" FENCED
                                                                   ")) RETURNING w.i, f.cause";

#define LEASED_FOR(owner_, now_, time_)                                 \
 "owner = " owner_ ", epoch = f.epoch + 1, attempts = f.attempts + 1, " \
 "lease_until = LEAST(" now_ " + " time_ MICROSECONDS ", f.expires_at) "

const char copi_postgres_acquire[] =
    "WITH w AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[]) "
    "WITH ORDINALITY AS u(id, owner, time, i)), " LOCKED "UPDATE cop_future f SET " LEASED_FOR(
        "w.owner", "t.now",
        "w.time") "FROM t JOIN w ON w.id = t.id WHERE f.id = t.id AND f.state = 0 "
                  "AND f.lease_until <= t.now AND f.expires_at > t.now AND " ATTEMPTS_LEFT
                  " RETURNING w.i, " RECORD;

const char copi_postgres_renew[] =
    "WITH w AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[], "
    "$4::bigint[]) WITH ORDINALITY AS u(id, epoch, owner, time, i)), " LOCKED
    "UPDATE cop_future f SET lease_until = LEAST(t.now + w.time" MICROSECONDS ", f.expires_at) "
    "FROM t JOIN w ON w.id = t.id WHERE f.id = t.id AND f.state = 0 AND " FENCED
    " AND f.lease_until > t.now RETURNING w.i, " LEFT_US("f.lease_until");

const char copi_postgres_release[] =
    "WITH w AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::bigint[], $3::uuid[]) "
    "WITH ORDINALITY AS u(id, epoch, owner, i)), " LOCKED
    "UPDATE cop_future f SET owner = NULL, lease_until = '-infinity', ready_at = t.now, "
    "attempts = f.attempts - 1 FROM t JOIN w ON w.id = t.id WHERE f.id = t.id AND f.state = 0 "
    "AND f.expires_at > t.now AND " FENCED " RETURNING w.i, f.queue";

const char copi_postgres_list[] =
    "SELECT 0::bigint, " RECORD "FROM cop_future f WHERE f.state = 0 AND f.id > $1::text "
    "AND ($2::text IS NULL OR f.queue = $2::text) "
    "AND ($3::text IS NULL OR $3::text = ANY (string_to_array(f.tags, ' '))) "
    "AND f.expires_at > now() ORDER BY f.id LIMIT $4::bigint";

/* Those that are taken are found again in the order in which they were chosen. */
#define TAKEN(chosen)                                                                   \
 "WITH k AS MATERIALIZED (" chosen "), u AS (UPDATE cop_future f SET " LEASED_FOR(      \
     "$2::uuid", "clock_timestamp()", "$3::bigint") "FROM k WHERE f.id = k.id "         \
                                                    "RETURNING 0::bigint AS i, " RECORD \
                                                    ", k.n AS n) SELECT * FROM u ORDER BY n"

const char copi_postgres_claim[] =
    TAKEN("SELECT c.id, row_number() OVER () AS n FROM (SELECT id FROM cop_future "
          "WHERE queue = $1::text AND state = 0 AND owner IS NULL AND expires_at > now() "
          "ORDER BY ready_at, id LIMIT $4::bigint FOR UPDATE SKIP LOCKED) c");

const char copi_postgres_inherit[] =
    TAKEN("SELECT c.id, row_number() OVER () AS n FROM (SELECT f.id FROM cop_future f "
          "WHERE f.queue = $1::text AND f.state = 0 AND f.owner IS NOT NULL "
          "AND f.lease_until <= now() AND f.expires_at > now() AND " ATTEMPTS_LEFT
          " ORDER BY f.id LIMIT $4::bigint FOR UPDATE SKIP LOCKED) c");

const char copi_postgres_held[] = "SELECT 0::bigint, " RECORD "FROM cop_future f "
                                  "WHERE f.queue = $1::text AND f.state = 0 "
                                  "AND f.owner IS NOT NULL AND f.owner = $2::uuid ORDER BY f.id";

/* They are leased, as a release gives the attempt back; but nothing is said of owners, or the planner takes the index of all
 * leases. */
#define ON_LAST_ATTEMPT "state = 0 AND max_attempts > 0 AND attempts >= max_attempts"

const char copi_postgres_expire[] =
    "WITH late AS MATERIALIZED (SELECT id FROM cop_future "
    "WHERE state = 0 AND expires_at < 'infinity' AND expires_at <= now() "
    "ORDER BY expires_at LIMIT $1::bigint FOR UPDATE SKIP LOCKED), "
    "lost AS MATERIALIZED (SELECT id FROM cop_future WHERE " ON_LAST_ATTEMPT
    " AND lease_until <= now() AND expires_at > now() ORDER BY max_attempts, id "
    "LIMIT GREATEST(0, $1::bigint - (SELECT count(*) FROM late)) FOR UPDATE SKIP LOCKED), "
    "k AS MATERIALIZED (SELECT id, 3 AS cause, -62 AS code FROM late "
    "UNION ALL SELECT id, 4, -130 FROM lost) "
    "UPDATE cop_future f SET state = 2, cause = k.cause, code = k.code, "
    "settled_at = LEAST(f.expires_at, clock_timestamp()), owner = NULL, lease_until = '-infinity' "
    "FROM k WHERE f.id = k.id AND f.state = 0 RETURNING 0::bigint, " RECORD;

const char copi_postgres_next[] = "SELECT 0::bigint, " LEFT_US(
    "next.at") " FROM (SELECT LEAST("
               "COALESCE((SELECT min(expires_at) FROM cop_future WHERE state = 0 AND expires_at < 'infinity'), "
               "'infinity'), "
               "COALESCE((SELECT min(lease_until) FROM cop_future WHERE " ON_LAST_ATTEMPT
               "), 'infinity')) "
               "AS at) AS next";

const char copi_postgres_prune[] =
    "WITH k AS MATERIALIZED (SELECT id FROM cop_future WHERE state <> 0 "
    "AND settled_at <= now() - $1::bigint" MICROSECONDS
    " ORDER BY settled_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED) "
    "DELETE FROM cop_future f USING k WHERE f.id = k.id RETURNING 0::bigint";

/* ---------------------------------------------------------------- the schema */

/*
 * One text for each version; what has once been released is never changed. `lease_until` is '-infinity' where
 * there is no lease, and `expires_at` 'infinity' where there is no deadline, so that comparisons need no
 * special case. `fillfactor` leaves room for new versions of a row in its page.
 */
const char *const copi_postgres_migrations[] = {
    "CREATE TABLE cop_future ("
    " id text COLLATE \"C\" PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 255),"
    " queue text COLLATE \"C\" NOT NULL DEFAULT '',"
    " tags text NOT NULL DEFAULT '',"
    " state smallint NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)),"
    " cause smallint NOT NULL DEFAULT 0,"
    " code integer NOT NULL DEFAULT 0,"
    " message bytea NOT NULL DEFAULT '',"
    " epoch bigint NOT NULL DEFAULT 0,"
    " owner uuid,"
    " lease_until timestamptz NOT NULL DEFAULT '-infinity',"
    " attempts integer NOT NULL DEFAULT 0,"
    " max_attempts integer NOT NULL DEFAULT 0,"
    " expires_at timestamptz NOT NULL DEFAULT 'infinity',"
    " ready_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
    " create_key bytea, settle_key bytea, param bytea, value bytea,"
    " created_at timestamptz NOT NULL DEFAULT clock_timestamp(),"
    " settled_at timestamptz,"
    " CHECK ((state = 0) = (settled_at IS NULL)),"
    " CHECK (state <> 0 OR value IS NULL),"
    " CHECK (state = 0 OR owner IS NULL)"
    ") WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0,"
    " autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);"
    "CREATE INDEX cop_future_pending ON cop_future (id) WHERE state = 0;"
    "CREATE INDEX cop_future_ready ON cop_future (queue, ready_at, id)"
    " WHERE state = 0 AND owner IS NULL;"
    "CREATE INDEX cop_future_leased ON cop_future (queue, id)"
    " WHERE state = 0 AND owner IS NOT NULL;"
    "CREATE INDEX cop_future_last ON cop_future (max_attempts, id)"
    " WHERE state = 0 AND max_attempts > 0 AND attempts >= max_attempts;"
    "CREATE INDEX cop_future_due ON cop_future (expires_at)"
    " WHERE state = 0 AND expires_at < 'infinity';"
    "CREATE INDEX cop_future_gc ON cop_future (settled_at) WHERE state <> 0;",
};

const int copi_postgres_version =
    sizeof copi_postgres_migrations / sizeof copi_postgres_migrations[0];
