/*
 * actors/statem_events.c - events that a state machine keeps for later, in queues.
 *
 * Room: actors/. Knows the runtime.
 * Touch freely: the queues. Ask first: who owns a body.
 *
 * What is handled later lies in a record of ours. A moved body has one owner at any time: the record,
 * if its `drop` is set, or somebody else. Whoever takes the body from a record, to have it handled, sets
 * `drop` to NULL; who keeps it again brings it back by copi_event_take_body. Bytes that were copied are
 * the record's as long as it lives.
 *
 * A drop function is the user's: it may try to end the process, which then happens at the next exit
 * point, so that those of the other records run, too.
 */
#include "actors/statem_events.h"

#include "runtime/alloc.h"
#include "runtime/message.h"
#include "runtime/process.h"

#include <stdlib.h>

/* ---------------------------------------------------------------- records */

bool
copi_is_moved(const cop_msg *msg)
{
    return msg->drop && !copi_message_is_copy(msg);
}

void
copi_event_take_body(struct copi_kept_event *event, const cop_msg *msg)
{
    cop_msg taken = *msg;
    cop_msg_take(&taken);
    event->is.msg = *msg;
}

struct copi_kept_event *
copi_event_keep(const cop_statem_event *event)
{
    bool moved = copi_is_moved(&event->msg);
    size_t bytes = moved ? 0 : event->msg.body.size;
    size_t name = event->name ? strlen(event->name) + 1 : 0;
    struct copi_kept_event *kept = copi_zalloc(sizeof *kept + bytes + name);
    if (!kept) {
        return NULL;
    }
    char *behind = (char *)(kept + 1);
    kept->is = *event;
    if (moved) {
        copi_event_take_body(kept, &event->msg);
    } else {
        kept->is.msg.drop = NULL;
        kept->is.msg.body.data = bytes ? memcpy(behind, event->msg.body.data, bytes) : NULL;
    }
    if (name) {
        kept->is.name = memcpy(behind + bytes, event->name, name);
    }
    return kept;
}

static void
release_body(void *msg)
{
    cop_msg_release(msg);
}

void
copi_event_release(struct copi_kept_event *event)
{
    if (event->is.msg.drop) {
        copi_run_held(copi_here.process, release_body, &event->is.msg);
    }
    free(event);
}

/* ---------------------------------------------------------------- queues */

void
copi_events_init(struct copi_event_queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
}

void
copi_events_append(struct copi_event_queue *queue, struct copi_kept_event *event)
{
    event->next = NULL;
    *queue->end = event;
    queue->end = &event->next;
}

struct copi_kept_event *
copi_events_take_off(struct copi_event_queue *queue, struct copi_kept_event **link)
{
    struct copi_kept_event *event = *link;
    *link = event->next;
    if (!*link) {
        queue->end = link;
    }
    event->next = NULL;
    return event;
}

struct copi_kept_event *
copi_events_replace(struct copi_event_queue *queue, struct copi_kept_event **link,
                    struct copi_kept_event *event)
{
    struct copi_kept_event *old = *link;
    event->next = old->next;
    *link = event;
    if (!event->next) {
        queue->end = &event->next;
    }
    old->next = NULL;
    return old;
}

void
copi_events_put_before(struct copi_event_queue *queue, struct copi_event_queue *from)
{
    if (from->first) {
        *from->end = queue->first;
        if (!queue->first) {
            queue->end = from->end;
        }
        queue->first = from->first;
        copi_events_init(from);
    }
}

size_t
copi_events_count(const struct copi_event_queue *queue)
{
    size_t count = 0;
    for (const struct copi_kept_event *event = queue->first; event; event = event->next) {
        count++;
    }
    return count;
}

void
copi_events_release(struct copi_event_queue *queue)
{
    while (queue->first) {
        copi_event_release(copi_events_take_off(queue, &queue->first));
    }
}
