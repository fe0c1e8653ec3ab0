/*
 * runtime/notice.c - waiting for things that are no process.
 *
 * Room: runtime/.
 * Touch freely: nothing. Ask first: when a notice is let go.
 *
 * What may be waited for, a future say, tells those who wait by a notice: a node that the waiter has
 * given it beforehand, so that telling cannot fail. The waiter takes notices in from its mailbox, as
 * signals, before the messages that wait there, and so scans none of these.
 *
 * One wait has one reference, fresh for each, published in `noticed`. It may be for many things at
 * once: their notices come in the order of time. A wait that ends early leaves its nodes where they
 * are. They are of no use any more, and that shows: their reference is not the one in `noticed`. So
 * whoever has them may free them instead of sending them, and what is sent all the same is freed when
 * it is taken in. `noticed` orders nothing: a stale value means a node sent in vain or kept a little
 * longer.
 *
 * A notice may own something, as any message may: the drop function runs wherever it ends up. Those
 * that have come stay in the process's list until the wait is over, so that all that they own is there
 * together, and is let go of also by a process that ends while it waits.
 */
#include "runtime/notice.h"

#include "runtime/cycle.h"
#include "runtime/inbox.h"
#include "runtime/send.h"
#include "runtime/table.h"

void
copi_notices_begin(struct copi_process *self, cop_ref ref)
{
    copi_notices_drop(self);
    copi_store_relaxed_64(&self->noticed, ref.id);
}

void
copi_notices_end(struct copi_process *self)
{
    copi_store_relaxed_64(&self->noticed, 0);
    copi_cycle_end(self);
    copi_notices_drop(self);
}

int
copi_notices_next(struct copi_process *self, struct copi_wait *wait, struct copi_message **notice)
{
    int r;
    do {
        copi_take_in(self);
        struct copi_message *next = *notice ? (*notice)->next : self->notices.first;
        if (next) {
            *notice = next;
            return 0;
        }
    } while ((r = copi_pause(self, wait)) == 0);
    return copi_wait_failed(r);
}

void
copi_notice_arrived(struct copi_process *self, struct copi_message *notice)
{
    if (notice->ref.id == copi_load_relaxed_64(&self->noticed)) {
        copi_list_append(&self->notices, notice);
    } else {
        copi_message_free(notice);
    }
}

void
copi_notices_drop(struct copi_process *self)
{
    while (self->notices.count > 0) {
        copi_message_free(copi_list_remove(&self->notices, &self->notices.first));
    }
}

bool
copi_notice_is_wanted(cop_pid to, cop_ref ref)
{
    struct copi_process *waiter = copi_table_find(to);
    return waiter && copi_load_relaxed_64(&waiter->noticed) == ref.id;
}

void
copi_notice_post(cop_pid to, struct copi_message *notice)
{
    struct copi_process *waiter = copi_table_find(to);
    if (waiter) {
        copi_cycle_release(waiter, notice->ref);
    }
    copi_post_signal(to, notice);
}
