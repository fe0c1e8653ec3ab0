/*
 * tests/stress/failures.c - everything that can fail fails once, wherever it happens:
 * `[PAIRS=1] failures [EVERY [SCENARIO [KIND [NUMBER [WAY [SECOND]]]]]]`.
 *
 * Room: tests/. Knows the runtime's points (points.h).
 *
 *   EVERY      try each so-manieth point; 1: all
 *   SCENARIO   only this one
 *   KIND       only m(emory), t(hreads) or c(alls)
 *   NUMBER, WAY, SECOND   only this one, in this program and aloud: to look into what is broken
 *   PAIRS=1    each fails with another that comes so many points after it, where the first is being mended
 *
 * Each scenario is run again and again, each time in a new process from the library's very first call on, and
 * each time one thing fails later than the time before: the n-th allocation, the n-th start of a thread, the
 * n-th system call, in every way in which it can; n grows until nothing is reached any more. However it
 * goes, it ends in time; nothing that was accepted is lost; afterwards the library works, stops, and leaves
 * nothing behind.
 *
 * The scenarios are run beside each other, as many as there are cores.
 */
#include "tests/stress/failures.h"

#include "tests/stress/left.h"
#include "tests/stress/points.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    LIMIT_SECONDS = 60,
    MISSES = 2, /* a scenario does not always reach as many points */
    SCENARIOS_MOST = 64,
    BROKEN_MOST = 5, /* of one scenario, and it is given up */
};

/* What one run has seen; shared with the program that runs it. */
static struct trial {
    struct points_seen seen;
    atomic_uint errors, crashes;
    atomic_bool broken;
    char words[256];
} * trial;

/* What came of all; shared with those who run the scenarios. */
enum ending {
    UNNOTICED,
    ERRORS,
    CRASHES,
    BROKEN,
    ENDINGS
};
static struct tally {
    atomic_ulong points[POINT_KINDS], endings[ENDINGS];
} * tally;

extern const char __executable_start[]; /* NOLINT(bugprone-reserved-identifier): the linker's */

/* ---------------------------------------------------------------- what scenarios say */

void
must(bool holds, const char *what)
{
    if (!holds && !atomic_exchange(&trial->broken, true)) {
        (void)snprintf(trial->words, sizeof trial->words, "not so: %s", what);
    }
}

bool
went_well(int r)
{
    if (r < 0) {
        must(r != -ETIMEDOUT, "it comes in time");
        atomic_fetch_add(&trial->errors, 1);
    }
    return r >= 0;
}

bool
is_there(uint64_t id)
{
    if (id == 0) {
        atomic_fetch_add(&trial->errors, 1);
    }
    return id != 0;
}

void
pause_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

void
try_again(int tries)
{
    must(tries < 100, "what is tried again and again goes well at last");
    if (tries >= 100) {
        _exit(EXIT_FAILURE);
    }
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

void
await_end(cop_pid pid)
{
    MUST_BECOME(!cop_alive(pid));
}

static cop_step
adder_call(void *state, cop_from from, cop_msg request)
{
    int *sum = state;
    *sum += *COP_BODY(request, int);
    return cop_reply(from, COP_MSG_OF(0, *sum));
}

static cop_step
adder_cast(void *state, cop_msg msg)
{
    int *sum = state;
    if (msg.tag == FAIL) {
        cop_exit(cop_failed(-EIO, "as asked"));
    }
    *sum += *COP_BODY(msg, int);
    return cop_ok();
}

const cop_genserver adder = {
    .type = "adder",
    .state_size = sizeof(int),
    .handle_call = adder_call,
    .handle_cast = adder_cast,
};

void
add_some(cop_pid server, int *sum)
{
    for (int i = 1; i <= 3; i++) {
        int now = 0, cast = 10 * i;
        if (went_well(cop_cast(server, COP_MSG_OF(ADD_LATER, cast)))) {
            *sum += cast;
        }
        if (went_well(cop_call(server, COP_MSG_OF(ADD, i), COP_OUT(now), PATIENCE))) {
            *sum += i;
            must(now == *sum, "what was acknowledged is in the sum, and nothing else");
        } else {
            int nothing = 0, tries = 0; /* whether it was done is not known */
            while (!went_well(cop_call(server, COP_MSG_OF(ADD, nothing), COP_OUT(now), PATIENCE))) {
                if (!cop_alive(server)) {
                    return; /* and its sum with it */
                }
                try_again(tries++);
            }
            must(now == *sum || now == *sum + i, "what was acknowledged is in the sum");
            *sum = now;
        }
    }
}

/* ---------------------------------------------------------------- one run */

static void
count_crash(const cop_event *event, void *unused)
{
    (void)unused;
    bool is_crash = event->reason.kind == COP_FAILED || event->reason.kind == COP_FAULTED;
    if (event->kind == COP_EVENT_EXIT && is_crash) {
        atomic_fetch_add(&trial->crashes, 1);
    }
}

static size_t
continuations(void)
{
    cop_live_count live[LEFT_KINDS];
    size_t kinds = cop_live(live, LEFT_KINDS), count = 0;
    for (size_t i = 0; i < kinds; i++) {
        count += strcmp(live[i].kind, "continuations") == 0 ? live[i].count : 0;
    }
    return count;
}

/* Whatever has failed, it is over; what waited for that goes on, and everything works. */
static void
look_whether_it_works(void)
{
    MUST_BECOME(continuations() == 0);
    cop_pid server = COP_NOBODY;
    cop_msg msg;
    int one = 1, sum = 0;
    MUST(cop_genserver_start(&server, &adder, .link = false) == 0);
    MUST(cop_call(server, COP_MSG_OF(ADD, one), COP_OUT(sum), PATIENCE) == 0 && sum == 1);
    MUST(cop_stop_process(server, COP_REASON_NORMAL, PATIENCE) == 0);
    cop_ref timer = cop_start_timer(cop_self(), 7, 0);
    MUST(timer.id != 0);
    do {
        MUST(cop_receive(&msg, PATIENCE) == 0);
    } while (!atomic_load(&trial->broken) && msg.tag != 7);
}

static void
run(const struct scenario *scenario, const struct point *point)
{
    struct left before;
    char recorder[64], words[200];
    (void)snprintf(recorder, sizeof recorder, "/tmp/failures-recorder.%d", (int)getpid());
    left_look_first(&before);
    points_arm(point, &trial->seen);
    int r = cop_configure(&(cop_config){
        .size = sizeof(cop_config),
        .observe = count_crash,
        .kill_grace = COP_SEC(20),
        .recorder = scenario->is_recorded ? recorder : NULL,
        .recorder_rings = 8,
    });
    if (went_well(r)) {
        scenario->run();
    }
    MUST(cop_shutdown(PATIENCE) != -ETIMEDOUT);
    points_disarm();
    if (!scenario->is_recorded || r == 0) {
        look_whether_it_works();
    }
    MUST(cop_shutdown(PATIENCE) == 0);
    if (!left_nothing(&before, 0, PATIENCE, words, sizeof words)) {
        must(false, words);
    }
    unlink(recorder);
}

/* ---------------------------------------------------------------- one after the other */

static void
say_broken(const struct scenario *scenario, const struct point *point, int status)
{
    const struct points_seen *seen = &trial->seen;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        (void)snprintf(trial->words, sizeof trial->words, "it hangs");
    } else if (WIFSIGNALED(status)) {
        (void)snprintf(trial->words, sizeof trial->words, "signal %d", WTERMSIG(status));
    } else if (!atomic_load(&trial->broken)) {
        (void)snprintf(trial->words, sizeof trial->words, "status %d", WEXITSTATUS(status));
    }
    printf("FAILED: %s %c %lu %u %lu: %s%s: %s, at +0x%tx: %s\n", scenario->name,
           "mtc"[point->kind], point -> number, point -> way, point -> second,
           seen -> lasts ? "every " : "", seen->call ? seen->call : "nothing",
           seen->error ? strerror(seen->error) : "no error",
           seen->caller ? (const char *)seen->caller - __executable_start : 0, trial->words);
    (void)fflush(stdout);
}

/* The child's own end, without what the parent has registered. */
static _Noreturn void
be_the_child(const struct scenario *scenario, const struct point *point)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
    alarm(LIMIT_SECONDS);
    run(scenario, point);
    exit(atomic_load(&trial->broken) ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Whether it went as it should. */
static bool
try(const struct scenario *scenario, const struct point *point)
{
    int status;
    *trial = (struct trial){.words = ""};
    pid_t child = fork();
    if (child == 0) {
        be_the_child(scenario, point);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("failures");
        exit(EXIT_FAILURE);
    }
    if (status != 0) {
        say_broken(scenario, point, status);
    }
    return status == 0;
}

static enum ending
ending(bool is_fine, unsigned usual_crashes)
{
    if (!is_fine) {
        return BROKEN;
    }
    if (atomic_load(&trial->crashes) > usual_crashes) {
        return CRASHES;
    }
    return atomic_load(&trial->errors) > 0 ? ERRORS : UNNOTICED;
}

/* All ways of one point; false: it was not reached. */
static bool
try_ways(const struct scenario *scenario, struct point point, unsigned usual_crashes,
         unsigned *broken)
{
    unsigned ways = 1;
    for (point.way = 0; point.way < ways; point.way++) {
        bool is_fine = try(scenario, &point);
        if (is_fine && !atomic_load(&trial->seen.hit)) {
            return point.way > 0;
        }
        ways = trial->seen.ways;
        *broken += !is_fine;
        atomic_fetch_add(&tally->endings[ending(is_fine, usual_crashes)], 1);
        atomic_fetch_add(&tally->points[point.kind], 1);
    }
    return true;
}

static bool
try_point(const struct scenario *scenario, struct point point, unsigned usual_crashes,
          unsigned *broken)
{
    static const unsigned long seconds[] = {1, 2, 5};
    const char *pairs = getenv("PAIRS");
    bool reached = false;
    if (!pairs || !pairs[0]) {
        return try_ways(scenario, point, usual_crashes, broken);
    }
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        point.second = seconds[i];
        reached |= try_ways(scenario, point, usual_crashes, broken);
    }
    return reached;
}

static void
try_all(const struct scenario *scenario, unsigned long every, const char *kinds)
{
    unsigned broken = 0, misses;
    const struct point none = {.number = ULONG_MAX};
    if (!try(scenario, &none)) {
        atomic_fetch_add(&tally->endings[BROKEN], 1); /* without any failure */
        return;
    }
    unsigned usual_crashes = atomic_load(&trial->crashes);
    for (enum point_kind kind = 0; kind < POINT_KINDS; kind++) {
        if (!strchr(kinds, "mtc"[kind])) {
            continue;
        }
        misses = 0;
        for (unsigned long n = 0; misses < MISSES && broken < BROKEN_MOST; n += every) {
            struct point point = {.kind = kind, .number = n};
            bool reached = try_point(scenario, point, usual_crashes, &broken);
            misses = reached ? 0 : misses + 1;
        }
    }
}

static void *
shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("failures");
        exit(EXIT_FAILURE);
    }
    return memory;
}

static size_t
collect(const struct scenario *out[SCENARIOS_MOST], const char *only)
{
    const struct scenario *const lists[] = {runtime_scenarios, actor_scenarios,
                                            supervisor_scenarios, outside_scenarios};
    size_t count = 0;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        for (const struct scenario *s = lists[i]; s->name; s++) {
            if ((!only || strcmp(only, s->name) == 0) && count < SCENARIOS_MOST) {
                out[count++] = s;
            }
        }
    }
    return count;
}

/* One child of ours for each scenario, so many at a time. */
static void
try_beside_each_other(const struct scenario *const scenarios[], size_t count, unsigned long every,
                      const char *kinds)
{
    long places = sysconf(_SC_NPROCESSORS_ONLN);
    for (size_t i = 0; i < count; i++) {
        if (places > 0) {
            places--;
        } else {
            wait(NULL);
        }
        if (fork() == 0) {
            trial = shared(sizeof *trial);
            try_all(scenarios[i], every, kinds);
            exit(EXIT_SUCCESS);
        }
    }
    while (wait(NULL) > 0) {
    }
}

static int
sum_up(size_t scenarios, time_t began)
{
    unsigned long points[POINT_KINDS], endings[ENDINGS], sum = 0;
    for (int i = 0; i < POINT_KINDS; i++) {
        sum += points[i] = atomic_load(&tally->points[i]);
    }
    for (int i = 0; i < ENDINGS; i++) {
        endings[i] = atomic_load(&tally->endings[i]);
    }
    printf(
        "failures: %zu scenarios, %lu failures (%lu of allocations, %lu of threads, %lu of system "
        "calls) in %ld s: %lu unnoticed, %lu told as errors, %lu orderly crashes; hangs, leaks "
        "and losses: %lu\n",
        scenarios, sum, points[POINT_MEMORY], points[POINT_THREAD], points[POINT_CALL],
        (long)(time(NULL) - began), endings[UNNOTICED], endings[ERRORS], endings[CRASHES],
        endings[BROKEN]);
    printf("%lu passed, %lu failed\n", sum - (endings[BROKEN] < sum ? endings[BROKEN] : sum),
           endings[BROKEN]);
    return endings[BROKEN] || sum == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
    const struct scenario *scenarios[SCENARIOS_MOST];
    unsigned long every = argc > 1 ? strtoul(argv[1], NULL, 10) : 1;
    size_t count = collect(scenarios, argc > 2 ? argv[2] : NULL);
    const char *kinds = argc > 3 ? argv[3] : "mtc";
    if (every == 0 || count == 0) {
        (void)fprintf(stderr,
                      "usage: failures [EVERY [SCENARIO [KIND [NUMBER [WAY [SECOND]]]]]]\n");
        return 2;
    }
    tally = shared(sizeof *tally);
    if (argc > 4) {
        trial = shared(sizeof *trial);
        struct point point = {
            .kind = (enum point_kind)(strchr("mtc", *kinds) - "mtc"),
            .number = strtoul(argv[4], NULL, 10),
            .way = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 0,
            .second = argc > 6 ? strtoul(argv[6], NULL, 10) : 0,
        };
        run(scenarios[0], &point);
        bool is_broken = atomic_load(&trial->broken);
        if (is_broken) {
            say_broken(scenarios[0], &point, 0);
        }
        return is_broken ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    time_t began = time(NULL);
    try_beside_each_other(scenarios, count, every, kinds);
    return sum_up(count, began);
}
