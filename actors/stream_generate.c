/*
 * actors/stream_generate.c - a source that is asked for each element.
 *
 * Room: actors/. The stream's subscription, but for the making.
 *
 * It is opened when the stream begins to run, so that it can say without any demand that it fails, or has
 * nothing.
 */
#include "actors/stream.h"

#include <errno.h>
#include <stdlib.h>

struct generator {
    cop_stream stage;
    /* constant */
    int (*next)(void *element, void *env);
    int (*open)(void *env);
    void (*close)(void *env);
    /* in the subscription */
    bool is_open;
    int failed; /* `open` said so */
};

static struct generator *
of(cop_stream *stage)
{
    return (struct generator *)(void *)stage;
}

static void
open_source(cop_stream *stage, cop_subscription *subscription)
{
    struct generator *generator = of(stage);
    (void)subscription;
    generator->failed = generator->open ? generator->open(stage->env) : 0;
    generator->is_open = generator->failed == 0;
}

static enum copi_pulled
end(int code, cop_reason *why)
{
    if (code == -ENODATA) {
        return COPI_COMPLETE;
    }
    (void)copi_returned(code, why);
    return COPI_BROKEN;
}

static enum copi_pulled
pull(cop_stream *stage, void *room, cop_reason *why)
{
    struct generator *generator = of(stage);
    if (generator->failed) {
        return end(generator->failed, why);
    }
    if (!room) {
        return COPI_NOT_YET;
    }
    int r = generator->next(room, stage->env);
    return r == 0 ? COPI_ELEMENT : end(r, why);
}

static void
close_source(cop_stream *stage)
{
    const struct generator *generator = of(stage);
    if (generator->is_open && generator->close) {
        generator->close(stage->env);
    }
}

static void
free_source(cop_stream *stage)
{
    free(stage);
}

cop_stream *
cop_stream_generate_with(const cop_generator *given)
{
    static const cop_generator none;
    const cop_generator *how = given ? given : &none;
    static const struct copi_stage_kind kind = {
        .open = open_source, .pull = pull, .close = close_source, .free = free_source};
    const struct copi_stage_init init = {.kind = &kind,
                                         .elements = {how->size, how->drop},
                                         .env = how->env,
                                         .drop_env = how->drop_env,
                                         .file = how->file,
                                         .line = how->line};
    if (!how->next) {
        return copi_stage_refused(&init, cop_failed(-EINVAL, "no function"));
    }
    struct generator *generator = copi_stage_new(sizeof *generator, &init);
    if (!generator) {
        return copi_stream_no_memory();
    }
    generator->next = how->next;
    generator->open = how->open;
    generator->close = how->close;
    return &generator->stage;
}
