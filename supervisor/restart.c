/*
 * supervisor/restart.c - what a supervisor does with its children, one and many.
 *
 * Room: supervisor/. The supervisor only.
 * Touch freely: the backoff. Ask first: the order of reports, stops, starts and counts: traces of
 * real trees are compared with OTP's.
 *
 * A restart is counted when it is attempted. An attempt that fails is not repeated at once: the
 * supervisor sends itself a message, so that what waits in its mailbox comes first (a request to stop
 * the child, or the supervisor), and the child is `restarting` until that message is handled. With a
 * backoff, the same happens before the attempt, and the message is a timer's.
 *
 * Any restart may find that children between have got another state: a group restart has started one
 * whose own attempt was still to come, a request has ended the attempts. So what a message says is
 * only: if this child is still restarting, try. It says so by a ticket, which the child has as long as it
 * is between two attempts, and which a pause that is cut short takes with it.
 *
 * To stop and start a hundred is to wake each twice and to be woken as often. On one core a stop takes 8 us, a
 * start 10 and a call of the new one 5: eight switches of threads, 12,000 instructions, and 2 us of system calls
 * that make the thread clean. On two it is 18, 24 and 12, as wake-ups lead to a halted core. What did not help,
 * in runs in turns: to wake whoever is stopped or started next while the one before is at work (9.4 ms beside
 * 8.2, and 3.1 beside 2.3 on one core, for he looks for his turn meanwhile), to look longer for an end, and to
 * be told of an end by the link first, so that nothing has to be unlinked.
 */
#include "supervisor/restart.h"

#include "runtime/inspect.h"
#include "runtime/process.h"
#include "runtime/recorder.h"
#include "supervisor/child.h"
#include "supervisor/report.h"
#include "supervisor/status.h"
#include "supervisor/strategy.h"
#include "supervisor/together.h"

#include <coppice/timer.h>

#include <limits.h>

static const char *
id_of(const struct copi_child *child)
{
    return child->spec->id;
}

bool
copi_is_kept(const struct copi_supervisor *sup, const struct copi_child *child)
{
    return child->spec->restart != COP_TEMPORARY && !copi_strategy_is_dynamic(sup->spec->strategy);
}

/* ---------------------------------------------------------------- one child */

static void
end_pause(struct copi_child *child)
{
    if (child->timer.id != 0) {
        cop_cancel_timer(child->timer, NULL);
        child->timer = (cop_ref){0};
    }
}

static void
set_state(struct copi_supervisor *sup, struct copi_child *child, enum copi_child_state state,
          cop_pid pid)
{
    end_pause(child);
    copi_siblings_set(&sup->children, child, state, pid);
}

static void
set_restarting(struct copi_supervisor *sup, struct copi_child *child)
{
    if (child->timer.id != 0) { /* too late, perhaps, to stop its message: no ticket, no entry */
        set_state(sup, child, COPI_CHILD_DOWN, child->pid);
    }
    set_state(sup, child, COPI_CHILD_RESTARTING, child->pid);
}

void
copi_forget_child(struct copi_supervisor *sup, struct copi_child *child)
{
    end_pause(child);
    copi_siblings_remove(&sup->children, child);
    copi_child_free(child);
}

/* It does not run any more, and will not without being asked to. */
static void
let_rest(struct copi_supervisor *sup, struct copi_child *child)
{
    if (copi_is_kept(sup, child)) {
        set_state(sup, child, COPI_CHILD_DOWN, COP_NOBODY);
    } else {
        copi_forget_child(sup, child);
    }
}

/* For whoever looks at the child from outside. */
static void
show_position(const struct copi_child *child)
{
    struct copi_position position = {
        .supervisor = cop_self(), .number = child->number, .restarts = child->restarts};
    memcpy(position.id, child->spec->id, sizeof position.id);
    copi_show_position(child->pid, &position);
}

int
copi_start_child(struct copi_supervisor *sup, struct copi_child *child, cop_pid *out,
                 cop_reason *why)
{
    cop_pid pid = COP_NOBODY;
    int r = copi_child_start(child->spec, copi_child_arg(child), &pid, why);
    if (r == 0) {
        bool runs = !cop_pid_eq(pid, COP_NOBODY);
        set_state(sup, child, runs ? COPI_CHILD_RUNNING : COPI_CHILD_DOWN, pid);
        child->started = cop_now();
        show_position(child);
        if (runs) {
            copi_report_progress(child);
        }
    }
    if (r == 0 && child->spec->restart == COP_TEMPORARY) {
        copi_child_drop_arg(child);
    }
    if (out) {
        *out = pid;
    }
    return r;
}

static bool
is_as_asked(const struct copi_supervisor *sup, const struct copi_child *child,
            const cop_reason *reason)
{
    return copi_is_stopped_as_asked(sup->spec->strategy, child->spec->restart,
                                    child->spec->shutdown, reason);
}

int
copi_stop_child(struct copi_supervisor *sup, struct copi_child *child)
{
    if (child->state == COPI_CHILD_RUNNING) {
        cop_reason reason;
        int r = copi_child_stop(child->spec, child->pid, &reason);
        if (r) {
            return r;
        }
        if (!is_as_asked(sup, child, &reason)) {
            copi_report_child(COP_EVENT_SHUTDOWN_ERROR, id_of(child), child->pid, &reason);
        }
    }
    let_rest(sup, child);
    return 0;
}

/* ---------------------------------------------------------------- many */

/* false: it has not. One that declines and is not kept is forgotten. */
static bool
start_one(struct copi_supervisor *sup, struct copi_child *child, struct copi_failed_start *failed)
{
    failed->code = copi_start_child(sup, child, NULL, &failed->why);
    if (failed->code) {
        failed->id = id_of(child);
        copi_report_child(COP_EVENT_START_ERROR, failed->id, child->pid, &failed->why);
        return false;
    }
    if (child->state == COPI_CHILD_DOWN) {
        let_rest(sup, child);
    }
    return true;
}

/* Start what comes after `before` (NULL: all). NULL, or the one that did not start. */
static struct copi_child *
start_after(struct copi_supervisor *sup, const struct copi_child *before,
            struct copi_failed_start *failed)
{
    struct copi_child *next, *child = before ? before->younger : sup->children.oldest;
    for (; child; child = next) {
        next = child->younger;
        if (!start_one(sup, child, failed)) {
            return child;
        }
    }
    return NULL;
}

bool
copi_start_all(struct copi_supervisor *sup, struct copi_failed_start *failed)
{
    return start_after(sup, NULL, failed) == NULL;
}

/* Stop what comes after `before`, youngest first. */
static int
stop_after(struct copi_supervisor *sup, const struct copi_child *before)
{
    struct copi_child *older, *child = sup->children.youngest;
    for (; child != before; child = older) {
        older = child->older;
        int r = copi_stop_child(sup, child);
        if (r) {
            return r;
        }
    }
    return 0;
}

void
copi_stop_all(struct copi_supervisor *sup)
{
    if (copi_strategy_is_dynamic(sup->spec->strategy)) {
        copi_stop_together(sup);
    } else {
        stop_after(sup, NULL);
    }
}

/* ---------------------------------------------------------------- restarting */

static void
count_restarts_after(struct copi_supervisor *sup, const struct copi_child *before)
{
    struct copi_child *child = before ? before->younger : sup->children.oldest;
    for (; child; child = child->younger) {
        if (child->state == COPI_CHILD_RUNNING) {
            child->restarts++;
            show_position(child);
        }
    }
}

/* The children from this one on are stopped and started. NULL, or the one that did not start. */
static struct copi_child *
restart_after(struct copi_supervisor *sup, const struct copi_child *before)
{
    struct copi_failed_start how;
    struct copi_child *failed = NULL;
    if (stop_after(sup, before) == 0) { /* or killed: whoever is left learns of it */
        failed = start_after(sup, before, &how);
        count_restarts_after(sup, before);
    }
    return failed;
}

/* The same for this one alone. It counts first: one that declines may be gone afterwards. */
static struct copi_child *
restart_one(struct copi_supervisor *sup, struct copi_child *child)
{
    struct copi_failed_start how;
    child->restarts++;
    if (start_one(sup, child, &how)) {
        return NULL;
    }
    child->restarts--;
    return child;
}

/* NULL, or the child to try again with, which is not always the one that it began with. */
static struct copi_child *
attempt(struct copi_supervisor *sup, struct copi_child *child)
{
    switch (sup->spec->strategy) {
    case COP_ONE_FOR_ONE:
    case COP_SIMPLE_ONE_FOR_ONE:
    case COP_DYNAMIC:
        break;
    case COP_ONE_FOR_ALL:
        return restart_after(sup, NULL);
    case COP_REST_FOR_ONE:
        return restart_after(sup, child->older);
    }
    return restart_one(sup, child);
}

static bool
has_backoff(const struct copi_supervisor *sup)
{
    return sup->spec->backoff.min > 0;
}

static int
send_to_self_later(const struct copi_supervisor *sup, struct copi_child *child)
{
    cop_time pause = copi_backoff_pause(&sup->spec->backoff, child->attempts, copi_random());
    child->timer = cop_send_after(cop_self(), COP_MSG_OF(COPI_PAUSE_OVER, child->ticket), pause);
    child->attempts += child->attempts < UINT_MAX;
    return child->timer.id ? 0 : cop_why().code;
}

static int
send_to_self(const struct copi_child *child)
{
    return cop_cast(cop_self(), COP_MSG_OF(COPI_TRY_AGAIN, child->ticket));
}

/* It does not run any more and is not restarted: what that means for the supervisor. */
static enum copi_outcome
rest_in_peace(struct copi_supervisor *sup, struct copi_child *child)
{
    bool significant = child->spec->significant;
    let_rest(sup, child);
    bool others_left = significant && copi_siblings_any_significant(&sup->children);
    bool is_over = copi_is_auto_shutdown(sup->spec->auto_shutdown, significant, others_left);
    return is_over ? COPI_AUTO_SHUTDOWN : COPI_GO_ON;
}

static enum copi_outcome
give_up(struct copi_supervisor *sup, struct copi_child *child)
{
    copi_report_gave_up(id_of(child), child->pid);
    if (sup->spec->give_up == COP_GIVE_UP_CHILD) {
        return rest_in_peace(sup, child);
    }
    let_rest(sup, child);
    return COPI_GIVE_UP;
}

/*
 * Restart it now, or later, as the backoff says; NULL is nobody to restart. A message that cannot be sent for want of memory
 * must not leave the child restarting for ever: then the next attempt follows at once, and the
 * intensity sees to it that there is an end of them.
 */
static enum copi_outcome
restart(struct copi_supervisor *sup, struct copi_child *child)
{
    while (child) {
        if (!copi_intensity_admit(&sup->intensity, cop_now())) {
            return give_up(sup, child);
        }
        copi_status_restarted();
        copi_record_note(copi_here.process, COP_RECORD_CHILD_RESTARTS, child->pid, 0, 0,
                         id_of(child));
        set_restarting(sup, child);
        if (has_backoff(sup) && send_to_self_later(sup, child) == 0) {
            return COPI_GO_ON;
        }
        child = attempt(sup, child);
        if (child) {
            set_restarting(sup, child);
            if (!has_backoff(sup) && send_to_self(child) == 0) {
                return COPI_GO_ON;
            }
        }
    }
    return COPI_GO_ON;
}

enum copi_outcome
copi_try_again(struct copi_supervisor *sup, uint64_t ticket)
{
    return restart(sup, copi_siblings_find_ticket(&sup->children, ticket));
}

/* The attempt was counted when the pause began; if it fails, the next one is counted. */
enum copi_outcome
copi_pause_is_over(struct copi_supervisor *sup, uint64_t ticket)
{
    struct copi_child *child = copi_siblings_find_ticket(&sup->children, ticket);
    if (!child) {
        return COPI_GO_ON;
    }
    child->timer = (cop_ref){0};
    return restart(sup, attempt(sup, child));
}

/* ---------------------------------------------------------------- ends */

enum copi_outcome
copi_process_ended(struct copi_supervisor *sup, cop_pid pid, const cop_reason *reason)
{
    struct copi_child *child = copi_siblings_find_running(&sup->children, pid);
    if (!child) {
        return COPI_GO_ON;
    }
    cop_restart rule = child->spec->restart;
    if (copi_is_end_reported(rule, reason)) {
        copi_report_ended(sup, child, reason);
    }
    if (!copi_is_restarted(rule, reason)) {
        return rest_in_peace(sup, child);
    }
    if (copi_backoff_is_healthy(&sup->spec->backoff, cop_now() - child->started)) {
        child->attempts = 0;
    }
    return restart(sup, child);
}
