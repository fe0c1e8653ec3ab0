/*
 * actors/stream_queue.h - elements that wait, in order, up to a bound.
 *
 * Room: actors/. Whoever has the lock that guards it.
 */
#ifndef COPI_ACTORS_STREAM_QUEUE_H
#define COPI_ACTORS_STREAM_QUEUE_H

#include "actors/stream.h"

struct copi_queue {
    struct copi_elements elements;
    size_t room_size;
    size_t bound;
    size_t first, count;
    size_t most; /* that there have been at once */
    unsigned char *rooms;
};

/* -ENOMEM, -EINVAL: no bound that can be had. */
int copi_queue_init(struct copi_queue *queue, const struct copi_elements *elements, size_t bound);

static inline bool
copi_queue_is_full(const struct copi_queue *queue)
{
    return queue->count == queue->bound;
}

/* Elements whose bytes are kept (copi_element_keep) go in and out. It is not full; not empty. */
void copi_queue_push(struct copi_queue *queue, const void *room);
void copi_queue_pop(struct copi_queue *queue, void *room);
void copi_queue_skip(struct copi_queue *queue); /* the oldest, of which nobody has to be rid */

/* Nobody will get them: let go of all, and of the queue's memory. Not under the lock. */
void copi_queue_clear(struct copi_queue *queue);
void copi_queue_fini(struct copi_queue *queue);

#endif
