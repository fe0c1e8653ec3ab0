/*
 * demos/guide/09_systemd.c - a daemon under a service manager: ready, reloaded, watched, stopped.
 *
 * Room: demos/. Beside it: 09_systemd.md. It knows nothing of systemd; cop_run does.
 */
#include <coppice.h>

#include <stdio.h>
#include <stdlib.h>

enum {
    RELOAD = 1,
};

struct greeter {
    char greeting[64];
};

/* The only setting there is: what the file says whose name is in GREETING_FILE. */
static int
load(struct greeter *greeter)
{
    const char *path = getenv("GREETING_FILE"); /* NOLINT(concurrency-mt-unsafe): nobody sets it */
    FILE *file = fopen(path ? path : "/dev/null", "re");
    if (file == NULL) {
        return -errno;
    }
    if (fgets(greeter->greeting, sizeof greeter->greeting, file) == NULL) {
        (void)snprintf(greeter->greeting, sizeof greeter->greeting, "hello\n");
    }
    (void)fclose(file);
    printf("greeting: %s", greeter->greeting);
    (void)fflush(stdout);
    return 0;
}

/* That a start fails here is what the manager, and whoever reads its log, is told. */
static cop_step
init(void *state, cop_bytes arg)
{
    (void)arg;
    cop_trap_exits(true); /* so that terminate runs when the tree is stopped */
    int r = load(state);
    r = r ? r : cop_on_hangup(RELOAD);
    r = r ? r : cop_watchdog(COP_SEC(5)); /* stuck for longer than that: to be restarted */
    return r ? cop_stop(cop_failed(r, "the greeting cannot be read")) : cop_ok();
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct greeter *greeter = state;
    int r = msg.tag == RELOAD ? load(greeter) : 0;
    if (r < 0) {
        cop_log(COP_LOG_ERROR, "not reloaded", COP_KV("why", cop_strerror(r)));
    }
    return cop_ok();
}

static void
terminate(void *state, cop_reason reason)
{
    (void)state;
    char why[64];
    printf("put away: %s\n", cop_reason_string(reason, why, sizeof why));
}

static const cop_genserver greeter = {
    .type = "greeter",
    .state_size = sizeof(struct greeter),
    .init = init,
    .handle_info = handle_info,
    .terminate = terminate,
};

int
main(void)
{
    return cop_run(&(cop_supervisor_spec){
        COP_CHILDREN({.id = "greeter", .name = "greeter", .genserver = &greeter}),
        .backoff_min = COP_MS(100), /* what cannot run yet is not tried a thousand times a second */
        .backoff_max = COP_SEC(10),
    });
}
