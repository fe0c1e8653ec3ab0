/*
 * tests/fuzz/fuzz_sqlite.c - a database that something has damaged, or somebody else has written to.
 *
 * Room: tests/. Linked with the store in a file.
 *
 * The input is what happened to a good database. If its first byte is even, bytes of the file are others: each
 * damage is two bytes of where, one of how many, and the bytes; the rest of the first byte says which few
 * operations are tried. If it is odd, fields are others, in a file whose tables allow all: a byte that says
 * whose row, one for the column, one for the type, and a line; and all operations are tried.
 *
 * Whatever is stored, an operation has one of its results, and a record that is found can be one.
 *
 * To open a file, and to compile what is asked of it, takes ten times as long as to ask it. So the file of the
 * fields stays open, and its rows are made good again before each input.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/support/wrap.h"

#include <coppice-sqlite.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

enum {
    ROWS = 4,
    USES = 2 * ROWS + 8,
    FEW = 3,
};

struct file {
    char *bytes;
    size_t size;
};

static char folder[] = "/dev/shm/coppice-fuzz-XXXXXX", path[64], loose[64];
static struct file strict;
static sqlite3 *keeper; /* of what is loose */
static void *loose_store;
static const char *const ids[ROWS] = {"pending", "leased", "settled", "overdue"};
static const cop_owner owner = {{1}};

/* To give a watch back takes the kernel ten milliseconds. */
int no_watch(int flags) WRAP(inotify_init1);
int
no_watch(int flags)
{
    (void)flags;
    return -1;
}

static int64_t
clock_ms(void *env)
{
    (void)env;
    return 1000000;
}

static const cop_store_opts opts = {.size = sizeof opts, .at = path, .clock = clock_ms},
                            loose_opts = {
                                .size = sizeof loose_opts, .at = loose, .clock = clock_ms};

/* ---------------------------------------------------------------- files */

static void
remove_files(const char *of)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-coppice", "-journal"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[sizeof path + 16];
        (void)snprintf(name, sizeof name, "%s%s", of, suffixes[i]);
        unlink(name);
    }
}

static void
remove_folder(void)
{
    remove_files(path);
    remove_files(loose);
    rmdir(folder);
}

static struct file
read_file(void)
{
    struct file file = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = lseek(fd, 0, SEEK_END);
    HOLDS(size > 0);
    file.size = (size_t)size;
    file.bytes = malloc(file.size);
    HOLDS(file.bytes && pread(fd, file.bytes, file.size, 0) == size);
    close(fd);
    return file;
}

static void
write_file(const char *name, const char *bytes, size_t size)
{
    remove_files(name);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    HOLDS(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
}

static void
execute(const char *sql)
{
    HOLDS(sqlite3_exec(keeper, sql, NULL, NULL, NULL) == SQLITE_OK);
}

/* ---------------------------------------------------------------- operations */

static const cop_durable_record *
check_record(const cop_durable_record *record)
{
    if (record->is_damaged) {
        HOLDS(record->id);
        return record->next;
    }
    HOLDS(record->id && record->id[0] && strlen(record->id) <= COP_DURABLE_ID_MOST);
    HOLDS(record->queue && record->tags && record->text);
    HOLDS(record->state >= COP_DURABLE_PENDING && record->state <= COP_DURABLE_REJECTED);
    HOLDS(record->cause >= COP_DURABLE_NONE && record->cause <= COP_DURABLE_ATTEMPTS);
    HOLDS((record->state == COP_DURABLE_REJECTED) == (record->code != 0));
    HOLDS(record->lease_left >= 0);
    return record->next;
}

static int
run(void *store, cop_store_op op)
{
    cop_reason why = {0};
    int r = cop_sqlite()->run(store, (cop_store_op *[]){&op}, 1, &why);
    if (r == 0) {
        HOLDS(op.left >= 0);
        for (const cop_durable_record *record = op.first; record;) {
            record = check_record(record);
        }
    } else {
        HOLDS(r == -EIO || r == -EPROTO || r == -EMSGSIZE || r == -EROFS || r == -ENOSPC);
    }
    cop_store_forget(&op);
    return r;
}

static void
make(void *store)
{
    const cop_bytes value = COP_TEXT("value");
    for (size_t i = 0; i < ROWS; i++) {
        HOLDS(run(store, (cop_store_op){.kind = COP_STORE_CREATE,
                                        .id = ids[i],
                                        .queue = "queue",
                                        .tags = "one two",
                                        .param = value,
                                        .key = value,
                                        .time = i == 3 ? COP_MS(1) : COP_SEC(1000),
                                        .max_attempts = 2})
              == 0);
    }
    HOLDS(run(store,
              (cop_store_op){
                  .kind = COP_STORE_ACQUIRE, .id = "leased", .owner = owner, .time = COP_SEC(10)})
          == 0);
    HOLDS(run(store, (cop_store_op){.kind = COP_STORE_SETTLE,
                                    .id = "settled",
                                    .state = COP_DURABLE_REJECTED,
                                    .cause = COP_DURABLE_FAILED,
                                    .code = -EIO,
                                    .text = "text",
                                    .value = value,
                                    .key = value})
          == 0);
}

/* All that can be asked: a few of it, from `first` on. */
static void
use(void *store, size_t first, size_t count)
{
    cop_store_op ops[USES] = {
        {.kind = COP_STORE_LIST, .tags = "two", .limit = 10},
        {.kind = COP_STORE_EXPIRE, .limit = 10},
        {.kind = COP_STORE_RENEW, .id = "leased", .owner = owner, .epoch = 1, .time = 1},
        {.kind = COP_STORE_RELEASE, .id = "leased", .owner = owner, .epoch = 1},
        {.kind = COP_STORE_CLAIM, .queue = "queue", .owner = owner, .time = COP_SEC(1), .limit = 9},
        {.kind = COP_STORE_INHERIT,
         .queue = "queue",
         .owner = owner,
         .time = COP_SEC(1),
         .limit = 9},
        {.kind = COP_STORE_SETTLE, .id = "pending", .state = COP_DURABLE_RESOLVED},
        {.kind = COP_STORE_PRUNE, .time = COP_SEC(1), .limit = 10},
    };
    for (size_t i = 0; i < ROWS; i++) {
        ops[USES - 1 - i] = (cop_store_op){.kind = COP_STORE_GET, .id = ids[i]};
        ops[USES - 1 - ROWS - i] =
            (cop_store_op){.kind = COP_STORE_CREATE, .id = ids[i], .key = COP_TEXT("k")};
    }
    for (size_t i = 1; i <= count; i++) { /* what only reads comes before what changes */
        run(store, ops[(first + USES - i) % USES]);
    }
    cop_reason why = {0};
    (void)cop_sqlite()->changed(store);
    (void)cop_sqlite()->tidy(store, &why);
}

/* NULL: it is refused. */
static void *
open_store(const cop_store_opts *which)
{
    cop_reason why = {0};
    void *store = calloc(1, cop_sqlite()->state_size);
    HOLDS(store);
    int r = cop_sqlite()->open(store, which, &why);
    if (r == 0) {
        return store;
    }
    HOLDS(r == -EIO || r == -EPROTO || r == -EROFS || r == -ENOSPC);
    free(store);
    return NULL;
}

static void
close_store(void *store)
{
    cop_sqlite()->close(store);
    free(store);
}

/* ---------------------------------------------------------------- damages */

static void
begin_loose(void)
{
    write_file(loose, strict.bytes, strict.size);
    HOLDS(sqlite3_open(loose, &keeper) == SQLITE_OK);
    execute("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET"
            " sql=replace(replace(sql,'STRICT',''),'NOT NULL','') WHERE name='promise'");
    HOLDS(sqlite3_close(keeper) == SQLITE_OK);
    HOLDS(sqlite3_open(loose, &keeper) == SQLITE_OK);
    execute("PRAGMA ignore_check_constraints=ON; PRAGMA wal_autocheckpoint=0;"
            "CREATE TEMP TABLE good AS SELECT * FROM promise ORDER BY rowid");
    loose_store = open_store(&loose_opts);
    HOLDS(loose_store);
}

static void
begin(void)
{
    HOLDS(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/db", folder);
    (void)snprintf(loose, sizeof loose, "%s/loose", folder);
    HOLDS(atexit(remove_folder) == 0);
    void *store = open_store(&opts);
    make(store);
    close_store(store);
    strict = read_file();
    begin_loose();
}

static void
damage_bytes(struct input *input)
{
    char *bytes = copy_of(strict.bytes, strict.size);
    while (input->size > 3) {
        size_t where = take_number(input, 2) % strict.size, length = take_number(input, 1);
        length = length < input->size ? length : input->size;
        length = length < strict.size - where ? length : strict.size - where;
        memcpy(bytes + where, input->at, length);
        input->at += length;
        input->size -= length;
    }
    write_file(path, bytes, strict.size);
    free(bytes);
}

static void
use_bytes(struct input *input, size_t first)
{
    damage_bytes(input);
    void *store = open_store(&opts);
    if (store) {
        use(store, first, FEW);
        close_store(store);
    }
}

static void
bind(sqlite3_stmt *statement, unsigned type, const char *line)
{
    switch (type % 4) {
    case 0:
        HOLDS(sqlite3_bind_null(statement, 1) == SQLITE_OK);
        break;
    case 1:
        HOLDS(sqlite3_bind_int64(statement, 1, strtoll(line, NULL, 10)) == SQLITE_OK);
        break;
    case 2:
        HOLDS(sqlite3_bind_text(statement, 1, line, -1, SQLITE_TRANSIENT) == SQLITE_OK);
        break;
    default:
        HOLDS(sqlite3_bind_blob(statement, 1, line, (int)strlen(line), SQLITE_TRANSIENT)
              == SQLITE_OK);
    }
}

enum {
    COLUMNS = 21,
    MARK = COLUMNS - 1, /* the clock's, not a row's */
};

/* Compiled once. */
static sqlite3_stmt *
update_of(unsigned column)
{
    static const char *const columns[COLUMNS] = {
        "id",    "queue", "tags",        "state",      "cause",      "code",         "text",
        "param", "value", "create_key",  "settle_key", "created_at", "settled_at",   "expires_at",
        "epoch", "owner", "lease_until", "ready_at",   "attempts",   "max_attempts", "mark",
    };
    static sqlite3_stmt *statements[COLUMNS];
    if (!statements[column]) {
        char sql[128];
        (void)snprintf(sql, sizeof sql, "UPDATE %s SET %s=?1 WHERE rowid=?2",
                       column == MARK ? "clock" : "promise", columns[column]);
        HOLDS(sqlite3_prepare_v2(keeper, sql, -1, &statements[column], NULL) == SQLITE_OK);
    }
    return statements[column];
}

/* Two rows cannot have the same id: such a change is none. Whether it was the clock's. */
static bool
damage_field(struct input *input)
{
    unsigned row = (unsigned)take_number(input, 1) % ROWS;
    unsigned column = (unsigned)take_number(input, 1) % COLUMNS;
    unsigned type = (unsigned)take_number(input, 1);
    char *line = take_line(input);
    sqlite3_stmt *statement = update_of(column);
    HOLDS(sqlite3_bind_int64(statement, 2, row + 1) == SQLITE_OK);
    bind(statement, type, line);
    (void)sqlite3_step(statement);
    (void)sqlite3_reset(statement);
    free(line);
    return column == MARK;
}

static void
make_good(void)
{
    static sqlite3_stmt *steps[4];
    static const char *const sql[4] = {"BEGIN IMMEDIATE", "DELETE FROM promise",
                                       "INSERT INTO promise SELECT * FROM good ORDER BY rowid",
                                       "UPDATE clock SET mark=0"};
    for (size_t i = 0; i < 4; i++) {
        HOLDS(steps[i] || sqlite3_prepare_v2(keeper, sql[i], -1, &steps[i], NULL) == SQLITE_OK);
        HOLDS(sqlite3_step(steps[i]) == SQLITE_DONE);
        HOLDS(sqlite3_reset(steps[i]) == SQLITE_OK);
    }
}

/* A store remembers the time: after another one it is opened anew. */
static void
use_fields(struct input *input)
{
    bool is_other_time = false;
    make_good();
    while (input->size > 0) {
        is_other_time |= damage_field(input);
    }
    execute("COMMIT");
    use(loose_store, 0, USES);
    if (is_other_time) {
        close_store(loose_store);
        make_good();
        execute("COMMIT");
        loose_store = open_store(&loose_opts);
        HOLDS(loose_store);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    if (!path[0]) {
        begin();
    }
    unsigned first = (unsigned)take_number(&input, 1);
    if (first & 1) {
        use_fields(&input);
    } else {
        use_bytes(&input, first / 2);
    }
    return 0;
}
