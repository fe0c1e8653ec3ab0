/*
 * actors/stream_merge.c - several streams as one; and one as itself, with a queue between.
 *
 * Room: actors/. The stream's subscription, but for the making.
 * Touch freely: nothing. Ask first: what is told when one of them fails.
 *
 * Each input runs in a subscription of its own, a branch of this one, with a reader at its end: so inputs
 * that wait do not hold up each other, and their functions run beside those behind. Readers are pulled
 * from in turn, beginning behind the one that gave the last element, so that none is left out.
 *
 * When an input fails the others are cancelled, but not closed: what is queued in them comes first, unless
 * the error is eager. Closing them drops the rest.
 */
#include "actors/stream.h"
#include "actors/stream_reader.h"

#include <errno.h>
#include <stdlib.h>

struct input {
    cop_stream *stage;          /* held, until it runs */
    struct copi_reader *reader; /* while it runs */
    bool is_over;
};

struct merge {
    cop_stream stage;
    /* constant */
    size_t count;
    size_t most, least;
    bool eager_error;
    /* in the subscription */
    size_t turn; /* whose it is */
    bool is_failed;
    cop_reason why;
    struct input inputs[];
};

static struct merge *
of(cop_stream *stage)
{
    return (struct merge *)(void *)stage;
}

/* ---------------------------------------------------------------- running */

static void
fail(struct merge *merge, const cop_reason *why)
{
    if (!merge->is_failed) {
        merge->is_failed = true;
        merge->why = *why;
    }
    for (size_t i = 0; i < merge->count; i++) {
        if (merge->inputs[i].reader) {
            cop_subscription_cancel(copi_reader_subscription(merge->inputs[i].reader));
        }
    }
}

static int
start(struct merge *merge, struct input *input, cop_subscription *subscription)
{
    cop_stream *stage = input->stage;
    input->stage = NULL;
    int r = copi_reader_new(&input->reader, stage,
                            &(struct copi_reader_init){.most = merge->most,
                                                       .least = merge->least,
                                                       .eager_error = merge->eager_error,
                                                       .file = merge->stage.file,
                                                       .line = merge->stage.line});
    if (r == 0) {
        copi_reader_start(input->reader, subscription);
    }
    return r;
}

static void
open_stage(cop_stream *stage, cop_subscription *subscription)
{
    struct merge *merge = of(stage);
    int r = 0;
    for (size_t i = 0; i < merge->count && r == 0; i++) {
        r = start(merge, &merge->inputs[i], subscription);
    }
    if (r) {
        const cop_reason why = cop_failed(r, NULL);
        fail(merge, &why);
    }
}

static bool
is_running(const struct input *input)
{
    return input->reader && !input->is_over;
}

/* What the input has: COPI_ELEMENT, if it was taken; else COPI_NOT_YET. */
static enum copi_pulled
look_at(struct merge *merge, struct input *input, void *room)
{
    cop_reason why;
    enum copi_pulled pulled = copi_reader_take(input->reader, room, &why);
    if (pulled == COPI_ELEMENT) {
        return COPI_ELEMENT;
    }
    input->is_over = pulled != COPI_NOT_YET;
    if (pulled == COPI_BROKEN) {
        fail(merge, &why);
    }
    return COPI_NOT_YET;
}

static bool
take_from_any(struct merge *merge, void *room)
{
    for (size_t i = 0; i < merge->count; i++) {
        size_t at = (merge->turn + i) % merge->count;
        struct input *input = &merge->inputs[at];
        if (is_running(input) && look_at(merge, input, room) == COPI_ELEMENT) {
            merge->turn = at + 1;
            return true;
        }
    }
    return false;
}

/* One that was cancelled, because another has failed, still has what was queued; and gets no more. */
static bool
may_have_more(const struct merge *merge)
{
    for (size_t i = 0; i < merge->count; i++) {
        const struct input *input = &merge->inputs[i];
        if (is_running(input) && (!merge->is_failed || copi_reader_has_element(input->reader))) {
            return true;
        }
    }
    return false;
}

static bool
is_broken(const struct merge *merge)
{
    return merge->is_failed && (merge->eager_error || !may_have_more(merge));
}

static enum copi_pulled
pull(cop_stream *stage, void *room, cop_reason *why)
{
    struct merge *merge = of(stage);
    if (!is_broken(merge) && take_from_any(merge, room)) {
        return COPI_ELEMENT;
    }
    if (is_broken(merge)) {
        *why = merge->why;
        return COPI_BROKEN;
    }
    return may_have_more(merge) ? COPI_NOT_YET : COPI_COMPLETE;
}

static void
close_stage(cop_stream *stage)
{
    struct merge *merge = of(stage);
    for (size_t i = 0; i < merge->count; i++) {
        struct copi_reader *reader = merge->inputs[i].reader;
        merge->inputs[i].reader = NULL;
        if (reader) {
            copi_reader_abandon(reader);
        }
    }
}

static void
free_stage(cop_stream *stage)
{
    struct merge *merge = of(stage);
    for (size_t i = 0; i < merge->count; i++) {
        copi_stage_let_go(merge->inputs[i].stage);
    }
    free(merge);
}

/* ---------------------------------------------------------------- made */

struct inputs {
    cop_stream *const *streams;
    size_t count;
    size_t most, least;
    bool eager_error;
};

static void
release_all(const struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++) {
        cop_stream_release(inputs->streams[i]);
    }
}

/* Those that fail at once have elements of no kind. */
static bool
has_kind(const cop_stream *stream)
{
    return stream && !copi_stream_is_failed(stream);
}

static bool
find_common_kind(const struct inputs *inputs, struct copi_elements *out)
{
    const struct copi_elements *first = NULL;
    for (size_t i = 0; i < inputs->count; i++) {
        const cop_stream *stream = inputs->streams[i];
        const struct copi_elements *is = has_kind(stream) ? &stream->elements : NULL;
        if (first && is && (is->size != first->size || is->drop != first->drop)) {
            return false;
        }
        first = first ? first : is;
    }
    *out = first ? *first : (struct copi_elements){COP_ANY, NULL};
    return true;
}

static cop_stream *
make(const struct inputs *inputs, const cop_stream_opts *how)
{
    static const struct copi_stage_kind kind = {
        .open = open_stage, .pull = pull, .close = close_stage, .free = free_stage};
    struct copi_stage_init init = {.kind = &kind,
                                   .env = how->env,
                                   .drop_env = how->drop_env,
                                   .file = how->file,
                                   .line = how->line};
    bool is_valid = find_common_kind(inputs, &init.elements) && inputs->least <= inputs->most
                    && inputs->count < SIZE_MAX / 2 / sizeof(struct input);
    if (!is_valid) {
        release_all(inputs);
        return copi_stage_refused(&init, cop_failed(-EINVAL, "streams that do not fit"));
    }
    struct merge *merge =
        copi_stage_new(sizeof *merge + inputs->count * sizeof merge->inputs[0], &init);
    if (!merge) {
        release_all(inputs);
        return copi_stream_no_memory();
    }
    merge->count = inputs->count;
    merge->most = inputs->most;
    merge->least = inputs->least;
    merge->eager_error = inputs->eager_error;
    for (size_t i = 0; i < inputs->count; i++) {
        merge->inputs[i].stage = copi_stream_claim(inputs->streams[i]);
    }
    return &merge->stage;
}

cop_stream *
cop_stream_merge_with(cop_stream *const streams[], size_t n, const cop_stream_opts *opts)
{
    static const cop_stream_opts none;
    const cop_stream_opts *how = opts ? opts : &none;
    return make(&(struct inputs){streams, n, COPI_DEMAND, COPI_LOW_WATER, how->eager_error}, how);
}

cop_stream *
cop_stream_buffer_at(cop_stream *stream, size_t most, size_t least, const char *file, int line)
{
    size_t bound = most ? most : COPI_DEMAND;
    size_t step = least ? least : (bound + 1) / 2;
    return make(&(struct inputs){&stream, 1, bound, step, false},
                &(cop_stream_opts){.file = file, .line = line});
}
