/*
 * actors/durable/store.c - a store's process: it opens, takes what comes, and closes.
 *
 * Room: actors/durable/. The store's process; whoever starts one.
 * Touch freely: nothing. Ask first: when a batch is run.
 *
 * The mailbox is the queue of group commit. Each operation that comes joins the batch; when the mailbox is
 * empty (a timeout of 0), or the batch is full, it is run. A batch is not waited for to fill: the
 * next one fills while this one is being synced. Only when many were answered at once they are given a moment to
 * ask again: gather.c.
 *
 *     closed to writes <--------------- a sync failed ---------------- open
 *             |                                                         ^
 *             `---- opened anew, from nothing, when its time has come --'
 *
 * Closed, it still reads, as long as the backend can: what is read was committed before. Once it could not be opened it does
 * nothing.
 *
 * The process traps exits, so that it is left only between two callbacks, with the batch run and the data closed; a kill
 * closes the data as well (cop_at_exit), and then what was in the batch is not known to have happened.
 */
#include "actors/durable/store.h"

#include "actors/durable/memory.h"
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/request.h"

#include <coppice/durable.h>
#include <coppice/io.h>
#include <coppice/log.h>
#include <coppice/signal.h>

#include <errno.h>
#include <stdlib.h>

/* Anybody may send these. */
#define REOPEN 0xfffe0601u
#define HINT   0xfffe0602u /* an id with its terminator; or nothing */

#define PAUSE     COP_MS(100)
#define PAUSE_MAX COP_SEC(60)

enum {
    VALUE_MOST = 16 * 1024 * 1024
};

/* ---------------------------------------------------------------- opening, closing */

void
copi_store_trace(const struct copi_store *store, const char *step)
{
    if (store->opts.trace) {
        store->opts.trace(step, store->opts.trace_env);
    }
}

static int
open_data(struct copi_store *store, cop_reason *why)
{
    *why = COP_REASON_NORMAL;
    if (store->backend->state_size > 0) {
        memset(store->data, 0, store->backend->state_size);
    }
    store->is_open = true; /* should it be left in there */
    int r = store->backend->open(store->data, &store->opts, why);
    store->is_open = r == 0;
    store->closed = r;
    return r;
}

static void
close_data(struct copi_store *store)
{
    if (store->watch.id) {
        cop_io_cancel(store->watch);
        store->watch = (cop_ref){0};
    }
    if (store->is_open) {
        store->is_open = false;
        store->backend->close(store->data);
    }
}

/* However it ends. */
static void
close_all(void *state)
{
    struct copi_store *store = state;
    for (; store->count > 0; store->count--) {
        copi_ask_lose(store->asks[store->count - 1]);
    }
    close_data(store);
    copi_awaited_clear(&store->awaited);
    for (size_t i = 0; i < COPI_OWN_OPS; i++) {
        cop_store_forget(&store->own[i]);
    }
    free(store->data);
}

static cop_time
twice(cop_time pause)
{
    return pause > PAUSE_MAX / 2 ? PAUSE_MAX : 2 * pause;
}

static void
arrange_reopening(struct copi_store *store)
{
    bool is_automatic = store->opts.reopen_after != COP_FOREVER;
    store->due.reopen_at = is_automatic ? cop_now() + store->pause : COP_FOREVER;
    store->pause = twice(store->pause);
}

static int
reopen(struct copi_store *store)
{
    cop_reason why;
    if (!store->closed) {
        return 0;
    }
    close_data(store);
    int r = open_data(store, &why);
    if (r) {
        cop_log(COP_LOG_ERROR, "a store of promises cannot be opened",
                COP_KV("store", store->backend->name), COP_KV("error", r),
                COP_KV("why", (const char *)why.text));
        arrange_reopening(store);
        return r;
    }
    cop_log(COP_LOG_NOTICE, "a store of promises is open again",
            COP_KV("store", store->backend->name));
    copi_duties_init(store);
    copi_awaited_hint(&store->awaited, NULL); /* what the failed batch has done is seen now */
    store->pause = store->opts.reopen_after;
    return 0;
}

void
copi_store_failed(struct copi_store *store, int error)
{
    if (error == -EIO && !store->closed) {
        store->closed = error;
        cop_log(COP_LOG_ERROR, "a store of promises is closed to writes",
                COP_KV("store", store->backend->name), COP_KV("error", error));
        arrange_reopening(store);
    }
}

/* ---------------------------------------------------------------- what others change */

static void
look_at_others(struct copi_store *store)
{
    if (store->is_open && (!store->backend->changed || store->backend->changed(store->data))) {
        copi_awaited_hint(&store->awaited, NULL);
        copi_duties_others(store);
    }
}

/* A descriptor is watched while somebody waits; without a place for that there is the poll. */
static void
watch(struct copi_store *store)
{
    if (!store->watch.id && store->is_open && store->backend->descriptor
        && copi_awaited_count(&store->awaited) > 0) {
        int fd = store->backend->descriptor(store->data);
        store->watch = fd < 0 ? (cop_ref){0} : cop_io_watch(fd, COP_IO_READ);
    }
}

static void
note_readable(struct copi_store *store, const struct cop_io_ready *ready)
{
    if (ready->watch.id == store->watch.id) {
        store->watch = (cop_ref){0};
        look_at_others(store);
    }
}

/* ---------------------------------------------------------------- a turn */

static cop_step
go_on(struct copi_store *store)
{
    if (store->count > 0) {
        return cop_ok_timeout(0); /* when nothing more has come */
    }
    watch(store);
    cop_time next = copi_duties_next(store);
    if (next == COP_FOREVER) {
        return cop_ok();
    }
    cop_time now = cop_now();
    return cop_ok_timeout(next > now ? next - now : 0);
}

/* The mailbox is empty. */
static bool
pauses(struct copi_store *store)
{
    if (!copi_gather_pauses(&store->gather, store->count, cop_now())) {
        return false;
    }
    struct copi_parker pause;
    copi_store_trace(store, "pause");
    copi_parker_init(&pause);
    copi_park(&pause, copi_deadline(COPI_GATHER_PAUSE));
    copi_parker_fini(&pause);
    return true;
}

static void
work(struct copi_store *store)
{
    if (cop_now() >= store->due.reopen_at) {
        store->due.reopen_at = COP_FOREVER;
        reopen(store);
    }
    copi_store_commit(store);
    if (copi_duties_poll(store)) {
        look_at_others(store);
    }
    copi_store_look(store);
}

/* 0, or why it cannot be asked. */
static int
admit(const struct copi_store *store, const struct copi_ask *ask, const char **what)
{
    const cop_store_op *op = &ask->op;
    if (op->param.size > store->opts.value_most || op->value.size > store->opts.value_most) {
        *what = "longer than the store takes";
        return -EMSGSIZE;
    }
    if (store->closed && (cop_store_writes(op) || !store->is_open)) {
        *what = "the store is closed to writes until it is opened anew";
        return -EROFS;
    }
    return 0;
}

static void
take(struct copi_store *store, struct copi_ask *ask)
{
    const char *what = "";
    if (!copi_store_has_room(store, ask)) {
        work(store);
    }
    int r = admit(store, ask, &what);
    if (r) {
        copi_ask_refuse(ask, r, what);
        return;
    }
    copi_store_add(store, ask);
}

/* ---------------------------------------------------------------- callbacks */

static int
set_up(struct copi_store *store, cop_bytes arg, cop_reason *why)
{
    size_t size = arg.size < sizeof store->opts ? arg.size : sizeof store->opts;
    if (size > 0) {
        memcpy(&store->opts, arg.data, size);
    }
    cop_store_opts *opts = &store->opts;
    opts->value_most = opts->value_most ? opts->value_most : VALUE_MOST;
    opts->reopen_after = opts->reopen_after ? opts->reopen_after : PAUSE;
    if (opts->keep_settled < 0 || opts->reopen_after < 0) {
        return -EINVAL;
    }
    store->backend = opts->backend ? opts->backend : &copi_memory_backend;
    store->pause = opts->reopen_after;
    store->self = cop_self();
    copi_awaited_init(&store->awaited);
    int r = cop_at_exit(close_all, store);
    store->data = r ? NULL : copi_zalloc(store->backend->state_size + 1);
    return store->data ? open_data(store, why) : -ENOMEM;
}

static cop_step
init(void *state, cop_bytes arg)
{
    struct copi_store *store = state;
    cop_reason why = COP_REASON_NORMAL;
    int r = set_up(store, arg, &why);
    if (r) {
        return cop_stop(cop_failed(r, "%s", why.text[0] ? why.text : cop_strerror(r)));
    }
    cop_trap_exits(true);
    copi_duties_init(store);
    return go_on(store);
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    struct copi_store *store = state;
    struct copi_ask *ask = msg.tag == COPI_STORE_ASK ? cop_msg_take(&msg) : NULL;
    if (ask) {
        take(store, ask);
    }
    return go_on(store);
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct copi_store *store = state;
    const char *id = msg.body.data;
    switch (msg.tag) {
    case COP_MSG_TIMEOUT:
        if (pauses(store)) {
            return go_on(store);
        }
        break;
    case COP_MSG_IO:
        note_readable(store, COP_BODY(msg, struct cop_io_ready));
        break;
    case HINT:
        copi_awaited_hint(&store->awaited,
                          msg.body.size > 0 && id[msg.body.size - 1] == 0 ? id : NULL);
        copi_duties_others(store);
        break;
    default:
        return go_on(store);
    }
    work(store);
    return go_on(store);
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct copi_store *store = state;
    if (request.tag == REOPEN) {
        int r = reopen(store);
        cop_reply(from, COP_MSG_OF(0, r));
    } else {
        copi_request_fail(copi_here.process, from.pid, from.ref, -EOPNOTSUPP);
    }
    return go_on(store);
}

/* Also when a backend has left a batch that it had begun: that is not begun again. */
static void
terminate(void *state, cop_reason reason)
{
    struct copi_store *store = state;
    (void)reason;
    if (store->count > 0 && !store->asks[0]->is_taken) {
        copi_store_commit(store);
    }
}

static const cop_genserver server = {
    .type = "store",
    .state_size = sizeof(struct copi_store),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
    .terminate = terminate,
};

/* ---------------------------------------------------------------- what users call */

/* Who gives none. */
static const cop_store_opts none = {.size = sizeof none};

static cop_bytes
bytes_of(const cop_store_opts *opts)
{
    return (cop_bytes){opts, opts->size < sizeof *opts ? opts->size : sizeof *opts};
}

cop_child_spec
cop_store_spec_with(const char *id, const cop_store_opts *given)
{
    const cop_store_opts *opts = given ? given : &none;
    const char *kind = opts->backend ? opts->backend->name : "memory";
    return (cop_child_spec){
        .id = id           ? id
              : opts->name ? opts->name
                           : kind,
        .genserver = &server,
        .name = opts->name,
        .restart = COP_PERMANENT,
        .arg = bytes_of(opts),
    };
}

int
cop_store_start_with(cop_pid *out, const cop_store_opts *given)
{
    const cop_store_opts *opts = given ? given : &none;
    return cop_genserver_start(out, &server, .name = opts->name, .arg = bytes_of(opts),
                               .link = opts->link);
}

int
cop_store_reopen(cop_pid store, cop_time timeout)
{
    int answer;
    int r = cop_call(store, COP_TAG(REOPEN), COP_OUT(answer), timeout);
    return r ? r : answer ? copi_fail(answer) : 0;
}

int
cop_store_hint(cop_pid store, const char *id)
{
    return cop_send(store, (cop_msg){.tag = HINT, .body = id ? COP_STR(id) : (cop_bytes){0}});
}
