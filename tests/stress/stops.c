/*
 * tests/stress/stops.c - trees that are stopped at any moment of their lives: `stops [COUNT [SEED]]`.
 *
 * Room: tests/. Uses the library as anybody would, and looks what is left.
 *
 *   COUNT   trees; 1,000
 *   SEED    by which they grow and are stopped; 1. A tree can be had alone: COUNT 1 and its own seed, which is
 *           named where it fails
 *
 * A tree is up to four storeys of supervisors of all kinds, above children that are well, that take their time
 * to start or to stop, that fail again and again, that cannot start, that hear nothing, and that are programs.
 * After a moment somebody wants it gone: while it starts, while something in it is started again, or later; in
 * one of the ways in which that can be wanted. Then each of its processes has to end, with the library's
 * threads, descriptors and objects, and nobody may have to be disowned.
 */
#include "demos/chaos/dice.h"
#include "tests/stress/left.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    STOREYS = 4,
    CHILDREN = 4, /* of a supervisor, at most */
    SUPERVISORS = 40,
};
#define PATIENCE COP_SEC(30)

static unsigned failed;

/* ---------------------------------------------------------------- children */

enum temper {
    IS_WELL,
    STARTS_SLOWLY,
    STOPS_SLOWLY,
    FAILS_SOON,
    WORKS,
    HEARS_NOTHING,
    IS_AGENT,
    SUPERVISES, /* twice as often as others */
    SUPERVISES_TOO,
    RARE,
    TEMPERS
};

static int
read_pause(cop_bytes arg)
{
    return *(const int *)arg.data;
}

static cop_step
start_slowly(void *state, cop_bytes arg)
{
    (void)state;
    cop_sleep(COP_US(read_pause(arg)));
    return cop_ok();
}

static cop_step
begin_to_fail(void *state, cop_bytes arg)
{
    (void)state;
    return cop_ok_timeout(COP_US(read_pause(arg)));
}

static cop_step
fail(void *state, cop_msg msg)
{
    (void)state;
    return cop_stop(cop_failed(-EIO, "tag %u", msg.tag));
}

static cop_step
trap_exits(void *state, cop_bytes arg)
{
    cop_trap_exits(true);
    *(int *)state = read_pause(arg);
    return cop_ok();
}

static void
stop_slowly(void *state, cop_reason reason)
{
    (void)reason;
    cop_sleep(COP_US(*(int *)state));
}

static cop_step
refuse_to_start(void *state, cop_bytes arg)
{
    (void)state;
    return cop_stop(cop_failed(-EIO, "not after %d", read_pause(arg)));
}

static const cop_genserver well = {.type = "well"},
                           slow_starter = {.type = "slow starter", .init = start_slowly},
                           slow_stopper = {.type = "slow stopper",
                                           .state_size = sizeof(int),
                                           .init = trap_exits,
                                           .terminate = stop_slowly},
                           failing = {.type = "failing",
                                      .init = begin_to_fail,
                                      .handle_info = fail},
                           impossible = {.type = "impossible", .init = refuse_to_start};

static int
work(cop_bytes unused)
{
    (void)unused;
    return cop_sleep(COP_FOREVER);
}

/* A wait that the library does not see; it has to be interrupted. */
static int
hear_nothing(cop_bytes unused)
{
    (void)unused;
    while (cop_cancelled() == 0) {
        pause();
        cop_checkpoint();
    }
    return 0;
}

/* ---------------------------------------------------------------- trees */

struct tree {
    struct dice dice;
    size_t supervisors;
    cop_supervisor_spec specs[SUPERVISORS];
    cop_child_spec children[SUPERVISORS][CHILDREN];
    int pauses[SUPERVISORS][CHILDREN];
};

static const char *const ids[CHILDREN] = {"a", "b", "c", "d"};
static const cop_agent_spec agent = {.state_size = sizeof(long)};
static const char *const program[] = {"sleep", "1000", NULL};

static const cop_supervisor_spec *grow(struct tree *tree, unsigned storey);

static void
be_rare(struct dice *dice, cop_child_spec *out)
{
    switch (dice_throw(dice, 4)) {
    case 0:
        out->command = program;
        out->arg = (cop_bytes){0};
        break;
    case 1:
        out->genserver = &impossible;
        break;
    default:
        out->genserver = &well;
        break;
    }
}

static cop_child_spec
child(struct tree *tree, size_t supervisor, size_t number, unsigned storey)
{
    struct dice *dice = &tree->dice;
    int *pause = &tree->pauses[supervisor][number];
    *pause = (int)dice_throw(dice, 1500); /* us */
    cop_child_spec out = {
        .id = ids[number],
        .arg = COP_BYTES(*pause),
        .restart = (cop_restart)dice_throw(dice, 3),
        .shutdown = dice_throw(dice, 3) ? 0 : COP_US(500),
    };
    switch ((enum temper)dice_throw(dice, TEMPERS)) {
    case STARTS_SLOWLY:
        out.genserver = &slow_starter;
        break;
    case STOPS_SLOWLY:
        out.genserver = &slow_stopper;
        break;
    case FAILS_SOON:
        out.genserver = &failing;
        break;
    case WORKS:
        out.worker = work;
        break;
    case HEARS_NOTHING:
        out.worker = hear_nothing;
        out.shutdown = dice_throw(dice, 2) ? COP_BRUTAL_KILL : COP_MS(2);
        break;
    case IS_AGENT:
        out.agent = &agent;
        out.arg = (cop_bytes){0};
        break;
    case SUPERVISES:
    case SUPERVISES_TOO:
        if (storey + 1 < STOREYS && tree->supervisors < SUPERVISORS) {
            out.supervisor = grow(tree, storey + 1);
            out.arg = (cop_bytes){0};
            out.shutdown = 0;
            break;
        }
        out.genserver = &well;
        break;
    case RARE:
        be_rare(dice, &out);
        break;
    default:
        out.genserver = &well;
        break;
    }
    return out;
}

static const cop_supervisor_spec *
grow(struct tree *tree, unsigned storey)
{
    size_t own = tree->supervisors++;
    size_t count = 1 + dice_throw(&tree->dice, CHILDREN);
    for (size_t i = 0; i < count; i++) {
        tree->children[own][i] = child(tree, own, i, storey);
    }
    cop_time backoff = dice_throw(&tree->dice, 3) ? 0 : COP_US(200);
    tree->specs[own] = (cop_supervisor_spec){
        .name = own == 0 ? "stops" : NULL,
        .strategy = (cop_strategy)dice_throw(&tree->dice, 3),
        .children = tree->children[own],
        .child_count = count,
        .max_restarts = dice_throw(&tree->dice, 20),
        .max_seconds = 1,
        .link = own == 0,
        .backoff_min = backoff,
        .backoff_max = 10 * backoff,
    };
    return &tree->specs[own];
}

/* ---------------------------------------------------------------- a life */

static atomic_bool has_started;
static _Atomic(cop_time) last_crash;

static void
note_crash(const cop_event *event, void *unused)
{
    (void)unused;
    if (event->kind == COP_EVENT_CHILD_TERMINATED) {
        atomic_store(&last_crash, cop_now());
    }
}

static int
start_and_wait(cop_bytes arg)
{
    cop_pid root;
    int r = cop_supervisor_start(&root, *(const cop_supervisor_spec *const *)arg.data);
    atomic_store(&has_started, true);
    return r ? r : cop_sleep(COP_FOREVER);
}

/* Now and then at once, now and then after a while. */
static void
let_live(struct dice *dice)
{
    unsigned most = 1U << dice_throw(dice, 14); /* us */
    nanosleep(&(struct timespec){.tv_nsec = 1000 * (long)dice_throw(dice, most)}, NULL);
}

enum way {
    ASK_THE_ROOT,
    ASK_WHO_HAS_STARTED_IT,
    KILL_WHO_HAS_STARTED_IT,
    KILL_THE_ROOT,
    SHUT_DOWN,
    WAYS
};
static const char *const ways[WAYS] = {"the root is asked", "its starter is asked",
                                       "its starter is killed", "the root is killed",
                                       "all is shut down"};

static int
want_gone(enum way way, cop_pid starter)
{
    cop_pid root = cop_whereis("stops");
    int r = 0;
    switch (way) {
    case ASK_THE_ROOT:
        r = cop_supervisor_stop(root, PATIENCE);
        break;
    case KILL_THE_ROOT:
        r = cop_exit_signal(root, COP_REASON_KILLED);
        break;
    case SHUT_DOWN:
        return cop_shutdown(PATIENCE);
    case KILL_WHO_HAS_STARTED_IT:
        return cop_exit_signal(starter, COP_REASON_KILLED);
    default:
        break;
    }
    cop_exit_signal(starter, COP_REASON_SHUTDOWN); /* there may have been no root yet */
    return r == -ETIMEDOUT || r == -EDEADLK ? r : 0;
}

static bool
all_have_ended(void)
{
    cop_time until = cop_now() + PATIENCE;
    while (cop_processes(NULL, 0) > 1 && cop_now() < until) {
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    return cop_processes(NULL, 0) <= 1;
}

static struct {
    size_t stopped[WAYS], in_start, in_restart, supervisors;
} tally;

static void
tell(uint64_t seed, enum way way, const char *words)
{
    failed++;
    printf("FAILED: stops 1 %llu, %s: %s\n", (unsigned long long)seed, ways[way], words);
    cop_report_tree();
}

/* How long the stop took; negative: it was not right. */
static cop_time
live_and_stop(uint64_t seed, const struct left *before)
{
    static struct tree tree; /* a child that cannot be started may be tried to the end */
    char words[300];
    cop_pid starter;
    tree = (struct tree){.dice = {seed}};
    const cop_supervisor_spec *spec = grow(&tree, 0);
    enum way way = (enum way)dice_throw(&tree.dice, WAYS);
    atomic_store(&has_started, false);
    atomic_store(&last_crash, 0);
    if (cop_spawn(&starter, start_and_wait, .arg = COP_BYTES(spec)) != 0) {
        tell(seed, way, "it cannot be started");
        return -1;
    }
    let_live(&tree.dice);
    cop_time begun = cop_now();
    tally.stopped[way]++;
    tally.supervisors += tree.supervisors;
    tally.in_start += !atomic_load(&has_started);
    tally.in_restart += begun - atomic_load(&last_crash) < COP_MS(1);
    if (want_gone(way, starter) != 0) {
        tell(seed, way, "it is not stopped in time");
    }
    if (!all_have_ended()) {
        tell(seed, way, "not all have ended");
        return -1;
    }
    cop_time took = cop_now() - begun;
    if (cop_shutdown(PATIENCE) != 0 || cop_disowned() > 0) {
        tell(seed, way, "the library does not end");
    }
    if (!left_nothing(before, 0, PATIENCE, words, sizeof words)) {
        tell(seed, way, words);
    }
    return took;
}

static int
compare_times(const void *a, const void *b)
{
    cop_time x = *(const cop_time *)a, y = *(const cop_time *)b;
    return (x > y) - (x < y);
}

static double
milliseconds(cop_time time)
{
    return (double)time / 1e6;
}

static void
say_figures(size_t count, uint64_t seed, cop_time *times)
{
    qsort(times, count, sizeof *times, compare_times);
    printf(
        "stops: %zu trees of %zu supervisors, seed %llu: %zu stopped in their start, %zu within a "
        "millisecond of a crash;",
        count, tally.supervisors, (unsigned long long)seed, tally.in_start, tally.in_restart);
    for (int i = 0; i < WAYS; i++) {
        printf(" %s %zu%s", ways[i], tally.stopped[i], i + 1 < WAYS ? "," : ";");
    }
    printf(" gone in %.2f ms p50, %.1f ms p99, %.1f ms longest; left: %u\n",
           milliseconds(times[count / 2]), milliseconds(times[count * 99 / 100]),
           milliseconds(times[count - 1]), failed);
}

int
main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    cop_time *times = calloc(count + 1, sizeof *times);
    cop_config config = {
        .size = sizeof config,
        .kill_grace = COP_SEC(20),
        .log_level = getenv("COPPICE_LOG") ? COP_LOG_INFO : COP_LOG_EMERGENCY,
        .observe = note_crash,
    };
    struct left before;
    left_look_first(&before);
    if (!times || count == 0 || cop_configure(&config) != 0) {
        (void)fprintf(stderr, "usage: stops [COUNT [SEED]]\n");
        free(times);
        return 2;
    }
    size_t good = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned failed_before = failed;
        times[i] = live_and_stop(seed + i, &before);
        good += failed == failed_before;
    }
    say_figures(count, seed, times);
    free(times);
    printf("%zu passed, %zu failed\n", good, count - good);
    return good == count ? EXIT_SUCCESS : EXIT_FAILURE;
}
