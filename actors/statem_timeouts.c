/*
 * actors/statem_timeouts.c - the timeouts of a state machine.
 *
 * Room: actors/. Knows the runtime.
 * Touch freely: how one is found. Ask first: when one is ended; it is gen_statem's.
 *
 * A timeout is an event that is kept, in one of three queues. What a function asks for waits until its
 * transition is done; then it goes to those that run, with a timer, or, if its time is 0, to those that
 * are due. There is at most one of its kind and name in the two, for its start ends the other one; an
 * update takes the other one's place and keeps its timer.
 *
 * The message of a timer carries no content, only the number under which its record runs. A number
 * that is in no record is that of a timeout that was ended after its timer had fired: it is dropped.
 * So a timer that cannot be stopped any more needs no other care. The machine has few timeouts, so
 * that they are found by looking at each.
 */
#include "actors/statem_timeouts.h"

#include "runtime/process.h"

#include <coppice/timer.h>

#include <string.h>

/* The body of a timer's message. */
struct tick {
    const struct copi_timeouts *of;
    uint64_t number;
};

/* Of a timer's message. Anybody else may use it, too: the tick names the machine. */
#define TICK 0x7f0f0f71u

void
copi_timeouts_init(struct copi_timeouts *timeouts)
{
    copi_events_init(&timeouts->asked);
    copi_events_init(&timeouts->running);
    copi_events_init(&timeouts->due);
}

/* The timers are the process's, and end with it. */
void
copi_timeouts_release(struct copi_timeouts *timeouts)
{
    copi_events_release(&timeouts->due);
    copi_events_release(&timeouts->running);
    copi_events_release(&timeouts->asked);
}

/* ---------------------------------------------------------------- finding one */

static bool
is_same(const struct copi_kept_event *event, cop_statem_kind kind, const char *name)
{
    return event->is.kind == kind
           && (kind != COP_STATEM_TIMEOUT || strcmp(event->is.name, name) == 0);
}

/* The link to it; to NULL: it is not there. */
static struct copi_kept_event **
find(struct copi_event_queue *queue, cop_statem_kind kind, const char *name)
{
    struct copi_kept_event **link = &queue->first;
    while (*link && !is_same(*link, kind, name)) {
        link = &(*link)->next;
    }
    return link;
}

static void
remove_from(struct copi_event_queue *queue, struct copi_kept_event **link)
{
    copi_event_release(copi_events_take_off(queue, link));
}

/* ---------------------------------------------------------------- ending one */

/* That the timer has fired already is no failure that the user's cop_why() should tell of. */
static void
stop_timer(const struct copi_kept_event *event)
{
    cop_reason why = copi_here.process->reasons->why;
    if (cop_cancel_timer(event->timer, NULL)) {
        copi_fail_why(&why, 0);
    }
}

void
copi_timeouts_end(struct copi_timeouts *timeouts, cop_statem_kind kind, const char *name)
{
    struct copi_kept_event **running = find(&timeouts->running, kind, name);
    struct copi_kept_event **due = find(&timeouts->due, kind, name);
    if (*running) {
        stop_timer(*running);
        remove_from(&timeouts->running, running);
    }
    if (*due) {
        remove_from(&timeouts->due, due);
    }
}

/* ---------------------------------------------------------------- starting one */

void
copi_timeouts_ask(struct copi_timeouts *timeouts, struct copi_kept_event *event)
{
    struct copi_kept_event **earlier = find(&timeouts->asked, event->is.kind, event->is.name);
    if (*earlier) {
        remove_from(&timeouts->asked, earlier);
    }
    copi_events_append(&timeouts->asked, event);
}

static int
start_timer(struct copi_timeouts *timeouts, struct copi_kept_event *event)
{
    struct tick tick = {timeouts, ++timeouts->last_number};
    event->number = tick.number;
    event->timer = cop_send_after(cop_self(), COP_MSG_OF(TICK, tick), event->after);
    if (event->timer.id == 0) {
        cop_reason why = cop_why();
        copi_event_release(event);
        return copi_fail_why(&why, why.code);
    }
    copi_events_append(&timeouts->running, event);
    return 0;
}

/* `event` in the place of another, with its timer. */
static void
take_over(struct copi_event_queue *queue, struct copi_kept_event **link,
          struct copi_kept_event *event)
{
    event->number = (*link)->number;
    event->timer = (*link)->timer;
    copi_event_release(copi_events_replace(queue, link, event));
}

static void
update(struct copi_timeouts *timeouts, struct copi_kept_event *event)
{
    struct copi_kept_event **running = find(&timeouts->running, event->is.kind, event->is.name);
    struct copi_kept_event **due = find(&timeouts->due, event->is.kind, event->is.name);
    if (*running) {
        take_over(&timeouts->running, running, event);
    } else if (*due) {
        take_over(&timeouts->due, due, event);
    } else {
        copi_events_append(&timeouts->due, event);
    }
}

static int
start(struct copi_timeouts *timeouts, struct copi_kept_event *event)
{
    if (event->after == COP_STATEM_UPDATE) {
        update(timeouts, event);
        return 0;
    }
    copi_timeouts_end(timeouts, event->is.kind, event->is.name);
    if (event->after == COP_FOREVER) {
        copi_event_release(event);
        return 0;
    }
    if (event->after == 0) {
        copi_events_append(&timeouts->due, event);
        return 0;
    }
    return start_timer(timeouts, event);
}

int
copi_timeouts_start(struct copi_timeouts *timeouts)
{
    struct copi_event_queue *asked = &timeouts->asked;
    int r = 0;
    while (r == 0 && asked->first) {
        r = start(timeouts, copi_events_take_off(asked, &asked->first));
    }
    return r;
}

/* ---------------------------------------------------------------- one that has come */

bool
copi_timeouts_is_tick(const struct copi_timeouts *timeouts, const cop_msg *msg)
{
    struct tick tick;
    if (msg->tag != TICK || msg->body.size != sizeof tick) {
        return false;
    }
    memcpy(&tick, msg->body.data, sizeof tick);
    return tick.of == timeouts;
}

struct copi_kept_event *
copi_timeouts_fired(struct copi_timeouts *timeouts, const cop_msg *msg)
{
    struct tick tick;
    memcpy(&tick, msg->body.data, sizeof tick);
    struct copi_event_queue *running = &timeouts->running;
    for (struct copi_kept_event **link = &running->first; *link; link = &(*link)->next) {
        if ((*link)->number == tick.number) {
            return copi_events_take_off(running, link);
        }
    }
    return NULL;
}
