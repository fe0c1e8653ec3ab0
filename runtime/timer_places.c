/*
 * runtime/timer_places.c - where timers lie, and how they are found again.
 *
 * Room: runtime/. Who holds the timers' lock.
 * Touch freely: how memory is asked for, which is once in a chunk.
 */
#include "runtime/timer_places.h"

#include "runtime/alloc.h"

#include <errno.h>
#include <stdlib.h>

enum {
    PLACE_BITS = 64 - COPI_TIMER_COUNT_BITS,
    CHUNK = 64, /* timers */
};

static int
make_room_for_chunk(struct copi_timer_places *places)
{
    if (places->chunk_count < places->chunk_room) {
        return 0;
    }
    uint32_t room = places->chunk_room ? places->chunk_room * 2 : 16;
    if (room > (1u << PLACE_BITS) / CHUNK) {
        return -EAGAIN;
    }
    struct copi_timer **chunks = copi_realloc(places->chunks, room * sizeof *chunks);
    if (!chunks) {
        return -ENOMEM;
    }
    places->chunks = chunks;
    places->chunk_room = room;
    return 0;
}

static int
add_chunk(struct copi_timer_places *places)
{
    int r = make_room_for_chunk(places);
    struct copi_timer *chunk = r ? NULL : copi_alloc(CHUNK * sizeof *chunk);
    if (!chunk) {
        return r ? r : -ENOMEM;
    }
    for (uint32_t i = CHUNK; i-- > 0;) {
        chunk[i].place = places->chunk_count * CHUNK + i;
        chunk[i].is_set = false;
        chunk[i].next_free = places->free;
        places->free = &chunk[i];
    }
    places->chunks[places->chunk_count++] = chunk;
    return 0;
}

static struct copi_timer *
take_spare(struct copi_timer_places *places)
{
    struct copi_timer *timer = places->free_spare;
    if (timer) {
        places->free_spare = timer->next_free;
    } else if (places->spare_count < COPI_TIMER_SPARE) {
        timer = &places->spare[places->spare_count++];
    }
    return timer;
}

int
copi_timer_places_more(struct copi_timer_places *places, bool is_call, struct copi_timer **out)
{
    int r = add_chunk(places);
    struct copi_timer *timer = places->free;
    if (r == 0) {
        places->free = timer->next_free;
    } else if (!is_call || !(timer = take_spare(places))) { /* no reference to it is given out */
        return r;
    }
    *out = timer;
    return 0;
}

struct copi_timer *
copi_timer_places_find(const struct copi_timer_places *places, cop_ref ref)
{
    uint64_t place = (ref.id >> COPI_TIMER_COUNT_BITS) - 1; /* 0 becomes none */
    if (place >= (uint64_t)places->chunk_count * CHUNK) {
        return NULL;
    }
    struct copi_timer *timer = &places->chunks[place / CHUNK][place % CHUNK];
    return timer->is_set && copi_timer_reference(timer).id == ref.id ? timer : NULL;
}

void
copi_timer_places_trim(struct copi_timer_places *places)
{
    for (uint32_t i = 0; i < places->chunk_count; i++) {
        free(places->chunks[i]);
    }
    free(places->chunks);
    places->chunks = NULL;
    places->free = NULL;
    places->chunk_count = places->chunk_room = 0;
}
