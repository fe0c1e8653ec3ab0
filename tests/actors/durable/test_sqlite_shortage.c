/*
 * tests/actors/durable/test_sqlite_shortage.c - what SQLite allocates, and the system calls that matter, fail once: the
 * store says so, nothing was applied, and it goes on.
 *
 * Room: tests/. The backend without a store's process, so that what was run can be run again. While an allocation is
 * to fail nothing is asserted: libcheck allocates, too. Nothing is synced, as nobody cuts the power.
 */
#define FOLDERS "/dev/shm" /* it is written anew for each allocation */
#include "tests/actors/durable/file.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <sys/wait.h>

/* ---------------------------------------------------------------- what fails */

static sqlite3_mem_methods real;
static long allocations_left = -1; /* until one fails; -1: none does */
static long malloc_left = -1;      /* the same of the store's own */
static bool has_failed;

static bool
fails(void)
{
    if (allocations_left < 0 || allocations_left-- != 0) {
        return false;
    }
    has_failed = true;
    return true;
}

static void *
allocate(int size)
{
    return fails() ? NULL : real.xMalloc(size);
}

static void *
allocate_again(void *memory, int size)
{
    return fails() ? NULL : real.xRealloc(memory, size);
}

void *real_malloc(size_t size) REAL(malloc);
void *fail_malloc(size_t size) WRAP(malloc);
void *
fail_malloc(size_t size)
{
    if (malloc_left >= 0 && malloc_left-- == 0) {
        has_failed = true;
        return NULL;
    }
    return fails() ? NULL : real_malloc(size);
}

static int
sync_nothing(int fd)
{
    (void)fd;
    return 0;
}
int fdatasync(int) __attribute__((alias("sync_nothing")));
int fsync(int) __attribute__((alias("sync_nothing")));

/* To give a watch back takes the kernel ten milliseconds. */
static bool has_bells;

int real_bell(int flags) REAL(inotify_init1);
int our_bell(int flags) WRAP(inotify_init1);
int
our_bell(int flags)
{
    errno = EMFILE;
    return has_bells ? real_bell(flags) : -1;
}

int no_watch(int bell, const char *name, uint32_t mask) WRAP(inotify_add_watch);
int
no_watch(int bell, const char *name, uint32_t mask)
{
    (void)bell, (void)name, (void)mask;
    errno = ENOSPC;
    return -1;
}

static void
before_all(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real);
    sqlite3_mem_methods ours = real;
    ours.xMalloc = allocate;
    ours.xRealloc = allocate_again;
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
}

/* ---------------------------------------------------------------- a store */

static _Atomic int64_t the_time = 1700000000000;

static int64_t
clock_of_test(void *env)
{
    (void)env;
    return atomic_load(&the_time);
}

static cop_store_opts opts = {.size = sizeof opts, .clock = clock_of_test};
static void *store;
static cop_reason why;

static void
forget_file(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-coppice", "-journal"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        char name[sizeof path + 16];
        (void)snprintf(name, sizeof name, "%s%s", a_path(), suffixes[i]);
        unlink(name);
    }
}

static int
open_store(void)
{
    opts.at = a_path();
    why = COP_REASON_NORMAL;
    memset(store, 0, cop_sqlite()->state_size);
    return cop_sqlite()->open(store, &opts, &why);
}

static void
begin(void)
{
    store = calloc(1, cop_sqlite()->state_size);
    forget_file();
}

static void
begin_with_store(void)
{
    begin();
    ck_assert_int_eq(open_store(), 0);
}

static void
end(void)
{
    cop_sqlite()->close(store);
    free(store);
}

/* The batch's error; it has found nothing then. */
static int
run(cop_store_op *op)
{
    why = COP_REASON_NORMAL;
    cop_store_forget(op);
    return cop_sqlite()->run(store, &op, 1, &why);
}

static int
result_of(cop_store_op op)
{
    int r = run(&op);
    r = r ? r : op.result;
    cop_store_forget(&op);
    return r;
}

/* ---------------------------------------------------------------- memory */

/* Each changes something, or finds something, and none may be a duplicate: then it would have been applied before. */
static const struct step {
    cop_store_op op;
    int64_t later_ms; /* so much time goes by before it */
    size_t count;     /* are found by one about many */
} steps[] = {
    {{.kind = COP_STORE_CREATE, .id = "a", .queue = "q", .tags = "t", .param = {"param", 5}}, 0, 0},
    {{.kind = COP_STORE_CREATE, .id = "b", .queue = "q", .max_attempts = 1}, 0, 0},
    {{.kind = COP_STORE_CREATE, .id = "c", .time = COP_SEC(5), .key = {"k", 1}}, 0, 0},
    {{.kind = COP_STORE_LIST, .tags = "t", .limit = 9}, 0, 1},
    {{.kind = COP_STORE_ACQUIRE, .id = "a", .owner = {{1}}, .time = COP_SEC(1)}, 0, 1},
    {{.kind = COP_STORE_RENEW, .id = "a", .owner = {{1}}, .epoch = 1, .time = COP_SEC(1)}, 0, 0},
    {{.kind = COP_STORE_CLAIM, .queue = "q", .owner = {{2}}, .time = COP_SEC(1), .limit = 9}, 0, 1},
    {{.kind = COP_STORE_INHERIT, .queue = "q", .owner = {{3}}, .time = COP_SEC(9), .limit = 9},
     2000,
     1},
    {{.kind = COP_STORE_RELEASE, .id = "a", .owner = {{3}}, .epoch = 2}, 0, 0},
    {{.kind = COP_STORE_SETTLE, .id = "a", .state = COP_DURABLE_RESOLVED, .value = {"v", 1}}, 0, 0},
    {{.kind = COP_STORE_GET, .id = "a"}, 0, 1},
    {{.kind = COP_STORE_EXPIRE, .limit = 9}, 9000, 2}, /* b's attempts, c's deadline */
    {{.kind = COP_STORE_PRUNE, .time = COP_SEC(1), .limit = 9}, 9000, 3},
};

enum {
    STEPS = sizeof steps / sizeof *steps
};

/* What is wrong with it; NULL: nothing. */
static const char *
take_step(const struct step *step)
{
    const char *wrong = NULL;
    cop_store_op op = step->op;
    atomic_fetch_add(&the_time, step->later_ms);
    int r = run(&op);
    if (r) { /* and once more, with memory */
        wrong = r != -ENOMEM ? "another error" : !has_failed ? "no failure" : NULL;
        r = run(&op);
    }
    wrong = wrong                                    ? wrong
            : r                                      ? "it does not go on"
            : op.result                              ? "it is refused"
            : op.is_duplicate                        ? "it was applied though it has failed"
            : step->count && op.count != step->count ? "it has found others"
                                                     : NULL;
    cop_store_forget(&op);
    return wrong;
}

/* There are some thousand allocations, a dozen or more in everything that fails by itself: each thirteenth will do. */
enum {
    SHARES = 8,
    EACH = TEST_SANITIZED ? 53 : 13,
};

TEST_TIMES(SHARES, what_finds_no_memory_was_not_applied_and_succeeds_when_it_is_asked_again)
{
    begin();
    for (long n = (long)_i * EACH;; n += (long)SHARES * EACH) {
        forget_file();
        ck_assert_int_eq(open_store(), 0);
        has_failed = false;
        const char *wrong = NULL;
        int at = 0;
        allocations_left = n;
        for (; at < STEPS && !wrong; at++) {
            wrong = take_step(&steps[at]);
        }
        allocations_left = -1;
        ck_assert_msg(!wrong, "%ld, step %d: %s (%s)", n, at, wrong, why.text);
        cop_sqlite()->close(store);
        if (!has_failed) {
            break;
        }
    }
    free(store);
}

TEST_TIMES(SHARES, a_file_that_finds_no_memory_is_not_opened_and_can_be)
{
    begin();
    for (long n = (long)_i * EACH;; n += (long)SHARES * EACH) {
        forget_file();
        has_failed = false;
        allocations_left = n;
        int r = open_store();
        allocations_left = -1;
        ck_assert_msg(r == 0 || (r == -ENOMEM && has_failed), "%ld: %d, %s", n, r, why.text);
        ck_assert(r == 0 || why.text[0]);
        ck_assert_int_eq(r ? open_store() : 0, 0);
        ck_assert_int_eq(result_of(steps[0].op), 0);
        cop_sqlite()->close(store);
        if (!has_failed) {
            break;
        }
    }
    free(store);
}

TEST(without_memory_for_the_name_of_the_file_beside_it_it_is_not_opened)
{
    begin();
    for (long n = 0; !has_failed; n++) {
        malloc_left = n;
        int r = open_store();
        malloc_left = -1;
        ck_assert_int_eq(r, has_failed ? -ENOMEM : 0);
        if (r == 0) {
            cop_sqlite()->close(store);
        }
    }
    ck_assert_int_eq(open_store(), 0);
    end();
}

/* ---------------------------------------------------------------- the system */

static const cop_store_op a_create = {.kind = COP_STORE_CREATE, .id = ID};

static void
replace(const char *call, sqlite3_syscall_ptr by)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    ck_assert_int_eq(vfs->xSetSystemCall(vfs, call, by), SQLITE_OK);
}

static ssize_t
write_nothing(int fd, const void *bytes, size_t size, off_t at)
{
    (void)fd, (void)bytes, (void)size, (void)at;
    errno = ENOSPC;
    return -1;
}

TEST(a_disk_without_room_is_told_as_such_and_the_store_goes_on)
{
    begin_with_store();
    replace("pwrite", (sqlite3_syscall_ptr)write_nothing);
    replace("pwrite64", (sqlite3_syscall_ptr)write_nothing);
    ck_assert_int_eq(result_of(a_create), -ENOSPC);
    ck_assert_str_ne(why.text, "");
    replace("pwrite", NULL);
    replace("pwrite64", NULL);
    ck_assert_int_eq(result_of((cop_store_op){.kind = COP_STORE_GET, .id = ID}), -ENOENT);
    ck_assert_int_eq(result_of(a_create), 0);
    end();
}

static int
open_to_read(const char *name, int flags, int mode)
{
    if ((flags & O_ACCMODE) == O_RDWR && strcmp(name, path) == 0) {
        errno = EACCES;
        return -1;
    }
    return open(name, flags, mode);
}

TEST(a_file_that_may_only_be_read_is_read)
{
    begin_with_store();
    ck_assert_int_eq(result_of(a_create), 0);
    cop_sqlite()->close(store);
    replace("open", (sqlite3_syscall_ptr)open_to_read);
    ck_assert_int_eq(open_store(), 0);
    replace("open", NULL);
    ck_assert_int_eq(result_of((cop_store_op){.kind = COP_STORE_GET, .id = ID}), 0);
    ck_assert_int_eq(result_of((cop_store_op){.kind = COP_STORE_CREATE, .id = "b"}), -EROFS);
    ck_assert_str_ne(why.text, "");
    end();
}

/* Its bytes are not looked at: there are not so many. */
TEST(more_bytes_than_sqlite_takes_are_refused_and_nothing_is_applied)
{
    begin_with_store();
    cop_store_op op = a_create;
    op.param = (cop_bytes){"x", (size_t)INT32_MAX + 1};
    ck_assert_int_eq(result_of(op), -EMSGSIZE);
    ck_assert_int_eq(result_of((cop_store_op){.kind = COP_STORE_GET, .id = ID}), -ENOENT);
    ck_assert_int_eq(result_of(a_create), 0);
    end();
}

static int type_of_file_system; /* 0: as it is */

int real_fstatfs(int fd, struct statfs *status) REAL(fstatfs);
int our_fstatfs(int fd, struct statfs *status) WRAP(fstatfs);
int
our_fstatfs(int fd, struct statfs *status)
{
    int r = real_fstatfs(fd, status);
    if (type_of_file_system < 0) {
        errno = ENOSYS;
        return -1;
    }
    status->f_type = type_of_file_system ? type_of_file_system : status->f_type;
    return r;
}

TEST(a_file_on_a_network_is_refused)
{
    begin();
    type_of_file_system = 0x6969; /* NFS */
    ck_assert_int_eq(open_store(), -EOPNOTSUPP);
    ck_assert_ptr_nonnull(strstr(why.text, "network"));
    type_of_file_system = -1; /* nobody knows: then it is not refused */
    ck_assert_int_eq(open_store(), 0);
    end();
}

static sqlite3_vfs *usual;

/* A file that cannot be mapped for others: its methods end where that would begin. */
static int
open_without_shared_memory(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags,
                           int *given)
{
    static sqlite3_io_methods methods;
    (void)vfs;
    int r = usual->xOpen(usual, name, file, flags, given);
    if (r == SQLITE_OK) {
        methods = *file->pMethods;
        methods.iVersion = 1;
        file->pMethods = &methods;
    }
    return r;
}

TEST(a_file_beside_which_there_can_be_no_log_is_refused)
{
    begin();
    ck_assert_ptr_nonnull(usual = sqlite3_vfs_find(NULL));
    sqlite3_vfs without = *usual;
    without.zName = "without shared memory";
    without.xOpen = open_without_shared_memory;
    ck_assert_int_eq(sqlite3_vfs_register(&without, 1), SQLITE_OK);
    ck_assert_int_eq(open_store(), -EOPNOTSUPP);
    ck_assert_ptr_nonnull(strstr(why.text, "log"));
    ck_assert_int_eq(sqlite3_vfs_unregister(&without), SQLITE_OK);
    ck_assert_int_eq(open_store(), 0);
    end();
}

static int lock_fails;

int real_flock(int fd, int operation) REAL(flock);
int our_flock(int fd, int operation) WRAP(flock);
int
our_flock(int fd, int operation)
{
    if (lock_fails && operation != LOCK_UN) {
        errno = lock_fails;
        return -1;
    }
    return real_flock(fd, operation);
}

TEST(who_is_not_let_in_to_write_has_applied_nothing)
{
    begin_with_store();
    lock_fails = EINTR;
    ck_assert_int_eq(result_of(a_create), -ECANCELED);
    lock_fails = ENOLCK;
    ck_assert_int_eq(result_of(a_create), -ENOLCK);
    ck_assert_int_eq(result_of((cop_store_op){.kind = COP_STORE_GET, .id = ID}), -ENOENT);
    cop_sqlite()->close(store); /* without moving the log, which is moved by another */
    ck_assert_int_eq(open_store(), -ENOLCK);
    lock_fails = 0;
    ck_assert_int_eq(open_store(), 0);
    ck_assert_int_eq(result_of(a_create), 0);
    end();
}

TEST(without_room_for_a_watch_there_is_the_poll)
{
    unsigned before = test_descriptors();
    begin();
    has_bells = true;
    ck_assert_int_eq(open_store(), 0);
    ck_assert_int_eq(cop_sqlite()->descriptor(store), -1);
    end();
    ck_assert_uint_eq(test_descriptors(), before);
}

/* SQLite's locks are the process's: what a child closed would be ours. */
TEST(a_child_of_a_fork_neither_runs_nor_closes)
{
    begin_with_store();
    ck_assert_int_eq(result_of(a_create), 0);
    pid_t child = fork();
    if (child == 0) {
        int r = result_of((cop_store_op){.kind = COP_STORE_GET, .id = ID});
        cop_sqlite()->close(store);
        _exit(r == -EINVAL ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(result_of((cop_store_op){.kind = COP_STORE_GET, .id = ID}), 0);
    end();
}

SUITE_AROUND("sqlite_shortage", before_all, NULL)
