/*
 * runtime/ladder.c - the stop that always finishes.
 *
 * Room: runtime/. Any thread; the steps run on the timer thread.
 * Touch freely: the times. Ask first: the order of the steps.
 *
 *   1. The request is in the mailbox, and every wait of the runtime's has been woken (signals.c).
 *   2. A signal without SA_RESTART to the thread, again and again, at growing intervals: read, poll
 *      and nanosleep return EINTR, and the process sees that it is to stop. It does not reach a
 *      thread that waits for a lock or computes; nothing does. Sent under the lock of the record, in
 *      which the thread signs on and off, so that it never hits another actor's thread. A process
 *      that traps exits has been asked by a message and is left alone until it is killed; so is one
 *      in terminate. One that only a link, or the failure of another, ends is interrupted until it has
 *      taken that in: by then it may be linked no more.
 *   3. A grace after the kill, the thread is disowned: the process is ended from here, its thread is
 *      left where it is, and ends when it next enters the library.
 *   4. More than max_disowned: the program is beyond repair, and says so and ends.
 */
#include "runtime/ladder.h"

#include "runtime/inspect.h"
#include "runtime/process.h"
#include "runtime/report.h"
#include "runtime/table.h"
#include "runtime/timer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    STATUS_TOO_MANY_DISOWNED = 70, /* EX_SOFTWARE */
};
#define FIRST_STEP   COP_MS(1)
#define LONGEST_STEP COP_MS(100)

enum phase {
    AT_EASE,
    TOLD,
    ASKED,
    KILLED,
};

static struct {
    /* written before the first process */
    cop_time kill_grace;
    unsigned max_disowned;
    /* any thread, atomic */
    copi_atomic32 disowned;
} ladder = {.kill_grace = COP_SEC(2), .max_disowned = 8};

void
copi_ladder_configure(cop_time kill_grace, unsigned max_disowned)
{
    ladder.kill_grace = kill_grace ? kill_grace : COP_SEC(2);
    ladder.max_disowned = max_disowned ? max_disowned : 8;
}

static void
disown(struct copi_process *process, cop_pid pid)
{
    char name[COPI_LABEL_SIZE];
    copi_label(process, name);
    const char *callback = copi_load_relaxed_ptr(&process->callback);
    cop_time since = (cop_time)copi_load_relaxed_64(&process->since);
    unsigned count = copi_process_disown(process, pid);
    if (count == 0) {
        return; /* it ended by itself after all */
    }
    copi_report(COPI_ERROR,
                "%s did not stop and was disowned: in %s for %lld ms; %u threads are disowned now",
                name, callback ? callback : "a wait",
                since ? (long long)((copi_clock_coarse() - since) / COP_MS(1)) : 0, count);
    if (count > ladder.max_disowned) {
        copi_report(COPI_ERROR, "more than %u threads are disowned: the program ends",
                    ladder.max_disowned);
        _exit(STATUS_TOO_MANY_DISOWNED);
    }
}

unsigned
copi_ladder_left(void)
{
    return copi_fetch_add_32(&ladder.disowned, 1) + 1;
}

void
copi_ladder_returned(void)
{
    copi_fetch_add_32(&ladder.disowned, (uint32_t)-1);
}

unsigned
cop_disowned(void)
{
    return copi_load_relaxed_32(&ladder.disowned);
}

/* Who has taken in what it was told ends there, or has been unlinked meanwhile and goes on. */
static bool
has_heard(const struct copi_process *process)
{
    return process->stop_phase == TOLD && !copi_load_relaxed_32(&process->signals);
}

static bool
leave_alone(const struct copi_process *process)
{
    return process->stop_phase < KILLED
           && (copi_load_relaxed_32(&process->traps)
               || copi_load_relaxed_32(&process->uncancelled));
}

static void step(uint64_t pid);

/* Whole steps, so that the timer thread is woken once for all that are stopped one after another. */
static cop_time
next_step(cop_time pause)
{
    cop_time next = copi_clock() + pause + FIRST_STEP - 1;
    return next - next % FIRST_STEP;
}

/* Who is asked has all the time that its supervisor gives it; who is killed has the grace. */
static void
step_again_locked(struct copi_process *process, cop_pid pid)
{
    cop_time next = next_step(process->stop_step);
    if (process->stop_step < LONGEST_STEP) {
        process->stop_step *= 2;
    }
    if (process->stop_phase == KILLED && next > process->stop_deadline) {
        next = process->stop_deadline;
    }
    if (copi_timer_call(next, step, pid.id) != 0) {
        process->stop_phase = AT_EASE; /* no memory at all: the next request tries again */
    }
}

static void
step(uint64_t id)
{
    cop_pid pid = {id};
    struct copi_process *process = copi_table_find(pid);
    if (!process) {
        return;
    }
    copi_lock_take(&process->lock);
    bool late = false;
    if (copi_pid(process).id == id && copi_load_relaxed_32(&process->life) == COPI_ALIVE) {
        late = process->stop_phase == KILLED && copi_clock() >= process->stop_deadline;
        if (has_heard(process)) {
            process->stop_phase = AT_EASE;
        } else if (!late) {
            if (process->thread && !leave_alone(process)) {
                copi_thread_interrupt(process->thread);
            }
            step_again_locked(process, pid);
        }
    }
    copi_lock_give(&process->lock);
    if (late) {
        disown(process, pid);
    }
}

static void
begin(cop_pid pid, enum phase phase)
{
    struct copi_process *process = copi_table_find(pid);
    if (!process) {
        return;
    }
    copi_lock_take(&process->lock);
    bool same = copi_pid(process).id == pid.id && !copi_is(process, COPI_IS_FOREIGN);
    if (same && process->stop_phase < phase) {
        bool stepping = process->stop_phase != AT_EASE;
        process->stop_phase = phase;
        process->stop_deadline = copi_deadline(ladder.kill_grace);
        process->stop_step = FIRST_STEP;
        if (!stepping || phase == KILLED) {
            step_again_locked(process, pid);
        }
    }
    copi_lock_give(&process->lock);
}

void
copi_ladder_begin(cop_pid pid, bool killed)
{
    begin(pid, killed ? KILLED : ASKED);
}

void
copi_ladder_tell(cop_pid pid)
{
    const struct copi_process *process = copi_table_find(pid);
    if (process && !copi_load_relaxed_32(&process->traps)) {
        begin(pid, TOLD);
    }
}
