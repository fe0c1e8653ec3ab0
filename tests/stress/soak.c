/*
 * tests/stress/soak.c - a tree of 200 actors that does not get any rest: `soak [SECONDS [SEED]]`.
 *
 * Room: tests/. Uses the library as anybody would, and looks what is left.
 *
 *   SECONDS   how long; 60
 *   SEED      what is done to whom, in which order; 1
 *
 * Ledgers stand below supervisors of all kinds, with sleepers beside them, and clients talk to them all the
 * time. A monkey crashes, kills, hangs, sticks, floods; it makes faults that are contained, kills supervisors,
 * and takes all threads that are to be had; each deed is over when whom it hit answers again as somebody new.
 * The tree is stopped and started anew every few seconds, and each time all has to be as it was after the
 * first time.
 *
 * What must hold: each call has one outcome, and it is its own; what was acknowledged is there as long as who
 * has acknowledged it; what one process says to another comes in order; a supervisor gives up after as many
 * restarts as it may make, and not before; threads, descriptors, objects and memory come back.
 */
#include "demos/chaos/dice.h"
#include "runtime/slab.h"
#include "tests/stress/ledger.h"
#include "tests/stress/left.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    BRANCHES = 8,
    LEDGERS_EACH = LEDGERS / BRANCHES,
    SLEEPERS = 2, /* of each branch */
    ACTORS = BRANCHES * (LEDGERS_EACH + SLEEPERS + 1) + 1,
    FLOOD = 1000,
    TIMES_MOST = 1 << 20,
};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
# define IS_SANITIZED true /* the memory is the sanitizer's, */
# define FAULTS_MOST  0    /* and so are the faults */
#else
# define IS_SANITIZED false
# define FAULTS_MOST  40 /* each keeps what it had, by design */
#endif
#define ROUND    COP_SEC(5)
#define PATIENCE COP_SEC(30)

enum deed {
    CRASH,
    KILL,
    HANG,
    STICK,
    FAULT,
    FLOOD_IT,
    KILL_SUPERVISOR,
    TAKE_THREADS,
    WEAR_OUT,
    DEEDS
};
static const char *const deed_names[DEEDS] = {
    "crashes",
    "kills",
    "hangs",
    "stuck threads",
    "faults",
    "full mailboxes",
    "killed supervisors",
    "times without threads",
    "worn-out supervisors",
};

static struct {
    struct dice dice;
    size_t done[DEEDS], times, failed, rounds;
    atomic_ulong restarts;
    cop_time *recoveries;
    int faults;
} soak;

static void
tell(const char *words)
{
    soak.failed++;
    printf("FAILED: soak: %s\n", words);
    (void)fflush(stdout);
}

static void
rest(cop_time time)
{
    nanosleep(&(struct timespec){time / COP_SEC(1), time % COP_SEC(1)}, NULL);
}

/* ---------------------------------------------------------------- the tree */

static int
sleep_for_ever(cop_bytes unused)
{
    (void)unused;
    return cop_sleep(COP_FOREVER);
}

static char names[LEDGERS][16], branch_names[BRANCHES][16];

static cop_child_spec
child(size_t branch, size_t i)
{
    static const char *const sleepers[SLEEPERS] = {"sleeper.a", "sleeper.b"};
    if (i >= LEDGERS_EACH) {
        return (cop_child_spec){.id = sleepers[i - LEDGERS_EACH], .worker = sleep_for_ever};
    }
    const char *name = names[branch * LEDGERS_EACH + i];
    return (cop_child_spec){
        .id = name,
        .name = name,
        .genserver = &ledger,
        .restart = COP_PERMANENT,
        .shutdown = COP_MS(100),
        .contain_faults = true,
        .mailbox.limit = LEDGER_ROOM,
    };
}

static int
start_tree(cop_pid *out)
{
    static cop_child_spec children[BRANCHES][LEDGERS_EACH + SLEEPERS], branches[BRANCHES];
    static cop_supervisor_spec specs[BRANCHES];
    for (size_t b = 0; b < BRANCHES; b++) {
        for (size_t i = 0; i < LEDGERS_EACH + SLEEPERS; i++) {
            children[b][i] = child(b, i);
        }
        specs[b] = (cop_supervisor_spec){
            .name = branch_names[b],
            .strategy = b < 5   ? COP_ONE_FOR_ONE
                        : b < 7 ? COP_REST_FOR_ONE
                                : COP_ONE_FOR_ALL,
            .children = children[b],
            .child_count = LEDGERS_EACH + SLEEPERS,
            .max_restarts = 1000000,
            .max_seconds = 1,
            .backoff_min = b % 2 ? COP_US(100) : 0,
            .backoff_max = b % 2 ? COP_MS(2) : 0,
        };
        branches[b] = (cop_child_spec){
            .id = branch_names[b], .supervisor = &specs[b], .restart = COP_PERMANENT};
    }
    return cop_supervisor_start(out, &(cop_supervisor_spec){
                                         .name = "soak",
                                         .children = branches,
                                         .child_count = BRANCHES,
                                         .max_restarts = 1000000,
                                         .max_seconds = 1,
                                     });
}

static void
count_restarts(const cop_event *event, void *unused)
{
    (void)unused;
    if (event->kind == COP_EVENT_CHILD_TERMINATED) {
        atomic_fetch_add(&soak.restarts, 1);
    }
}

/* ---------------------------------------------------------------- deeds */

static bool
answers_anew(const char *name, cop_pid old)
{
    cop_pid now = cop_whereis(name);
    return now.id != 0 && !cop_pid_eq(now, old)
           && cop_call(now, COP_TAG(LEDGER_PING), NULL, 0, COP_SEC(1)) == 0;
}

static void
await_recovery(const char *name, cop_pid old, cop_time begun)
{
    while (!answers_anew(name, old)) {
        if (cop_now() - begun > PATIENCE) {
            char words[80];
            (void)snprintf(words, sizeof words, "%s is not there again", name);
            tell(words);
            return;
        }
        rest(COP_US(50));
    }
    if (soak.times < TIMES_MOST) {
        soak.recoveries[soak.times++] = cop_now() - begun;
    }
}

/* Told by a cast, which the flood of a moment ago may have left no room for. */
static void
tell_ledger(cop_pid victim, uint32_t tag)
{
    while (cop_cast(victim, COP_TAG(tag)) == -EAGAIN) {
        rest(COP_US(100));
    }
}

static void
hit(const char *name, cop_pid victim, enum deed deed)
{
    static const uint32_t tags[] = {[CRASH] = LEDGER_CRASH,
                                    [HANG] = LEDGER_HANG,
                                    [STICK] = LEDGER_STICK,
                                    [FAULT] = LEDGER_FAULT};
    cop_time begun = cop_now();
    if (deed != KILL) {
        tell_ledger(victim, tags[deed]);
    }
    if (deed == HANG || deed == STICK) {
        rest(dice_throw(&soak.dice, 16) ? COP_MS(2) : COP_MS(400)); /* so that calls give up */
        begun = cop_now();
    }
    if (deed == KILL || deed == HANG || deed == STICK) {
        cop_exit_signal(victim, COP_REASON_KILLED);
    }
    await_recovery(name, victim, begun);
}

/* What comes in order from the clients is not disturbed: it says nothing that would be entered. */
static void
flood(cop_pid victim)
{
    for (int i = 0; i < FLOOD; i++) {
        (void)cop_cast(victim, COP_TAG(LEDGER_NOTHING));
    }
}

static void
kill_supervisor(void)
{
    size_t branch = dice_throw(&soak.dice, BRANCHES);
    const char *name = names[branch * LEDGERS_EACH + LEDGERS_EACH - 1];
    cop_pid last = cop_whereis(name);
    cop_time begun = cop_now();
    cop_exit_signal(cop_whereis(branch_names[branch]), COP_REASON_KILLED);
    await_recovery(name, last, begun);
}

/* Whatever is to be started meanwhile cannot be. */
static void
take_threads(const char *name, cop_pid victim)
{
    enum {
        MOST = 200
    };
    cop_pid taken[MOST];
    size_t count = 0;
    while (count < MOST && cop_spawn(&taken[count], sleep_for_ever) == 0) {
        count++;
    }
    cop_time begun = cop_now();
    cop_exit_signal(victim, COP_REASON_KILLED);
    rest(COP_MS(5));
    for (size_t i = 0; i < count; i++) {
        cop_exit_signal(taken[i], COP_REASON_KILLED);
    }
    await_recovery(name, victim, begun);
}

/* As many restarts as it may make it makes, and at the next it gives up. */
static void
wear_out(void)
{
    unsigned restarts = 1 + dice_throw(&soak.dice, 4);
    cop_pid supervisor, old;
    int r = cop_supervisor_start(
        &supervisor, &(cop_supervisor_spec){
                         .max_restarts = restarts,
                         .max_seconds = 1000,
                         COP_CHILDREN({.id = "weary", .name = "weary", .genserver = &ledger}),
                     });
    if (r) {
        return;
    }
    for (unsigned i = 0; i < restarts; i++) {
        old = cop_whereis("weary");
        cop_exit_signal(old, COP_REASON_KILLED);
        cop_time until = cop_now() + PATIENCE;
        while (!answers_anew("weary", old) && cop_alive(supervisor) && cop_now() < until) {
            rest(COP_US(50));
        }
        if (!cop_alive(supervisor)) {
            tell("a supervisor has given up too early");
            return;
        }
    }
    cop_exit_signal(cop_whereis("weary"), COP_REASON_KILLED);
    cop_time until = cop_now() + PATIENCE;
    while (cop_alive(supervisor) && cop_now() < until) {
        rest(COP_US(50));
    }
    if (cop_alive(supervisor)) {
        tell("a supervisor has not given up when it should");
        cop_supervisor_stop(supervisor, PATIENCE);
    }
}

/* Most deeds are small ones. */
static enum deed
choose(void)
{
    unsigned number = dice_throw(&soak.dice, 100);
    if (number < 35) {
        return CRASH;
    }
    if (number < 70) {
        return KILL;
    }
    if (number < 72) {
        return soak.faults++ < FAULTS_MOST ? FAULT : CRASH;
    }
    static const enum deed rare[] = {HANG,         STICK,   FLOOD_IT, KILL_SUPERVISOR,
                                     TAKE_THREADS, WEAR_OUT};
    return rare[number % 6];
}

static void
do_one(void)
{
    const char *name = names[dice_throw(&soak.dice, LEDGERS)];
    cop_pid victim = cop_whereis(name);
    enum deed deed = choose();
    soak.done[deed]++;
    switch (deed) {
    case FLOOD_IT:
        flood(victim);
        break;
    case KILL_SUPERVISOR:
        kill_supervisor();
        break;
    case TAKE_THREADS:
        take_threads(name, victim);
        break;
    case WEAR_OUT:
        wear_out();
        break;
    default:
        if (victim.id != 0) {
            hit(name, victim, deed);
        }
        break;
    }
}

/* ---------------------------------------------------------------- a round */

static void
run_round(cop_time until)
{
    cop_pid root, clients[CLIENTS];
    if (start_tree(&root) != 0) {
        tell("the tree does not start");
        return;
    }
    atomic_store(&ledger_tally.stop, false);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (cop_spawn(&clients[i], ledger_client, .arg = COP_BYTES(i)) != 0) {
            tell("a client does not start");
            clients[i] = COP_NOBODY;
        }
    }
    cop_time end = cop_now() + ROUND < until ? cop_now() + ROUND : until;
    while (cop_now() < end && soak.failed == 0) {
        do_one();
        rest(COP_US(200));
    }
    atomic_store(&ledger_tally.stop, true);
    for (size_t i = 0; i < CLIENTS; i++) {
        while (cop_alive(clients[i])) {
            rest(COP_US(200));
        }
    }
    if (cop_supervisor_stop(root, PATIENCE) != 0) {
        tell("the tree does not stop");
    }
    if (cop_shutdown(PATIENCE) != 0) {
        tell("the library does not end");
    }
    soak.rounds++;
}

/* ---------------------------------------------------------------- memory */

/* In KiB. */
struct memory {
    double allocated, resident,
        in_use; /* in_use: resident when malloc has given back what nobody uses */
};

static double
allocated(void)
{
    struct mallinfo2 info = mallinfo2();
    return (double)(info.uordblks + info.hblkhd + copi_slabs_taken() * COPI_SLAB_SIZE) / 1024;
}

static double
resident(void)
{
    long pages = 0, kept = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file) {
        if (fscanf(file, "%ld %ld", &pages, &kept) != 2) { /* NOLINT(cert-err34-c) */
            kept = 0;
        }
        (void)fclose(file);
    }
    return (double)kept * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static struct memory
look_at_memory(void)
{
    struct memory now = {.allocated = allocated(), .resident = resident()};
    malloc_trim(0);
    now.in_use = resident();
    return now;
}

/* Contained faults keep what they had; pools and caches are a little larger now and then. */
static bool
has_come_back(double now, double line)
{
    const double slack = 2048, each_fault = 64;
    return now <= line + slack + each_fault * cop_tainted();
}

/* ---------------------------------------------------------------- the page */

static int
compare_times(const void *a, const void *b)
{
    cop_time x = *(const cop_time *)a, y = *(const cop_time *)b;
    return (x > y) - (x < y);
}

static double
percentile(size_t percent)
{
    size_t at = soak.times ? (soak.times - 1) * percent / 100 : 0;
    return (double)soak.recoveries[at] / 1e6;
}

static bool
check(const char *what, unsigned long count)
{
    printf("  %-46s %lu\n", what, count);
    return count == 0;
}

static size_t
say_page(long seconds, uint64_t seed, const struct memory *first, const struct memory *last)
{
    const struct ledger_tally *t = &ledger_tally;
    size_t good = 0;
    qsort(soak.recoveries, soak.times, sizeof *soak.recoveries, compare_times);
    printf("\n%d actors, %d clients, %ld s, %zu rounds, seed %llu\n\n", ACTORS, CLIENTS, seconds,
           soak.rounds, (unsigned long long)seed);
    for (int i = 0; i < DEEDS; i++) {
        printf("  %-46s %zu\n", deed_names[i], soak.done[i]);
    }
    printf("  %-46s %lu\n", "children that ended by it", atomic_load(&soak.restarts));
    printf("  %-46s %.2f ms p50, %.1f ms p99, %.1f ms longest\n",
           "until whom it hit answered again", percentile(50), percentile(99), percentile(100));
    printf("  %-46s %lu: %lu answered, %lu refused, %lu left open\n", "calls",
           atomic_load(&t->calls), atomic_load(&t->answered), atomic_load(&t->refused),
           atomic_load(&t->unknown));
    printf("  %-46s %lu\n", "casts", atomic_load(&t->notes));
    printf("  %-46s %.0f KiB after the first round, %.0f after the last\n", "allocated",
           first->allocated, last->allocated);
    printf("  %-46s %.0f KiB after the first round, %.0f after the last\n", "resident",
           first->resident, last->resident);
    printf("  %-46s %.0f KiB after the first round, %.0f after the last\n\n",
           "resident, and not kept by malloc alone", first->in_use, last->in_use);
    good += check("acknowledged, and lost", atomic_load(&t->lost));
    good += check("answers to other calls", atomic_load(&t->strangers));
    good += check("out of order", atomic_load(&t->out_of_order));
    good +=
        check("calls with another outcome than is promised",
              atomic_load(&t->unexpected)
                  + (atomic_load(&t->calls) - atomic_load(&t->answered) - atomic_load(&t->refused)
                     - atomic_load(&t->unknown) - atomic_load(&t->unexpected)));
    good += check("threads that had to be disowned", cop_disowned());
    good += check("stops, restarts and leavings that were wrong", soak.failed);
    return good;
}

int
main(int argc, char **argv)
{
    long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 60;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    enum {
        CHECKS = 6
    };
    cop_config config = {
        .size = sizeof config,
        .max_processes = ACTORS + CLIENTS + 20,
        .kill_grace = COP_SEC(20),
        .log_level = getenv("COPPICE_LOG") ? COP_LOG_INFO : COP_LOG_EMERGENCY,
        .observe = count_restarts,
    };
    struct left before;
    char words[300];
    struct memory first = {0}, last;
    if (!getenv("COPPICE_LOG") && !freopen("/dev/null", "w", stderr)) {
        return 2; /* contained faults are reported, whatever the level */
    }
    soak.dice.seed = seed;
    soak.recoveries = malloc(TIMES_MOST * sizeof *soak.recoveries);
    left_look_first(&before);
    if (!soak.recoveries || seconds <= 0 || cop_configure(&config) != 0) {
        (void)fprintf(stderr, "usage: soak [SECONDS [SEED]]\n");
        free(soak.recoveries);
        return 2;
    }
    memset(soak.recoveries, 0xff, TIMES_MOST * sizeof *soak.recoveries); /* resident from now on */
    for (size_t i = 0; i < LEDGERS; i++) {
        ledger_name(i, names[i]);
    }
    for (size_t b = 0; b < BRANCHES; b++) {
        (void)snprintf(branch_names[b], sizeof branch_names[b], "branch.%zu", b);
    }
    cop_time until = cop_now() + COP_SEC(seconds);
    while (cop_now() < until && soak.failed == 0) {
        run_round(until);
        if (!left_nothing(&before, cop_tainted(), PATIENCE, words, sizeof words)) {
            tell(words);
        }
        if (soak.rounds == 1) {
            first = look_at_memory();
        }
        if (!has_come_back(allocated(), first.allocated)) {
            tell("memory does not come back");
        }
    }
    last = look_at_memory();
    if (!IS_SANITIZED && !has_come_back(last.in_use, first.in_use)) {
        tell("resident memory does not come back");
    }
    size_t good = say_page(seconds, seed, &first, &last);
    printf("%zu passed, %zu failed\n", good, CHECKS - good);
    free(soak.recoveries);
    return good == CHECKS ? EXIT_SUCCESS : EXIT_FAILURE;
}
