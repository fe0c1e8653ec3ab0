/*
 * supervisor/observe/deeds.c - what the observer does to a process that somebody has pointed at.
 *
 * Room: supervisor/observe/. The observer, and a process for each deed.
 */
#include "supervisor/observe/deeds.h"

#include <coppice/inspect.h>
#include <coppice/process.h>
#include <coppice/signal.h>
#include <coppice/sys.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define PATIENCE COP_SEC(5)

static int
crash(cop_pid pid)
{
    return cop_exit_signal(pid, COP_REASON_KILLED);
}

static int
stop(cop_pid pid)
{
    return cop_stop_process(pid, COP_REASON_SHUTDOWN, PATIENCE);
}

static int
suspend(cop_pid pid)
{
    return cop_sys_suspend(pid, PATIENCE);
}

static int
resume(cop_pid pid)
{
    return cop_sys_resume(pid, PATIENCE);
}

typedef int (*deed)(cop_pid pid);

static const deed deeds[] = {crash, stop, suspend, resume};
const char *const copi_deeds[] = {"crash", "stop", "suspend", "resume", NULL};

_Static_assert(sizeof copi_deeds / sizeof *copi_deeds == sizeof deeds / sizeof *deeds + 1,
               "each has a name");

static deed
find(const char *name)
{
    for (size_t i = 0; copi_deeds[i]; i++) {
        if (strcmp(copi_deeds[i], name) == 0) {
            return deeds[i];
        }
    }
    return NULL;
}

struct order {
    deed deed;
    cop_pid to, from;
};

static int
carry_out(cop_bytes arg)
{
    const struct order *order = arg.data;
    struct copi_deed_done done = {.doer = cop_self(), .code = order->deed(order->to)};
    if (done.code) {
        done.why = cop_why();
    }
    cop_send(order->from, COP_MSG_OF(COPI_DEED_DONE, done));
    return 0;
}

int
copi_deed_begin(const char *name, cop_pid to, cop_pid *doer)
{
    struct order order = {.deed = find(name), .to = to, .from = cop_self()};
    cop_process_info info;
    if (!order.deed) {
        return -ENOENT;
    }
    int r = cop_inspect(to, &info);
    if (r) {
        return r;
    }
    if (strcmp(info.kind, "thread") == 0) {
        return -EOPNOTSUPP;
    }
    if (order.deed == suspend && cop_pid_eq(to, order.from)) {
        return -EDEADLK;
    }
    return cop_spawn(doer, carry_out, .arg = COP_BYTES(order), .link = true, .label = name);
}
