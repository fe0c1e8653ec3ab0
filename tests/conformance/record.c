/*
 * tests/conformance/record.c - what is written down, and by whom.
 *
 * Room: tests/. Any thread; the observer is called by the thread in which something ends, before links
 * and monitors are served, so a supervisor can do nothing about an end that is not yet written down.
 * Start functions write for themselves, inside the supervisor.
 *
 * The end of a supervisor that has not been up (its start failed or was declined) is no event.
 */
#include "tests/conformance/record.h"

#include "tests/conformance/reason.h"
#include "tests/conformance/text.h"
#include "tests/conformance/trace.h"

#include <stdlib.h>

enum {
    FIRST_WORD = 1000
};

static const char **words;
static size_t word_count;

/* ---------------------------------------------------------------- starts */

void
record_start_locked(const struct label *label, unsigned number, const char *outcome)
{
    trace_add((struct event){
        .kind = same(outcome, "ok") ? EVENT_START_OK : EVENT_START_OTHER,
        .name = label->name,
        .number = number,
        .line = text_format("start %s#%u %s", label->name, number, outcome),
    });
}

void
record_start(const struct label *label, unsigned number, const char *outcome)
{
    cast_lock();
    record_start_locked(label, number, outcome);
    cast_unlock();
}

struct player *
record_worker(struct player worker)
{
    cast_lock();
    struct player *kept = player_add_locked(worker);
    kept->is_up = true;
    record_start_locked(kept->label, kept->number, "ok");
    cast_unlock();
    return kept;
}

void
record_supervisor(cop_pid pid, const struct label *label, unsigned number)
{
    cast_lock();
    struct player *it = player_of_locked(pid);
    if (it) {
        it->is_up = true;
        cast_changed_locked();
    }
    record_start_locked(label, number, "ok");
    cast_unlock();
}

/* ---------------------------------------------------------------- ends */

static bool
is_reported(const struct player *child, const cop_reason *reason)
{
    return child->as->restart == COP_PERMANENT || cop_is_crash(*reason);
}

static void
tell_parent_locked(struct player *parent, const struct player *it, const cop_reason *reason)
{
    parent->told++;
    bool is_unasked = parent->is_starting; /* it cannot have asked anybody to end */
    if (!parent->is_up && is_unasked && parent->early == NOTHING_EARLY && is_reported(it, reason)) {
        parent->early = REPORT_OWED;
    }
}

static void
end_locked(struct player *it, const cop_event *event)
{
    it->is_alive = false;
    cast_changed_locked();
    struct player *parent = player_of_locked(it->parent);
    if (parent && it->is_up && !it->is_unlinked) { /* a start that fails is told by its return */
        tell_parent_locked(parent, it, &event->reason);
    }
    tell_children_locked(it->pid);
    if (it->is_up) {
        char reason[REASON_SIZE];
        trace_add((struct event){
            .kind = EVENT_EXIT,
            .name = it->label->name,
            .number = it->number,
            .together = is_dynamic(it->label->parent) ? it->label->parent : NULL,
            .line = text_format("exit %s#%u %s", it->label->name, it->number,
                                reason_text(event->reason, reason)),
        });
    }
}

/* ---------------------------------------------------------------- reports */

uint32_t
tag_of_word(const char *word)
{
    cast_lock();
    words = room_for_one_more(words, word_count, sizeof *words);
    words[word_count++] = word;
    uint32_t tag = FIRST_WORD + (uint32_t)word_count - 1;
    cast_unlock();
    return tag;
}

static const char *
context_of(cop_event_kind kind)
{
    switch (kind) {
    case COP_EVENT_CHILD_TERMINATED:
        return "child_terminated";
    case COP_EVENT_START_ERROR:
        return "start_error";
    case COP_EVENT_SHUTDOWN_ERROR:
        return "shutdown_error";
    case COP_EVENT_GAVE_UP:
        return "shutdown";
    case COP_EVENT_UNEXPECTED_MESSAGE:
        return "unexpected_message";
    case COP_EVENT_START:
    case COP_EVENT_EXIT:
        break;
    }
    return "unknown";
}

static const char *
word_of_locked(const cop_event *event)
{
    size_t word = (size_t)event->reason.code - FIRST_WORD;
    return word < word_count ? words[word] : "unknown";
}

/* A static supervisor names a child by its identifier, the others by its process, or they count. */
static char *
child_of_locked(const struct player *supervisor, const cop_event *event)
{
    if (!is_dynamic(supervisor->as)) {
        return text_copy(event->child ? event->child : "unknown");
    }
    if (event->count > 0) {
        return text_format("count=%zu", event->count);
    }
    const struct player *child = player_of_locked(event->pid);
    return text_copy(child ? child->label->name : "unknown");
}

static void
report_locked(const struct player *supervisor, const cop_event *event)
{
    char reason[REASON_SIZE];
    const char *context = context_of(event->kind), *name = supervisor->label->name;
    bool is_message = event->kind == COP_EVENT_UNEXPECTED_MESSAGE;
    bool is_open = event->kind == COP_EVENT_SHUTDOWN_ERROR && is_dynamic(supervisor->as);
    char *child =
        is_message ? text_copy(word_of_locked(event)) : child_of_locked(supervisor, event);
    trace_add((struct event){
        .kind = EVENT_REPORT,
        .together = is_open ? supervisor->as : NULL,
        .line = text_format("report %s %s %s%s%s", name, context, child, is_message ? "" : " ",
                            is_message ? "" : reason_text(event->reason, reason)),
    });
    free(child);
}

/* The starter waits for this report, and then we for the starter; see start.c. */
static void
early_report_locked(struct player *supervisor, const cop_event *event)
{
    if (supervisor->early == REPORT_OWED) {
        const struct player *ended = player_of_locked(event->pid);
        bool is_over = event->kind != COP_EVENT_CHILD_TERMINATED
                       || (ended && ended->as->restart == COP_TEMPORARY);
        supervisor->early = is_over ? NOTHING_EARLY : RESTART_OWED;
        cast_changed_locked();
        while (!supervisor->is_up) {
            cast_wait_locked();
        }
    }
}

void
record_observed(const cop_event *event, void *env)
{
    (void)env;
    if (event->kind == COP_EVENT_START) {
        return;
    }
    bool is_end = event->kind == COP_EVENT_EXIT;
    cast_lock();
    struct player *it = player_of_locked(is_end ? event->pid : event->supervisor);
    if (it && is_end) {
        end_locked(it, event);
    } else if (it) {
        report_locked(it, event);
        early_report_locked(it, event);
    }
    cast_unlock();
}
