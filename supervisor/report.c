/*
 * supervisor/report.c - what a supervisor says about its children.
 *
 * Room: supervisor/. The supervisor only.
 * Touch freely: the lines. Ask first: the events: their kinds, order and reasons are OTP's.
 */
#include "supervisor/report.h"

#include "runtime/inspect.h"
#include "runtime/recorder.h"
#include "runtime/report.h"

#include <coppice/process.h>

#include <stdio.h>

static const char *
in_words(cop_event_kind kind)
{
    switch (kind) {
    case COP_EVENT_CHILD_TERMINATED:
        return "ended";
    case COP_EVENT_START_ERROR:
        return "did not start";
    case COP_EVENT_SHUTDOWN_ERROR:
        return "did not stop as asked";
    case COP_EVENT_GAVE_UP:
        return "was restarted too often, giving up";
    case COP_EVENT_START:
    case COP_EVENT_EXIT:
    case COP_EVENT_UNEXPECTED_MESSAGE:
        break;
    }
    return "";
}

static cop_record_kind
as_record(cop_event_kind kind)
{
    switch (kind) {
    case COP_EVENT_START_ERROR:
        return COP_RECORD_START_FAILED;
    case COP_EVENT_SHUTDOWN_ERROR:
        return COP_RECORD_STOP_FAILED;
    case COP_EVENT_GAVE_UP:
        return COP_RECORD_GAVE_UP;
    case COP_EVENT_CHILD_TERMINATED:
    case COP_EVENT_START:
    case COP_EVENT_EXIT:
    case COP_EVENT_UNEXPECTED_MESSAGE:
        break;
    }
    return COP_RECORD_CHILD_ENDED;
}

static void
report(const cop_event *event, const char *whom)
{
    char name[COPI_LABEL_SIZE], words[sizeof event->reason.text];
    copi_report_event(event);
    copi_record_note(copi_here.process, as_record(event->kind), event->pid,
                     (uint32_t)event->reason.kind, event->reason.code, event->child);
    copi_report(cop_is_crash(event->reason) ? COPI_ERROR : COPI_NOTICE, "supervisor %s: %s %s: %s",
                copi_label_pid(event->supervisor, name), whom, in_words(event->kind),
                cop_reason_string(event->reason, words, sizeof words));
}

void
copi_report_child(cop_event_kind kind, const char *child, cop_pid pid, const cop_reason *reason)
{
    char whom[COPI_LABEL_SIZE + sizeof "child "] = "child ";
    if (child[0]) {
        (void)snprintf(whom, sizeof whom, "child %s", child);
    } else {
        copi_label_pid(pid, whom + strlen(whom));
    }
    report(
        &(cop_event){
            .kind = kind, .pid = pid, .supervisor = cop_self(), .child = child, .reason = *reason},
        whom);
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
    char whom[128];
    (void)snprintf(whom, sizeof whom, "%zu of the children %s", count, child);
    report(&(cop_event){.kind = COP_EVENT_SHUTDOWN_ERROR,
                        .supervisor = cop_self(),
                        .child = child,
                        .reason = *reason,
                        .count = count},
           whom);
}

void
copi_report_unexpected(cop_msg msg)
{
    char name[COPI_LABEL_SIZE], from[COPI_LABEL_SIZE];
    cop_pid self = cop_self();
    copi_report_event(&(cop_event){
        .kind = COP_EVENT_UNEXPECTED_MESSAGE,
        .pid = msg.from,
        .supervisor = self,
        .reason = cop_failed((int)msg.tag, "message %u of %zu bytes", msg.tag, msg.body.size),
    });
    copi_report(COPI_WARNING, "supervisor %s: dropped message %u from %s",
                copi_label_pid(self, name), msg.tag, copi_label_pid(msg.from, from));
}
