/*
 * tests/stress/idle_cpu.c - how much of a core idle servers use: `idle_cpu [COUNT [SECONDS]]`.
 *
 * Room: tests/.
 *
 *   COUNT     servers, each of which has answered a call and then waits; 1,000
 *   SECONDS   how long the program is watched while nothing happens; 10
 *
 * The processor time is the program's own, all threads together, so other programs do not count. A
 * timer far away is armed, so that the thread of the timers is there, too. The first second after the
 * last answer is not watched: whoever has just been busy may look about once more.
 */
#include <coppice.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum {
    MOST_PERMILLE = 5, /* of a core */
};

static cop_step
answer_one_more(void *state, cop_from from, cop_msg request)
{
    (void)state;
    int reply = *COP_BODY(request, int) + 1;
    return cop_reply(from, COP_MSG_OF(0, reply));
}

static const cop_genserver idle = {.type = "idle", .handle_call = answer_one_more};

static bool
start_and_ask(long count)
{
    for (int i = 0; i < (int)count; i++) {
        cop_pid pid;
        int reply = 0;
        int r = cop_genserver_start(&pid, &idle, .link = false);
        r = r ? r : cop_call(pid, COP_MSG_OF(1, i), COP_OUT(reply), COP_SEC(60));
        if (r || reply != i + 1) {
            printf("FAILED: server %d: %s\n", i, cop_strerror(r));
            return false;
        }
    }
    return cop_send_after(cop_self(), COP_TAG(1), COP_SEC(3600)).id != 0;
}

static cop_time
processor_time(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * COP_SEC(1) + used.tv_nsec;
}

static long
switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw + usage.ru_nivcsw;
}

/* Not by cop_sleep: the caller, too, is to have nothing to do with the library. */
static void
rest(time_t seconds)
{
    struct timespec left = {.tv_sec = seconds};
    while (nanosleep(&left, &left) != 0) {
    }
}

int
main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    long seconds = argc > 2 ? strtol(argv[2], NULL, 10) : 10;
    if (count < 1 || seconds < 1) {
        (void)fprintf(stderr, "usage: idle_cpu [COUNT [SECONDS]]\n");
        return 2;
    }
    bool fine = start_and_ask(count);
    rest(1);
    cop_time begin = cop_now(), used = processor_time();
    long switched = switches();
    rest(seconds);
    used = processor_time() - used;
    switched = switches() - switched;
    double permille = 1000.0 * (double)used / (double)(cop_now() - begin);
    printf("%ld idle servers: %.3f %% of a core, %ld context switches in %ld s\n", count,
           permille / 10, switched, seconds);
    fine = fine && permille < MOST_PERMILLE;
    printf("%s: they use less than %.1f %%\n", fine ? "ok" : "FAILED", MOST_PERMILLE / 10.0);
    fine = cop_shutdown(COP_SEC(60)) == 0 && fine;
    printf("%d passed, %d failed\n", fine, !fine);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
