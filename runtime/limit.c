/*
 * runtime/limit.c - how many threads the machine has room for.
 *
 * Room: runtime/. Any thread.
 * Touch freely: the reserves. Ask first: refusing later: when the kernel has no mapping left, malloc
 * fails, too, all over the program.
 *
 * Read once, at the first process. A thread takes a pid, counts against the user's and the cgroup's
 * number of processes, and needs two mappings (its guard, its stack; fewer where the kernel can mark a guard
 * inside of one). Something is kept back of each for whatever else the program and the machine do.
 */
#include "runtime/limit.h"

#include "runtime/atomic.h"
#include "runtime/report.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    RESERVED_PIDS = 512,
    RESERVED_MAPPINGS = 2048,
    MAPPINGS_PER_THREAD = 2,
    TABLE_MOST = 1000000,
};

static struct {
    const char *name;
    unsigned long most;
    pthread_once_t once;
    unsigned configured;
    copi_atomic32 reported; /* once, until there is room again */
} limit = {.once = PTHREAD_ONCE_INIT};

void
copi_limit_configure(unsigned max_processes)
{
    limit.configured = max_processes;
}

static unsigned long
read_number(const char *path)
{
    char text[32];
    FILE *file = fopen(path, "re");
    if (!file) {
        return 0;
    }
    bool has_line = fgets(text, sizeof text, file) != NULL;
    (void)fclose(file);
    return has_line ? strtoul(text, NULL, 10) : 0; /* "max" is 0: no limit */
}

static void
lower(const char *name, unsigned long total, unsigned long reserve)
{
    if (total == 0) {
        return;
    }
    unsigned long most = total > reserve * 2 ? total - reserve : total / 2;
    if (most < limit.most) {
        limit.name = name;
        limit.most = most;
    }
}

static unsigned long
count_mappings(void)
{
    unsigned long count = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    if (!file) {
        return 0;
    }
    for (int c; (c = getc(file)) != EOF;) {
        count += c == '\n';
    }
    (void)fclose(file);
    return count;
}

/* The cgroup's line is "0::/path" (version 2) or "N:pids:/path" (version 1). */
static void
look_at_cgroup(void)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[512];
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        const char *controllers = strchrnul(line, ':');
        bool is_v1 = strncmp(controllers, ":pids:", 6) == 0;
        if (is_v1 || strncmp(line, "0::", 3) == 0) {
            char name[640];
            (void)snprintf(name, sizeof name, "/sys/fs/cgroup%s%s/pids.max", is_v1 ? "/pids" : "",
                           is_v1 ? controllers + 6 : line + 3);
            lower("the cgroup's pids.max", read_number(name), 16);
        }
    }
    if (file) {
        (void)fclose(file);
    }
}

static void
look(void)
{
    limit.name = "the table of processes";
    limit.most = TABLE_MOST;
    if (limit.configured) {
        lower("max_processes", limit.configured, 0);
    }
    lower("kernel.pid_max", read_number("/proc/sys/kernel/pid_max"), RESERVED_PIDS);
    lower("kernel.threads-max", read_number("/proc/sys/kernel/threads-max"), RESERVED_PIDS);
    struct rlimit processes;
    if (geteuid() != 0 && getrlimit(RLIMIT_NPROC, &processes) == 0) { /* none: beyond all others */
        lower("RLIMIT_NPROC", processes.rlim_cur, 16);
    }
    look_at_cgroup();
    unsigned long mappings = read_number("/proc/sys/vm/max_map_count");
    if (mappings) {
        lower("vm.max_map_count", mappings / MAPPINGS_PER_THREAD,
              (RESERVED_MAPPINGS + count_mappings()) / MAPPINGS_PER_THREAD);
    }
}

static void
report_once(unsigned used, const char *what)
{
    if (copi_exchange_32(&limit.reported, 1) == 0) {
        copi_report(COPI_ERROR, "no new process: %u live, and %s %s", used, limit.name, what);
    }
}

int
copi_limit_admit(unsigned used)
{
    pthread_once(&limit.once, look);
    if (used < limit.most) {
        return 0;
    }
    report_once(used, "allows no more");
    return -EAGAIN;
}

void
copi_limit_started(void)
{
    if (copi_load_relaxed_32(&limit.reported)) {
        copi_store_relaxed_32(&limit.reported, 0);
    }
}

void
copi_limit_refused(unsigned used)
{
    report_once(used, "is the nearest limit: the system refused a thread");
}
