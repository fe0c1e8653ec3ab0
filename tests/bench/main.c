/*
 * tests/bench/main.c - the command line: `bench NAME [SCALE]`, as the peers have it.
 *
 * Room: tests/.
 *
 * `bench NAME [SCALE]` runs once, here, and prints a JSON line for each figure. With --runs, or without
 * a name, each run is a child of this program, which never enters the library itself, and a table says
 * what came out. On a machine that others use, too, the smallest of several runs says most about the
 * library, and the distance to the median how far to trust it; so both are shown.
 */
#include "tests/bench/bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    DEFAULT_RUNS = 3,
    MOST_RUNS = 100,
    MOST_LINES = 16, /* that a bench prints: figures, and counters */
};

/* In the order of peers/README.md. */
static const struct bench *const benches[] = {
    &bench_call,
    &bench_call_raw,
    &bench_call_4to1,
    &bench_cast,
    &bench_cast_4to1,
    &bench_ring_100,
    &bench_ring_1000,
    &bench_task,
    &bench_await_all,
    &bench_idle,
    &bench_idle_100k,
    &bench_restart,
    &bench_one_for_all_100,
    &bench_agent_update,
    &bench_timers,
    &bench_pipeline_5,
    &bench_skynet,
    &bench_backlog,
};
enum {
    BENCHES = sizeof benches / sizeof *benches
};

/* ---------------------------------------------------------------- several runs */

struct figure {
    char name[48], unit[24], note[100]; /* a note: why there is no value */
    double values[MOST_RUNS];
};

/* A line as bench.c writes it. */
static bool
read_figure(const char *line, struct figure *figure, int run)
{
    char value[32] = "";
    if (sscanf(
            line,
            "{\"bench\":\"%47[^\"]\",\"peer\":\"coppice\",\"unit\":\"%23[^\"]\",\"value\":%31[^,}]",
            figure->name, figure->unit, value)
        != 3) {
        return false;
    }
    const char *note = strstr(line, "\"note\":");
    if (note && sscanf(note, "\"note\":\"%99[^\"]\"", figure->note) != 1) {
        return false;
    }
    figure->values[run] = strtod(value, NULL);
    return note || strcmp(value, "null") != 0;
}

static bool
read_figures(FILE *from, struct figure figures[MOST_LINES], int run)
{
    char line[300];
    int count = 0;
    while (count < MOST_LINES && fgets(line, sizeof line, from)) {
        if (!read_figure(line, &figures[count++], run)) {
            return false;
        }
    }
    return count > 0;
}

static bool
run_in_child(const struct bench *bench, double scale, struct figure figures[MOST_LINES], int run)
{
    int ends[2], status;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        bench_run(bench, scale, ends[1]);
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    bool read = child > 0 && from && read_figures(from, figures, run);
    if (from) {
        (void)fclose(from);
    }
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 && read;
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
show(struct figure *figure, int runs)
{
    if (figure->note[0]) {
        printf("%-24s %-12s - (%s)\n", figure->name, figure->unit, figure->note);
        return;
    }
    qsort(figure->values, (size_t)runs, sizeof *figure->values, by_value);
    double middle = (figure->values[(runs - 1) / 2] + figure->values[runs / 2]) / 2;
    printf("%-24s %-12s %12.2f %12.2f %12.2f\n", figure->name, figure->unit, figure->values[0],
           middle, figure->values[runs - 1]);
}

static bool
measure(const struct bench *bench, double scale, int runs)
{
    static struct figure figures[MOST_LINES];
    memset(figures, 0, sizeof figures);
    for (int run = 0; run < runs; run++) {
        if (!run_in_child(bench, scale, figures, run)) {
            (void)fprintf(stderr, "bench: %s failed\n", bench->name);
            return false;
        }
    }
    for (int i = 0; i < MOST_LINES && figures[i].name[0]; i++) {
        show(&figures[i], runs);
    }
    (void)fflush(stdout);
    return true;
}

/* ---------------------------------------------------------------- the command line */

struct command {
    const struct bench *bench; /* NULL: all */
    double scale;
    int runs; /* 0: one, and no table */
};

static int
usage(void)
{
    (void)fprintf(stderr, "usage: bench NAME [SCALE]              one run, JSON lines\n"
                          "       bench --runs N [NAME [SCALE]]    a table of several\n"
                          "       bench --list\n"
                          "--miscount: every check finds one too many, and the run fails\n\n");
    for (int i = 0; i < BENCHES; i++) {
        (void)fprintf(stderr, "  %-16s %s\n", benches[i]->name, benches[i]->what);
    }
    return 2;
}

static int
list(void)
{
    for (int i = 0; i < BENCHES; i++) {
        (void)puts(benches[i]->name);
    }
    return EXIT_SUCCESS;
}

static const struct bench *
find(const char *name)
{
    for (int i = 0; i < BENCHES; i++) {
        if (strcmp(benches[i]->name, name) == 0) {
            return benches[i];
        }
    }
    return NULL;
}

/* Whether it is one: --runs N, or --miscount. */
static bool
take_option(struct command *command, char **argv, int *i)
{
    if (strcmp(argv[*i], "--miscount") == 0) {
        bench_miscount();
        return true;
    }
    if (strcmp(argv[*i], "--runs") != 0 || !argv[*i + 1]) {
        return false;
    }
    command->runs = (int)strtol(argv[++*i], NULL, 10);
    return command->runs >= 1 && command->runs <= MOST_RUNS;
}

/* Whether it is one: NAME, or SCALE after it. */
static bool
take_word(struct command *command, const char *word)
{
    if (!command->bench) {
        command->bench = find(word);
        return command->bench != NULL;
    }
    command->scale = strtod(word, NULL);
    return command->scale > 0;
}

static bool
parse(struct command *command, int argc, char **argv)
{
    bool fine = true;
    for (int i = 1; i < argc && fine; i++) {
        fine = argv[i][0] == '-' ? take_option(command, argv, &i) : take_word(command, argv[i]);
    }
    return fine;
}

int
main(int argc, char **argv)
{
    struct command command = {.scale = 1};
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        return list();
    }
    if (!parse(&command, argc, argv)) {
        return usage();
    }
    if (command.bench && command.runs == 0) {
        bench_run(command.bench, command.scale, STDOUT_FILENO);
        return EXIT_SUCCESS;
    }
    int runs = command.runs ? command.runs : DEFAULT_RUNS;
    bool fine = true;
    printf("%-24s %-12s %12s %12s %12s   of %d runs\n", "bench", "unit", "least", "median", "most",
           runs);
    for (int i = 0; i < BENCHES; i++) {
        if (!command.bench || command.bench == benches[i]) {
            fine = measure(benches[i], command.scale, runs) && fine;
        }
    }
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
