/*
 * tests/fuzz/fuzz_sqlite.c - a database that something has damaged, or somebody else has written to.
 *
 * Room: tests/. Linked with the store in a file.
 *
 * The input is what happened to a good database. If its first byte is even, bytes of the file are others: each
 * damage is two bytes of where, one of how many, and the bytes. If it is odd, fields are others, in a file
 * whose tables allow all: a byte that says whose row, one for the column, one for the type, and a line.
 *
 * Whatever is stored, an operation has one of its results, and a record that is found can be one.
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
};

struct file {
    char *bytes;
    size_t size;
};

static char folder[] = "/dev/shm/coppice-fuzz-XXXXXX", path[64];
static struct file strict, loose;
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

static const cop_store_opts opts = {.size = sizeof opts, .at = path, .clock = clock_ms};

/* ---------------------------------------------------------------- files */

static void
remove_files(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-coppice", "-journal"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[sizeof path + 16];
        (void)snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static void
remove_folder(void)
{
    remove_files();
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
write_file(const char *bytes, size_t size)
{
    remove_files();
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    HOLDS(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
}

static void
execute(const char *sql)
{
    sqlite3 *db;
    HOLDS(sqlite3_open(path, &db) == SQLITE_OK);
    HOLDS(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK);
    HOLDS(sqlite3_close(db) == SQLITE_OK);
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
        HOLDS(r == -EIO || r == -EPROTO || r == -EMSGSIZE || r == -ENOSPC);
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

static void
use(void *store)
{
    for (size_t i = 0; i < ROWS; i++) {
        run(store, (cop_store_op){.kind = COP_STORE_GET, .id = ids[i]});
        run(store, (cop_store_op){.kind = COP_STORE_CREATE, .id = ids[i], .key = COP_TEXT("k")});
    }
    run(store, (cop_store_op){.kind = COP_STORE_LIST, .tags = "two", .limit = 10});
    run(store, (cop_store_op){.kind = COP_STORE_EXPIRE, .limit = 10});
    run(store, (cop_store_op){
                   .kind = COP_STORE_RENEW, .id = "leased", .owner = owner, .epoch = 1, .time = 1});
    run(store,
        (cop_store_op){.kind = COP_STORE_RELEASE, .id = "leased", .owner = owner, .epoch = 1});
    run(store, (cop_store_op){.kind = COP_STORE_CLAIM,
                              .queue = "queue",
                              .owner = owner,
                              .time = COP_SEC(1),
                              .limit = 10});
    run(store, (cop_store_op){.kind = COP_STORE_INHERIT,
                              .queue = "queue",
                              .owner = owner,
                              .time = COP_SEC(1),
                              .limit = 10});
    run(store,
        (cop_store_op){.kind = COP_STORE_SETTLE, .id = "pending", .state = COP_DURABLE_RESOLVED});
    run(store, (cop_store_op){.kind = COP_STORE_PRUNE, .time = COP_SEC(1), .limit = 10});
}

/* Open it, do that with it, and close it. */
static void
with_store(void (*what)(void *store))
{
    cop_reason why = {0};
    void *store = calloc(1, cop_sqlite()->state_size);
    HOLDS(store);
    int r = cop_sqlite()->open(store, &opts, &why);
    if (r == 0) {
        what(store);
        (void)cop_sqlite()->changed(store);
        (void)cop_sqlite()->tidy(store, &why);
        cop_sqlite()->close(store);
    } else {
        HOLDS(r == -EIO || r == -EPROTO || r == -ENOSPC);
    }
    free(store);
}

/* ---------------------------------------------------------------- damages */

static void
begin(void)
{
    HOLDS(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/db", folder);
    HOLDS(atexit(remove_folder) == 0);
    with_store(make);
    strict = read_file();
    execute("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET"
            " sql=replace(replace(sql,'STRICT',''),'NOT NULL','') WHERE name='promise'");
    loose = read_file();
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
    write_file(bytes, strict.size);
    free(bytes);
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

/* Two rows cannot have the same id: such a change is none. */
static void
damage_field(sqlite3 *db, struct input *input)
{
    static const char *const columns[] = {
        "id",    "queue", "tags",        "state",      "cause",      "code",         "text",
        "param", "value", "create_key",  "settle_key", "created_at", "settled_at",   "expires_at",
        "epoch", "owner", "lease_until", "ready_at",   "attempts",   "max_attempts", "mark",
    };
    enum {
        COLUMNS = sizeof columns / sizeof *columns
    };
    unsigned row = (unsigned)take_number(input, 1) % ROWS;
    unsigned column = (unsigned)take_number(input, 1) % COLUMNS;
    unsigned type = (unsigned)take_number(input, 1);
    char *line = take_line(input), sql[128];
    (void)snprintf(sql, sizeof sql, "UPDATE %s SET %s=?1 WHERE rowid=%u",
                   column == COLUMNS - 1 ? "clock" : "promise", columns[column], row + 1);
    sqlite3_stmt *statement;
    HOLDS(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK);
    bind(statement, type, line);
    (void)sqlite3_step(statement);
    (void)sqlite3_finalize(statement);
    free(line);
}

static void
damage_fields(struct input *input)
{
    sqlite3 *db;
    write_file(loose.bytes, loose.size);
    HOLDS(sqlite3_open(path, &db) == SQLITE_OK);
    HOLDS(sqlite3_exec(db, "PRAGMA ignore_check_constraints=ON; BEGIN", NULL, NULL, NULL)
          == SQLITE_OK);
    while (input->size > 0) {
        damage_field(db, input);
    }
    HOLDS(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK);
    HOLDS(sqlite3_close(db) == SQLITE_OK);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    if (!path[0]) {
        begin();
    }
    if (take_number(&input, 1) & 1) {
        damage_fields(&input);
    } else {
        damage_bytes(&input);
    }
    with_store(use);
    return 0;
}
