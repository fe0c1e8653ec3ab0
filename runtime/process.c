/*
 * runtime/process.c - a process's life: spawned, run, ended.
 *
 * Room: runtime/.
 * Touch freely: nothing. Ask first: the order in which a process ends.
 *
 * The life of a record: taken from the table, filled in, named, watched if the starter asked, then
 * published: from there on its pid finds it. Then a thread runs it.
 *
 * The end, on its own thread, after the jump to its start (exit.c):
 *
 *   1. terminate, if the process left by its own cop_exit and the behaviour has one
 *   2. the deferred calls of the process, what is in its dictionary; a kill that came until here is the reason
 *   3. its memory, its contexts
 *   4. its pid, name and timers: nobody finds it any more; descriptors that the library has for it
 *   5. its requests are refused, its mailbox is closed
 *   6. the observer sees the exit
 *   7. who watches it is told, then who waits for its start
 *   8. the record is free
 *
 * `life` decides who does 4 to 7. The process's own thread turns ALIVE into ENDED; whoever disowns it
 * turns ALIVE into DISOWNED, and does them from outside, leaving alone what belongs to the thread.
 * The thread of a disowned process finds that out at its next call, runs 2 and 3, which nobody else
 * could, and gives the record back.
 *
 * Foreign threads get a record at their first call, without a jump point: they end when the thread
 * does.
 */
#include "runtime/process.h"

#include "runtime/alloc.h"
#include "runtime/belonging.h"
#include "runtime/context.h"
#include "runtime/cycle.h"
#include "runtime/dictionary.h"
#include "runtime/exit.h"
#include "runtime/fault.h"
#include "runtime/inbox.h"
#include "runtime/inspect.h"
#include "runtime/ladder.h"
#include "runtime/library.h"
#include "runtime/limit.h"
#include "runtime/live.h"
#include "runtime/memory.h"
#include "runtime/name.h"
#include "runtime/notice.h"
#include "runtime/recorder.h"
#include "runtime/report.h"
#include "runtime/request.h"
#include "runtime/send.h"
#include "runtime/signals.h"
#include "runtime/table.h"
#include "runtime/timer.h"
#include "runtime/trace.h"
#include "runtime/via.h"
#include "runtime/wait.h"

#include <errno.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- small things */

/* Whose cop_why() it is: a thread's first call may be the one that fails. */
static struct copi_process *
who_fails(void)
{
    struct copi_process *self = copi_here.process;
    return self || copi_enter_slow(&self) == 0 ? self : NULL;
}

int
copi_fail(int code)
{
    struct copi_process *self = who_fails();
    if (self) {
        self->reasons->why.kind = COP_FAILED;
        self->reasons->why.code = code;
        self->reasons->why.text[0] = '\0';
    }
    return code;
}

int
copi_fail_why(const cop_reason *why, int code)
{
    struct copi_process *self = who_fails();
    if (self) {
        self->reasons->why = *why;
    }
    return code;
}

cop_ref
copi_make_ref(struct copi_process *self, uint32_t target)
{
    enum {
        BLOCK = 1 << 16
    };
    static copi_atomic64 next_block;
    if (self->next_ref == self->last_ref) {
        self->next_ref = copi_fetch_add_64(&next_block, BLOCK) + 1;
        self->last_ref = self->next_ref + BLOCK - 1;
    }
    const uint64_t mask = (UINT64_C(1) << COPI_REF_SEQUENCE_BITS) - 1;
    return (cop_ref){((uint64_t)target << COPI_REF_SEQUENCE_BITS) | (self->next_ref++ & mask)};
}

cop_pid
cop_self(void)
{
    struct copi_process *self;
    return copi_enter(&self) == 0 ? self->pid : COP_NOBODY;
}

/* A request to stop, or an empty token of its own, says nothing of why. */
void
copi_note_in_hand(struct copi_process *self)
{
    const struct copi_message *message = self->current;
    if (message && message->kind != COPI_STOP && (message->tag || message->from.id)) {
        self->in_hand = (struct copi_in_hand){message->from, message->tag, true};
    }
}

void
copi_callback_over_slow(struct copi_process *self)
{
    if (self->callback_defers.count > 0) {
        copi_defers_run(self, &self->callback_defers);
    }
    struct copi_message *message = self->current;
    if (message && message->kind == COPI_CALL && message->code == 0) {
        copi_request_defer(self);
    } else if (message && message->kind == COPI_CALL) {
        self->current = NULL;
        copi_request_refuse(message, message->code, NULL);
    } else if (message) {
        self->current = NULL;
        copi_message_free(message);
    }
}

/* ---------------------------------------------------------------- the record */

_Static_assert(offsetof(struct copi_process, mailbox) == 0, "copi_send_soon");
_Static_assert(offsetof(struct copi_process, waits_for) == 64, "a line behind that of the senders");
_Static_assert(offsetof(struct copi_process, id) == 128, "a line behind that of who asks");
_Static_assert(offsetof(struct copi_process, reasons) < 192,
               "the owner reads it whenever he sends");

/* One that nobody has written stays untouched. */
static void
forget_title_locked(struct copi_title *title)
{
    if (title->label[0] != '\0') {
        memset(title->label, 0, sizeof title->label);
    }
    if (title->position.supervisor.id != 0) {
        title->position.supervisor = COP_NOBODY;
    }
}

/* What a new process finds. What senders of the last one may still touch is left as it is. */
static void
clear(struct copi_process *process, const struct copi_behaviour *behaviour)
{
    char *first = (char *)&process->inbox, *behind = (char *)&process->lock;
    memset(first, 0, (size_t)(behind - first));
    copi_list_init(&process->inbox);
    copi_list_init(&process->notices);
    copi_store_relaxed_64(&process->noticed, 0);
    copi_parker_init(&process->parker);
    copi_store_relaxed_64(&process->waits_for, 0);
    copi_store_relaxed_64(&process->waits_for_pid, 0);
    copi_send_begin(process);
    copi_store_relaxed_32(&process->signals, 0);
    copi_store_relaxed_32(&process->traps, 0);
    copi_store_relaxed_32(&process->uncancelled, 0);
    copi_store_relaxed_ptr(&process->callback, NULL);
    copi_store_relaxed_ptr(&process->waits_in, NULL);
    copi_store_relaxed_32(&process->is_suspended, 0);
    copi_store_relaxed_64(&process->since, 0);
    copi_store_relaxed_64(&process->dated, 0);
    process->not_dated = 0;
    copi_store_relaxed_64(&process->handled, 0);
    copi_store_relaxed_64(&process->inside, 0);
    copi_store_relaxed_64(&process->owned_bytes, 0);
    copi_store_relaxed_64(&process->dropped, 0);
    copi_store_relaxed_64(&process->longest, 0);
    copi_store_relaxed_ptr(&process->ring, NULL);
    process->limit = 0;
    copi_store_relaxed_32(&process->nature, 0);
    copi_store_relaxed_64(&process->parent, 0);
    copi_store_relaxed_64(&process->started, (uint64_t)copi_clock_coarse());
    copi_store_relaxed_ptr(&process->strategy, NULL);

    copi_lock_take(&process->lock);
    process->thread = NULL;
    process->started_ack = NULL;
    process->stop_phase = 0;
    forget_title_locked(process->title);
    process->behaviour = behaviour;
    copi_lock_give(&process->lock);
    copi_signals_begin(process);
}

static void
publish(struct copi_process *process)
{
    copi_store_release_32(&process->life, COPI_ALIVE);
    copi_table_publish(process);
}

/* ---------------------------------------------------------------- the end */

void
copi_acknowledge(struct copi_process *self, int code, const cop_reason *reason)
{
    copi_lock_take(&self->lock);
    struct copi_message *ack = self->started_ack;
    self->started_ack = NULL;
    copi_lock_give(&self->lock);
    if (!ack) {
        return;
    }
    struct copi_started started = {.code = code, .reason = *reason};
    memcpy(ack->body, &started, sizeof started);
    struct copi_process *starter = copi_table_find(self->starter);
    if (starter) {
        copi_cycle_release(starter, ack->ref);
    }
    copi_post(self->starter, ack);
}

/* What it still has in hand: bodies are dropped before anybody learns that it has ended. */
static void
release_own(struct copi_process *self)
{
    struct copi_message *held[] = {self->received, self->current,    self->answer,
                                   self->outgoing, self->held_reply, self->token};
    for (size_t i = 0; i < sizeof held / sizeof *held; i++) {
        if (held[i]) {
            copi_refuse(held[i], -EPIPE);
        }
    }
    self->received = self->current = self->answer = NULL;
    self->outgoing = self->held_reply = self->token = NULL;
    copi_notices_drop(self);
    free(self->arg_copy);
    self->arg_copy = NULL;
    copi_trace_free(self);
}

/* Steps 4 to 7, by whoever ends it. */
static void
serve_end(struct copi_process *process, const cop_reason *reason, bool by_itself)
{
    /* Who waits for the start learns of the end by that, not by a link of it as well. */
    cop_pid starter = process->started_ack ? process->starter : COP_NOBODY;
    if (by_itself) {
        copi_report_crash(process, reason); /* while it has its name */
        copi_record_exit(process, reason);
    } else {
        copi_recorder_disowned(process);
    }
    copi_table_withdraw(process);
    copi_name_release(process);
    copi_timer_process_ends(process);
    copi_belongings_process_ends(process, reason);
    if (by_itself) {
        copi_request_refuse_in_hand(process);
        copi_refuse_all(process->inbox.first, -ESRCH, reason);
        copi_list_init(&process->inbox);
        release_own(process);
    }
    copi_refuse_all(copi_mailbox_close(&process->mailbox), -ESRCH, reason);
    if (!by_itself) {
        copi_request_refuse_waiting_for(process, reason);
    }
    copi_report_exit(process, reason);
    if (process->behaviour->ended) {
        process->behaviour->ended(process, reason, !by_itself);
    }
    copi_signals_tell(process, reason, starter);
    copi_send_wake_blocked(process);
    copi_acknowledge(process, process->declined ? COPI_DECLINED : cop_reason_error(*reason),
                     reason);
}

/* A contained fault: what the incarnation had is suspect, and kept as it is. */
static void
keep_own(struct copi_process *self)
{
    copi_memory_keep_all(self);
    self->received = NULL;
    self->outgoing = self->held_reply = self->token = NULL;
    self->arg_copy = NULL;
    if (self->current && self->current->kind != COPI_CALL) {
        self->current = NULL;
    }
    copi_thread_retire();
}

/* A record that nobody has failed in stays untouched: process.h. */
static void
forget_why(struct copi_process *self)
{
    cop_reason *why = &self->reasons->why;
    if (why->kind != COP_NORMAL || why->code != 0 || why->text[0] != '\0') {
        *why = COP_REASON_NORMAL;
    }
}

static void
give_record_back(struct copi_process *self)
{
    copi_lock_take(&self->lock);
    self->thread = NULL;
    copi_lock_give(&self->lock);
    copi_parker_fini(&self->parker);
    forget_why(self);
    copi_pool_flush();
    copi_recorder_leave(self);
    copi_here.process = NULL;
    copi_store_relaxed_32(&self->life, COPI_FREE);
    copi_table_give(self);
}

static void
end(struct copi_process *self)
{
    copi_store_relaxed_32(&self->uncancelled, 1);
    self->held = 1;
    copi_note_in_hand(self);
    if (self->contained) {
        keep_own(self);
    } else {
        copi_memory_free_all(self);
    }
    copi_context_end(self);
    if (self->awaited.id) {
        copi_request_settled(self->pid, self->awaited);
    }

    uint32_t alive = COPI_ALIVE;
    if (copi_cas_32(&self->life, &alive, COPI_ENDED)) { /* pairs with copi_process_disown */
        copi_thread_finishing();
        serve_end(self, &self->reasons->end, true);
    } else {
        copi_lock_take(&self->lock); /* it has been counted by who disowned it */
        copi_ladder_returned();
        copi_lock_give(&self->lock);
        copi_thread_retire();
        copi_request_refuse_in_hand(self);
        copi_refuse_all(self->inbox.first, -ESRCH, NULL);
        release_own(self);
    }
    give_record_back(self);
}

/* Under its lock, which nobody moves in without, so that it is this one, and is counted before its thread can count
 * itself back and before anybody hears of it. */
unsigned
copi_process_disown(struct copi_process *process, cop_pid pid)
{
    uint32_t alive = COPI_ALIVE;
    unsigned count = 0;
    copi_lock_take(&process->lock);
    if (copi_pid(process).id == pid.id
        && copi_cas_32(&process->life, &alive, COPI_DISOWNED)) { /* pairs with end */
        count = copi_ladder_left();
    }
    copi_lock_give(&process->lock);
    if (count > 0) {
        serve_end(process, &COP_REASON_KILLED, false);
    }
    return count;
}

/* ---------------------------------------------------------------- running */

/* Its own decision to end: terminate runs, as OTP has it. What it decides by cop_exit counts. */
static void
finish(struct copi_process *self, struct copi_jump *start)
{
    if (!self->left_by_exit || !self->behaviour->finish || self->finished) {
        return;
    }
    self->finished = true;
    copi_store_relaxed_32(&self->uncancelled, 1);
    if (copi_jump_here(start) == 0) {
        self->held = 1;
        self->behaviour->finish(self, &self->reasons->end);
    }
    self->held = 0;
}

/* Each call is taken off before it runs, so one that leaves by cop_exit is not run again. */
static void
run_deferred(struct copi_process *self, struct copi_jump *start)
{
    copi_store_relaxed_32(&self->uncancelled, 1);
    copi_jump_here(start);
    self->held = 0;
    copi_defers_run(self, &self->callback_defers);
    copi_defers_run(self, &self->process_defers);
    copi_dictionary_end(self);
}

/*
 * Who is killed has no say in it, however far its own end had come: its links are told of the kill, or of the
 * exit signal that came before it, also where terminate was told another reason, as in OTP. A contained fault is told as what it was.
 */
static void
heed_kill(struct copi_process *self)
{
    if (copi_load_relaxed_32(&self->signals)) {
        copi_take_in_signals(self); /* sent while it was in no call of ours */
    }
    if (self->pending == COPI_KILLED_BY && !self->contained) {
        self->reasons->end = self->reasons->pending;
    }
}

static void
live(struct copi_process *self)
{
    struct copi_jump origin;
    self->jump = &origin; /* cppcheck-suppress autoVariables ; nobody jumps after this returns */
    if (copi_jump_here(&origin) == 0) {
        self->reasons->end = self->behaviour->run(self);
    }
    copi_callback_end(self);
    self->held = 0;
    self->shielded = false;
    finish(self, &origin);
    run_deferred(self, &origin);
    heed_kill(self);
}

/*
 * The name is for people, in top or in a debugger. A process that has none is called by its pid, and only from
 * when it first sleeps: one that never does has usually ended before anybody has looked, and to be named took a
 * fifth of the time that its whole life takes. What its thread shows until then is nobody's.
 */
void
copi_process_show_name(struct copi_process *self)
{
    char name[COPI_LABEL_SIZE];
    copi_thread_name(copi_label(self, name));
    copi_here.is_nameless = false;
}

static void
name_thread(struct copi_process *self)
{
    if (!self->is_nameless) {
        copi_process_show_name(self);
    } else if (!copi_here.is_nameless) { /* it shows the name of who had it, or who made it */
        copi_thread_name("cop:process");
        copi_here.is_nameless = true;
    }
}

static void
run_job(struct copi_job *job)
{
    struct copi_process *self =
        (struct copi_process *)(void *)((char *)job - offsetof(struct copi_process, job));
    copi_here.process = self;
    name_thread(self);
    copi_recorder_enter(self);
    copi_lock_take(&self->lock);
    self->thread = copi_here.thread;
    copi_lock_give(&self->lock);
    live(self);
    end(self);
}

/* ---------------------------------------------------------------- foreign threads */

/* Its life is the thread's own: nothing of ours runs it. */
static const struct copi_behaviour foreign_thread = {.kind = "thread"};

void
copi_process_foreign_ended(struct copi_process *self)
{
    copi_here.process = self;
    self->reasons->end = COP_REASON_NORMAL;
    copi_defers_run(self, &self->callback_defers);
    copi_defers_run(self, &self->process_defers);
    copi_dictionary_end(self);
    end(self);
    copi_pool_leave();
    copi_live_leave();
}

static int
adopt(struct copi_process **out)
{
    if (copi_here.thread || copi_here.is_library || copi_is_forked()) {
        return -EPERM; /* ours, without a process; or in a fork's child */
    }
    copi_library_begin();
    struct copi_process *process;
    int r = copi_table_take(&process);
    if (r) {
        return r;
    }
    clear(process, &foreign_thread);
    copi_store_relaxed_32(&process->nature, COPI_IS_FOREIGN);
    r = copi_thread_adopt(process);
    if (r) {
        copi_table_withdraw(process);
        copi_table_give(process);
        return r;
    }
    publish(process);
    copi_recorder_enter(process);
    *out = process;
    return 0;
}

int
copi_enter_slow(struct copi_process **out)
{
    struct copi_process *self = copi_here.process;
    if (!self) {
        return adopt(out);
    }
    if (copi_load_relaxed_32(&self->life) == COPI_DISOWNED) {
        return copi_fail(-ECANCELED); /* who gets a reference only finds the reason there */
    }
    *out = self; /* a drop function that runs while it ends */
    return 0;
}

int
copi_enter_exit_point(struct copi_process **out)
{
    struct copi_process *self = copi_here.process;
    uint32_t life = self ? copi_load_relaxed_32(&self->life) : COPI_ALIVE;
    if (life == COPI_DISOWNED && self->jump && self->held == 0) {
        copi_exit_disowned(self);
    }
    return life == COPI_ENDED ? -ECANCELED : copi_enter(out); /* a drop function of the end's */
}

/* ---------------------------------------------------------------- starting */

static uint32_t
nature_of(const struct copi_behaviour *behaviour)
{
    return (behaviour->is_server ? COPI_IS_SERVER : 0)
           | (behaviour->collects ? COPI_COLLECTS_ANSWERS : 0);
}

/* The last byte stays 0. Who reports on the last tenant may still be reading. */
static void
set_label(struct copi_process *process, const char *label)
{
    char *place = process->title->label;
    copi_lock_take(&process->lock);
    strncpy(place, label, COPI_LABEL_ITSELF - 1);
    copi_lock_give(&process->lock);
}

static int
fill_in(struct copi_process *process, const struct copi_spawn *spawn, const cop_start_opts *opts)
{
    clear(process, spawn->behaviour);
    process->what = spawn->what;
    copi_store_relaxed_32(&process->nature, nature_of(spawn->behaviour));
    process->limit = (uint32_t)(opts->mailbox.limit > INT32_MAX ? INT32_MAX : opts->mailbox.limit);
    process->when_full = opts->mailbox.when_full;
    process->evicts_at = process->when_full == COP_FULL_DROP_OLD ? process->limit : 0;
    process->contain_faults = opts->contain_faults || copi_fault_contained_by_default();
    process->job = (struct copi_job){
        .run = run_job,
        .stack_size = opts->stack_size,
        .fresh = opts->fresh_thread,
    };
    if (spawn->state_size > 0 && !(process->state = copi_memory_new(process, spawn->state_size))) {
        return -ENOMEM;
    }
    if (opts->arg.size > 0) {
        process->arg_copy = copi_alloc(opts->arg.size);
        if (!process->arg_copy) {
            return -ENOMEM;
        }
        memcpy(process->arg_copy, opts->arg.data, opts->arg.size);
        process->arg = (cop_bytes){process->arg_copy, opts->arg.size};
    }
    process->is_nameless = !opts->name && !opts->label;
    if (opts->label) {
        set_label(process, opts->label);
    }
    copi_context_begin(process, opts->context);
    return 0;
}

static int
prepare_acknowledgement(struct copi_process *self, struct copi_process *process, cop_ref *ref)
{
    struct copi_message *ack = copi_message_new(COPI_REPLY, 0, sizeof(struct copi_started));
    if (!ack) {
        return -ENOMEM;
    }
    *ref = ack->ref = copi_make_ref(self, process->index);
    process->started_ack = ack;
    process->starter = self->pid;
    return 0;
}

/* What a start failed with that is more than a code. */
struct refusal {
    cop_pid holder; /* of the key: -EEXIST */
    bool is_told;   /* cop_why() has been set */
};

static int
claim_key(struct copi_process *process, const cop_via *via, struct refusal *refusal)
{
    int r = copi_via_claim(process, via, &refusal->holder);
    refusal->is_told = r != 0;
    return r;
}

/* All that can fail of a start, but the thread. Its pid finds it from here on. */
static int
introduce(struct copi_process *self, struct copi_process *process, cop_ref *ref,
          const struct copi_spawn *spawn, const cop_start_opts *opts, struct refusal *refusal)
{
    if (opts->link) {
        copi_store_relaxed_64(&process->parent, self->pid.id);
    }
    publish(process);
    int r = opts->name  ? copi_name_claim(process, opts->name)
            : opts->via ? claim_key(process, opts->via, refusal)
                        : 0;
    if (r == 0 && spawn->acknowledged) {
        r = prepare_acknowledgement(self, process, ref);
    }
    if (r == 0 && opts->link) {
        r = copi_signals_link_new(self, process);
    }
    if (r == 0 && opts->monitor) {
        r = copi_signals_monitor_new(self, process, opts->monitor);
    }
    return r;
}

/* It never ran. */
static void
abandon(struct copi_process *process, cop_pid starter)
{
    copi_table_withdraw(process);
    copi_name_release(process);
    copi_timer_process_ends(process);
    copi_refuse_all(copi_mailbox_close(&process->mailbox), -ESRCH, NULL);
    copi_signals_cancel_new(process, starter);
    if (process->started_ack) {
        copi_message_free(process->started_ack);
        process->started_ack = NULL;
    }
    copi_context_end(process);
    copi_memory_free_all(process);
    free(process->arg_copy);
    copi_store_relaxed_32(&process->life, COPI_FREE);
    copi_table_give(process);
}

static int
check(const struct copi_spawn *spawn, const cop_start_opts *opts)
{
    bool valid = spawn->behaviour && spawn->what && copi_name_check(opts->name) == 0
                 && (!opts->label || strnlen(opts->label, COPI_LABEL_ITSELF) < COPI_LABEL_ITSELF)
                 && !(opts->name && opts->via) && (opts->arg.size == 0 || opts->arg.data)
                 && opts->mailbox.when_full <= COP_FULL_DROP_OLD && opts->init_timeout >= 0;
    return valid ? copi_limit_admit(copi_table_used()) : -EINVAL;
}

static int
start(struct copi_process *self, struct copi_process *process, cop_ref *ref,
      const struct copi_spawn *spawn, const cop_start_opts *opts, struct refusal *refusal)
{
    int r = fill_in(process, spawn, opts);
    if (r) {
        copi_memory_free_all(process);
        copi_table_withdraw(process);
        copi_table_give(process);
        return r;
    }
    r = introduce(self, process, ref, spawn, opts, refusal);
    if (r == 0) {
        if (spawn->acknowledged) {
            copi_cycle_begin(self, process->pid, *ref); /* before it runs: there is no circle yet */
        }
        copi_report_start(process);
        r = copi_timer_ready(); /* it may have to be interrupted one day */
        r = r ? r : copi_thread_run(&process->job);
        if (r == 0) {
            copi_limit_started();
        } else {
            if (r == -EAGAIN) {
                copi_limit_refused(copi_table_used());
            }
            copi_report_event(&(cop_event){
                .kind = COP_EVENT_EXIT, .pid = process->pid, .reason = cop_failed(r, NULL)});
        }
    }
    if (r && self) {
        copi_cycle_end(self);
    }
    if (r) {
        abandon(process, self ? self->pid : COP_NOBODY);
    }
    return r;
}

cop_start_opts
copi_start_opts(const cop_start_opts *given)
{
    cop_start_opts opts = {0};
    if (given) {
        memcpy(&opts, given, given->size < sizeof opts ? given->size : sizeof opts);
    }
    opts.size = sizeof opts;
    return opts;
}

int
copi_spawn(cop_pid *out, cop_ref *ref, const struct copi_spawn *spawn)
{
    struct copi_process *self = NULL, *process;
    int r = copi_here.is_library ? 0 : copi_enter(&self);
    if (r) {
        return r;
    }
    const cop_start_opts opts = copi_start_opts(spawn->opts);
    r = check(spawn, &opts);
    if (r == 0) {
        r = copi_table_take(&process);
    }
    if (r) {
        return copi_fail(r);
    }
    cop_pid pid = process->pid;
    struct refusal refusal = {0};
    r = start(self, process, ref, spawn, &opts, &refusal);
    if (r == -EEXIST && opts.via && out) {
        *out = refusal.holder;
    }
    if (r) {
        return refusal.is_told ? r : copi_fail(r);
    }
    if (out) {
        *out = pid;
    }
    return 0;
}

/* ---------------------------------------------------------------- plain processes */

/* What a function that returns an int has said. */
static cop_reason
reason_of(const struct copi_process *self, int code)
{
    if (code == 0 || code == -ECANCELED) {
        if (self->pending == COPI_ASKED) {
            return self->reasons->pending;
        }
        if (self->pending > COPI_ASKED && self->reasons->pending.kind != COP_NORMAL) {
            return self->reasons->pending; /* it held the signal back, and ended before it acted */
        }
    }
    return code == 0  ? COP_REASON_NORMAL
           : code < 0 ? cop_failed(code, NULL)
                      : cop_failed(-EINVAL, "a process returned %d", code);
}

static cop_reason
run_function(struct copi_process *self)
{
    union {
        const void *data;
        cop_process_fn run;
    } what = {.data = self->what};
    copi_callback_begin(self, "run");
    int code = what.run(self->arg);
    copi_callback_end(self);
    return reason_of(self, code);
}

static const struct copi_behaviour plain = {.kind = "process", .run = run_function};

int
copi_process_become(struct copi_process *self, const struct copi_behaviour *behaviour,
                    const void *what)
{
    int r = self->behaviour == &plain ? copi_defers_keep(self) : -EPERM;
    if (r) {
        return r;
    }
    copi_lock_take(&self->lock); /* whoever disowns it says what it was */
    self->behaviour = behaviour;
    self->what = what;
    copi_lock_give(&self->lock);
    copi_store_relaxed_32(&self->nature, nature_of(behaviour));
    return 0;
}

int
cop_spawn_with(cop_pid *out, cop_process_fn run, const cop_start_opts *opts)
{
    union {
        cop_process_fn run;
        const void *data;
    } what = {.run = run};
    return copi_spawn(out, NULL,
                      &(struct copi_spawn){.behaviour = &plain, .what = what.data, .opts = opts});
}
