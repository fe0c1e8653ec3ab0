/*
 * tests/actors/durable/peer_postgres_worker.c - a program that works, until it is killed.
 *
 * Room: tests/. What test_postgres_kills.c starts many of.
 *
 *   usage: peer_postgres_worker CONNECTION [fenced|unfenced] [SECONDS]
 *
 * `unfenced` is the control: it takes leases as all do, but settles by a statement of its own that compares
 * nothing. SECONDS is how wrong its wall clock is.
 */
#include <coppice-postgres.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *where;
static long wrong_by; /* seconds */

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
/* In place of the C library's, for this program and all that it is linked with. */
int
clock_gettime(clockid_t id, struct timespec *tp)
{
    int error = (int)syscall(SYS_clock_gettime, id, tp);
    if (id == CLOCK_REALTIME) {
        tp->tv_sec += wrong_by;
    }
    return error;
}
#endif

/* Who has computed it, and under which lease: so a second value is never equal to the first. */
static size_t
name_self(const cop_lease *lease, char text[64])
{
    return (size_t)snprintf(text, 64, "%d/%llu", (int)getpid(), (unsigned long long)lease->epoch);
}

/* A few milliseconds, so that many are killed or paused in the middle of it. Whether the lease is still good is not
 * asked. */
static void
compute(const cop_lease *lease)
{
    unsigned hash = 0;
    for (const char *at = lease->id; *at; at++) {
        hash = 31 * hash + (unsigned char)*at;
    }
    (void)usleep(1000 + hash % 8000);
}

static int
work(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)env;
    char *text = cop_alloc(64);
    if (!text) {
        return 1;
    }
    compute(lease);
    *value = (cop_bytes){text, name_self(lease, text)};
    return 0;
}

static int
work_unfenced(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)value;
    (void)env;
    char text[64];
    compute(lease);
    (void)usleep(50000); /* for many to be paused in here */
    (void)name_self(lease, text);
    PGconn *other = PQconnectdb(where);
    PQclear(PQexecParams(other,
                         "UPDATE cop_future SET state = 1, value = $2::text::bytea, owner = NULL, "
                         "lease_until = '-infinity', settled_at = now() WHERE id = $1",
                         2, NULL, (const char *const[]){lease->id, text}, NULL, NULL, 0));
    PQfinish(other);
    return 1; /* the library settles nothing */
}

int
main(int argc, char **argv)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc != 4) {
        return 2;
    }
    where = argv[1];
    bool is_fenced = strcmp(argv[2], "fenced") == 0;
    wrong_by = strtol(argv[3], NULL, 10);
    cop_postgres_opts postgres = {.where = where, .quiet = true};
    int error = cop_supervisor_start(
        NULL,
        &(cop_supervisor_spec){
            .max_restarts = 1000,
            .max_seconds = 1,
            COP_CHILDREN(cop_store_spec("jobs", .name = "jobs", .backend = &cop_postgres,
                                        .at = &postgres),
                         cop_worker_spec("worker", .store = "jobs", .queue = "q",
                                         .work = is_fenced ? work : work_unfenced, .places = 4,
                                         .ttl = COP_MS(200), .poll = COP_MS(50)))});
    if (error == 0) {
        (void)cop_sleep(COP_FOREVER);
    }
    return 1;
}
