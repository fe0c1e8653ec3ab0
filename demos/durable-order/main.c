/*
 * demos/durable-order/main.c - an order that is killed three times, and carried out once.
 *
 * Room: demos/. A program takes an order and carries it out in three steps. It is killed with -9 after the first
 * step, in the middle of the second and before the third, and started again each time. What was done is found on
 * the disk and not done again; what was not done is done.
 *
 * The order and each step are durable promises, with ids of ours: "order-17", "order-17/charge". The order is created
 * when it is taken, and resolved when all is done; so what is pending when the program starts is what was
 * interrupted. A step is resolved with its receipt. Look at carry_out_step().
 *
 * A store cannot know what became of a step that was killed in the middle: whether the bank was still asked, or not
 * any more. Nobody can, but the bank. So whoever is asked is told the step's id, too, and does the same
 * thing only once, as banks do. Here they are a file, `world`.
 */
#include <coppice-sqlite.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ORDER "order-17"

static const char *const steps[] = {"reserve", "charge", "ship"};
enum {
    STEPS = sizeof steps / sizeof *steps
};

static char promises[256], world[256];

/* Where this run is killed, and a run that is not. */
static const char *const places[] = {"after reserve", "within charge", "before ship", "nowhere"};
enum {
    RUNS = sizeof places / sizeof *places
};
static const char *place;

static void
must(const char *what, int r)
{
    if (r) {
        printf("  %s: %s\n", what, cop_strerror(r));
        exit(1); /* NOLINT(concurrency-mt-unsafe): there is nothing to be saved */
    }
}

/* As if somebody had pulled the plug, if that is to be here. */
static void
pass(const char *when, const char *step)
{
    char here[32];
    (void)snprintf(here, sizeof here, "%s %s", when, step);
    if (strcmp(here, place) == 0) {
        printf("  killed %s\n", here);
        (void)fflush(stdout);
        (void)raise(SIGKILL);
    }
}

/* ---------------------------------------------------------------- the world */

/* How often it did this. */
static int
count_deeds(const char *id)
{
    char deed[64];
    int count = 0;
    FILE *deeds = fopen(world, "r");
    while (deeds && fgets(deed, sizeof deed, deeds)) {
        deed[strcspn(deed, "\n")] = '\0';
        count += strcmp(deed, id) == 0;
    }
    if (deeds) {
        (void)fclose(deeds);
    }
    return count;
}

/* The warehouse, the bank, the courier: what has the same id is the same, and done once. */
static const char *
ask_the_world(const char *id)
{
    if (count_deeds(id) > 0) {
        return "had been done";
    }
    FILE *deeds = fopen(world, "a");
    must(world, deeds ? 0 : -errno);
    (void)fprintf(deeds, "%s\n", id);
    (void)fclose(deeds);
    return "is done";
}

/* ---------------------------------------------------------------- the order */

static bool
is_done(cop_pid store, const char *id)
{
    cop_durable_record record;
    must("get", cop_durable_get(store, id, &record, COP_FOREVER));
    bool is_resolved = record.state == COP_DURABLE_RESOLVED;
    cop_durable_release(&record);
    return is_resolved;
}

static void
carry_out_step(cop_pid store, const char *order, const char *step)
{
    char id[64];
    (void)snprintf(id, sizeof id, "%s/%s", order, step);
    must("create", cop_durable_create(store, id)); /* again: no harm */
    if (is_done(store, id)) {
        printf("  %s: found on the disk\n", step);
        return;
    }
    pass("before", step);
    const char *receipt = ask_the_world(id);
    pass("within", step);
    must("resolve", cop_durable_resolve(store, id, COP_STR(receipt)));
    printf("  %s: %s\n", step, receipt);
    pass("after", step);
}

/* For each order that is pending: this one, or those that were interrupted. */
static int
carry_out(const cop_durable_record *order, void *store)
{
    printf("  %s, %s\n", order->id, (const char *)order->param.data);
    for (int i = 0; i < STEPS; i++) {
        carry_out_step(*(cop_pid *)store, order->id, steps[i]);
    }
    must("resolve", cop_durable_resolve(*(cop_pid *)store, order->id, COP_STR("delivered")));
    return 0;
}

/* The program that is killed. */
static int
work(void)
{
    cop_pid store;
    must("start", cop_sqlite_start(&store, promises));
    must("create", cop_durable_create(store, ORDER, .param = COP_STR("3 apples"), .tags = "order"));
    must("recover", cop_durable_recover_all(store, carry_out, &store, .tag = "order"));
    return cop_shutdown(COP_FOREVER);
}

/* ---------------------------------------------------------------- the demonstration */

/* True: it came to its end. */
static bool
run(int number)
{
    int status = 0;
    printf("run %d\n", number + 1);
    (void)fflush(stdout);
    pid_t child = fork(); /* before this program has entered the library */
    if (child == 0) {
        place = places[number];
        exit(work()); /* NOLINT(concurrency-mt-unsafe) */
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool
was_each_step_done_once(void)
{
    bool once = true;
    for (int i = 0; i < STEPS; i++) {
        char id[64];
        (void)snprintf(id, sizeof id, "%s/%s", ORDER, steps[i]);
        printf("%s%s: %d", i > 0 ? ", " : "how often it was done: ", steps[i], count_deeds(id));
        once = once && count_deeds(id) == 1;
    }
    printf("\n");
    return once;
}

int
main(void)
{
    char folder[200], remove[256];
    const char *temporary = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe) */
    (void)snprintf(folder, sizeof folder, "%s/durable-order-XXXXXX",
                   temporary ? temporary : "/tmp");
    must("mkdtemp", mkdtemp(folder) ? 0 : -errno);
    (void)snprintf(promises, sizeof promises, "%s/promises", folder);
    (void)snprintf(world, sizeof world, "%s/world", folder);
    int ends = 0;
    for (int i = 0; i < RUNS; i++) {
        ends += run(i);
    }
    bool is_right = was_each_step_done_once() && ends == 1;
    (void)snprintf(remove, sizeof remove, "rm -r %s", folder);
    return system(remove) == 0 && is_right ? EXIT_SUCCESS : EXIT_FAILURE; /* NOLINT */
}
