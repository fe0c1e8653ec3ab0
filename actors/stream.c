/*
 * actors/stream.c - stages: made, handed on, let go of; and what elements are.
 *
 * Room: actors/. Any thread.
 * Touch freely: nothing. Ask first: who holds a stage.
 *
 * A stage is what a user sees as a stream. It is made with one handle. Handles are counted, and together
 * are one hold; the stage behind it, or the subscription that it is the last stage of, has another. So it
 * is known when the user's last handle goes although the stream runs: then what he reads with
 * cop_stream_next is cancelled.
 *
 * Whoever consumes a stage claims it, by a compare-and-swap: the first one does. Others, and who has no
 * memory for a stage, get a stage that fails. So whoever builds a pipeline looks at no errors: they come
 * out of its end.
 *
 * Stages are let go of from the last to the first, in a loop: a pipeline may be long.
 */
#include "actors/stream.h"

#include "actors/stream_reader.h"
#include "runtime/alloc.h"
#include "runtime/live.h"
#include "runtime/message.h"
#include "runtime/process.h"

#include <errno.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- elements */

size_t
copi_room_size(const struct copi_elements *elements)
{
    return elements->size == COP_ANY ? sizeof(cop_bytes) : elements->size;
}

static void *
data_of(const struct copi_elements *elements, void *room)
{
    union {
        const void *in;
        void *out;
    } any;
    if (elements->size != COP_ANY) {
        return room;
    }
    any.in = ((const cop_bytes *)room)->data;
    return any.out;
}

void
copi_element_drop(const struct copi_elements *elements, void *room)
{
    if (elements->drop) {
        copi_run_drop(elements->drop, data_of(elements, room));
    }
}

int
copi_element_keep(const struct copi_elements *elements, void *room)
{
    cop_bytes *bytes = room;
    if (!copi_are_lent(elements)) {
        return 0;
    }
    void *copy = copi_alloc(bytes->size ? bytes->size : 1);
    if (!copy) {
        return -ENOMEM;
    }
    if (bytes->size > 0) {
        memcpy(copy, bytes->data, bytes->size);
    }
    bytes->data = copy;
    return 0;
}

void
copi_element_let_go(const struct copi_elements *elements, void *room)
{
    if (copi_are_lent(elements)) {
        free(data_of(elements, room));
    } else {
        copi_element_drop(elements, room);
    }
}

void
copi_element_lend(const struct copi_elements *elements, void **lent, void *room)
{
    if (copi_are_lent(elements)) {
        free(*lent);
        *lent = data_of(elements, room);
    }
}

int
copi_returned(int code, cop_reason *why)
{
    if (code != 0) {
        *why =
            code < 0 ? cop_failed(code, NULL) : cop_failed(-EINVAL, "{bad_return_value,%d}", code);
    }
    return code;
}

/* ---------------------------------------------------------------- streams that fail */

struct failed {
    cop_stream stage;
    cop_reason why;
};

static enum copi_pulled
pull_failure(cop_stream *stage, void *room, cop_reason *why)
{
    (void)room;
    *why = ((const struct failed *)(const void *)stage)->why;
    return COPI_BROKEN;
}

static void
free_failed(cop_stream *stage)
{
    free(stage);
}

static const struct copi_stage_kind failed_kind = {.pull = pull_failure, .free = free_failed};

/* It is not counted, and may have any number of consumers. */
static struct failed no_memory = {
    .stage = {.kind = &failed_kind, .elements = {COP_ANY, NULL}},
    .why = {.kind = COP_FAILED, .code = -ENOMEM},
};

static bool
is_counted(const cop_stream *stage)
{
    return stage != &no_memory.stage;
}

cop_stream *
copi_stream_no_memory(void)
{
    copi_fail(-ENOMEM);
    return &no_memory.stage;
}

cop_stream *
copi_stream_failed(cop_reason why, const char *file, int line)
{
    struct failed *failed =
        copi_stage_new(sizeof *failed, &(struct copi_stage_init){.kind = &failed_kind,
                                                                 .elements = {COP_ANY, NULL},
                                                                 .file = file,
                                                                 .line = line});
    if (!failed) {
        return copi_stream_no_memory();
    }
    failed->why = why;
    return &failed->stage;
}

bool
copi_stream_is_failed(const cop_stream *stream)
{
    return stream->kind == &failed_kind;
}

/* ---------------------------------------------------------------- made, and let go of */

static void
drop_env(void (*drop)(void *env), void *env)
{
    if (drop) {
        copi_run_drop(drop, env);
    }
}

static void
let_go_of_parts(const struct copi_stage_init *how)
{
    drop_env(how->drop_env, how->env);
    copi_stage_let_go(how->up);
}

void *
copi_stage_new(size_t size, const struct copi_stage_init *how)
{
    cop_stream *stage = copi_zalloc(size);
    if (!stage) {
        let_go_of_parts(how);
        return NULL;
    }
    stage->kind = how->kind;
    stage->elements = how->elements;
    stage->up = how->up;
    stage->env = how->env;
    stage->drop_env = how->drop_env;
    stage->file = how->file;
    stage->line = how->line;
    copi_store_relaxed_32(&stage->handles, 1);
    copi_store_relaxed_32(&stage->holds, 1);
    copi_live_born(COPI_LIVE_STREAM);
    return stage;
}

cop_stream *
copi_stage_refused(const struct copi_stage_init *how, cop_reason why)
{
    let_go_of_parts(how);
    return copi_stream_failed(why, how->file, how->line);
}

void
copi_stage_let_go(cop_stream *stage)
{
    while (stage && is_counted(stage) && copi_fetch_add_32(&stage->holds, (uint32_t)-1) == 1) {
        cop_stream *up = stage->up;
        drop_env(stage->drop_env, stage->env);
        stage->kind->free(stage);
        copi_live_gone(COPI_LIVE_STREAM);
        stage = up;
    }
}

cop_stream *
cop_stream_retain(cop_stream *stream)
{
    if (is_counted(stream)) {
        copi_fetch_add_32(&stream->handles, 1);
    }
    return stream;
}

void
cop_stream_release(cop_stream *stream)
{
    if (!stream || !is_counted(stream) || copi_fetch_add_32(&stream->handles, (uint32_t)-1) != 1) {
        return;
    }
    struct copi_reader *reader = copi_exchange_ptr(&stream->reader, NULL);
    if (reader) {
        copi_reader_abandon(reader);
    }
    copi_stage_let_go(stream);
}

static bool
claim(cop_stream *stream)
{
    uint32_t no = 0;
    return copi_cas_32(&stream->is_consumed, &no, 1);
}

cop_stream *
copi_stream_claim(cop_stream *stream)
{
    cop_stream *claimed = stream;
    if (!stream) {
        return copi_stream_failed(cop_failed(-EINVAL, "no stream"), NULL, 0);
    }
    if (!is_counted(stream)) {
        return stream;
    }
    if (stream->kind->join) {
        claimed = stream->kind->join(stream);
    } else if (claim(stream)) {
        copi_fetch_add_32(&stream->holds, 1);
    } else {
        claimed = copi_stream_failed(cop_failed(-EBUSY, "the stream has a consumer"), stream->file,
                                     stream->line);
    }
    cop_stream_release(stream);
    return claimed;
}
