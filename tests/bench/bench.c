/*
 * tests/bench/bench.c - measure: `bench [--json] [--runs N] [NAME [SCALE]]`.
 *
 * Room: tests/.
 *
 * Each run is a child of this program, which never enters the library itself. On a machine that
 * others use, too, the smallest of several runs says most about the library, and the distance to the
 * median how far to trust it; so both are shown.
 */
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DEFAULT_RUNS = 3,
    MOST_RUNS = 100,
    MOST_FIGURES = 4, /* of one bench */
};

static FILE *results;    /* to the parent */
static FILE *complaints; /* standard error, also when the library's reports are silenced */

/* ---------------------------------------------------------------- in a bench */

int64_t
bench_count(int64_t base, double scale)
{
    int64_t count = (int64_t)((double)base * scale + 0.5);
    return count > 0 ? count : 1;
}

int64_t
bench_warmup(int64_t count)
{
    return count >= 10 ? count / 10 : 1;
}

void
bench_result(const char *name, const char *unit, double value)
{
    (void)fprintf(results, "%s %s %.2f\n", name, unit, value);
}

static void __attribute__((noreturn)) fail(const char *what)
{
    (void)fprintf(complaints, "bench: %s\n", what);
    (void)fflush(complaints);
    _exit(EXIT_FAILURE);
}

void
bench_check(const char *what, int64_t got, int64_t want)
{
    if (got != want) {
        char text[200];
        (void)snprintf(text, sizeof text, "%s is %lld and should be %lld", what, (long long)got,
                       (long long)want);
        fail(text);
    }
}

void
bench_must(const char *what, int code)
{
    if (code != 0) {
        char text[400], why[sizeof((cop_reason *)NULL)->text];
        (void)snprintf(text, sizeof text, "%s failed: %s (%s)", what, cop_strerror(code),
                       cop_reason_string(cop_why(), why, sizeof why));
        fail(text);
    }
}

void *
bench_array(size_t count, size_t size)
{
    void *array = calloc(count, size);
    if (!array) {
        fail("no memory for the samples");
    }
    return array;
}

void
bench_silence_reports(void)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0 || dup2(nowhere, STDERR_FILENO) < 0) {
        fail("cannot open /dev/null");
    }
    close(nowhere);
}

struct task {
    const struct bench *bench;
    double scale;
};

static int
client(cop_bytes arg)
{
    const struct task *task = arg.data;
    task->bench->run(task->scale);
    return 0;
}

static void
run_here(const struct bench *bench, double scale)
{
    struct task task = {bench, scale};
    cop_ref ended;
    cop_msg msg;
    bench_must("starting the client", cop_spawn(NULL, client, .name = "client",
                                                .arg = COP_BYTES(task), .monitor = &ended));
    bench_must("waiting for the client", cop_receive(&msg, COP_FOREVER));
    bench_check("the tag of the client's last message", msg.tag, COP_MSG_DOWN);
    bench_check("the kind of the client's end", COP_BODY(msg, struct cop_down)->reason.kind,
                COP_NORMAL);
    bench_must("the shutdown", cop_shutdown(COP_SEC(60)));
    bench_check("the number of disowned threads", cop_disowned(), 0);
}

/* ---------------------------------------------------------------- one run */

struct figure {
    char name[32], unit[32];
    double values[MOST_RUNS];
};

static bool
read_figures(FILE *from, struct figure figures[MOST_FIGURES], int run)
{
    char line[128];
    int count = 0;
    while (count < MOST_FIGURES && fgets(line, sizeof line, from)) {
        struct figure *figure = &figures[count++];
        char value[32] = "";
        if (sscanf(line, "%31s %31s %31s", figure->name, figure->unit, value) != 3) {
            return false;
        }
        figure->values[run] = strtod(value, NULL);
    }
    return count > 0;
}

static bool
run_once(const struct bench *bench, double scale, struct figure figures[MOST_FIGURES], int run)
{
    int ends[2], status;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    (void)fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        return false;
    }
    if (child == 0) {
        close(ends[0]);
        results = fdopen(ends[1], "w");
        run_here(bench, scale);
        (void)fflush(results);
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    bool read = from && read_figures(from, figures, run);
    if (from) {
        (void)fclose(from);
    }
    return waitpid(child, &status, 0) == child && status == 0 && read;
}

/* ---------------------------------------------------------------- all runs */

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
show(struct figure *figure, int runs, bool json)
{
    if (json) {
        for (int i = 0; i < runs; i++) {
            printf("{\"bench\":\"%s\",\"peer\":\"coppice\",\"unit\":\"%s\",\"value\":%.2f}\n",
                   figure->name, figure->unit, figure->values[i]);
        }
        return;
    }
    qsort(figure->values, (size_t)runs, sizeof *figure->values, by_value);
    double middle = (figure->values[(runs - 1) / 2] + figure->values[runs / 2]) / 2;
    printf("%-14s %-12s %12.1f %12.1f %12.1f\n", figure->name, figure->unit, figure->values[0],
           middle, figure->values[runs - 1]);
}

static bool
measure(const struct bench *bench, double scale, int runs, bool json)
{
    static struct figure figures[MOST_FIGURES];
    memset(figures, 0, sizeof figures);
    for (int run = 0; run < runs; run++) {
        if (!run_once(bench, scale, figures, run)) {
            (void)fprintf(complaints, "bench: %s failed\n", bench->name);
            return false;
        }
    }
    for (int i = 0; i < MOST_FIGURES && figures[i].name[0]; i++) {
        show(&figures[i], runs, json);
    }
    (void)fflush(stdout);
    return true;
}

static const struct bench *const tables[] = {bench_messages, bench_processes, NULL};

static bool
is_known(const char *name)
{
    for (const struct bench *const *table = tables; *table; table++) {
        for (const struct bench *bench = *table; bench->name; bench++) {
            if (!name || strcmp(name, bench->name) == 0) {
                return true;
            }
        }
    }
    return false;
}

static int
usage(void)
{
    (void)fprintf(complaints, "usage: bench [--json] [--runs N] [NAME [SCALE]]\n");
    for (const struct bench *const *table = tables; *table; table++) {
        for (const struct bench *bench = *table; bench->name; bench++) {
            (void)fprintf(complaints, "  %-14s %s\n", bench->name, bench->what);
        }
    }
    return 2;
}

int
main(int argc, char **argv)
{
    const char *name = NULL;
    double scale = 1;
    int runs = DEFAULT_RUNS;
    bool json = false, fine = true;

    int kept = dup(STDERR_FILENO);
    complaints = kept >= 0 ? fdopen(kept, "w") : stderr;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc) {
            runs = (int)strtol(argv[++i], NULL, 10);
        } else if (!name && argv[i][0] != '-') {
            name = argv[i];
        } else if (name && argv[i][0] != '-') {
            scale = strtod(argv[i], NULL);
        } else {
            return usage();
        }
    }
    if (runs < 1 || runs > MOST_RUNS || !(scale > 0) || !is_known(name)) {
        return usage();
    }
    if (!json) {
        printf("%-14s %-12s %12s %12s %12s   of %d runs\n", "bench", "unit", "least", "median",
               "most", runs);
    }
    for (const struct bench *const *table = tables; *table; table++) {
        for (const struct bench *bench = *table; bench->name; bench++) {
            if (!name || strcmp(name, bench->name) == 0) {
                fine = measure(bench, scale, runs, json) && fine;
            }
        }
    }
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
