/*
 * actors/statem_events.h - events that a state machine keeps for later, in queues.
 *
 * Room: actors/. State machines only; all of it in the machine's own process.
 */
#ifndef COPI_ACTORS_STATEM_EVENTS_H
#define COPI_ACTORS_STATEM_EVENTS_H

#include <coppice/statem.h>

/* An event that is kept. Its bytes, if they were copied, and its name lie behind it. */
struct copi_kept_event {
    struct copi_kept_event *next;
    cop_statem_event is; /* with a drop function: the body is the record's */
    /* of a timeout: statem_timeouts.c's */
    cop_time after;
    uint64_t number;
    cop_ref timer;
};

/* Oldest first. */
struct copi_event_queue {
    struct copi_kept_event *first, **end;
};

/* Whether the body comes with the message; an answer's comes with its node, which is ours, and not to
 * be told from bytes. */
bool copi_is_moved(const cop_msg *msg);

/* A record of the event; a moved body is the record's from now on. NULL: no memory, and the body is
 * where it was. */
struct copi_kept_event *copi_event_keep(const cop_statem_event *event);

/* A moved body, also if it is the one that the process has in hand, is the record's from now on. */
void copi_event_take_body(struct copi_kept_event *event, const cop_msg *msg);

void copi_event_release(struct copi_kept_event *event);

void copi_events_init(struct copi_event_queue *queue);
void copi_events_append(struct copi_event_queue *queue, struct copi_kept_event *event);

/* The event that `link`, a part of the queue, leads to. */
struct copi_kept_event *copi_events_take_off(struct copi_event_queue *queue,
                                             struct copi_kept_event **link);

/* `event` in the place of the one that `link` leads to. Returns the latter. */
struct copi_kept_event *copi_events_replace(struct copi_event_queue *queue,
                                            struct copi_kept_event **link,
                                            struct copi_kept_event *event);

/* All of `from`, before all of `queue`. */
void copi_events_put_before(struct copi_event_queue *queue, struct copi_event_queue *from);

size_t copi_events_count(const struct copi_event_queue *queue);
void copi_events_release(struct copi_event_queue *queue);

#endif
