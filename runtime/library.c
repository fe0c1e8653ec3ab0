/*
 * runtime/library.c - the library as a whole: its settings, its beginning, its end.
 *
 * Room: runtime/. Any thread.
 */
#include "runtime/library.h"

#include "runtime/fault.h"
#include "runtime/ladder.h"
#include "runtime/limit.h"
#include "runtime/live.h"
#include "runtime/log.h"
#include "runtime/log_limit.h"
#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/reactor.h"
#include "runtime/recorder.h"
#include "runtime/report.h"
#include "runtime/spawner.h"
#include "runtime/stop.h"
#include "runtime/table.h"
#include "runtime/timer.h"

#include <coppice/runtime.h>
#include <coppice/signal.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

static struct {
    pthread_once_t once;
    copi_atomic32 begun;
    bool no_fault_handlers;
    cop_time since; /* written by begin */
    copi_atomic32 owes;
    copi_lock ending;
} library = {.once = PTHREAD_ONCE_INIT, .ending = COPI_LOCK_INIT};

static void
forked(void)
{
    copi_store_relaxed_32(&copi_forked, 1);
    copi_here.process = NULL;
    copi_here.thread = NULL;
}

static void
thread_ends(void)
{
    copi_pool_leave();
    copi_live_leave();
}

static void
begin(void)
{
    copi_store_relaxed_32(&library.begun, 1);
    library.since = copi_clock();
    copi_thread_hooks(thread_ends, copi_process_foreign_ended);
    pthread_atfork(NULL, NULL, forked);
    copi_recorder_begin();
    if (!library.no_fault_handlers) {
        copi_fault_install();
    }
}

void
copi_library_begin(void)
{
    pthread_once(&library.once, begin);
}

cop_time
copi_library_since(void)
{
    copi_library_begin();
    return library.since;
}

/* One that can be handled, and that the processor does not raise. */
static bool
can_interrupt(int signal)
{
    switch (signal) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGABRT:
    case SIGTRAP:
    case SIGSYS:
        return false;
    default:
        return true;
    }
}

int
cop_configure(const cop_config *config)
{
    if (copi_load_relaxed_32(&library.begun)) {
        return -EBUSY;
    }
    cop_config known = {0};
    if (config) {
        memcpy(&known, config, config->size < sizeof known ? config->size : sizeof known);
    }
    if ((config && config->size == 0) || known.kill_grace < 0
        || (unsigned)known.log_level > COP_LOG_DEBUG || known.interrupt_signal < 0
        || known.interrupt_signal >= NSIG || !can_interrupt(known.interrupt_signal)) {
        return -EINVAL;
    }
    int r = copi_recorder_configure(&known);
    if (r) {
        return r;
    }
    copi_limit_configure(known.max_processes);
    copi_ladder_configure(known.kill_grace, known.max_disowned);
    copi_log_configure(&known);
    copi_report_observer(known.observe, known.observe_env);
    if (known.interrupt_signal) {
        copi_thread_set_interrupt(known.interrupt_signal);
    }
    if (known.no_busy_waiting) {
        copi_spin_decline();
    }
    library.no_fault_handlers = known.no_fault_handlers;
    return 0;
}

/* ---------------------------------------------------------------- the end */

/* Those whose parent is a process of ours are their parent's to stop. */
static bool
is_top(struct copi_process *process)
{
    struct copi_process *parent = copi_table_find(copi_parent(process));
    return !parent || copi_is(parent, COPI_IS_FOREIGN);
}

/* A server may trap exits and ignore a stranger's; what cop_stop_process asks, it does. */
static int
ask(struct copi_process *self, struct copi_process *process, cop_pid pid)
{
    if (copi_is(process, COPI_IS_SERVER)) {
        return copi_ask_to_stop(self, pid, &COP_REASON_SHUTDOWN);
    }
    return cop_exit_signal(pid, COP_REASON_SHUTDOWN);
}

/* It knows what it is asked for by the time that it hears of it. Without memory it is asked the next time. */
static void
ask_once(struct copi_process *self, struct copi_process *process, cop_pid pid)
{
    if (copi_load_relaxed_64(&process->asked_to_end) == pid.id) {
        return;
    }
    copi_store_relaxed_64(&process->asked_to_end, pid.id);
    if (ask(self, process, pid) != 0) {
        copi_store_relaxed_64(&process->asked_to_end, 0);
    }
}

static void
end_all(struct copi_process *self, bool kill)
{
    for (uint32_t i = 1; i < copi_table_end(); i++) {
        struct copi_process *process = copi_table_at(i);
        cop_pid pid = copi_pid(process);
        if (pid.id == 0 || copi_is(process, COPI_IS_FOREIGN)) {
            continue;
        }
        if (kill) {
            cop_exit_signal(pid, COP_REASON_KILLED);
        } else if (is_top(process)) {
            ask_once(self, process, pid);
        }
    }
}

static bool
all_ended(void)
{
    for (uint32_t i = 1; i < copi_table_end(); i++) {
        struct copi_process *process = copi_table_at(i);
        if (copi_pid(process).id != 0 && !copi_is(process, COPI_IS_FOREIGN)) {
            return false;
        }
    }
    return true;
}

void
copi_library_owes(bool owes)
{
    copi_store_release_32(&library.owes, owes); /* pairs with nothing_is_left */
}

/* Who has started a process for it says so afterwards: either is seen. */
static bool
nothing_is_left(void)
{
    return !copi_load_acquire_32(&library.owes) && all_ended(); /* pairs with copi_library_owes */
}

/* Polling, at growing intervals: this happens once, and nobody has to announce himself for it. Who is
 * started meanwhile, or loses the parent that would have stopped it, is asked, too. */
static bool
await_end(struct copi_process *self, cop_time deadline)
{
    struct copi_parker pause;
    copi_parker_init(&pause);
    for (cop_time step = COP_US(50); !nothing_is_left(); step += step < COP_MS(5) ? step : 0) {
        if (copi_clock() >= deadline) {
            return false;
        }
        copi_park(&pause, copi_deadline(step));
        end_all(self, false);
    }
    return true;
}

int
cop_shutdown(cop_time timeout)
{
    if (copi_is_forked()) {
        return -EPERM;
    }
    if (copi_here.thread) {
        return copi_fail(-EDEADLK);
    }
    if (!copi_load_relaxed_32(&library.begun)) {
        return 0;
    }
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    cop_time deadline = copi_deadline(timeout);
    copi_log_flush(deadline);
    end_all(self, false);
    bool orderly = await_end(self, deadline);
    while (!all_ended()) {
        end_all(self, true);
        await_end(self, copi_deadline(COP_MS(50)));
    }
    copi_lock_take(&library.ending); /* threads are joined by one of those who shut down */
    copi_spawner_stop();
    /* Who is disowned may come back at any time, and is joined then: so the count is read again and again. */
    while (!copi_thread_drained(cop_disowned(), copi_deadline(COP_MS(50)))) {
    }
    copi_timer_stop();
    copi_reactor_stop();
    copi_recorder_stop();
    copi_lock_give(&library.ending);
    copi_log_limit_tell(); /* nobody else will, after the timers' end */
    return orderly ? 0 : copi_fail(-ETIMEDOUT);
}

void
cop_trim(void)
{
    if (copi_is_forked()) {
        return;
    }
    copi_thread_trim();
    copi_pool_trim();
    copi_timer_trim();
}

void
cop_hibernate(void)
{
    if (!copi_is_forked() && copi_here.thread) {
        copi_pool_trim_own();
        copi_thread_trim_stack();
    }
}
