/*
 * actors/wire_wait.c - who waits until something can be done with a wire.
 *
 * Room: actors/. Any thread.
 * Touch freely: nothing. Ask first: whose a notice is.
 *
 * A wait leaves a notice with the wire, under whose lock it was found that it has to. Whoever changes that
 * posts all notices, and who finds his looks again: others may have been first. Those whose waits are over
 * for another reason stay behind, and are let go when the next one comes.
 */
#include "actors/wire.h"
#include "runtime/inbox.h"
#include "runtime/message.h"
#include "runtime/notice.h"
#include "runtime/process.h"

#include <errno.h>

void
copi_wire_wake_blocked(struct copi_wire *wire)
{
    while (wire->blocked) {
        struct copi_message *notice = wire->blocked;
        wire->blocked = notice->next;
        copi_notice_post(notice->from, notice);
    }
}

/* Those that nobody looks for any more are left out, so that a wire of which nothing is heard does not
 * gather them. */
void
copi_wire_await(struct copi_wire *wire, struct copi_message **notice)
{
    if (!*notice) {
        return;
    }
    struct copi_message **link = &wire->blocked;
    while (*link) {
        struct copi_message *other = *link;
        if (copi_notice_is_wanted(other->from, other->ref)) {
            link = &other->next;
        } else {
            *link = other->next;
            copi_message_free(other);
        }
    }
    (*notice)->next = NULL;
    *link = *notice;
    *notice = NULL;
}

static struct copi_message *
new_notice(const struct copi_process *self, cop_ref ref)
{
    struct copi_message *notice = copi_message_new(COPI_NOTE, 0, 0);
    if (notice) {
        notice->from = self->pid;
        notice->ref = ref;
    }
    return notice;
}

/* A notice that was not taken: the attempt is over. */
static int
attempt_with_notice(struct copi_process *self, cop_ref ref,
                    int (*attempt)(void *env, struct copi_message **notice), void *env,
                    bool *is_over)
{
    struct copi_message *notice = new_notice(self, ref);
    *is_over = true;
    if (!notice) {
        return -ENOMEM;
    }
    int r = attempt(env, &notice);
    *is_over = notice != NULL;
    if (notice) {
        copi_message_free(notice);
    }
    return r;
}

static int
wait_and_try(struct copi_process *self, int (*attempt)(void *env, struct copi_message **notice),
             void *env, cop_time timeout)
{
    struct copi_wait wait = COPI_WAIT("socket", timeout);
    cop_ref ref = copi_make_ref(self, self->index);
    struct copi_message *last = NULL;
    bool is_over;
    int r;
    copi_notices_begin(self, ref);
    do {
        r = attempt_with_notice(self, ref, attempt, env, &is_over);
        r = is_over ? r : copi_notices_next(self, &wait, &last);
    } while (!is_over && r == 0);
    copi_notices_end(self);
    return r;
}

int
copi_wire_try_or_wait(struct copi_process *self,
                      int (*attempt)(void *env, struct copi_message **notice), void *env,
                      cop_time timeout)
{
    struct copi_message *none = NULL;
    int r = attempt(env, &none);
    if (r != -EAGAIN || timeout == 0) {
        return r;
    }
    r = copi_enter_exit_point(&self);
    return r ? r : wait_and_try(self, attempt, env, timeout);
}
