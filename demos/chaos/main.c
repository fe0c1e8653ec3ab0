/*
 * demos/chaos/main.c - lessons in falling: what each strategy does when a cell crashes, hangs or is flooded.
 *
 * Room: demos/. Start here: `make chaos`, then `make chaos LESSON=rest-for-one SEED=7`, then doctor.c, which
 * is about what no strategy sees.
 *
 *     chaos                one for one; ends when the monkey has done enough
 *     |-- observer, web    if asked for: show the tree to tools, and on a page
 *     |-- cells            the lesson's strategy
 *     |   `-- cell.a, ... cell.e
 *     |-- doctor           kills what hangs
 *     `-- monkey           temporary, significant
 *
 * The cells of the dynamic lesson are started by request, as such children are: by the monkey.
 */
#include "demos/chaos/doctor.h"
#include "demos/chaos/monkey.h"

#include <getopt.h>
#include <stdlib.h>
#ifdef WITH_WEB
# include <coppice-web.h>
# define HAS_PAGE true
#else
# define HAS_PAGE false
#endif

#define EXIT_USAGE 2

/* The monkey's harm is no reason for the supervisor of the cells to give up. */
#define RESTARTS 1000000

struct options {
    const struct lesson *lesson; /* NULL: all */
    struct monkey_orders orders;
    cop_time patience;
    const char *observer;
    unsigned page; /* its port; 0: no page */
};

static void
usage(FILE *to)
{
    (void)fprintf(
        to,
        "usage: chaos [--lesson NAME] [--seed N] [--deeds N] [--pause MS]\n"
        "             [--patience MS] [--plain] [--observer PATH]%s\n"
        "What supervisors do when cells crash, hang, and are flooded.\n"
        "  --lesson    one of those below; without it, all of them\n"
        "  --seed      another one does other harm; without it 1\n"
        "  --deeds     how much harm is done in a lesson; without it 12\n"
        "  --pause     between two deeds; without it 500\n"
        "  --patience  how long a callback may last; without it 500\n"
        "  --plain     draw the tree after each deed\n"
        "  --observer  a Unix socket at which coppice-top may look at the tree\n"
        "%s\n",
        HAS_PAGE ? " [--web PORT]" : "",
        HAS_PAGE
            ? "  --web       a port for the live page; CHAOS_TOKEN, in the environment, is for\n"
              "              its buttons\n"
            : "");
    for (size_t i = 0; i < LESSONS; i++) {
        (void)fprintf(to, "  %-13s %s\n", lessons[i].name, lessons[i].says);
    }
}

static bool
parse(const char *text, unsigned long least, unsigned long most, unsigned long *out)
{
    char *end = NULL;
    unsigned long n = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || n < least || n > most) {
        (void)fprintf(stderr, "chaos: '%s' is no number from %lu to %lu\n", text, least, most);
        return false;
    }
    *out = n;
    return true;
}

static bool
take_option(struct options *o, int option, const char *value)
{
    unsigned long n = 0;
    switch (option) {
    case 'l':
        o->lesson = lesson_find(value);
        return o->lesson != NULL;
    case 's':
        return parse(value, 0, UINT32_MAX, &n) && (o->orders.seed = n, true);
    case 'd':
        return parse(value, 1, TALLY_MOST, &n) && (o->orders.deeds = n, true);
    case 'p':
        return parse(value, 0, 60000, &n) && (o->orders.pause = COP_MS(n), true);
    case 't':
        return parse(value, 10, 60000, &n) && (o->patience = COP_MS(n), true);
    case 'v':
        o->orders.draws = true;
        return true;
    case 'o':
        o->observer = value;
        return true;
    case 'w':
        return parse(value, 1, 65535, &n) && (o->page = (unsigned)n, true);
    default:
        return false;
    }
}

/* -1: go on; otherwise the exit status. */
static int
parse_options(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        {"lesson", required_argument, NULL, 'l'},   {"seed", required_argument, NULL, 's'},
        {"deeds", required_argument, NULL, 'd'},    {"pause", required_argument, NULL, 'p'},
        {"patience", required_argument, NULL, 't'}, {"plain", no_argument, NULL, 'v'},
        {"observer", required_argument, NULL, 'o'},
#ifdef WITH_WEB
        {"web", required_argument, NULL, 'w'},
#endif
        {"help", no_argument, NULL, 'h'},           {0},
    };
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing else runs yet */
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'h') {
            usage(stdout);
            return EXIT_SUCCESS;
        }
        if (!take_option(o, c, optarg)) {
            usage(stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        usage(stderr);
        return EXIT_USAGE;
    }
    return -1;
}

/* --- The tree --- */

static int
run_tree(const struct options *o, const struct lesson *lesson)
{
    cop_child_spec list[CELLS];
    bool is_dynamic = lesson->strategy == COP_DYNAMIC;
    for (size_t i = 0; i < CELLS; i++) {
        list[i] = cell_child(i);
    }
    const cop_supervisor_spec cells = {
        .name = CELL_SUPERVISOR,
        .strategy = lesson->strategy,
        .children = list,
        .child_count = is_dynamic ? 0 : CELLS,
        .max_restarts = RESTARTS,
    };
    const cop_observer_spec observer = {.path = o->observer};
    cop_child_spec children[5];
    size_t count = 0;
    if (o->observer) {
        children[count++] = cop_observer_child(&observer);
    }
#ifdef WITH_WEB
    const cop_web_opts page = {
        .size = sizeof page,
        .port = o->page,
        .token = getenv("CHAOS_TOKEN"), /* NOLINT(concurrency-mt-unsafe): nothing changes it */
    };
    if (o->page > 0) {
        children[count++] = cop_web_spec_with(&page);
    }
#endif
    children[count++] = (cop_child_spec){.id = "cells", .supervisor = &cells};
    children[count++] = (cop_child_spec){
        .id = "doctor",
        .worker = doctor_run,
        .arg = COP_BYTES(o->patience),
        .restart = COP_PERMANENT,
    };
    children[count++] = (cop_child_spec){
        .id = "monkey",
        .worker = monkey_run,
        .arg = COP_BYTES(o->orders),
        .restart = COP_TEMPORARY,
        .significant = true,
    };
    return cop_run(&(cop_supervisor_spec){
        .name = "chaos",
        .auto_shutdown = COP_ANY_SIGNIFICANT,
        .children = children,
        .child_count = count,
    });
}

/* 0: it went as it is taught. 1: not so, or somebody has stopped it. */
static int
teach(struct options *o, const struct lesson *lesson)
{
    static struct tally tally;
    tally = (struct tally){.lesson = lesson};
    o->orders.tally = &tally;
    (void)printf("--- %s, seed %llu\n", lesson->name, (unsigned long long)o->orders.seed);
    (void)fflush(stdout);
    int status = run_tree(o, lesson);
    bool is_as_taught = tally_print(stdout, &tally);
    return status == 0 && is_as_taught && tally.count == o->orders.deeds ? 0 : 1;
}

int
main(int argc, char **argv)
{
    struct options o = {
        .orders = {.seed = 1, .deeds = 12, .pause = COP_MS(500)},
        .patience = COP_MS(500),
    };
    int status = parse_options(argc, argv, &o);
    if (status >= 0) {
        return status;
    }
    status = EXIT_SUCCESS;
    for (size_t i = 0; status == EXIT_SUCCESS && i < LESSONS; i++) {
        if (o.lesson == NULL || o.lesson == &lessons[i]) {
            status = teach(&o, &lessons[i]);
        }
    }
    return status;
}
