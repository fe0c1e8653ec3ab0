/*
 * actors/stream_map.c - stages that pass elements on, one for one or fewer: map, filter, take.
 *
 * Room: actors/. The stream's subscription, but for the making.
 *
 * Each pulls from the stage before it when it is pulled from, so demand needs no words: filter pulls
 * again for each element that it drops, and take does not pull for what it will not give.
 */
#include "actors/stream.h"
#include "runtime/alloc.h"

#include <errno.h>
#include <stdlib.h>

static enum copi_pulled
pull_up(const cop_stream *stage, void *room, cop_reason *why)
{
    return stage->up->kind->pull(stage->up, room, why);
}

static const cop_stream_opts *
or_none(const cop_stream_opts *opts)
{
    static const cop_stream_opts none;
    return opts ? opts : &none;
}

static void
free_stage(cop_stream *stage)
{
    free(stage);
}

/* ---------------------------------------------------------------- map */

struct map {
    cop_stream stage;
    cop_stream_map_fn fn; /* constant */
    bool takes;
    _Alignas(max_align_t) unsigned char room[]; /* for what it pulls */
};

static enum copi_pulled
map_one(struct map *map, void *result, cop_reason *why)
{
    cop_stream *stage = &map->stage;
    stage->in_hand = map->takes ? NULL : map->room;
    int r = map->fn(map->room, result, stage->env);
    if (stage->in_hand) {
        stage->in_hand = NULL;
        copi_element_drop(&stage->up->elements, map->room);
    }
    return copi_returned(r, why) ? COPI_BROKEN : COPI_ELEMENT;
}

static enum copi_pulled
pull_map(cop_stream *stage, void *room, cop_reason *why)
{
    struct map *map = (struct map *)(void *)stage;
    enum copi_pulled pulled = pull_up(stage, room ? map->room : NULL, why);
    return pulled == COPI_ELEMENT ? map_one(map, room, why) : pulled;
}

cop_stream *
cop_stream_map_with(cop_stream *stream, cop_stream_map_fn fn, const cop_stream_opts *opts)
{
    static const struct copi_stage_kind kind = {.pull = pull_map, .free = free_stage};
    const cop_stream_opts *how = or_none(opts);
    cop_stream *up = copi_stream_claim(stream);
    const struct copi_stage_init init = {.kind = &kind,
                                         .elements = {how->size, how->drop},
                                         .up = up,
                                         .env = how->env,
                                         .drop_env = how->drop_env,
                                         .file = how->file,
                                         .line = how->line};
    if (!fn) {
        return copi_stage_refused(&init, cop_failed(-EINVAL, "no function"));
    }
    struct map *map = copi_stage_new(sizeof *map + copi_room_size(&up->elements), &init);
    if (!map) {
        return copi_stream_no_memory();
    }
    map->fn = fn;
    map->takes = how->takes;
    return &map->stage;
}

/* ---------------------------------------------------------------- filter */

struct filter {
    cop_stream stage;
    cop_stream_filter_fn fn; /* constant */
};

static bool
wants(struct filter *filter, void *room)
{
    cop_stream *stage = &filter->stage;
    stage->in_hand = room;
    bool is_wanted = filter->fn(room, stage->env);
    stage->in_hand = NULL;
    return is_wanted;
}

static enum copi_pulled
pull_filter(cop_stream *stage, void *room, cop_reason *why)
{
    enum copi_pulled pulled;
    while ((pulled = pull_up(stage, room, why)) == COPI_ELEMENT
           && !wants((struct filter *)(void *)stage, room)) {
        copi_element_drop(&stage->elements, room);
    }
    return pulled;
}

cop_stream *
cop_stream_filter_with(cop_stream *stream, cop_stream_filter_fn fn, const cop_stream_opts *opts)
{
    static const struct copi_stage_kind kind = {.pull = pull_filter, .free = free_stage};
    const cop_stream_opts *how = or_none(opts);
    cop_stream *up = copi_stream_claim(stream);
    const struct copi_stage_init init = {.kind = &kind,
                                         .elements = up->elements,
                                         .up = up,
                                         .env = how->env,
                                         .drop_env = how->drop_env,
                                         .file = how->file,
                                         .line = how->line};
    if (!fn) {
        return copi_stage_refused(&init, cop_failed(-EINVAL, "no function"));
    }
    struct filter *filter = copi_stage_new(sizeof *filter, &init);
    if (!filter) {
        return copi_stream_no_memory();
    }
    filter->fn = fn;
    return &filter->stage;
}

/* ---------------------------------------------------------------- take */

struct take {
    cop_stream stage;
    uint64_t left; /* in the subscription */
};

static enum copi_pulled
pull_take(cop_stream *stage, void *room, cop_reason *why)
{
    struct take *take = (struct take *)(void *)stage;
    if (take->left == 0) {
        return COPI_COMPLETE;
    }
    enum copi_pulled pulled = pull_up(stage, room, why);
    if (pulled == COPI_ELEMENT) {
        take->left--;
    }
    return pulled;
}

cop_stream *
cop_stream_take_at(cop_stream *stream, uint64_t n, const char *file, int line)
{
    static const struct copi_stage_kind kind = {.pull = pull_take, .free = free_stage};
    cop_stream *up = copi_stream_claim(stream);
    struct take *take = copi_stage_new(
        sizeof *take,
        &(struct copi_stage_init){
            .kind = &kind, .elements = up->elements, .up = up, .file = file, .line = line});
    if (!take) {
        return copi_stream_no_memory();
    }
    take->left = n;
    return &take->stage;
}
