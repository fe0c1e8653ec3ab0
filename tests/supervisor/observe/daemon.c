/*
 * tests/supervisor/observe/daemon.c - a daemon to look at: its processes are in every state that there is.
 *
 *   usage: observed PATH [CHILDREN]     the observer's socket, and how many more children there are to be
 *
 * Room: tests/. What a user would write: the public header only.
 */
#include <coppice.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    MOST = 1000,
};

static cop_step
hang(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    while (cop_cancelled() == 0) {
        usleep(10000);
    }
    return cop_ok();
}

static cop_step
init_hung(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    for (int i = 0; i < 8; i++) {
        cop_send(cop_self(), COP_TAG(1)); /* the first of them is never done with */
    }
    return cop_ok();
}

static cop_step
answer(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    return cop_reply(from, COP_TAG(0));
}

static const cop_genserver hung = {.type = "hung", .init = init_hung, .handle_info = hang};
static const cop_genserver quiet = {.type = "quiet", .handle_call = answer};

/* Asks again and again, and holds another still. */
static int
be_busy(cop_bytes unused)
{
    (void)unused;
    int r = cop_sys_suspend(cop_named("held"), COP_SEC(5));
    while (r == 0) {
        cop_call(cop_named("quiet"), COP_TAG(1), NULL, 0, COP_SEC(1));
        r = cop_sleep(COP_MS(2));
    }
    return r;
}

static int
wait_for_hung(cop_bytes unused)
{
    (void)unused;
    return cop_call(cop_named("hung"), COP_TAG(1), NULL, 0, COP_FOREVER);
}

static int
crash_soon(cop_bytes unused)
{
    (void)unused;
    int r = cop_sleep(COP_SEC(2));
    return r ? r : -EIO;
}

static int
sleep_for_ever(cop_bytes unused)
{
    (void)unused;
    return cop_sleep(COP_FOREVER);
}

int
main(int argc, char **argv)
{
    static cop_child_spec workers[MOST];
    static char ids[MOST][16];
    long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    if (argc < 2 || count < 0 || count > MOST) {
        (void)fputs("usage: observed PATH [CHILDREN]\n", stderr);
        return 2;
    }
    for (long i = 0; i < count; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "worker-%ld", i);
        workers[i] = (cop_child_spec){.id = ids[i], .worker = sleep_for_ever, .stack_size = 65536};
    }
    cop_tag_name(1, "hello");
    const cop_observer_spec observer = {.path = argv[1], .actions = true};
    const cop_supervisor_spec crew = {.name = "crew",
                                      .strategy = COP_ONE_FOR_ALL,
                                      .children = workers,
                                      .child_count = (size_t)count};
    return cop_run(&(cop_supervisor_spec){
        .name = "root",
        .max_restarts = 100,
        COP_CHILDREN(cop_observer_child(&observer),
                     {.id = "quiet", .name = "quiet", .genserver = &quiet},
                     {.id = "hung", .name = "hung", .genserver = &hung},
                     {.id = "held", .name = "held", .genserver = &quiet},
                     {.id = "busy", .name = "busy", .worker = be_busy},
                     {.id = "brief", .worker = crash_soon},
                     {.id = "waits", .name = "waits", .worker = wait_for_hung},
                     {.id = "crew", .supervisor = &crew}),
    });
}
