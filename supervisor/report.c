/*
 * supervisor/report.c - what a supervisor says about its children.
 *
 * Room: supervisor/. The supervisor only.
 * Touch freely: the lines. Ask first: the events: their kinds, order and reasons are OTP's.
 *
 * Each report is an event for the observer and an entry of the log, and the entry has all that belongs to
 * it: who wants to know at night why the cache is cold need not put it together from three lines.
 */
#include "supervisor/report.h"

#include "runtime/inspect.h"
#include "runtime/log.h"
#include "runtime/recorder.h"
#include "runtime/report.h"
#include "supervisor/strategy.h"

#include <coppice/process.h>

#include <stdio.h>

enum {
    WHOM_SIZE = 128,
    LINE_SIZE = 320,
    WITH_SIZE = 256,
};

/* What a supervisor has to report of its children; the other events are not its own. */
static const struct {
    const char *in_words;
    cop_record_kind record;
} known[] = {
    [COP_EVENT_CHILD_TERMINATED] = {"ended", COP_RECORD_CHILD_ENDED},
    [COP_EVENT_START_ERROR] = {"did not start", COP_RECORD_START_FAILED},
    [COP_EVENT_SHUTDOWN_ERROR] = {"did not stop as asked", COP_RECORD_STOP_FAILED},
    [COP_EVENT_GAVE_UP] = {"was restarted too often, giving up", COP_RECORD_GAVE_UP},
};

/* ---------------------------------------------------------------- entries */

/* An entry on its way: what its texts are in. */
struct said {
    cop_log_entry entry;
    char actor[COPI_LABEL_ITSELF], message[LINE_SIZE], reason[sizeof((cop_reason *)0)->text];
};

/* "child db", one without an id by its pid, "3 of the children db". */
static const char *
whom_in_words(const char *id, cop_pid pid, size_t count, char out[WHOM_SIZE])
{
    if (count > 0) {
        (void)snprintf(out, WHOM_SIZE, "%zu of the children %s", count, id);
    } else {
        char label[COPI_LABEL_SIZE];
        (void)snprintf(out, WHOM_SIZE, "child %s", id[0] ? id : copi_label_pid(pid, label));
    }
    return out;
}

/*
 * Whether it is to be said, and has passed the limit: only then are its fields made. Of a kind are lines of
 * what happens to children of this id; pids would make each line one of its own.
 */
static bool
begin(struct said *it, cop_log_level level, const cop_event *event, const char *what)
{
    if (!copi_log_settled_is_on(level)) {
        return false;
    }
    char name[COPI_LABEL_SIZE], whom[WHOM_SIZE], like[LINE_SIZE];
    copi_label_itself(copi_here.process, it->actor);
    (void)snprintf(it->message, sizeof it->message, "supervisor %s: %s %s",
                   copi_label(copi_here.process, name),
                   whom_in_words(event->child, event->pid, event->count, whom), what);
    (void)snprintf(like, sizeof like, "%s %s", event->child, what);
    it->entry = (cop_log_entry){
        .level = level,
        .is_library = true,
        .pid = copi_here.process->pid,
        .actor = it->actor,
        .message = it->message,
    };
    return copi_log_begin(&it->entry, like);
}

static bool
begin_report(struct said *it, const cop_event *event)
{
    cop_log_level level = cop_is_crash(event->reason) ? COP_LOG_ERROR : COP_LOG_NOTICE;
    if (!begin(it, level, event, known[event->kind].in_words)) {
        return false;
    }
    it->entry.reason = cop_reason_string(event->reason, it->reason, sizeof it->reason);
    return true;
}

static void
tell_others(const cop_event *event)
{
    copi_report_event(event);
    copi_record_note(copi_here.process, known[event->kind].record, event->pid,
                     (uint32_t)event->reason.kind, event->reason.code, event->child);
}

static void
say(struct said *it, const cop_field *fields)
{
    it->entry.fields = fields;
    copi_log_pass_on(&it->entry);
    it->entry.fields = NULL; /* which are the caller's */
}

/* Where the line does not have it already, and there is one. */
static cop_field
pid_of_child(const cop_event *event, char text[COP_PID_TEXT])
{
    bool is_shown = event->child[0] && event->pid.id != 0;
    return is_shown ? cop_field_text("child_pid", cop_pid_text(event->pid, text))
                    : cop_field_end_();
}

/* ---------------------------------------------------------------- reports */

static void
report(const cop_event *event)
{
    struct said it;
    tell_others(event);
    if (begin_report(&it, event)) {
        char text[COP_PID_TEXT];
        const cop_field fields[] = {pid_of_child(event, text), cop_field_end_()};
        say(&it, fields);
    }
}

void
copi_report_child(cop_event_kind kind, const char *child, cop_pid pid, const cop_reason *reason)
{
    report(&(cop_event){
        .kind = kind, .pid = pid, .supervisor = cop_self(), .child = child, .reason = *reason});
}

/* The children that are stopped and started with it, oldest first. */
static const char *
siblings_in_words(const struct copi_supervisor *sup, const struct copi_child *child,
                  char out[WITH_SIZE])
{
    cop_strategy strategy = sup->spec->strategy;
    size_t used = 0, left_out = 0;
    const struct copi_child *one = strategy == COP_ONE_FOR_ALL    ? sup->children.oldest
                                   : strategy == COP_REST_FOR_ONE ? child->younger
                                                                  : NULL;
    out[0] = '\0';
    for (; one; one = one->younger) {
        size_t size = strlen(one->spec->id);
        if (one == child || one->state != COPI_CHILD_RUNNING) {
            continue;
        }
        if (left_out > 0 || used + size + sizeof ",(+18446744073709551615)" > WITH_SIZE) {
            left_out++;
            continue;
        }
        used += (size_t)snprintf(out + used, WITH_SIZE - used, "%s%s", used > 0 ? "," : "",
                                 one->spec->id);
    }
    if (left_out > 0) {
        (void)snprintf(out + used, WITH_SIZE - used, ",(+%zu)", left_out);
    }
    return out;
}

/* This one is not counted yet, as it is counted when it is tried. */
static void
say_ended(struct said *it, const struct copi_supervisor *sup, const struct copi_child *child,
          const cop_event *event)
{
    char text[COP_PID_TEXT];
    char with[WITH_SIZE]; /* cppcheck-suppress variableScope ; a field may point to it */
    cop_field fields[6] = {pid_of_child(event, text)};
    size_t count = fields[0].kind == COP_FIELD_END ? 0 : 1;
    if (copi_is_restarted(child->spec->restart, &event->reason)) {
        unsigned restarts = copi_intensity_recent(&sup->intensity, cop_now()) + 1;
        fields[count++] = cop_field_unsigned("restarts", restarts);
        fields[count++] = cop_field_unsigned("allowed", sup->intensity.max_restarts);
        fields[count++] = cop_field_duration("within", sup->intensity.period);
        if (siblings_in_words(sup, child, with)[0]) {
            fields[count++] = cop_field_text("with", with);
        }
    } else {
        fields[count++] = cop_field_bool("restarted", false);
    }
    fields[count] = cop_field_end_();
    say(it, fields);
}

void
copi_report_ended(const struct copi_supervisor *sup, const struct copi_child *child,
                  const cop_reason *reason)
{
    struct said it;
    const cop_event event = {.kind = COP_EVENT_CHILD_TERMINATED,
                             .pid = child->pid,
                             .supervisor = cop_self(),
                             .child = child->spec->id,
                             .reason = *reason};
    tell_others(&event);
    if (begin_report(&it, &event)) {
        say_ended(&it, sup, child, &event);
    }
}

void
copi_report_progress(const struct copi_child *child)
{
    if (!cop_log_is_on(COP_LOG_DEBUG)) {
        return;
    }
    struct said it;
    const cop_event event = {.pid = child->pid, .child = child->spec->id};
    if (begin(&it, COP_LOG_DEBUG, &event, "started")) {
        char text[COP_PID_TEXT];
        const cop_field fields[] = {pid_of_child(&event, text), cop_field_end_()};
        say(&it, fields);
    }
}

void
copi_report_gave_up(const char *child, cop_pid pid)
{
    cop_reason reason = cop_failed(-ECANCELED, "reached_max_restart_intensity");
    copi_report_child(COP_EVENT_GAVE_UP, child, pid, &reason);
}

void
copi_report_stops(const char *child, size_t count, const cop_reason *reason)
{
    report(&(cop_event){.kind = COP_EVENT_SHUTDOWN_ERROR,
                        .supervisor = cop_self(),
                        .child = child,
                        .reason = *reason,
                        .count = count});
}

void
copi_report_unexpected(cop_msg msg)
{
    char name[COPI_LABEL_SIZE], from[COPI_LABEL_SIZE], tag[COPI_TAG_SIZE];
    cop_pid self = cop_self();
    copi_report_event(&(cop_event){
        .kind = COP_EVENT_UNEXPECTED_MESSAGE,
        .pid = msg.from,
        .supervisor = self,
        .reason = cop_failed((int)msg.tag, "message %u of %zu bytes", msg.tag, msg.body.size),
    });
    copi_report(COPI_WARNING, "supervisor %s: dropped message %s from %s",
                copi_label_pid(self, name), copi_tag_in_words(msg.tag, tag),
                copi_label_pid(msg.from, from));
}
