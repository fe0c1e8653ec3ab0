/*
 * demos/guide/10_testing.c - testing what you wrote: a suite for a small server, without a framework.
 *
 * Room: demos/. Beside it: 10_testing.md. Each test starts from nothing and ends with everything given back.
 */
#include <coppice.h>

#include <stdio.h>
#include <unistd.h>

#define LIMIT 3

/* What is tested: a server that counts, up to a limit. */
static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    int *count = state;
    cop_assert(*count < LIMIT);
    ++*count;
    return cop_reply(from, COP_MSG_OF(request.tag, *count));
}

static const cop_genserver counter = {
    .type = "counter", .state_size = sizeof(int), .handle_call = handle_call};

static int failures;
#define CHECK(condition) \
 ((condition) ? (void)0 : (failures++, (void)printf("  FAILED: %s\n", #condition)))

static int
ask(int *out) /* NOLINT(readability-non-const-parameter): the answer goes there */
{
    return cop_call(cop_named("counter"), COP_TAG(0), out, sizeof *out, COP_SEC(5));
}

static void
counts_from_one(void)
{
    int n = 0;
    CHECK(cop_genserver_start(NULL, &counter, .name = "counter") == 0);
    CHECK(ask(&n) == 0 && n == 1);
}

/* What a server was never asked: put it into the state in question, instead of leading it there. */
static int
set(void *state, cop_bytes arg)
{
    memcpy(state, arg.data, sizeof(int));
    return 0;
}

static void
tells_its_caller_when_it_crashes(void)
{
    int n = LIMIT;
    cop_pid pid;
    CHECK(cop_genserver_start(&pid, &counter, .name = "counter") == 0);
    CHECK(cop_sys_replace_state(pid, set, COP_BYTES(n), COP_SEC(5)) == 0);
    CHECK(ask(&n) == -EPIPE && n == LIMIT); /* what fails writes nothing */
}

static void
is_there_again_after_a_crash(void)
{
    int n = 0;
    const cop_supervisor_spec tree = {
        COP_CHILDREN({.id = "counter", .name = "counter", .genserver = &counter})};
    CHECK(cop_supervisor_start(NULL, &tree) == 0);
    CHECK(cop_exit_signal(cop_named("counter"), COP_REASON_KILLED) == 0);
    while (ask(&n) < 0) {
        cop_sleep(COP_US(200)); /* until it is so: a fixed time is too short here, too long there */
    }
    CHECK(n == 1);
}

/* Nothing may be left when a test is over: no process, message, future or timer. */
static void
run(const char *name, void (*test)(void))
{
    printf("%s\n", name);
    (void)alarm(60); /* ends what hangs */
    test();
    CHECK(cop_shutdown(COP_SEC(5)) == 0);
    cop_live_count live[64];
    for (size_t i = 0, kinds = cop_live(live, 64); i < kinds; i++) {
        CHECK(live[i].count <= (strcmp(live[i].kind, "processes") == 0)); /* this thread's */
    }
}

int
main(void)
{
    (void)cop_log_set_level(COP_LOG_CRITICAL); /* crashes are wanted here */
    run("counts from one", counts_from_one);
    run("tells its caller when it crashes", tells_its_caller_when_it_crashes);
    run("is there again after a crash", is_there_again_after_a_crash);
    printf("%d failures\n", failures);
    return failures ? 1 : 0;
}
