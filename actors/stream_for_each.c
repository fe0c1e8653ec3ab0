/*
 * actors/stream_for_each.c - consuming a stream in a process of one's own: each element, or the next.
 *
 * Room: actors/. The consuming process.
 *
 * Behind both is a reader. cop_stream_for_each waits for the end of its subscription, whatever happens:
 * the stream's functions may use what is on its stack. A process that ends in it does so, too, by a
 * deferred call.
 */
#include "actors/future.h"
#include "actors/stream.h"
#include "actors/stream_reader.h"
#include "runtime/alloc.h"
#include "runtime/inbox.h"
#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/wait.h"

#include <errno.h>
#include <stdlib.h>

static int
read_from(struct copi_reader **out, cop_stream *claimed)
{
    return copi_reader_new(
        out, claimed, &(struct copi_reader_init){.most = COPI_DEMAND, .least = COPI_LOW_WATER});
}

/* ---------------------------------------------------------------- the end */

/*
 * Until no function of the stream runs any more. What cuts other waits short, a kill even, does not cut
 * this one: it acts afterwards. The functions have been told to end, by the stream's context; and who kills
 * does not wait for ever.
 */
static void
wait_for_end(struct copi_process *self, cop_future *ended)
{
    enum copi_pending was = COPI_NONE;
    cop_reason reason = COP_REASON_NORMAL;
    uint32_t uncancelled = copi_load_relaxed_32(&self->uncancelled);
    copi_store_relaxed_32(&self->uncancelled, 1);
    self->held++;
    while (copi_future_outcome(ended) == -EINPROGRESS) {
        if (self->pending > was) {
            was = self->pending;
            reason = self->reasons->pending;
        }
        self->pending = COPI_NONE;
        (void)cop_await(ended, NULL, 0, COP_FOREVER);
    }
    self->held--;
    copi_store_relaxed_32(&self->uncancelled, uncancelled);
    if (was != COPI_NONE && was >= self->pending) {
        self->pending = was;
        self->reasons->pending = reason;
    }
}

/* ---------------------------------------------------------------- each */

struct each {
    struct copi_process *self;
    struct copi_reader *reader;
    cop_stream_each_fn fn;
    const cop_stream_opts *opts;
    void *room;
    bool has_element; /* in the room, which fn has not taken */
};

static void
drop_element(struct each *each)
{
    if (each->has_element) {
        each->has_element = false;
        copi_element_drop(copi_reader_elements(each->reader), each->room);
    }
}

static int
call(struct each *each)
{
    cop_reason why;
    each->has_element = !each->opts->takes;
    int r = each->fn(each->room, each->opts->env);
    drop_element(each);
    return copi_returned(r, &why) ? copi_fail_why(&why, cop_reason_error(why)) : 0;
}

static int
take_all(struct each *each, cop_time timeout)
{
    struct copi_wait wait = COPI_WAIT("stream", timeout);
    int r = 0;
    while (r == 0) {
        copi_take_in(each->self);
        r = copi_reader_next(each->reader, each->room, &wait);
        r = r ? r : call(each);
    }
    return r;
}

static void
drop_env(const cop_stream_opts *opts)
{
    if (opts->drop_env) {
        copi_run_drop(opts->drop_env, opts->env);
    }
}

static void
stop(void *arg)
{
    struct each *each = arg;
    drop_element(each);
    copi_reader_close(each->reader);
    wait_for_end(each->self, copi_reader_subscription(each->reader)->ended);
    copi_reader_release(each->reader);
    free(each->room);
    drop_env(each->opts);
}

/* What is deferred also runs when the process ends in here. */
static int
run(struct each *each, cop_time timeout)
{
    copi_reader_start(each->reader, NULL);
    int r = take_all(each, timeout);
    cop_reason why = cop_why();
    cop_undefer(stop, each, true);
    return r == -ENODATA ? 0 : copi_fail_why(&why, r);
}

/* The stream is taken over in any case. */
static int
prepare(struct each *each, cop_stream *stream)
{
    int r = copi_enter(&each->self);
    r = r || each->fn ? r : copi_fail(-EINVAL);
    if (r) {
        cop_stream_release(stream);
        return r;
    }
    r = read_from(&each->reader, copi_stream_claim(stream));
    if (r) {
        return r;
    }
    size_t size = copi_room_size(copi_reader_elements(each->reader));
    each->room = copi_alloc(size ? size : 1);
    r = each->room ? cop_defer(stop, each) : copi_fail(-ENOMEM);
    if (r) {
        free(each->room);
        copi_reader_release(each->reader);
    }
    return r;
}

int
cop_stream_for_each_with(cop_stream *stream, cop_stream_each_fn fn, const cop_stream_opts *opts,
                         cop_time timeout)
{
    static const cop_stream_opts none;
    struct each each = {.fn = fn, .opts = opts ? opts : &none};
    int r = prepare(&each, stream);
    if (r) {
        drop_env(each.opts);
        return r;
    }
    return run(&each, timeout);
}

int
cop_stream_for_each(cop_stream *stream, cop_stream_each_fn fn, void *env, cop_time timeout)
{
    return cop_stream_for_each_with(stream, fn, &(cop_stream_opts){.env = env}, timeout);
}

/* ---------------------------------------------------------------- the next */

static int
fail_as(cop_stream *stream)
{
    cop_reason why;
    (void)stream->kind->pull(stream, NULL, &why);
    return copi_fail_why(&why, cop_reason_error(why));
}

/* The first to ask begins to consume it. */
static int
find_reader(cop_stream *stream, struct copi_reader **out)
{
    *out = copi_load_acquire_ptr(&stream->reader); /* pairs with the store below */
    if (*out) {
        return 0;
    }
    int r = read_from(out, copi_stream_claim(cop_stream_retain(stream)));
    if (r == 0) {
        copi_store_release_ptr(&stream->reader, *out);
        copi_reader_start(*out, NULL);
    }
    return r;
}

int
cop_stream_next(cop_stream *stream, void *out, size_t size, cop_time timeout)
{
    struct copi_process *self;
    struct copi_reader *reader;
    struct copi_wait wait = COPI_WAIT("stream", timeout);
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    copi_take_in(self);
    if (copi_stream_is_failed(stream)) {
        return fail_as(stream);
    }
    if (size != copi_room_size(&stream->elements)) {
        return copi_fail(-EMSGSIZE);
    }
    char nothing; /* a room for elements of no bytes */
    r = find_reader(stream, &reader);
    r = r ? r : copi_reader_next(reader, size > 0 ? out : &nothing, &wait);
    return copi_wait_failed(r);
}
