/*
 * supervisor/hangup.c - SIGHUP, as a message to whoever wants to hear of it.
 *
 * Room: supervisor/. cop_on_hangup in the process; copi_hangup in the thread of cop_run, which must not
 * wait for anybody: so bounds of mailboxes do not count, as they do not for timers.
 */
#include "supervisor/hangup.h"

#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/report.h"
#include "runtime/send.h"
#include "runtime/timer.h"
#include "supervisor/subscribers.h"

#include <coppice/daemon.h>

#include <errno.h>

enum {
    MISSED_MOST = 16
};
#define TRY_AGAIN COP_MS(10)

static struct copi_subscribers listeners = COPI_SUBSCRIBERS_INIT;

int
cop_on_hangup(uint32_t tag)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    if (tag >= COP_MSG_RESERVED) {
        return copi_fail(-EINVAL);
    }
    r = copi_subscribers_add(&listeners, self->pid, tag);
    return r ? copi_fail(r) : 0;
}

/* Who is to be told, and who could not be for want of memory: these are told later. */
struct round {
    cop_pid only; /* COP_NOBODY: everybody */
    cop_pid missed[MISSED_MOST];
    size_t missed_count;
};

static void
tell(struct copi_subscriber *listener, void *env)
{
    struct round *round = env;
    if (round->only.id != 0 && !cop_pid_eq(round->only, listener->pid)) {
        return;
    }
    struct copi_message *message = copi_message_new(COPI_SEND, (uint32_t)listener->word, 0);
    if (message) {
        copi_post(listener->pid, message);
    } else if (round->missed_count < MISSED_MOST) {
        round->missed[round->missed_count++] = listener->pid;
    } else {
        copi_report(COPI_ERROR, "no memory to tell a process of SIGHUP");
    }
}

static void tell_again(uint64_t pid);

static void
tell_round(struct round *round)
{
    copi_subscribers_visit(&listeners, tell, round);
    for (size_t i = 0; i < round->missed_count; i++) {
        if (copi_timer_call(copi_deadline(TRY_AGAIN), tell_again, round->missed[i].id) != 0) {
            copi_report(COPI_ERROR, "no memory to tell a process of SIGHUP");
        }
    }
}

/* On the timer thread. */
static void
tell_again(uint64_t pid)
{
    tell_round(&(struct round){.only = {pid}});
}

void
copi_hangup(void)
{
    tell_round(&(struct round){0});
}
