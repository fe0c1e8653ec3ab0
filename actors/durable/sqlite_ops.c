/*
 * actors/durable/sqlite_ops.c - operations as statements.
 *
 * Room: actors/durable/, libcoppice-sqlite. The store's process.
 * Touch freely: nothing without the plans in test_sqlite_ops.c. Ask first: what a statement decides.
 *
 * Each operation that changes something is one statement, which decides and changes in one; when it has
 * changed nothing, what is stored is read, and judged (cop_store_judge). So there is nothing to undo when an operation
 * is refused, and no savepoint: an error of a statement is an error of the disk, or of memory, and fails the batch.
 *
 * Whatever comes from outside is a parameter, by number, the same in all statements:
 *
 *     ?1 id      ?4 cause  ?7 value  ?10 owner  ?13 param         ?16 tags
 *     ?2 now     ?5 code   ?8 key    ?11 until  ?14 max_attempts
 *     ?3 state   ?6 text   ?9 epoch  ?12 queue  ?15 limit
 *
 * `until` is now + the operation's time: a lease's end, a new deadline; of PRUNE, the time before which is old.
 */
#include "actors/durable/sqlite.h"

#include <errno.h>
#include <limits.h>

enum parameter {
    ID = 1,
    NOW,
    STATE,
    CAUSE,
    CODE,
    TEXT,
    VALUE,
    KEY,
    EPOCH,
    OWNER,
    UNTIL,
    QUEUE,
    PARAM,
    MAX_ATTEMPTS,
    LIMIT,
    TAGS,
};

#define COLUMNS                                                                                  \
 " id,queue,tags,state,cause,code,text,param,value,create_key,settle_key,created_at,settled_at," \
 "expires_at,epoch,owner,lease_until,attempts,max_attempts "

enum column {
    C_ID,
    C_QUEUE,
    C_TAGS,
    C_STATE,
    C_CAUSE,
    C_CODE,
    C_TEXT,
    C_PARAM,
    C_VALUE,
    C_CREATE_KEY,
    C_SETTLE_KEY,
    C_CREATED,
    C_SETTLED,
    C_DEADLINE,
    C_EPOCH,
    C_OWNER,
    C_LEASE_UNTIL,
    C_ATTEMPTS,
    C_MAX_ATTEMPTS,
};

#define MOST_MS (INT64_MAX / 4) /* sums and differences of times fit */

#define IN_TIME  " (expires_at IS NULL OR expires_at>?2) "
#define UP_TO    " MIN(?11,COALESCE(expires_at,?11)) "
#define TAKE     "UPDATE promise SET owner=?10,epoch=epoch+1,attempts=attempts+1,lease_until=" UP_TO
#define GIVE_UP  "owner=NULL,lease_until=0"
#define LATE     "state=2,cause=3,code=-62,settled_at=expires_at," GIVE_UP
#define IS_LAST  " max_attempts>0 AND attempts>=max_attempts "
#define HAS_LEFT " (max_attempts=0 OR attempts<max_attempts) "

static const char *const sql[COPI_SQLITE_STATEMENTS] = {
    [COPI_SQLITE_BEGIN_READ] = ("BEGIN"),
    [COPI_SQLITE_BEGIN_WRITE] = ("BEGIN IMMEDIATE"),
    [COPI_SQLITE_COMMIT] = ("COMMIT"),
    [COPI_SQLITE_ROLLBACK] = ("ROLLBACK"),
    [COPI_SQLITE_VERSION] = ("PRAGMA data_version"),
    [COPI_SQLITE_MARK] = ("SELECT mark FROM clock"),
    [COPI_SQLITE_SET_MARK] = ("UPDATE clock SET mark=?2"),
    [COPI_SQLITE_CREATE] =
        ("INSERT INTO promise(id,queue,tags,state,cause,code,expires_at,created_at,settled_at,"
         "create_key,param,ready_at,max_attempts)"
         " VALUES(?1,COALESCE(?12,''),COALESCE(?16,''),?3,?4,?5,?11,?2,iif(?3=0,NULL,?11),?8,?13,?2,"
         "?14) ON CONFLICT(id) DO NOTHING"),
    [COPI_SQLITE_GET] = ("SELECT" COLUMNS "FROM promise WHERE id=?1"),
    [COPI_SQLITE_SETTLE] =
        ("UPDATE promise SET state=?3,cause=?4,code=?5,text=?6,value=?7,settle_key=?8,settled_at=?2," GIVE_UP
         " WHERE id=?1 AND state=0 AND" IN_TIME "AND (?10 IS NULL OR (epoch=?9 AND owner=?10))"),
    [COPI_SQLITE_OVERDUE] =
        ("UPDATE promise SET " LATE " WHERE id=?1 AND state=0 AND expires_at<=?2"),
    [COPI_SQLITE_LIST] =
        ("SELECT" COLUMNS "FROM promise WHERE state=0 AND id>COALESCE(?1,'') AND" IN_TIME
         "AND (?12 IS NULL OR queue=?12)"
         " AND (?16 IS NULL OR instr(' '||tags||' ',' '||?16||' '))"
         " ORDER BY id LIMIT ?15"),
    [COPI_SQLITE_ACQUIRE] = (TAKE "WHERE id=?1 AND state=0 AND lease_until<=?2 AND" IN_TIME
                                  "AND" HAS_LEFT "RETURNING" COLUMNS),
    [COPI_SQLITE_CLAIM] = (TAKE "WHERE rowid IN (SELECT rowid FROM promise"
                                " WHERE queue=?12 AND state=0 AND owner IS NULL AND" IN_TIME
                                "ORDER BY ready_at,id LIMIT ?15) RETURNING" COLUMNS),
    [COPI_SQLITE_INHERIT] =
        (TAKE "WHERE rowid IN (SELECT rowid FROM promise"
              " WHERE queue=?12 AND state=0 AND owner IS NOT NULL AND lease_until<=?2 AND" IN_TIME
              "AND" HAS_LEFT "ORDER BY ready_at,id LIMIT ?15) RETURNING" COLUMNS),
    [COPI_SQLITE_RENEW] = ("UPDATE promise SET lease_until=" UP_TO
                           "WHERE id=?1 AND state=0 AND epoch=?9 AND owner=?10"
                           " AND lease_until>?2 AND" IN_TIME "RETURNING lease_until"),
    [COPI_SQLITE_RELEASE] = ("UPDATE promise SET " GIVE_UP ",ready_at=?2,attempts=attempts-1"
                             " WHERE id=?1 AND state=0 AND epoch=?9 AND owner=?10 AND" IN_TIME),
    [COPI_SQLITE_EXPIRE] =
        ("UPDATE promise SET " LATE " WHERE rowid IN (SELECT rowid FROM promise WHERE state=0"
         " AND expires_at IS NOT NULL AND expires_at<=?2 LIMIT ?15) RETURNING" COLUMNS),
    [COPI_SQLITE_ABANDON] =
        ("UPDATE promise SET state=2,cause=4,code=-130,settled_at=?2," GIVE_UP
         " WHERE rowid IN (SELECT rowid FROM promise WHERE state=0 AND owner IS NOT NULL"
         " AND lease_until<=?2 AND" IS_LAST "LIMIT ?15) RETURNING" COLUMNS),
    [COPI_SQLITE_NEXT] =
        ("SELECT MIN(COALESCE((SELECT MIN(expires_at) FROM promise"
         " WHERE state=0 AND expires_at IS NOT NULL),9223372036854775807),"
         "COALESCE((SELECT MIN(lease_until) FROM promise"
         " WHERE state=0 AND owner IS NOT NULL AND" IS_LAST "),9223372036854775807))"),
    [COPI_SQLITE_PRUNE] = ("DELETE FROM promise WHERE rowid IN (SELECT rowid FROM promise"
                           " WHERE state<>0 AND settled_at<?11 LIMIT ?15)"),
};

/* ---------------------------------------------------------------- statements */

static sqlite3_stmt *
statement_of(struct copi_sqlite *sqlite, enum copi_sqlite_statement which, int *error)
{
    sqlite3_stmt **statement = &sqlite->statements[which];
    *error = SQLITE_OK;
    if (!*statement) {
        *error = sqlite3_prepare_v3(sqlite->db, sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                                    statement, NULL);
    }
    return *statement;
}

/* What was bound is borrowed, and the statement is ready for the next time. */
static int
over(sqlite3_stmt *statement)
{
    int r = sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return r;
}

int
copi_sqlite_do(struct copi_sqlite *sqlite, enum copi_sqlite_statement which)
{
    int r;
    sqlite3_stmt *statement = statement_of(sqlite, which, &r);
    if (!statement) {
        return r;
    }
    (void)sqlite3_step(statement);
    return over(statement);
}

int
copi_sqlite_number(struct copi_sqlite *sqlite, enum copi_sqlite_statement which, int64_t *out)
{
    int r;
    sqlite3_stmt *statement = statement_of(sqlite, which, &r);
    if (!statement) {
        return r;
    }
    if (sqlite3_step(statement) == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
    }
    return over(statement);
}

/* ---------------------------------------------------------------- time */

static int64_t
wall_clock(const cop_store_opts *opts)
{
    return opts->clock ? opts->clock(opts->clock_env) : cop_system_time() / COP_MS(1);
}

static int64_t
later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static bool
can_be_a_time(int64_t ms)
{
    return ms >= -MOST_MS && ms <= MOST_MS;
}

/* How long it is until then: nothing if that has passed. */
static cop_time
time_until(const struct copi_sqlite *sqlite, int64_t ms)
{
    int64_t left = ms > sqlite->now_ms ? ms - sqlite->now_ms : 0;
    return left < COP_FOREVER / COP_MS(1) ? COP_MS(left) : COP_FOREVER;
}

int
copi_sqlite_read_clock(struct copi_sqlite *sqlite)
{
    int r = copi_sqlite_number(sqlite, COPI_SQLITE_MARK, &sqlite->mark_ms);
    if (r == SQLITE_OK && !can_be_a_time(sqlite->mark_ms)) {
        return SQLITE_CORRUPT;
    }
    sqlite->now_ms = later(sqlite->now_ms, later(sqlite->mark_ms, wall_clock(sqlite->opts)));
    return r;
}

int
copi_sqlite_store_clock(struct copi_sqlite *sqlite)
{
    int r;
    if (sqlite->now_ms < sqlite->mark_ms + 1000) {
        return SQLITE_OK;
    }
    sqlite3_stmt *statement = statement_of(sqlite, COPI_SQLITE_SET_MARK, &r);
    if (!statement) {
        return r;
    }
    (void)sqlite3_bind_int64(statement, NOW, sqlite->now_ms);
    (void)sqlite3_step(statement);
    return over(statement);
}

/* ---------------------------------------------------------------- parameters */

static int
bind_blob(sqlite3_stmt *statement, enum parameter number, cop_bytes bytes)
{
    return bytes.size == 0
               ? sqlite3_bind_null(statement, (int)number)
               : sqlite3_bind_blob64(statement, (int)number, bytes.data, bytes.size, SQLITE_STATIC);
}

static int
bind_text(sqlite3_stmt *statement, enum parameter number, const char *text)
{
    return sqlite3_bind_text(statement, (int)number, text, -1, SQLITE_STATIC);
}

static int
bind_owner(sqlite3_stmt *statement, const cop_owner *owner)
{
    const cop_owner nobody = {0};
    bool is_nobody = memcmp(owner, &nobody, sizeof nobody) == 0;
    return bind_blob(statement, OWNER,
                     (cop_bytes){owner->bytes, is_nobody ? 0 : sizeof owner->bytes});
}

static int64_t
until(const struct copi_sqlite *sqlite, const cop_store_op *op)
{
    int64_t ms = cop_store_ms(op->time);
    return op->kind == COP_STORE_PRUNE ? sqlite->now_ms - ms : sqlite->now_ms + ms;
}

static int
bind_one(const struct copi_sqlite *sqlite, sqlite3_stmt *statement, const cop_store_op *op,
         enum parameter number)
{
    switch (number) {
    case ID:
        return bind_text(statement, ID, op->id);
    case NOW:
        return sqlite3_bind_int64(statement, NOW, sqlite->now_ms);
    case STATE:
        return sqlite3_bind_int(statement, STATE, (int)op->state);
    case CAUSE:
        return sqlite3_bind_int(statement, CAUSE, (int)op->cause);
    case CODE:
        return sqlite3_bind_int(statement, CODE, op->code);
    case TEXT:
        return bind_text(statement, TEXT, op->text);
    case VALUE:
        return bind_blob(statement, VALUE, op->value);
    case KEY:
        return bind_blob(statement, KEY, op->key);
    case EPOCH:
        return sqlite3_bind_int64(statement, EPOCH, (sqlite3_int64)op->epoch);
    case OWNER:
        return bind_owner(statement, &op->owner);
    case UNTIL:
        return op->time != 0 ? sqlite3_bind_int64(statement, UNTIL, until(sqlite, op)) : SQLITE_OK;
    case QUEUE:
        return bind_text(statement, QUEUE, op->queue);
    case PARAM:
        return bind_blob(statement, PARAM, op->param);
    case MAX_ATTEMPTS:
        return sqlite3_bind_int64(statement, MAX_ATTEMPTS, op->max_attempts);
    case LIMIT:
        return sqlite3_bind_int64(statement, LIMIT, (sqlite3_int64)op->limit);
    case TAGS:
        break;
    }
    return bind_text(statement, TAGS, op->tags);
}

/* A statement for an operation, with all that it may ask for. */
static sqlite3_stmt *
prepare(struct copi_sqlite *sqlite, enum copi_sqlite_statement which, const cop_store_op *op,
        int *error)
{
    sqlite3_stmt *statement = statement_of(sqlite, which, error);
    int count = statement ? sqlite3_bind_parameter_count(statement) : 0;
    for (int number = ID; *error == SQLITE_OK && number <= count; number++) {
        *error = bind_one(sqlite, statement, op, (enum parameter)number);
    }
    if (*error != SQLITE_OK && statement) {
        (void)over(statement);
        return NULL;
    }
    return statement;
}

/* ---------------------------------------------------------------- records */

static const char *
text_of(sqlite3_stmt *row, enum column column)
{
    return (const char *)sqlite3_column_text(row, (int)column);
}

static cop_bytes
bytes_of(sqlite3_stmt *row, enum column column)
{
    const void *data = sqlite3_column_blob(row, (int)column);
    return (cop_bytes){data, (size_t)sqlite3_column_bytes(row, (int)column)};
}

static int64_t
number_of(sqlite3_stmt *row, enum column column)
{
    return sqlite3_column_int64(row, (int)column);
}

static cop_owner
owner_of(sqlite3_stmt *row)
{
    cop_owner owner = {0};
    cop_bytes bytes = bytes_of(row, C_OWNER);
    if (bytes.size == sizeof owner.bytes) {
        memcpy(owner.bytes, bytes.data, bytes.size);
    }
    return owner;
}

/* What does not fit becomes what no record has. */
static int
small_of(sqlite3_stmt *row, enum column column, int otherwise)
{
    int64_t number = number_of(row, column);
    return number >= INT_MIN && number <= INT_MAX ? (int)number : otherwise;
}

static unsigned
count_of(sqlite3_stmt *row, enum column column)
{
    int64_t number = number_of(row, column);
    return number < 0 ? UINT_MAX : number < INT_MAX ? (unsigned)number : INT_MAX;
}

static cop_durable_record
record_of(const struct copi_sqlite *sqlite, sqlite3_stmt *row)
{
    int64_t now = sqlite->now_ms;
    cop_durable_record record = {
        .id = text_of(row, C_ID),
        .queue = text_of(row, C_QUEUE),
        .tags = text_of(row, C_TAGS),
        .state = (cop_durable_state)small_of(row, C_STATE, -1),
        .cause = (cop_durable_cause)small_of(row, C_CAUSE, -1),
        .code = small_of(row, C_CODE, 0),
        .text = text_of(row, C_TEXT),
        .param = bytes_of(row, C_PARAM),
        .value = bytes_of(row, C_VALUE),
        .create_key = bytes_of(row, C_CREATE_KEY),
        .settle_key = bytes_of(row, C_SETTLE_KEY),
        .created_ms = number_of(row, C_CREATED),
        .settled_ms = number_of(row, C_SETTLED),
        .deadline_ms = number_of(row, C_DEADLINE),
        .epoch = (uint64_t)number_of(row, C_EPOCH),
        .owner = owner_of(row),
        .lease_left = time_until(sqlite, number_of(row, C_LEASE_UNTIL)),
        .attempts = count_of(row, C_ATTEMPTS),
        .max_attempts = count_of(row, C_MAX_ATTEMPTS),
    };
    record.is_overdue =
        record.state == COP_DURABLE_PENDING && record.deadline_ms != 0 && record.deadline_ms <= now;
    return record;
}

static int
find(const struct copi_sqlite *sqlite, cop_store_op *op, sqlite3_stmt *row)
{
    const cop_durable_record record = record_of(sqlite, row);
    return cop_store_found(op, &record) ? SQLITE_NOMEM : SQLITE_OK;
}

/* ---------------------------------------------------------------- operations */

/* Whatever a statement returns is found. */
static int
find_all(struct copi_sqlite *sqlite, cop_store_op *op, enum copi_sqlite_statement which)
{
    int r, found = SQLITE_OK;
    sqlite3_stmt *statement = prepare(sqlite, which, op, &r);
    if (!statement) {
        return r;
    }
    while (found == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        found = find(sqlite, op, statement);
    }
    r = over(statement);
    return found ? found : r;
}

static int
judge_row(const struct copi_sqlite *sqlite, cop_store_op *op, sqlite3_stmt *row)
{
    const cop_durable_record record = record_of(sqlite, row);
    return cop_store_judge(op, &record) ? SQLITE_NOMEM : SQLITE_OK;
}

static int
judge(struct copi_sqlite *sqlite, cop_store_op *op)
{
    int r, judged = 0;
    sqlite3_stmt *statement = prepare(sqlite, COPI_SQLITE_GET, op, &r);
    if (!statement) {
        return r;
    }
    int step = sqlite3_step(statement);
    if (step == SQLITE_ROW) {
        judged = judge_row(sqlite, op, statement);
    } else if (step == SQLITE_DONE) {
        judged = cop_store_judge(op, NULL) ? SQLITE_NOMEM : SQLITE_OK;
    }
    r = over(statement);
    return judged ? judged : r;
}

/* A statement that changes one promise, or none. */
static int
change(struct copi_sqlite *sqlite, const cop_store_op *op, enum copi_sqlite_statement which,
       bool *has_changed)
{
    int r;
    sqlite3_stmt *statement = prepare(sqlite, which, op, &r);
    if (!statement) {
        return r;
    }
    (void)sqlite3_step(statement);
    *has_changed = sqlite3_changes(sqlite->db) > 0;
    return over(statement);
}

static int
create(struct copi_sqlite *sqlite, cop_store_op *op)
{
    cop_store_op full = *op;
    bool is_new = false;
    if (op->time < 0) { /* it is settled by a deadline that has passed */
        full.state = COP_DURABLE_REJECTED;
        full.cause = COP_DURABLE_DEADLINE;
        full.code = -ETIME;
    }
    int r = change(sqlite, &full, COPI_SQLITE_CREATE, &is_new);
    return r || is_new ? r : judge(sqlite, op);
}

/* All are in one transaction: what the first has not settled the deadline has, or somebody before. */
static int
settle(struct copi_sqlite *sqlite, cop_store_op *op)
{
    bool is_done = false, was_overdue = false;
    int r = change(sqlite, op, COPI_SQLITE_SETTLE, &is_done);
    if (r || is_done) {
        return r;
    }
    r = change(sqlite, op, COPI_SQLITE_OVERDUE, &was_overdue);
    return r ? r : judge(sqlite, op);
}

static int
acquire(struct copi_sqlite *sqlite, cop_store_op *op)
{
    int r = find_all(sqlite, op, COPI_SQLITE_ACQUIRE);
    if (r == SQLITE_OK && op->count > 0) {
        op->left = op->first->lease_left;
        return r;
    }
    return r ? r : judge(sqlite, op);
}

static int
renew(struct copi_sqlite *sqlite, cop_store_op *op)
{
    int r, step;
    sqlite3_stmt *statement = prepare(sqlite, COPI_SQLITE_RENEW, op, &r);
    if (!statement) {
        return r;
    }
    step = sqlite3_step(statement);
    if (step == SQLITE_ROW) {
        op->left = time_until(sqlite, sqlite3_column_int64(statement, 0));
    }
    r = over(statement);
    return r || step == SQLITE_ROW ? r : judge(sqlite, op);
}

static int
release(struct copi_sqlite *sqlite, cop_store_op *op)
{
    bool is_done = false;
    int r = change(sqlite, op, COPI_SQLITE_RELEASE, &is_done);
    return r || is_done ? r : judge(sqlite, op);
}

static int
expire(struct copi_sqlite *sqlite, cop_store_op *op)
{
    int64_t next = INT64_MAX;
    int r = find_all(sqlite, op, COPI_SQLITE_EXPIRE);
    r = r || op->count >= op->limit ? r : find_all(sqlite, op, COPI_SQLITE_ABANDON);
    r = r ? r : copi_sqlite_number(sqlite, COPI_SQLITE_NEXT, &next);
    op->left = time_until(sqlite, next);
    return r;
}

static int
prune(struct copi_sqlite *sqlite, cop_store_op *op)
{
    bool has_changed = false;
    int r = change(sqlite, op, COPI_SQLITE_PRUNE, &has_changed);
    op->count = r ? 0 : (size_t)sqlite3_changes(sqlite->db);
    return r;
}

int
copi_sqlite_run(struct copi_sqlite *sqlite, cop_store_op *op)
{
    switch (op->kind) {
    case COP_STORE_CREATE:
        return create(sqlite, op);
    case COP_STORE_GET:
        return judge(sqlite, op);
    case COP_STORE_SETTLE:
        return settle(sqlite, op);
    case COP_STORE_LIST:
        return find_all(sqlite, op, COPI_SQLITE_LIST);
    case COP_STORE_ACQUIRE:
        return acquire(sqlite, op);
    case COP_STORE_CLAIM:
        return find_all(sqlite, op, COPI_SQLITE_CLAIM);
    case COP_STORE_INHERIT:
        return find_all(sqlite, op, COPI_SQLITE_INHERIT);
    case COP_STORE_RENEW:
        return renew(sqlite, op);
    case COP_STORE_RELEASE:
        return release(sqlite, op);
    case COP_STORE_EXPIRE:
        return expire(sqlite, op);
    case COP_STORE_PRUNE:
        break;
    }
    return prune(sqlite, op);
}
