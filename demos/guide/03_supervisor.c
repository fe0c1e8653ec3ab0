/*
 * demos/guide/03_supervisor.c - who stands on whom, and who is started again when one falls.
 *
 * Room: demos/. Beside it: 03_supervisor.md.
 */
#include <coppice.h>

#include <stdio.h>

enum {
    CRASH = 1,
};

static cop_step
init(void *state, cop_bytes arg)
{
    (void)state;
    printf("  %s starts\n", (const char *)arg.data);
    return cop_ok();
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    (void)state;
    cop_assert(msg.tag != CRASH);
    return cop_ok();
}

static const cop_genserver part = {.type = "part", .init = init, .handle_cast = handle_cast};

static bool
has_new_holder(const char *name, cop_pid old)
{
    cop_pid now = cop_whereis(name);
    return !cop_pid_eq(now, COP_NOBODY) && !cop_pid_eq(now, old);
}

/* Crash one and wait until the last of the list is up again: they are started in order. */
static void
crash(const char *name, bool others_too)
{
    const char *last = others_too ? "web" : name;
    cop_pid old = cop_whereis(last);
    printf("%s crashes:\n", name);
    (void)cop_cast(cop_named(name), COP_TAG(CRASH));
    while (!has_new_holder(last, old)) {
        cop_sleep(COP_MS(1));
    }
}

#define PART(name_)                                                         \
 {                                                                          \
  .id = (name_), .name = (name_), .genserver = &part, .arg = COP_STR(name_) \
 }

static int
show(cop_strategy strategy, const char *called)
{
    cop_pid tree;
    printf("%s:\n", called);
    int r = cop_supervisor_start(
        &tree, &(cop_supervisor_spec){.strategy = strategy,
                                      COP_CHILDREN(PART("database"), PART("cache"), PART("web"))});
    if (r < 0) {
        printf("  no tree: %s\n", cop_strerror(r));
        return r;
    }
    crash("cache", strategy != COP_ONE_FOR_ONE);
    return cop_supervisor_stop(tree, COP_SEC(5));
}

int
main(void)
{
    (void)cop_log_set_level(COP_LOG_CRITICAL); /* the reports of the crashes are another chapter */
    int r = show(COP_ONE_FOR_ONE, "one for one");
    r = r ? r : show(COP_REST_FOR_ONE, "rest for one");
    r = r ? r : show(COP_ONE_FOR_ALL, "one for all");
    return cop_shutdown(COP_SEC(5)) || r ? 1 : 0;
}
