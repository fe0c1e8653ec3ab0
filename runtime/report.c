/*
 * runtime/report.c - what the library has to say.
 *
 * Room: runtime/. Any thread.
 * Touch freely: the words. Ask first: when the observer is called; conformance traces hang on it.
 *
 * One event is one entry of the log: what belongs to it are its fields, so that a crash is one line to
 * search for, whoever else speaks meanwhile. A report is on the way of a restart: it is made once, by whoever
 * ends, and not at all when its level is off.
 */
#include "runtime/report.h"

#include "runtime/inspect.h"
#include "runtime/log.h"
#include "runtime/log_limit.h"
#include "runtime/log_text.h"
#include "runtime/process.h"
#include "runtime/recorder.h"
#include "runtime/table.h"
#include "runtime/trace.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MESSAGE_SIZE = 1024,
    UNDER_SIZE = 300,
    DEEPEST = 16,
};
static const char CRASHED[] = "crashed"; /* all crashes of an actor are of a kind */

static struct {
    copi_lock lock; /* one event after the other, also from two threads */
    /* written before the first process */
    void (*observe)(const cop_event *event, void *env);
    void *env;
} observer = {.lock = COPI_LOCK_INIT};

void
copi_report_observer(void (*observe)(const cop_event *event, void *env), void *env)
{
    observer.observe = observe;
    observer.env = env;
}

void
copi_report_line(enum copi_severity severity, const char *format, ...)
{
    cop_log_level level = (cop_log_level)severity;
    if (!copi_log_settled_is_on(level)) {
        return;
    }
    char message[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    copi_log_print(message, sizeof message, format, arguments);
    va_end(arguments);
    cop_log_entry entry = {.level = level, .is_library = true, .message = message};
    copi_log(&entry, severity == COPI_NOTICE ? NULL : format);
}

void
copi_report_event(const cop_event *event)
{
    if (observer.observe) {
        struct copi_process *self = copi_here.process;
        unsigned held = self ? self->held++ : 0; /* its fault must not leave with the lock taken */
        copi_lock_take(&observer.lock);
        observer.observe(event, observer.env);
        copi_lock_give(&observer.lock);
        if (self) {
            self->held = held;
        }
    }
}

/* Each start and each end is one, and an event is half a kilobyte: it is made only for somebody to see. */
static void
report_life(cop_event_kind kind, struct copi_process *process, const cop_reason *reason)
{
    if (observer.observe) {
        copi_report_event(&(cop_event){.kind = kind, .pid = process->pid, .reason = *reason});
    }
}

void
copi_report_start(struct copi_process *process)
{
    report_life(COP_EVENT_START, process, &COP_REASON_NORMAL);
}

void
copi_report_exit(struct copi_process *process, const cop_reason *reason)
{
    if (!copi_is(process, COPI_IS_FOREIGN)) { /* whose start was not ours to report */
        report_life(COP_EVENT_EXIT, process, reason);
    }
}

/* ---------------------------------------------------------------- crashes */

/* What a report of a crash shows, as far as it is there. */
struct crash {
    cop_field fields[12];
    size_t count;
    char tag[COPI_TAG_SIZE], under[UNDER_SIZE], stack[COPI_TRACE_SIZE];
};

static void
add(struct crash *crash, cop_field field)
{
    assert(crash->count < sizeof crash->fields / sizeof *crash->fields);
    crash->fields[crash->count++] = field;
}

static void
add_in_hand(struct crash *crash, const struct copi_in_hand *it)
{
    if (it->is_known) {
        add(crash, cop_field_text("in_hand", copi_tag_in_words(it->tag, crash->tag)));
        if (it->from.id) {
            add(crash, cop_field_pid("from", it->from));
        }
    }
}

static void
add_state(struct crash *crash, const struct copi_shown *shown)
{
    if (shown->state_name) {
        add(crash, cop_field_text("state", shown->state_name));
        add(crash, cop_field_unsigned("postponed", shown->postponed));
    } else if (shown->size > 0) {
        add(crash, cop_field_unsigned("state_bytes", shown->size));
    }
}

static size_t
waiting_in(const struct copi_process *process)
{
    return copi_load_relaxed_64(&process->inside)
           + copi_mailbox_count(copi_load_relaxed_64(&process->mailbox.word));
}

/* "root/store": who has started whom, down to its parent. */
static const char *
place_of(const struct copi_process *process, char out[UNDER_SIZE])
{
    char *first = out + UNDER_SIZE - 1;
    *first = '\0';
    cop_pid parent = copi_parent(process);
    for (int depth = 0; depth < DEEPEST && copi_table_find(parent); depth++) {
        char label[COPI_LABEL_SIZE];
        size_t length = strlen(copi_label_pid(parent, label));
        if ((size_t)(first - out) < length + 1) {
            break;
        }
        if (*first) {
            *--first = '/';
        }
        first -= length;
        memcpy(first, label, length);
        process = copi_table_find(parent);
        parent = process ? copi_parent(process) : COP_NOBODY;
    }
    return first;
}

static void
describe(struct crash *crash, const struct copi_process *process)
{
    cop_time ran = copi_clock_coarse() - (cop_time)copi_load_relaxed_64(&process->started);
    if (process->shown.type && !copi_name_peek(process)) {
        add(crash, cop_field_text("type", process->shown.type));
    }
    add_in_hand(crash, &process->in_hand);
    add_state(crash, &process->shown);
    add(crash, cop_field_unsigned("mailbox", waiting_in(process)));
    add(crash, cop_field_unsigned("handled", copi_load_relaxed_64(&process->handled)));
    add(crash, cop_field_duration("ran", ran - ran % COP_MS(1)));
    const char *under = place_of(process, crash->under);
    if (under[0]) {
        add(crash, cop_field_text("under", under));
    }
    const char *stack = copi_trace_in_words(process->trace, crash->stack);
    if (stack[0]) { /* a command's process has run nothing of the program's */
        add(crash, cop_field_text("stack", stack));
    }
    add(crash, cop_field_end_());
}

/* A supervisor is a genserver that has said what it is. */
static const char *
kind_of(const struct copi_process *process)
{
    return copi_load_relaxed_ptr(&process->strategy) ? "supervisor" : process->behaviour->kind;
}

static void
say_crash(struct copi_process *process, const cop_reason *reason)
{
    char label[COPI_LABEL_SIZE], actor[COPI_LABEL_ITSELF], message[COPI_LABEL_SIZE + 64];
    copi_label_itself(process, actor);
    (void)snprintf(message, sizeof message, "%s %s crashed", kind_of(process),
                   copi_label(process, label));
    cop_log_entry entry = {.level = COP_LOG_ERROR,
                           .is_library = true,
                           .pid = process->pid,
                           .actor = actor,
                           .message = message};
    if (copi_log_begin(&entry, CRASHED)) { /* what a flood does not show is not made */
        char words[sizeof reason->text];
        struct crash crash;
        crash.count = 0;
        describe(&crash, process);
        entry.fields = crash.fields;
        entry.reason = cop_reason_string(*reason, words, sizeof words);
        copi_log_pass_on(&entry);
    }
}

/* Whoever has killed it knows, and who waits for a quiet one's result. */
static bool
is_told(const struct copi_process *process, const cop_reason *reason)
{
    return reason->kind != COP_KILLED && !process->quiet && cop_is_crash(*reason)
           && copi_log_settled_is_on(COP_LOG_ERROR);
}

bool
copi_report_would_tell(struct copi_process *process, const cop_reason *reason)
{
    if (!is_told(process, reason)) {
        return false;
    }
    char actor[COPI_LABEL_ITSELF];
    copi_label_itself(process, actor);
    const cop_log_entry entry = {.level = COP_LOG_ERROR, .actor = actor};
    return copi_log_would_admit(&entry, CRASHED);
}

void
copi_report_crash(struct copi_process *process, const cop_reason *reason)
{
    if (is_told(process, reason)) {
        say_crash(process, reason);
    }
}

void
copi_report_long_mailbox(struct copi_process *process, uint64_t count)
{
    char name[COPI_LABEL_SIZE];
    copi_record_note(copi_here.process, COP_RECORD_LONG_MAILBOX, process->pid, (uint32_t)count, 0,
                     NULL);
    copi_report(COPI_WARNING, "the mailbox of %s holds %llu messages or more",
                copi_label(process, name), (unsigned long long)count);
}

void
copi_report_fatal(const char *what, const cop_reason *reason)
{
    char words[sizeof reason->text];
    copi_report(COPI_ERROR, "%s: %s", what, cop_reason_string(*reason, words, sizeof words));
    exit(EXIT_FAILURE); /* NOLINT(concurrency-mt-unsafe): the last thing that this program does */
}
