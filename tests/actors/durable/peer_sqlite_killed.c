/*
 * tests/actors/durable/peer_sqlite_killed.c - a program with durable promises, which is going to be killed.
 *
 * Room: tests/. The public API. What it does and says is in killed.h.
 */
#include "tests/actors/durable/killed.h"

#include <coppice-sqlite.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    TOGETHER = 8 /* settles at once */
};

static const char *point;
static int visit;
static bool is_hasty;
static atomic_bool was_hasty; /* it has said what is not so */

static void
say(char what, const char *id)
{
    char line[300];
    int length = snprintf(line, sizeof line, "%c%s\n", what, id);
    if (write(STDOUT_FILENO, line, (size_t)length) != length) {
        _exit(3);
    }
}

/* Any thread. Who comes here at the right time does not return. */
static void
pass(const char *where)
{
    static atomic_int visits;
    if (is_hasty && !was_hasty) {
        return;
    }
    if (strcmp(where, point) == 0 && atomic_fetch_add(&visits, 1) + 1 == visit) {
        say(SAID_STOPPED, where);
        for (;;) {
            pause();
        }
    }
}

static void
trace(const char *step, void *unused)
{
    (void)unused;
    pass(step);
}

/* In the place of the C library's: SQLite calls these. */
int
fdatasync(int fd) /* NOLINT(readability-inconsistent-declaration-parameter-name) */
{
    pass(POINT_SYNC);
    return (int)syscall(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
    pass(POINT_SYNC);
    return (int)syscall(SYS_fsync, fd);
}

static void
must(const char *what, int r)
{
    if (r) {
        (void)fprintf(stderr, "%s: %s\n", what, cop_strerror(r));
        _exit(2);
    }
}

/* ---------------------------------------------------------------- what it does */

static cop_future *
begin_to_resolve(cop_pid store, const char *id)
{
    char value[VALUE_SIZE];
    value_of(id, value);
    if (is_hasty) {
        say(SAID_SETTLED, id);
        was_hasty = true;
    }
    return cop_durable_resolve_async(store, id, COP_BYTES(value));
}

static void
wait_for(cop_future *settle, const char *id)
{
    cop_bytes unused;
    must("resolve", cop_await_bytes(settle, &unused, COP_FOREVER));
    cop_future_release(settle);
    say(SAID_SETTLED, id);
}

static int
find(const cop_durable_record *record, void *store)
{
    say(SAID_FOUND, record->id);
    pass(POINT_RECOVERY);
    wait_for(begin_to_resolve(*(cop_pid *)store, record->id), record->id);
    return 0;
}

/* Who waits for a promise hears of it before who has settled it gets his answer. */
static void
create_and_settle(cop_pid store, int run, int first)
{
    char ids[TOGETHER][32];
    cop_future *settles[TOGETHER], *promise;
    for (int i = 0; i < TOGETHER; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "%d-%d", run, first + i);
        must("create", cop_durable_create(store, ids[i], .param = COP_STR("of an order")));
        say(SAID_CREATED, ids[i]);
    }
    must("recover", cop_durable_recover(store, ids[0], &promise, COP_FOREVER));
    for (int i = 0; i < TOGETHER; i++) {
        settles[i] = i % LEFT_PENDING == LEFT_PENDING - 1 ? NULL : begin_to_resolve(store, ids[i]);
    }
    wait_for(promise, ids[0]);
    for (int i = 0; i < TOGETHER; i++) {
        if (settles[i]) {
            wait_for(settles[i], ids[i]);
        }
    }
}

int
main(int argc, char **argv)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc != 5) {
        return 1;
    }
    is_hasty = strcmp(argv[3], POINT_HASTY) == 0;
    point = is_hasty ? "ran" : argv[3];
    visit = (int)strtol(argv[4], NULL, 10);
    int run = (int)strtol(argv[2], NULL, 10);
    cop_pid store;
    must("open", cop_sqlite_start(&store, argv[1], .trace = trace));
    must("recover_all", cop_durable_recover_all(store, find, &store, .page = 3));
    say(SAID_LOOKED, "");
    for (int i = 0;; i += TOGETHER) {
        create_and_settle(store, run, i);
    }
}
