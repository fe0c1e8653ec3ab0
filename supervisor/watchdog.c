/*
 * supervisor/watchdog.c - whether those who asked to be watched make progress.
 *
 * Room: supervisor/. cop_watchdog in the process; the rest in the thread of cop_run.
 *
 * Progress is seen from outside, by what cop_inspect sees: a callback that has begun longer ago than
 * the limit, or a message that has waited for longer, is none. So nobody has to say "I am alive", which
 * a thread does well that does nothing else; and one that has nothing to do is content.
 *
 * Not every callback of a busy server is dated (copi_callback_next): one may be shown as begun when another
 * before it did. But how many messages were handled changes with each. So one that has no date of its own, and
 * whose number was not there at the last look, has begun since then, and counts from the look that finds it:
 * nobody is taken to hang for what he did before, and who hangs is found one look later at most.
 *
 * Who has ended is not watched any more: its supervisor is at it, and the next incarnation asks anew.
 */
#include "supervisor/watchdog.h"

#include "runtime/inspect.h"
#include "runtime/process.h"
#include "runtime/report.h"
#include "supervisor/subscribers.h"

#include <coppice/daemon.h>

#include <errno.h>

static struct copi_subscribers watched = COPI_SUBSCRIBERS_INIT;
static bool was_content = true; /* the thread of cop_run only */

int
cop_watchdog(cop_time limit)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    if (limit < 0) {
        return copi_fail(-EINVAL);
    }
    if (limit == 0) {
        copi_subscribers_remove(&watched, self->pid);
        return 0;
    }
    r = copi_subscribers_add(&watched, self->pid, limit);
    return r ? copi_fail(r) : 0;
}

struct look {
    cop_time now;
    bool is_content;
};

static void
say(cop_pid pid, const cop_process_info *info, cop_time busy)
{
    char name[COPI_LABEL_SIZE];
    if (info->callback) {
        copi_report(COPI_ERROR, "%s makes no progress: in %s for %.1f s, %zu messages wait",
                    copi_label_pid(pid, name), info->callback, (double)busy / (double)COP_SEC(1),
                    info->mailbox);
    } else {
        copi_report(COPI_ERROR, "%s makes no progress: %zu messages wait, the oldest for %.1f s",
                    copi_label_pid(pid, name), info->mailbox,
                    (double)info->oldest / (double)COP_SEC(1));
    }
}

/* Since when it is known to be in the callback that it is in. */
static cop_time
busy_since(struct copi_subscriber *subscriber, const cop_process_info *info, cop_time now)
{
    if (subscriber->handled != info->messages_handled) {
        subscriber->handled = info->messages_handled;
        subscriber->seen = now;
    }
    return info->since_is_exact || info->since > subscriber->seen ? info->since : subscriber->seen;
}

static void
look_at(struct copi_subscriber *subscriber, void *env)
{
    struct look *look = env;
    cop_process_info info;
    if (cop_inspect(subscriber->pid, &info) != 0) {
        return; /* it has just ended */
    }
    cop_time since = busy_since(subscriber, &info, look->now);
    cop_time busy = info.callback && info.since ? look->now - since : 0;
    if (busy > subscriber->word || info.oldest > subscriber->word) {
        if (was_content) {
            say(subscriber->pid, &info, busy);
        }
        look->is_content = false;
    }
}

bool
copi_watchdog_is_content(void)
{
    struct look look = {.now = cop_now(), .is_content = true};
    copi_subscribers_visit(&watched, look_at, &look);
    was_content = look.is_content;
    return look.is_content;
}
