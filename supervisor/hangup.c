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
#include "supervisor/subscribers.h"

#include <coppice/daemon.h>

#include <errno.h>

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

static void
tell(const struct copi_subscriber *listener, void *env)
{
    (void)env;
    struct copi_message *message = copi_message_new(COPI_SEND, (uint32_t)listener->word, 0);
    if (message) {
        copi_post(listener->pid, message);
    } else {
        copi_report(COPI_ERROR, "no memory to tell a process of SIGHUP");
    }
}

void
copi_hangup(void)
{
    copi_subscribers_visit(&listeners, tell, NULL);
}
