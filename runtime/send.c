/*
 * runtime/send.c - how a message gets into a mailbox, and bounds.
 *
 * Room: runtime/. Any thread.
 * Touch freely: when a long mailbox is reported. Ask first: what is counted.
 *
 * The path of a message: a node from the sender's pool, the copy, one compare-and-swap on the
 * receiver's word; a system call only if the receiver sleeps. No lock.
 *
 * A bounded mailbox has a count of the application's messages in it, beside the generation that it is
 * for, in one word, so that a sender who has found the process just before it ended adds nothing to
 * the next tenant's. A sender adds one before it pushes, if there is room; the receiver takes one off
 * when it hands the message to the user, or evicts it. So the bound is exact.
 *
 * A sender that must wait for room puts itself into the receiver's list, under the receiver's lock,
 * and looks at the count once more before it sleeps: its addition to `blocked_senders` and the
 * receiver's subtraction from `counted` are both full barriers, so either it sees the room or the
 * receiver sees that somebody waits.
 */
#include "runtime/send.h"

#include "runtime/cycle.h"
#include "runtime/inbox.h"
#include "runtime/report.h"
#include "runtime/table.h"
#include "runtime/wait.h"

#include <errno.h>

enum {
    LONG_MAILBOX = 10000 /* reported, and then at each doubling */
};

/* A mailbox that fills and empties again and again is reported once for each length. */
static bool
is_longest(struct copi_process *to, uint64_t count)
{
    uint64_t longest = copi_load_relaxed_64(&to->longest);
    return count > longest && copi_cas_64(&to->longest, &longest, count);
}

void
copi_send_note_length(struct copi_process *to, uint64_t count)
{
    if (count >= LONG_MAILBOX) {
        uint64_t reached = LONG_MAILBOX;
        while (reached * 2 <= count) {
            reached *= 2;
        }
        if (is_longest(to, reached)) {
            copi_report_long_mailbox(to, reached);
        }
    }
}

static inline int
deliver(struct copi_process *to, uint32_t generation, struct copi_message *message)
{
    uint64_t count = 0;
    message->generation = generation;
    enum copi_push pushed = copi_mailbox_push(&to->mailbox, message, &count);
    if (pushed == COPI_REFUSED) {
        return -ESRCH;
    }
    if (pushed == COPI_PUSHED_ASLEEP) {
        copi_unpark(&to->parker);
    }
    if (count >= LONG_MAILBOX && count % LONG_MAILBOX == 0) {
        copi_send_note_length(to, count);
    }
    return 0;
}

int
copi_deliver(struct copi_process *to, uint32_t generation, struct copi_message *message)
{
    return deliver(to, generation, message);
}

void
copi_post_to(struct copi_process *to, uint32_t generation, struct copi_message *message)
{
    if (!to || deliver(to, generation, message) != 0) {
        copi_refuse(message, -ESRCH);
    }
}

void
copi_post(cop_pid to, struct copi_message *message)
{
    copi_post_to(copi_table_find(to), copi_pid_generation(to), message);
}

/*
 * `signals` is set after the push, so that whoever sees it set finds the signal; and before it, so that
 * who sees the signal counted sees it set, unless it has taken in between. Pairs with copi_take_in's
 * exchange.
 */
void
copi_post_signal(cop_pid to, struct copi_message *message)
{
    struct copi_process *process = copi_table_find(to);
    if (process) {
        copi_store_release_32(&process->signals, 1);
    }
    if (process && copi_deliver(process, copi_pid_generation(to), message) == 0) {
        copi_store_release_32(&process->signals, 1);
    } else {
        copi_refuse(message, -ESRCH);
    }
}

/* ---------------------------------------------------------------- bounds */

void
copi_send_begin(struct copi_process *process)
{
    uint64_t generation = copi_load_relaxed_32(&process->generation);
    copi_store_relaxed_64(&process->counted, generation << 32);
}

uint32_t
copi_send_counted(const struct copi_process *process)
{
    return (uint32_t)copi_load_relaxed_64(&process->counted);
}

/* 0; -EAGAIN: no room; -ESRCH: the record has another tenant. */
static int
take_place(struct copi_process *to, cop_pid pid, uint32_t limit)
{
    uint64_t counted = copi_load_relaxed_64(&to->counted);
    do {
        if (counted >> 32 != copi_pid_generation(pid)) {
            return -ESRCH;
        }
        if ((uint32_t)counted >= limit) {
            return -EAGAIN;
        }
    } while (!copi_cas_64(&to->counted, &counted, counted + 1));
    return 0;
}

static void
give_place(struct copi_process *to, uint32_t generation)
{
    uint64_t counted = copi_load_relaxed_64(&to->counted);
    do {
        if (counted >> 32 != generation) {
            return; /* the process has ended, and its count with it */
        }
    } while (!copi_cas_64(&to->counted, &counted, counted - 1)); /* pairs with enlist's addition */
}

static void
wake_blocked(struct copi_process *process)
{
    copi_lock_take(&process->lock);
    for (struct copi_process *p = process->blocked; p; p = p->next_blocked) {
        copi_unpark(&p->parker);
    }
    copi_lock_give(&process->lock);
}

void
copi_send_wake_blocked(struct copi_process *process)
{
    if (copi_load_relaxed_32(&process->blocked_senders) > 0) {
        wake_blocked(process);
    }
}

void
copi_send_uncount(struct copi_process *to, struct copi_message *message)
{
    message->flags &= (uint8_t)~COPI_COUNTED;
    give_place(to, message->generation);
    copi_send_wake_blocked(to);
}

void
copi_send_count_dropped(struct copi_process *to)
{
    copi_fetch_add_64(&to->dropped, 1);
}

static void
enlist(struct copi_process *self, struct copi_process *to)
{
    copi_lock_take(&to->lock);
    self->next_blocked = to->blocked;
    to->blocked = self;
    copi_lock_give(&to->lock);
    copi_fetch_add_32(&to->blocked_senders, 1); /* pairs with copi_send_uncount's subtraction */
}

static void
delist(struct copi_process *self, struct copi_process *to)
{
    copi_fetch_add_32(&to->blocked_senders, (uint32_t)-1);
    copi_lock_take(&to->lock);
    struct copi_process **link = &to->blocked;
    while (*link != self) {
        link = &(*link)->next_blocked;
    }
    *link = self->next_blocked;
    copi_lock_give(&to->lock);
}

/* Between enlist and delist the process cannot end: signals are taken in outside. */
static int
wait_for_place(struct copi_process *self, struct copi_process *to, cop_pid pid,
               struct copi_wait *wait)
{
    for (;;) {
        copi_take_in(self);
        if (copi_table_find(pid) != to) {
            return -ESRCH;
        }
        enlist(self, to);
        int r = take_place(to, pid, to->limit);
        bool again = r == -EAGAIN && (r = copi_pause(self, wait)) == 0;
        delist(self, to);
        if (!again) {
            return r;
        }
    }
}

/* A request that will be waited for has published its edge already. */
static int
block(struct copi_process *self, struct copi_process *to, cop_pid pid, struct copi_message *message,
      struct copi_wait *wait)
{
    struct copi_wait without_limit = COPI_WAIT("send", COP_FOREVER);
    bool has_edge = message->kind == COPI_CALL && !(message->flags & COPI_UNAWAITED);
    int r = has_edge ? 0 : copi_cycle_begin(self, pid, copi_make_ref(self, to->index));
    if (r) {
        return r;
    }
    self->outgoing = message; /* the process may end while it waits */
    r = wait_for_place(self, to, pid, wait ? wait : &without_limit);
    self->outgoing = NULL;
    if (!has_edge) {
        copi_cycle_end(self);
    }
    return r;
}

int
copi_send_admit(struct copi_process *self, struct copi_process *to, cop_pid pid,
                struct copi_message *message, struct copi_wait *wait)
{
    if (to->limit == 0) {
        return 0;
    }
    bool evicts = to->when_full == COP_FULL_DROP_OLD;
    message->generation = copi_pid_generation(pid); /* of whoever it is counted for */
    int r = take_place(to, pid, evicts ? UINT32_MAX : to->limit);
    if (r == -EAGAIN && to->when_full == COP_FULL_BLOCK) {
        r = block(self, to, pid, message, wait);
    } else if (r == -EAGAIN) {
        copi_send_count_dropped(to);
        r = to->when_full == COP_FULL_DROP_NEW ? -ENOBUFS : r;
    }
    if (r == 0) {
        message->flags |= COPI_COUNTED;
    }
    return r;
}

/* ---------------------------------------------------------------- public */

/* The send failed: a moved body is still the sender's. */
static int
take_back(struct copi_message *message, int code)
{
    if (!(message->flags & COPI_COPIED)) {
        message->flags &= (uint8_t)~COPI_OUTSIDE;
    }
    copi_message_free(message);
    return code == -ECANCELED || code == -ETIMEDOUT || code == -EDEADLK ? code : copi_fail(code);
}

/* As in OTP: to send to a name that nobody has is an error, to cast is none. */
static COPI_COLD int
nobody_has_the_name(struct copi_message *message)
{
    if (message->kind != COPI_CAST) {
        return take_back(message, -ESRCH);
    }
    copi_message_free(message);
    return 0;
}

/* In copi_send, too: a function of its own there would keep the same things once more. */
static inline __attribute__((always_inline)) int
send_message(struct copi_process *self, cop_pid to, struct copi_message *message)
{
    cop_pid pid = copi_resolve(to);
    if (pid.id == 0 && to.id != 0) {
        return nobody_has_the_name(message);
    }
    message->from = self->pid;
    struct copi_process *process = copi_table_find(pid);
    int r = !process         ? -ESRCH
            : process->limit ? copi_send_admit(self, process, pid, message, NULL)
                             : 0;
    if (r == 0) {
        r = deliver(process, copi_pid_generation(pid), message);
        if (r && message->flags & COPI_COUNTED) {
            copi_send_uncount(process, message);
        }
    } else if (r != -ESRCH && r != -ENOBUFS) {
        return take_back(message, r);
    }
    if (r) {
        copi_message_free(message); /* nobody gets it, and that is no error */
    }
    return 0;
}

int
copi_send_message(struct copi_process *self, cop_pid to, struct copi_message *message)
{
    return send_message(self, to, message);
}

int
copi_send(cop_pid to, enum copi_kind kind, const cop_msg *msg)
{
    struct copi_process *self;
    struct copi_message *message;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    r = copi_message_from(&message, kind, msg);
    return r ? copi_fail(r) : send_message(self, to, message);
}

extern inline int cop_send(cop_pid to, cop_msg msg);

int
cop_send_by(cop_pid to, const cop_msg *msg)
{
    return copi_send(to, COPI_SEND, msg);
}
