/*
 * runtime/signals.c - links and monitors.
 *
 * Room: runtime/. Any thread.
 * Touch freely: nothing. Ask first: when a watch is freed, and by whom.
 *
 * A watch is what one process, its owner, is told when another, its target, ends. It is the message
 * itself: made when the link or monitor is, so that an end needs no memory to be told. A monitor is
 * one watch; a link is two, one each way.
 *
 *   armed     in the target's list and in the owner's
 *   flying    taken out of the target's list by its end, posted, still in the owner's list
 *   landed    taken in by the owner, and in no list: an ordinary message from then on
 *
 * One lock guards all the lists. It is taken to make and unmake watches and when a process ends, and
 * held for pointers only: nothing is posted or freed under it. An armed watch is freed by whoever
 * takes it out of both lists; a flying one by whoever ends up with the message: the owner, or, when
 * the owner is gone, whoever tried to deliver it.
 *
 * tests/model/watch.pml is searched for every order in which a monitor and an end can come.
 *
 * What a link brings acts as an exit signal does (exit_signal.c). All of them travel the mailbox, so the order
 * between two processes holds.
 */
#include "runtime/signals.h"

#include "runtime/exit_signal.h"
#include "runtime/inbox.h"
#include "runtime/ladder.h"
#include "runtime/live.h"
#include "runtime/send.h"
#include "runtime/table.h"

#include <errno.h>

struct ends {
    struct copi_watch *next, **link; /* link: NULL: not in the list */
};

/* It lies in the message's body, and what the user will see of it comes first. */
struct copi_watch {
    struct cop_down down; /* of a link, without the reference */
    cop_pid owner;
    struct ends of_target, of_owner;
    bool is_link, is_cancelled; /* cancelled: not wanted any more, but flying */
};

static copi_lock lock = COPI_LOCK_INIT;
static const cop_reason nobody_there = {.kind = COP_NOPROC, .text = "noproc"};

/* ---------------------------------------------------------------- lists */

static void
insert(struct ends *ends, struct copi_watch *watch, struct copi_watch **list, size_t offset)
{
    ends->next = *list;
    ends->link = list;
    if (*list) {
        ((struct ends *)(void *)((char *)*list + offset))->link = &ends->next;
    }
    *list = watch;
}

static void
unlink_ends(struct ends *ends, size_t offset)
{
    if (ends->link) {
        *ends->link = ends->next;
        if (ends->next) {
            ((struct ends *)(void *)((char *)ends->next + offset))->link = ends->link;
        }
        ends->link = NULL;
    }
}

/* The record of whoever lives or lived there: in a list of its watches, it is the same one still. */
static struct copi_process *
record_of(cop_pid pid)
{
    return copi_table_at(copi_pid_index(pid));
}

/* For cop_inspect, which takes no lock. */
static void
count_locked(copi_atomic32 *figure, int change)
{
    copi_store_relaxed_32(figure, copi_load_relaxed_32(figure) + (uint32_t)change);
}

static void
count_for_owner_locked(const struct copi_watch *watch, int change)
{
    struct copi_process *owner = record_of(watch->owner);
    count_locked(watch->is_link ? &owner->links : &owner->monitors, change);
}

static void
join_owner_locked(struct copi_watch *watch, struct copi_process *owner)
{
    insert(&watch->of_owner, watch, &owner->watching, offsetof(struct copi_watch, of_owner));
    count_for_owner_locked(watch, 1);
}

static void
arm_locked(struct copi_watch *watch, struct copi_process *owner, struct copi_process *target)
{
    insert(&watch->of_target, watch, &target->watchers, offsetof(struct copi_watch, of_target));
    if (!watch->is_link) {
        count_locked(&target->monitored_by, 1);
    }
    join_owner_locked(watch, owner);
}

static void
leave_target_locked(struct copi_watch *watch)
{
    if (watch->of_target.link && !watch->is_link) {
        count_locked(&record_of(watch->down.pid)->monitored_by, -1);
    }
    unlink_ends(&watch->of_target, offsetof(struct copi_watch, of_target));
}

static void
leave_owner_locked(struct copi_watch *watch)
{
    if (watch->of_owner.link && !watch->is_cancelled) {
        count_for_owner_locked(watch, -1);
    }
    unlink_ends(&watch->of_owner, offsetof(struct copi_watch, of_owner));
}

/* Not wanted any more. One that is flying stays in its owner's list until it lands. */
static void
cancel_locked(struct copi_watch *watch)
{
    if (watch->of_owner.link && !watch->is_cancelled) {
        count_for_owner_locked(watch, -1);
    }
    watch->is_cancelled = true;
}

static struct copi_watch *
as_watch(struct copi_message *message)
{
    return (struct copi_watch *)(void *)message->body;
}

static struct copi_message *
message_of(struct copi_watch *watch)
{
    return (struct copi_message *)(void *)((char *)watch - offsetof(struct copi_message, body));
}

static struct copi_watch *
new_watch(enum copi_kind kind, cop_pid owner, cop_pid target, cop_ref ref)
{
    struct copi_message *message = copi_message_new(kind, 0, sizeof(struct copi_watch));
    if (!message) {
        return NULL;
    }
    message->from = target;
    struct copi_watch *watch = as_watch(message);
    *watch = (struct copi_watch){
        .down = {.ref = ref, .pid = target},
        .owner = owner,
        .is_link = kind == COPI_EXIT,
    };
    copi_live_born(COPI_LIVE_WATCH);
    return watch;
}

static void
free_watch(struct copi_watch *watch)
{
    if (watch) {
        copi_live_gone(COPI_LIVE_WATCH);
        copi_message_free(message_of(watch));
    }
}

/* Free a list that was collected through of_target.next. */
static void
free_watches(struct copi_watch *list)
{
    while (list) {
        struct copi_watch *next = list->of_target.next;
        free_watch(list);
        list = next;
    }
}

/* ---------------------------------------------------------------- making */

/* Whether `owner` watches it already, and has not been told yet. */
static bool
watches_locked(const struct copi_process *owner, cop_pid pid)
{
    const struct copi_watch *watch = owner->watching;
    while (watch && !cop_pid_eq(watch->down.pid, pid)) {
        watch = watch->of_owner.next;
    }
    return watch != NULL;
}

/*
 * The record, if `owner` can still watch that incarnation. It may have ended. While it tells those who
 * watch it, only they may come again, and those among them who have not heard yet: for who has,
 * nobody is there any more.
 */
static struct copi_process *
watchable_locked(const struct copi_process *owner, cop_pid pid)
{
    if (pid.id == 0 || pid.id & COPI_NAME_BIT) {
        return NULL;
    }
    struct copi_process *process = record_of(pid);
    bool same = process && copi_load_relaxed_32(&process->generation) == copi_pid_generation(pid);
    if (!same || process->buried || (process->telling && !watches_locked(owner, pid))) {
        return NULL;
    }
    return process;
}

static void
post_at_once(struct copi_process *self, struct copi_watch *watch)
{
    watch->down.reason = nobody_there;
    copi_post_signal(copi_pid(self), message_of(watch));
}

static int
monitor(struct copi_process *self, cop_pid target, cop_ref *ref)
{
    cop_ref made = copi_make_ref(self, copi_pid_index(target));
    struct copi_watch *watch = new_watch(COPI_DOWN, copi_pid(self), target, made);
    if (!watch) {
        return -ENOMEM;
    }
    copi_lock_take(&lock);
    struct copi_process *process = watchable_locked(self, target);
    if (process) {
        arm_locked(watch, self, process);
    } else {
        join_owner_locked(watch, self);
    }
    copi_lock_give(&lock);
    if (!process) {
        post_at_once(self, watch);
    }
    *ref = made;
    return 0;
}

static struct copi_watch *
find_link_locked(struct copi_process *self, cop_pid other)
{
    struct copi_watch *watch = self->watching;
    while (watch
           && !(watch->is_link && !watch->is_cancelled && cop_pid_eq(watch->down.pid, other))) {
        watch = watch->of_owner.next;
    }
    return watch;
}

/* 0; 1: it was linked before; -ESRCH: nobody is there. */
static int
link_locked(struct copi_process *self, cop_pid other, struct copi_watch *mine,
            struct copi_watch *theirs, bool is_new)
{
    if (!is_new && find_link_locked(self, other)) {
        return 1;
    }
    struct copi_process *process = watchable_locked(self, other);
    if (!process) {
        join_owner_locked(mine, self);
        return -ESRCH;
    }
    arm_locked(mine, self, process);
    arm_locked(theirs, process, self);
    return 0;
}

/* is_new: the other one has just been made, and cannot be linked yet. */
static int
link_to(struct copi_process *self, cop_pid other, bool is_new)
{
    cop_pid me = copi_pid(self);
    struct copi_watch *mine = new_watch(COPI_EXIT, me, other, (cop_ref){0});
    struct copi_watch *theirs = new_watch(COPI_EXIT, other, me, (cop_ref){0});
    if (!mine || !theirs) {
        free_watch(mine);
        free_watch(theirs);
        return -ENOMEM;
    }
    copi_lock_take(&lock);
    int r = link_locked(self, other, mine, theirs, is_new);
    copi_lock_give(&lock);
    if (r != 0) {
        free_watch(theirs);
        if (r > 0) {
            free_watch(mine);
        } else {
            post_at_once(self, mine);
        }
    }
    return 0;
}

int
copi_signals_link_new(struct copi_process *self, struct copi_process *child)
{
    return link_to(self, copi_pid(child), true);
}

int
copi_signals_monitor_new(struct copi_process *self, struct copi_process *child, cop_ref *ref)
{
    return monitor(self, copi_pid(child), ref);
}

/* Under the lock, so that who looks for the last process sees either that it was buried or that the
 * generation is another. */
void
copi_signals_begin(struct copi_process *process)
{
    copi_lock_take(&lock);
    process->buried = process->telling = false;
    copi_lock_give(&lock);
}

/* ---------------------------------------------------------------- ending */

/* What it watched is not wanted any more. The armed ones are the caller's to free; a flying one is
 * freed by who gets the message. */
static struct copi_watch *
stop_watching_locked(struct copi_process *process)
{
    struct copi_watch *gone = NULL;
    for (struct copi_watch *watch; (watch = process->watching);) {
        leave_owner_locked(watch);
        if (watch->of_target.link) {
            leave_target_locked(watch);
            watch->of_target.next = gone;
            gone = watch;
        }
    }
    return gone;
}

static struct copi_watch *
next_to_tell_locked(struct copi_process *process, cop_pid unlinked)
{
    struct copi_watch *watch = process->watchers;
    if (watch) {
        leave_target_locked(watch); /* flying */
        if (watch->is_link && cop_pid_eq(watch->owner, unlinked)) {
            cancel_locked(watch);
        }
    }
    return watch;
}

/*
 * Whom a signal ends may be in a system call of its own, where no message reaches it. One that traps exits is
 * to go on, and gets a message. The watch is the receiver's as soon as it is posted.
 */
static void
tell(struct copi_watch *watch, const cop_reason *reason)
{
    cop_pid owner = watch->owner;
    bool is_signal = watch->is_link && reason->kind != COP_NORMAL;
    watch->down.reason = *reason;
    copi_post_signal(owner, message_of(watch));
    if (is_signal) {
        copi_ladder_tell(owner);
    }
}

/* It is buried when nobody is left to tell. */
void
copi_signals_tell(struct copi_process *process, const cop_reason *reason, cop_pid unlinked)
{
    struct copi_watch *watch, *gone = NULL;
    do {
        copi_lock_take(&lock);
        process->telling = true;
        watch = next_to_tell_locked(process, unlinked);
        if (!watch) {
            gone = stop_watching_locked(process);
            process->buried = true;
        }
        copi_lock_give(&lock);
        if (watch) {
            tell(watch, reason);
        }
    } while (watch);
    free_watches(gone);
}

void
copi_signals_cancel_new(struct copi_process *child, cop_pid starter)
{
    struct copi_watch *gone = NULL;
    copi_lock_take(&lock);
    for (struct copi_watch *watch = child->watchers, *next; watch; watch = next) {
        next = watch->of_target.next;
        if (cop_pid_eq(watch->owner, starter)) {
            leave_target_locked(watch);
            leave_owner_locked(watch);
            watch->of_target.next = gone;
            gone = watch;
        }
    }
    copi_lock_give(&lock);
    free_watches(gone);
    copi_signals_tell(child, &nobody_there, COP_NOBODY);
}

void
copi_signals_discard(struct copi_message *message)
{
    if (message->kind == COPI_DOWN || message->kind == COPI_EXIT) {
        copi_lock_take(&lock);
        leave_owner_locked(as_watch(message));
        copi_lock_give(&lock);
        copi_live_gone(COPI_LIVE_WATCH);
    }
    copi_message_free(message);
}

/* ---------------------------------------------------------------- arriving */

struct copi_message *
copi_signals_arrived(struct copi_process *self, struct copi_message *message)
{
    if (message->kind == COPI_SIGNAL) {
        return copi_exit_signal_arrived(self, message);
    }
    struct copi_watch *watch = as_watch(message);
    copi_lock_take(&lock);
    leave_owner_locked(watch);
    copi_lock_give(&lock);
    copi_live_gone(COPI_LIVE_WATCH); /* an ordinary message from here on */
    if (watch->is_cancelled) {
        copi_message_free(message);
        return NULL;
    }
    if (message->kind == COPI_DOWN) {
        message->kind = COPI_SEND;
        message->tag = COP_MSG_DOWN;
        message->size = sizeof(struct cop_down);
        return message;
    }
    return copi_exit_signal_act(self, message, watch->down.pid, watch->down.reason, false);
}

/* ---------------------------------------------------------------- unmaking */

/* true: it is armed no more, and the caller's to free. Else it is flying, and will be ignored. */
static bool
disarm_locked(struct copi_watch *watch)
{
    cancel_locked(watch);
    if (!watch->of_target.link) {
        return false;
    }
    leave_target_locked(watch);
    leave_owner_locked(watch);
    return true;
}

/* What has been taken in already: this monitor's DOWN (ref), or this process's EXIT (pid). */
static bool
is_told(const struct copi_message *message, cop_ref ref, cop_pid pid)
{
    if (message->kind != COPI_SEND) {
        return false;
    }
    cop_ref told_ref;
    cop_pid told_pid;
    memcpy(&told_ref, message->body, sizeof told_ref);
    memcpy(&told_pid, message->body, sizeof told_pid);
    return (ref.id && message->tag == COP_MSG_DOWN && told_ref.id == ref.id)
           || (pid.id && message->tag == COP_MSG_EXIT && cop_pid_eq(told_pid, pid));
}

static bool
remove_told(struct copi_process *self, cop_ref ref, cop_pid pid)
{
    for (struct copi_message **link = &self->inbox.first; *link; link = &(*link)->next) {
        if (is_told(*link, ref, pid)) {
            copi_message_free(copi_list_remove(&self->inbox, link));
            return true;
        }
    }
    return false;
}

bool
copi_signals_demonitor(struct copi_process *self, cop_ref ref)
{
    copi_lock_take(&lock);
    struct copi_watch *watch = self->watching;
    while (watch && (watch->is_link || watch->down.ref.id != ref.id)) {
        watch = watch->of_owner.next;
    }
    bool found = watch && !watch->is_cancelled;
    bool armed = found && disarm_locked(watch);
    copi_lock_give(&lock);
    if (armed) {
        free_watch(watch);
    }
    return found || remove_told(self, ref, COP_NOBODY);
}

static void
unlink_from(struct copi_process *self, cop_pid other)
{
    copi_lock_take(&lock);
    struct copi_watch *mine = find_link_locked(self, other), *theirs = self->watchers;
    bool armed = mine && disarm_locked(mine);
    while (theirs && !(theirs->is_link && cop_pid_eq(theirs->owner, other))) {
        theirs = theirs->of_target.next;
    }
    if (theirs) {
        disarm_locked(theirs);
    }
    copi_lock_give(&lock);
    if (armed) {
        free_watch(mine);
    }
    free_watch(theirs);
    if (!mine) {
        remove_told(self, (cop_ref){0}, other);
    }
}

/* ---------------------------------------------------------------- public */

int
cop_link(cop_pid pid)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    cop_pid other = copi_resolve(pid);
    if (other.id == 0) {
        return copi_fail(-ESRCH);
    }
    r = cop_pid_eq(other, copi_pid(self)) ? 0 : link_to(self, other, false);
    return r ? copi_fail(r) : 0;
}

int
cop_unlink(cop_pid pid)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r == 0) {
        unlink_from(self, copi_resolve(pid));
    }
    return r;
}

cop_ref
cop_monitor(cop_pid pid)
{
    struct copi_process *self;
    cop_ref ref = {0};
    int r = copi_enter(&self);
    if (r == 0 && (r = monitor(self, copi_resolve(pid), &ref))) {
        copi_fail(r);
    }
    return ref;
}

int
cop_demonitor(cop_ref ref)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    return copi_signals_demonitor(self, ref) ? 0 : copi_fail(-ENOENT);
}
