/*
 * runtime/report.c - what the library has to say.
 *
 * Room: runtime/. Any thread.
 * Touch freely: the words. Ask first: when the observer is called; conformance traces hang on it.
 *
 * Lines are formatted on the stack and leave in one write(2), so that those of two threads do not
 * mix, and a full or closed standard error costs nothing but the line.
 */
#include "runtime/report.h"

#include "runtime/inspect.h"
#include "runtime/log.h"
#include "runtime/log_text.h"
#include "runtime/process.h"
#include "runtime/recorder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MESSAGE_SIZE = 1024,
};

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

static const char *
kind_of(struct copi_process *process)
{
    copi_lock_take(&process->lock);
    const char *kind = process->behaviour->kind;
    copi_lock_give(&process->lock);
    return kind;
}

static bool
is_reported(const struct copi_process *process, const cop_reason *reason)
{
    return cop_is_crash(*reason) && reason->kind != COP_KILLED && !process->quiet;
}

void
copi_report_in_hand(const struct copi_process *process, const cop_reason *reason,
                    char out[COPI_IN_HAND_SIZE])
{
    out[0] = '\0';
    if (!process->in_hand.is_known || !is_reported(process, reason)) {
        return;
    }
    const struct copi_in_hand *it = &process->in_hand;
    char from[COPI_LABEL_SIZE], tag[COPI_TAG_SIZE];
    char state[sizeof ", 18446744073709551615 bytes of state"] = "";
    if (process->shown.size > 0) {
        (void)snprintf(state, sizeof state, ", %zu bytes of state", process->shown.size);
    }
    (void)snprintf(out, COPI_IN_HAND_SIZE, " (message %s%s%s in hand%s)",
                   copi_tag_in_words(it->tag, tag), it->from.id ? " from " : "",
                   it->from.id ? copi_label_pid(it->from, from) : "", state);
}

void
copi_report_exit(struct copi_process *process, const char *label, const char *in_hand,
                 const cop_reason *reason)
{
    if (!copi_is(process, COPI_IS_FOREIGN)) { /* whose start was not ours to report */
        report_life(COP_EVENT_EXIT, process, reason);
    }
    if (is_reported(process, reason)) {
        char words[sizeof reason->text];
        copi_report(COPI_ERROR, "%s %s crashed: %s%s", kind_of(process), label,
                    cop_reason_string(*reason, words, sizeof words), in_hand);
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
