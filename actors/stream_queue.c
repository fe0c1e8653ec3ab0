/*
 * actors/stream_queue.c - elements that wait, in order, up to a bound.
 *
 * Room: actors/. Whoever has the lock that guards it.
 *
 * A ring of rooms, made at once: so an element that has been admitted needs no memory, and what is in a
 * queue can be seen to be bounded.
 */
#include "actors/stream_queue.h"

#include "runtime/alloc.h"

#include <errno.h>
#include <stdlib.h>

int
copi_queue_init(struct copi_queue *queue, const struct copi_elements *elements, size_t bound)
{
    size_t size = copi_room_size(elements);
    if (bound == 0 || bound > SIZE_MAX / 4 / (size ? size : 1)) {
        return -EINVAL;
    }
    void *rooms = copi_alloc(size ? size * bound : 1);
    if (!rooms) {
        return -ENOMEM;
    }
    *queue = (struct copi_queue){
        .elements = *elements, .room_size = size, .bound = bound, .rooms = rooms};
    return 0;
}

static void *
room_at(const struct copi_queue *queue, size_t place)
{
    return &queue->rooms[(queue->first + place) % queue->bound * queue->room_size];
}

static void
copy(void *to, const void *from, size_t size)
{
    if (size > 0) {
        memcpy(to, from, size);
    }
}

void
copi_queue_push(struct copi_queue *queue, const void *room)
{
    copy(room_at(queue, queue->count), room, queue->room_size);
    queue->count++;
    queue->most = queue->count > queue->most ? queue->count : queue->most;
}

void
copi_queue_pop(struct copi_queue *queue, void *room)
{
    copy(room, room_at(queue, 0), queue->room_size);
    copi_queue_skip(queue);
}

void
copi_queue_skip(struct copi_queue *queue)
{
    queue->first = (queue->first + 1) % queue->bound;
    queue->count--;
}

void
copi_queue_clear(struct copi_queue *queue)
{
    while (queue->count > 0) {
        void *room = room_at(queue, 0);
        copi_queue_skip(queue);
        copi_element_let_go(&queue->elements, room);
    }
}

void
copi_queue_fini(struct copi_queue *queue)
{
    copi_queue_clear(queue);
    free(queue->rooms);
    queue->rooms = NULL;
}
