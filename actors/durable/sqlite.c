/*
 * actors/durable/sqlite.c - a store in a file, by SQLite.
 *
 * Room: actors/durable/, libcoppice-sqlite. The public API only, and libsqlite3. The store's process.
 * Touch freely: the size at which the log is moved. Ask first: the order of locks, and the settings below.
 *
 *   journal_mode=WAL, synchronous=FULL   a commit is one sync, of the log; readers wait for nobody
 *   wal_autocheckpoint=0                 the log is moved into the database by us, between batches, under
 *   NO_CKPT_ON_CLOSE                     the lock of sqlite_side.c
 *   a batch that writes                  lock; BEGIN IMMEDIATE; operations; COMMIT; unlock; ring the bell
 *   a batch that reads                   BEGIN; operations; COMMIT
 *
 * The connection is of this process alone: SQLite runs without mutexes. A child of a fork has the same descriptors,
 * and its close would drop SQLite's locks of ours; so it is told apart by its pid, and touches nothing.
 *
 * Errors of a write are the batch's. SQLITE_FULL leaves the file as it was. An error of the disk, the sync's
 * above all, is -EIO: the frames of the batch may be in the log all the same, and whether a recovery finds them
 * whole is decided when the file is opened anew.
 */
#include "actors/durable/sqlite.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

enum {
    BUSY_MS = 2000,
    LOG_PAGES = 1000,
    PATH_SHOWN = 128, /* bytes of it, in front of what is wrong */
    DATA_VERSION_MS = 250,
    FIXED = 3051003, /* the version from which checkpoints and writes cannot collide */
};

static void
trace(const struct copi_sqlite *sqlite, const char *step)
{
    if (sqlite->opts->trace) {
        sqlite->opts->trace(step, sqlite->opts->trace_env);
    }
}

/* ---------------------------------------------------------------- errors */

/* What the system has said, if it is that what has failed. */
static int
system_error(const struct copi_sqlite *sqlite, int error)
{
    bool is_systems = (error & 0xff) == SQLITE_CANTOPEN || (error & 0xff) == SQLITE_IOERR;
    return is_systems && sqlite->db ? sqlite3_system_errno(sqlite->db) : 0;
}

static bool
is_full(int system)
{
    return system == ENOSPC || system == EDQUOT || system == EFBIG;
}

static int
code_of(struct copi_sqlite *sqlite, int error)
{
    int system = system_error(sqlite, error);
    switch (error & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_NOTADB:
        return -EPROTO;
    case SQLITE_TOOBIG:
        return -EMSGSIZE;
    case SQLITE_CANTOPEN:
        return system ? -system : -ENOENT;
    default:
        if (error == SQLITE_IOERR_SHMSIZE && is_full(system)) {
            return -ENOSPC; /* before anything was written; when a sync says so, who knows */
        }
        return error == SQLITE_IOERR_NOMEM ? -ENOMEM : -EIO;
    }
}

/* Of an error that we have found ourselves SQLite knows nothing. */
static const char *
words_of(struct copi_sqlite *sqlite, int error)
{
    bool is_its_own = sqlite->db && (sqlite3_errcode(sqlite->db) & 0xff) == (error & 0xff);
    return is_its_own ? sqlite3_errmsg(sqlite->db) : sqlite3_errstr(error);
}

int
copi_sqlite_error(struct copi_sqlite *sqlite, int error, cop_reason *why)
{
    int code = code_of(sqlite, error);
    if (code && why) {
        int system = system_error(sqlite, error);
        *why = cop_failed(code, "%s%s%s", words_of(sqlite, error), system ? ": " : "",
                          system ? cop_strerror(-system) : "");
    }
    return code;
}

/* ---------------------------------------------------------------- opening, closing */

static void
close_file(void *state)
{
    struct copi_sqlite *sqlite = state;
    if (sqlite->pid != getpid()) {
        return;
    }
    for (size_t i = 0; i < COPI_SQLITE_STATEMENTS; i++) {
        (void)sqlite3_finalize(sqlite->statements[i]);
    }
    if (copi_sqlite_side_try_lock(&sqlite->side)) {
        (void)sqlite3_wal_checkpoint_v2(sqlite->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        copi_sqlite_side_unlock(&sqlite->side);
    }
    (void)sqlite3_close(sqlite->db);
    copi_sqlite_side_close(&sqlite->side);
}

/* It is half open. */
static int
give_up(struct copi_sqlite *sqlite, int code)
{
    (void)sqlite3_close(sqlite->db);
    copi_sqlite_side_close(&sqlite->side);
    return code;
}

static int
note_log(void *state, sqlite3 *db, const char *name, int pages)
{
    (void)db, (void)name;
    struct copi_sqlite *sqlite = state;
    sqlite->log_pages = pages;
    return SQLITE_OK;
}

static int
configure(struct copi_sqlite *sqlite)
{
    sqlite3 *db = sqlite->db;
    int r = sqlite3_busy_timeout(db, BUSY_MS);
    r = r ? r : sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    r = r ? r : sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    r = r ? r : sqlite3_extended_result_codes(db, 1);
    return r ? r : sqlite3_exec(db, "PRAGMA trusted_schema=OFF", NULL, NULL, NULL);
}

/* The mode that it has after it was asked for another is an answer, and no error. */
static int
turn_log_on(struct copi_sqlite *sqlite, bool *is_on)
{
    sqlite3_stmt *statement;
    int r = sqlite3_prepare_v2(sqlite->db, "PRAGMA journal_mode=WAL", -1, &statement, NULL);
    if (r) {
        return r;
    }
    const unsigned char *mode =
        sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_text(statement, 0) : NULL;
    *is_on = mode && strcmp((const char *)mode, "wal") == 0;
    return sqlite3_finalize(statement);
}

/* Only of what is ours: it changes the file. */
static int
use_log(struct copi_sqlite *sqlite, cop_reason *why)
{
    bool is_on = false;
    int r = turn_log_on(sqlite, &is_on);
    if (r == SQLITE_OK && !is_on) {
        *why = cop_failed(-EOPNOTSUPP, "SQLite cannot keep its log (WAL) there");
        return -EOPNOTSUPP;
    }
    r = r ? r
          : sqlite3_exec(sqlite->db, "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0", NULL,
                         NULL, NULL);
    sqlite3_wal_hook(sqlite->db, note_log, sqlite); /* after the last of them, which sets its own */
    return copi_sqlite_error(sqlite, r, why);
}

static int
open_database(struct copi_sqlite *sqlite, cop_reason *why)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int r = sqlite3_open_v2(sqlite->opts->at, &sqlite->db, flags, NULL);
    r = r ? r : configure(sqlite);
    return copi_sqlite_error(sqlite, r, why);
}

/* Under the lock. */
static int
prepare(struct copi_sqlite *sqlite, cop_reason *why)
{
    int r = copi_sqlite_schema_check(sqlite, why);
    r = r ? r : use_log(sqlite, why);
    r = r ? r : copi_sqlite_schema_migrate(sqlite, why);
    int version = copi_sqlite_number(sqlite, COPI_SQLITE_VERSION, &sqlite->version);
    return r ? r : copi_sqlite_error(sqlite, version, why);
}

static int
open_side(struct copi_sqlite *sqlite, cop_reason *why)
{
    int r = copi_sqlite_side_open(&sqlite->side, sqlite3_db_filename(sqlite->db, NULL));
    r = r ? r : copi_sqlite_side_lock(&sqlite->side);
    if (r == -EOPNOTSUPP) {
        *why = cop_failed(r, "the database is on a network's file system");
    }
    return r;
}

static void
note_version(void)
{
    static atomic_bool was_told; /* by any store's thread; nothing else hangs on it */
    if (sqlite3_libversion_number() < FIXED && !atomic_exchange(&was_told, true)) {
        cop_log(COP_LOG_DEBUG,
                "this SQLite may damage a file that other programs write to or checkpoint",
                COP_KV("version", sqlite3_libversion()));
    }
}

static int
open_up(struct copi_sqlite *sqlite, cop_reason *why)
{
    int r = open_database(sqlite, why);
    r = r ? r : open_side(sqlite, why);
    if (r) {
        return give_up(sqlite, r);
    }
    r = prepare(sqlite, why);
    copi_sqlite_side_unlock(&sqlite->side);
    if (r) {
        (void)sqlite3_finalize(sqlite->statements[COPI_SQLITE_VERSION]);
        return give_up(sqlite, r);
    }
    note_version();
    return 0;
}

static int
open_file(void *state, const cop_store_opts *opts, cop_reason *why)
{
    struct copi_sqlite *sqlite = state;
    const char *path = opts->at;
    if (!path || !path[0] || path[0] == ':') {
        *why = cop_failed(-EINVAL, "a database needs a path");
        return -EINVAL;
    }
    *sqlite = (struct copi_sqlite){
        .opts = opts, .pid = getpid(), .side = {-1, -1}, .checkpoint_at = LOG_PAGES};
    int r = open_up(sqlite, why);
    if (r) { /* which of a program's files it is */
        const cop_reason found = *why;
        *why = cop_failed(r, "%.*s: %s", PATH_SHOWN, path,
                          found.text[0] ? found.text : cop_strerror(r));
    }
    return r;
}

/* ---------------------------------------------------------------- a batch */

static bool
writes(cop_store_op *const ops[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (cop_store_writes(ops[i])) {
            return true;
        }
    }
    return false;
}

static int
run_all(struct copi_sqlite *sqlite, cop_store_op *const ops[], size_t count)
{
    int before = sqlite3_total_changes(sqlite->db);
    int r = copi_sqlite_read_clock(sqlite);
    for (size_t i = 0; r == SQLITE_OK && i < count; i++) {
        r = copi_sqlite_run(sqlite, ops[i]);
    }
    bool has_changed = sqlite3_total_changes(sqlite->db) != before;
    return r || !has_changed ? r : copi_sqlite_store_clock(sqlite);
}

/* Why it failed is known by then: a rollback has words of its own. */
static int
transact(struct copi_sqlite *sqlite, cop_store_op *const ops[], size_t count, bool is_write,
         cop_reason *why)
{
    int r = copi_sqlite_do(sqlite, is_write ? COPI_SQLITE_BEGIN_WRITE : COPI_SQLITE_BEGIN_READ);
    r = r ? r : run_all(sqlite, ops, count);
    if (r == SQLITE_OK) {
        trace(sqlite, "ran");
        r = copi_sqlite_do(sqlite, COPI_SQLITE_COMMIT);
    }
    int code = copi_sqlite_error(sqlite, r, why);
    if (!sqlite3_get_autocommit(sqlite->db)) {
        (void)copi_sqlite_do(sqlite, COPI_SQLITE_ROLLBACK);
    }
    return code;
}

static int
write_batch(struct copi_sqlite *sqlite, cop_store_op *const ops[], size_t count, cop_reason *why)
{
    int before = sqlite3_total_changes(sqlite->db);
    int r = copi_sqlite_side_lock(&sqlite->side);
    if (r) {
        return r;
    }
    r = transact(sqlite, ops, count, true, why);
    copi_sqlite_side_unlock(&sqlite->side);
    if (r == 0 && sqlite3_total_changes(sqlite->db) != before) {
        copi_sqlite_side_tell(&sqlite->side);
    }
    return r;
}

static int
run(void *state, cop_store_op *const ops[], size_t count, cop_reason *why)
{
    struct copi_sqlite *sqlite = state;
    if (sqlite->pid != getpid()) {
        return -EINVAL;
    }
    return writes(ops, count) ? write_batch(sqlite, ops, count, why)
                              : transact(sqlite, ops, count, false, why);
}

/* ---------------------------------------------------------------- between batches */

static int
move_log(struct copi_sqlite *sqlite, cop_reason *why)
{
    int in_log = 0, moved = 0;
    trace(sqlite, "checkpoint");
    int r = sqlite3_wal_checkpoint_v2(sqlite->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
    bool is_all = r == SQLITE_OK && in_log == moved;
    sqlite->checkpoint_at = (is_all ? 0 : sqlite->log_pages) + LOG_PAGES;
    sqlite->log_pages = 0;
    return (r & 0xff) == SQLITE_BUSY ? 0 : copi_sqlite_error(sqlite, r, why);
}

static int
tidy(void *state, cop_reason *why)
{
    struct copi_sqlite *sqlite = state;
    if (sqlite->log_pages < sqlite->checkpoint_at || copi_sqlite_side_lock(&sqlite->side) != 0) {
        return 0;
    }
    int r = move_log(sqlite, why);
    copi_sqlite_side_unlock(&sqlite->side);
    return r;
}

static int
descriptor(void *state)
{
    const struct copi_sqlite *sqlite = state;
    return sqlite->side.events;
}

/* In doubt, yes: then it is read. */
static bool
changed(void *state)
{
    struct copi_sqlite *sqlite = state;
    int64_t version = -1;
    copi_sqlite_side_hear(&sqlite->side);
    int r = copi_sqlite_number(sqlite, COPI_SQLITE_VERSION, &version);
    bool has_changed = r != SQLITE_OK || version != sqlite->version;
    sqlite->version = version;
    return has_changed;
}

const cop_store_backend *
cop_sqlite(void)
{
    static const cop_store_backend backend = {
        .name = "sqlite",
        .state_size = sizeof(struct copi_sqlite),
        .open = open_file,
        .close = close_file,
        .run = run,
        .tidy = tidy,
        .descriptor = descriptor,
        .changed = changed,
        .poll = COP_MS(DATA_VERSION_MS),
    };
    return &backend;
}
