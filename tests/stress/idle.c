/*
 * tests/stress/idle.c - many idle servers, and one more than there is room for:
 * `idle [COUNT [LIMIT]]`.
 *
 * Room: tests/.
 *
 *   COUNT   how many start, answer a call each and stop; 10,000
 *   LIMIT   max_processes, for a machine that should not be filled; 0: what the system allows
 *
 * Then servers are started until one is refused. That one must be refused with -EAGAIN and a report
 * that names the limit, and nothing else may notice: all others answer, memory is left, everything
 * stops, and the same can be done again.
 */
#include <coppice.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    MOST = 1000000, /* the table's own limit */
};

static unsigned passed, failed;

static bool
check(const char *sentence, bool holds)
{
    if (holds) {
        passed++;
    } else {
        failed++;
        printf("FAILED: %s\n", sentence);
    }
    return holds;
}

static double
resident_kib(void)
{
    char line[128];
    double kib = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kib = strtod(line + 6, NULL);
        }
    }
    if (status) {
        (void)fclose(status);
    }
    return kib;
}

/* ---------------------------------------------------------------- servers */

static cop_step
answer_one_more(void *state, cop_from from, cop_msg request)
{
    (void)state;
    int reply = *COP_BODY(request, int) + 1;
    return cop_reply(from, COP_MSG_OF(0, reply));
}

static const cop_genserver idle = {
    .type = "idle",
    .state_size = sizeof(int),
    .handle_call = answer_one_more,
};

/* Returns how many have started; *r is why no more have. */
static size_t
start(cop_pid *pids, size_t count, int *r)
{
    size_t i = 0;
    *r = 0;
    while (i < count && (*r = cop_genserver_start(&pids[i], &idle, .link = false)) == 0) {
        i++;
    }
    return i;
}

static size_t
answering(const cop_pid *pids, size_t count)
{
    size_t right = 0;
    for (size_t i = 0; i < count; i++) {
        int asked = (int)i, reply;
        int r = cop_call(pids[i], COP_MSG_OF(1, asked), COP_OUT(reply), COP_SEC(60));
        right += r == 0 && reply == asked + 1;
    }
    return right;
}

static size_t
stop(const cop_pid *pids, size_t count)
{
    size_t stopped = 0;
    for (size_t i = 0; i < count; i++) {
        stopped += cop_stop_process(pids[i], COP_REASON_NORMAL, COP_SEC(60)) == 0;
    }
    return stopped;
}

/* ---------------------------------------------------------------- many */

static void
run_many(cop_pid *pids, size_t count)
{
    int r;
    double before = resident_kib();
    cop_time begin = cop_now();
    size_t started = start(pids, count, &r);
    cop_time starting = cop_now() - begin;
    double after = resident_kib();
    if (!check("all servers start", started == count)) {
        printf("  %zu of %zu: %s\n", started, count, cop_strerror(r));
    }
    begin = cop_now();
    check("all servers answer", answering(pids, started) == started);
    cop_time asking = cop_now() - begin;
    begin = cop_now();
    check("all servers stop", stop(pids, started) == started);
    cop_time stopping = cop_now() - begin;
    check("none is left", cop_processes(NULL, 0) == 1);
    double n = started ? (double)started : 1;
    printf("%zu servers: %.1f us to start each, %.1f to call, %.1f to stop; %.1f KiB resident "
           "each\n",
           started, (double)starting / n / 1e3, (double)asking / n / 1e3,
           (double)stopping / n / 1e3, (after - before) / n);
}

/* ---------------------------------------------------------------- one too many */

/* Standard error goes into a file of its own meanwhile. */
static size_t
start_until_refused(cop_pid *pids, int *r, char *report, size_t size)
{
    int kept = dup(STDERR_FILENO), file = memfd_create("report", MFD_CLOEXEC);
    report[0] = '\0';
    if (kept < 0 || file < 0) {
        return 0;
    }
    dup2(file, STDERR_FILENO);
    size_t started = start(pids, MOST, r);
    cop_pid again;
    check("the next one is refused, too", cop_genserver_start(&again, &idle, .link = false) == *r);
    dup2(kept, STDERR_FILENO);
    ssize_t n = pread(file, report, size - 1, 0);
    report[n > 0 ? n : 0] = '\0';
    close(file);
    close(kept);
    return started;
}

static bool
names_a_limit(const char *line)
{
    const char *const names[] = {
        "max_processes",         "kernel.pid_max",   "kernel.threads-max",     "RLIMIT_NPROC",
        "the cgroup's pids.max", "vm.max_map_count", "the table of processes",
    };
    bool named = false;
    for (size_t i = 0; line && i < sizeof names / sizeof *names; i++) {
        named = named || strstr(line, names[i]);
    }
    return named;
}

static bool
memory_is_left(void)
{
    enum {
        BLOCKS = 100
    };
    void *memory[BLOCKS];
    bool left = true;
    for (int i = 0; i < BLOCKS; i++) {
        memory[i] = malloc(1 << 20); /* a mapping each */
        left = left && memory[i];
    }
    for (int i = 0; i < BLOCKS; i++) {
        free(memory[i]);
    }
    return left;
}

static void
run_too_many(cop_pid *pids, size_t limit)
{
    char report[4096];
    int r = 0;
    size_t started = start_until_refused(pids, &r, report, sizeof report);
    char *line = strstr(report, "no new process: ");
    check("the one past the limit gets -EAGAIN", r == -EAGAIN);
    check("no more than the limit start", limit == 0 || started < limit); /* we are one, too */
    check("a report says so, once", line && !strstr(line + 1, "no new process: "));
    check("and names the limit", names_a_limit(line));
    printf("%zu servers, and then: %s", started, report[0] ? report : "no report\n");
    check("memory is left", memory_is_left());
    check("all servers answer at the limit", answering(pids, started) == started);
    check("one stops at the limit", started > 0 && stop(pids, 1) == 1);
    check("and there is room for one",
          started > 0 && cop_genserver_start(&pids[0], &idle, .link = false) == 0);
    check("all servers stop", stop(pids, started) == started);
}

int
main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
    unsigned limit = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    cop_pid *pids = calloc(MOST, sizeof *pids);
    if (!pids || count == 0 || count > MOST
        || cop_configure(&(cop_config){.size = sizeof(cop_config), .max_processes = limit}) != 0) {
        (void)fprintf(stderr, "usage: idle [COUNT [LIMIT]]\n");
        free(pids);
        return 2;
    }
    run_many(pids, count);
    run_too_many(pids, limit);
    run_many(pids, count);
    check("the library ends", cop_shutdown(COP_SEC(60)) == 0);
    check("nothing was disowned", cop_disowned() == 0);
    free(pids);
    printf("%u passed, %u failed\n", passed, failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
