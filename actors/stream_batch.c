/*
 * actors/stream_batch.c - so many elements at a time.
 *
 * Room: actors/. The stream's subscription, but for the making.
 *
 * It pulls straight into the memory of the batch that it is filling. When the stage before it has ended
 * that is remembered, until what there is has been given.
 */
#include "actors/stream.h"
#include "runtime/alloc.h"

#include <errno.h>
#include <stdlib.h>

struct batch {
    cop_stream stage;
    /* constant */
    size_t size, item_size;
    bool eager_error;
    /* in the subscription */
    unsigned char *items; /* of the one that is being filled; NULL: none is */
    size_t count;
    enum copi_pulled end; /* of what is before it; COPI_NOT_YET */
    cop_reason why;
};

static struct batch *
of(cop_stream *stage)
{
    return (struct batch *)(void *)stage;
}

void
cop_batch_drop(void *element)
{
    cop_batch *batch = element;
    const struct copi_elements elements = {batch->item_size, batch->drop_item};
    for (size_t i = 0; i < batch->count; i++) {
        copi_element_let_go(&elements,
                            (unsigned char *)batch->items + i * copi_room_size(&elements));
    }
    free(batch->items);
}

/* What there is, which is not this stage's any more. */
static cop_batch
give(struct batch *batch)
{
    const struct copi_elements *elements = &batch->stage.up->elements;
    const cop_batch given = {batch->items, batch->count, elements->drop, elements->size};
    batch->items = NULL;
    batch->count = 0;
    return given;
}

static void
drop_all(struct batch *batch)
{
    cop_batch given = give(batch);
    cop_batch_drop(&given);
}

static bool
begin(struct batch *batch)
{
    if (!batch->items) {
        batch->items = copi_alloc(batch->size * (batch->item_size ? batch->item_size : 1));
    }
    return batch->items != NULL;
}

static enum copi_pulled
fail_for_memory(cop_reason *why)
{
    *why = cop_failed(-ENOMEM, NULL);
    return COPI_BROKEN;
}

/* Fill it as far as that goes: COPI_ELEMENT, if it is full. */
static enum copi_pulled
fill(struct batch *batch)
{
    cop_stream *up = batch->stage.up;
    while (batch->count < batch->size) {
        void *room = batch->items + batch->count * batch->item_size;
        enum copi_pulled pulled = up->kind->pull(up, room, &batch->why);
        if (pulled != COPI_ELEMENT) {
            return pulled;
        }
        if (copi_element_keep(&up->elements, room) != 0) {
            return fail_for_memory(&batch->why);
        }
        batch->count++;
    }
    return COPI_ELEMENT;
}

/* No demand, or all has been given: only whether it is over. */
static enum copi_pulled
look(struct batch *batch)
{
    cop_stream *up = batch->stage.up;
    if (batch->end == COPI_NOT_YET) {
        batch->end = up->kind->pull(up, NULL, &batch->why);
    }
    return batch->end;
}

static enum copi_pulled
end(struct batch *batch, cop_reason *why)
{
    if (batch->end == COPI_BROKEN) {
        *why = batch->why;
    }
    return batch->end;
}

static enum copi_pulled
pull(cop_stream *stage, void *room, cop_reason *why)
{
    struct batch *batch = of(stage);
    if (!room) {
        (void)look(batch);
    } else if (batch->end == COPI_NOT_YET) {
        if (!begin(batch)) {
            return fail_for_memory(why);
        }
        enum copi_pulled pulled = fill(batch);
        batch->end = pulled == COPI_ELEMENT ? COPI_NOT_YET : pulled;
    }
    if (batch->end == COPI_BROKEN && batch->eager_error) {
        drop_all(batch);
    }
    if (batch->count == 0 || (batch->count < batch->size && batch->end == COPI_NOT_YET)) {
        return end(batch, why);
    }
    if (!room) {
        return COPI_NOT_YET;
    }
    cop_batch given = give(batch);
    memcpy(room, &given, sizeof given);
    return COPI_ELEMENT;
}

static void
close_stage(cop_stream *stage)
{
    drop_all(of(stage));
}

static void
free_stage(cop_stream *stage)
{
    free(stage);
}

cop_stream *
cop_stream_batch_with(cop_stream *stream, size_t n, const cop_stream_opts *opts)
{
    static const cop_stream_opts none;
    static const struct copi_stage_kind kind = {
        .pull = pull, .close = close_stage, .free = free_stage};
    const cop_stream_opts *how = opts ? opts : &none;
    cop_stream *up = copi_stream_claim(stream);
    size_t item_size = copi_room_size(&up->elements);
    const struct copi_stage_init init = {.kind = &kind,
                                         .elements = {sizeof(cop_batch), cop_batch_drop},
                                         .up = up,
                                         .env = how->env,
                                         .drop_env = how->drop_env,
                                         .file = how->file,
                                         .line = how->line};
    if (n == 0 || n > SIZE_MAX / 4 / (item_size ? item_size : 1)) {
        return copi_stage_refused(&init, cop_failed(-EINVAL, "no batches of %zu", n));
    }
    struct batch *batch = copi_stage_new(sizeof *batch, &init);
    if (!batch) {
        return copi_stream_no_memory();
    }
    batch->size = n;
    batch->item_size = item_size;
    batch->eager_error = how->eager_error;
    batch->end = COPI_NOT_YET;
    return &batch->stage;
}
