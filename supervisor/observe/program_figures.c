/*
 * supervisor/observe/program_figures.c - what Prometheus' own clients tell of every program.
 *
 * Room: supervisor/observe/. Any thread.
 * Touch freely: where a figure is read. Ask first: their names, which are a convention.
 *
 * They are read from /proc when they are asked for. Where it is not mounted there are fewer of them.
 */
#include "supervisor/observe/figures.h"
#include "supervisor/observe/metrics_text.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void
put(struct copi_text *text, const char *name, const char *help, int64_t value)
{
    copi_metrics_head(text, name, help, "gauge");
    copi_metrics_line(text, name, "", value);
}

/* The beginning of a small file, terminated. */
static bool
read_file(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return false;
    }
    size_t length = fread(out, 1, size - 1, file);
    out[length] = '\0';
    return fclose(file) == 0 && length > 0;
}

/* The n-th number of proc(5)'s stat, counted from 1 as there; its second word may have blanks in it. */
static bool
stat_number(const char *stat, int n, int64_t *out)
{
    const char *at = strrchr(stat, ')');
    for (int i = 2; at && i < n; i++) {
        at = strchr(at + 1, ' ');
    }
    if (at) {
        *out = strtoll(at, NULL, 10);
    }
    return at != NULL;
}

/* ---------------------------------------------------------------- memory */

static void
put_memory(struct copi_text *text, const char *stat)
{
    enum {
        VIRTUAL_BYTES = 23,
        RESIDENT_PAGES = 24
    };
    int64_t size;
    if (stat_number(stat, VIRTUAL_BYTES, &size)) {
        put(text, "process_virtual_memory_bytes", "Virtual memory size in bytes.", size);
    }
    if (stat_number(stat, RESIDENT_PAGES, &size)) {
        put(text, "process_resident_memory_bytes", "Resident memory size in bytes.",
            size * sysconf(_SC_PAGESIZE));
    }
}

/* ---------------------------------------------------------------- time */

static cop_time
of_timeval(struct timeval time)
{
    return COP_SEC(time.tv_sec) + COP_US(time.tv_usec);
}

static void
put_cpu(struct copi_text *text)
{
    static const char name[] = "process_cpu_seconds_total";
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        copi_metrics_head(text, name, "Total user and system CPU time spent in seconds.",
                          "counter");
        copi_metrics_seconds(text, name, "",
                             of_timeval(usage.ru_utime) + of_timeval(usage.ru_stime));
    }
}

/* When the system was started, in seconds of the wall clock: a line of its own in /proc/stat. */
static bool
boot_time(int64_t *out)
{
    char line[128];
    bool found = false;
    FILE *file = fopen("/proc/stat", "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        found = strncmp(line, "btime ", 6) == 0;
    }
    if (file) {
        (void)fclose(file);
    }
    *out = found ? strtoll(line + 6, NULL, 10) : 0;
    return found;
}

static void
put_start(struct copi_text *text, const char *stat)
{
    enum {
        START_TICKS = 22
    };
    static const char name[] = "process_start_time_seconds";
    int64_t boot, ticks, second = sysconf(_SC_CLK_TCK);
    if (boot_time(&boot) && stat_number(stat, START_TICKS, &ticks) && second > 0) {
        copi_metrics_head(text, name, "Start time of the process since unix epoch in seconds.",
                          "gauge");
        copi_metrics_seconds(text, name, "",
                             COP_SEC(boot + ticks / second) + COP_SEC(ticks % second) / second);
    }
}

/* ---------------------------------------------------------------- descriptors */

static void
put_descriptors(struct copi_text *text)
{
    struct rlimit limit;
    DIR *directory = opendir("/proc/self/fd");
    if (directory) {
        int64_t count = -1; /* the directory's own */
        /* cppcheck-suppress readdirCalled ; NOLINTNEXTLINE(concurrency-mt-unsafe): its own directory */
        for (const struct dirent *at = readdir(directory); at; at = readdir(directory)) {
            count += at->d_name[0] != '.';
        }
        (void)closedir(directory);
        put(text, "process_open_fds", "Number of open file descriptors.", count);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        put(text, "process_max_fds", "Maximum number of open file descriptors.",
            limit.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)limit.rlim_cur);
    }
}

void
copi_program_figures_put(struct copi_text *text)
{
    char stat[1024];
    put_cpu(text);
    put_descriptors(text);
    if (read_file("/proc/self/stat", stat, sizeof stat)) {
        put_memory(text, stat);
        put_start(text, stat);
    }
}
