/*
 * supervisor/observe/web.c - the live page and the metrics, over HTTP: a child like others.
 *
 * Room: supervisor/observe/, libcoppice-web. The public API only, and libmicrohttpd.
 * Touch freely: the limits. Ask first: that there is one thread, and that it waits for nobody.
 *
 * libmicrohttpd can run threads of its own. They would be strangers here: without a name, a mailbox and
 * a supervisor, not ended by a stop, and in the middle of our memory when their owner crashes. So it gets
 * none. It runs inside a genserver, as a library that is called when there is something to do:
 *
 *   a door (a listening socket) is readable    accept some, and give them to libmicrohttpd
 *   its epoll descriptor is readable           MHD_run: it reads, calls copi_web_route, writes, closes
 *   nothing came until somebody's time is over web_guests.c shows him out
 *
 * Readiness comes as messages (coppice/io.h), each asked for anew; so the server reads its mailbox between
 * any two turns, and is stopped, suspended, inspected and recorded as every other.
 *
 * Who owns what:
 *
 *   the doors                       this process
 *   a connection's descriptor       libmicrohttpd, from MHD_add_connection on, whatever that returns
 *   libmicrohttpd's memory, epoll   its daemon
 *   the daemon and the doors        `struct web`, closed by close_all: deferred to the end of the process
 *                                   (cop_at_exit), so it runs however that ends: stop, crash, kill
 *
 * A stop: close_all closes everything at once and waits for nobody, since nobody else is in it. It is
 * as quick as closing descriptors.
 *
 * Waiting: the server makes no blocking call at all. A picture is taken from outside; actions are
 * processes of their own (web_actions.c); sockets are non-blocking. The process is shielded while libmicrohttpd runs: an
 * exit must not leave by a jump over its frames. There is no exit point in what it calls, so this is a
 * belt beside the braces.
 *
 * What a stranger can make it do is bounded: connections (web_guests.c), bytes of headers (HEADERS), no bodies,
 * pictures (one in FRESH, web_route.c), actions at a time, lines in the log (web_refusals.c), and turns before
 * it looks into its mailbox again (TURNS, AT_ONCE).
 */
#include "supervisor/observe/web.h"

#include <coppice/log.h>

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    HEADERS = 16 * 1024, /* bytes of a request, and of what is sent at once */
    MOST = 128,          /* connections */
    SPARE = 64,          /* those that are about to end */
    AT_ONCE = 16,        /* that are accepted in a turn */
    TURNS = 8,
    SHORTAGE_MS = 100,
};

enum message {
    ASK_PORT = 0x636f7010,
    GO_ON,      /* libmicrohttpd has more to do */
    OPEN_DOORS, /* after a shortage */
    LOOK,       /* somebody's time may be over */
};

/* ---------------------------------------------------------------- opening, closing */

static void
give_back(struct copi_web_kept *kept)
{
    if (kept->response) {
        MHD_destroy_response(kept->response);
    }
}

/* May find it half built. */
static void
close_all(void *state)
{
    struct copi_web *web = state;
    copi_web_doors_close(&web->doors);
    if (web->daemon) {
        MHD_stop_daemon(web->daemon);
    }
    give_back(&web->tree);
    give_back(&web->metrics);
}

/* What libmicrohttpd has to say is about what somebody has sent. */
__attribute__((format(printf, 2, 0))) static void
note(void *state, const char *format, va_list arguments)
{
    struct copi_web *web = state;
    (void)format, (void)arguments; /* it may have parts of that in it */
    copi_web_refused(&web->refusals, 0, "what was sent is not HTTP as it should be", NULL);
}

static int
start_daemon(struct copi_web *web)
{
    web->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL,
                         NULL, copi_web_route, web, MHD_OPTION_EXTERNAL_LOGGER, note, (void *)web,
                         MHD_OPTION_CONNECTION_LIMIT, web->opts.max_connections + SPARE,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADERS,
                         MHD_OPTION_NOTIFY_CONNECTION, copi_web_guest_moves, (void *)&web->guests,
                         MHD_OPTION_NOTIFY_COMPLETED, copi_web_guest_served, (void *)&web->guests,
                         MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!web->daemon) {
        return -ENOMEM; /* or no descriptor: it does not say */
    }
    web->epoll = MHD_get_daemon_info(web->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return 0;
}

static int
watch(int fd)
{
    return cop_io_watch(fd, COP_IO_READ).id ? 0 : cop_why().code;
}

static int
watch_all(struct copi_web *web)
{
    int r = watch(web->epoll);
    for (size_t i = 0; r == 0 && i < web->doors.count; i++) {
        r = watch(web->doors.fds[i]);
    }
    return r;
}

static int
open_all(struct copi_web *web)
{
    unsigned port = web->opts.port;
    if (port > COP_WEB_ANY_PORT || web->opts.patience < 0 || web->opts.stuck_after < 0) {
        return -EINVAL;
    }
    int r = cop_at_exit(close_all, web);
    r = r ? r : copi_web_doors_open(&web->doors, web->opts.address, port % COP_WEB_ANY_PORT);
    r = r ? r : start_daemon(web);
    return r ? r : watch_all(web);
}

static void
fill_in(cop_web_opts *opts)
{
    opts->port = opts->port ? opts->port : COP_WEB_PORT;
    opts->patience = opts->patience ? opts->patience : COP_SEC(10);
    opts->max_connections = opts->max_connections ? opts->max_connections : MOST;
    opts->stuck_after = opts->stuck_after ? opts->stuck_after : COP_SEC(1);
}

static cop_step
init(void *state, cop_bytes arg)
{
    struct copi_web *web = state;
    memcpy(&web->opts, arg.data, arg.size < sizeof web->opts ? arg.size : sizeof web->opts);
    fill_in(&web->opts);
    copi_web_guests_init(&web->guests, web->opts.max_connections, web->opts.patience);
    int r = open_all(web);
    if (r) {
        return cop_stop(cop_failed(r, "the page cannot listen on port %u: %s", web->opts.port,
                                   cop_strerror(r)));
    }
    cop_log(COP_LOG_NOTICE, "the page is open", COP_KV("port", web->doors.port),
            COP_KV("actions", web->opts.token && web->opts.token[0]));
    return cop_ok();
}

/* ---------------------------------------------------------------- running */

/* libmicrohttpd's turn; true: it has more to do at once. */
static bool
run(struct copi_web *web)
{
    MHD_UNSIGNED_LONG_LONG wait_ms = 1;
    bool was_shielded = cop_shield(true), has_more = true;
    for (int i = 0; has_more && i < TURNS; i++) {
        MHD_run(web->daemon);
        has_more = MHD_get_timeout(web->daemon, &wait_ms) == MHD_YES && wait_ms == 0;
    }
    cop_shield(was_shielded);
    return has_more;
}

/* Who was idle after he was served is no news. */
static void
say_who_left(struct copi_web *web)
{
    if (web->guests.slow > 0) {
        copi_web_refused(&web->refusals, MHD_HTTP_REQUEST_TIMEOUT, "too slow", NULL);
    }
    if (web->guests.crowded > 0) {
        copi_web_refused(&web->refusals, MHD_HTTP_SERVICE_UNAVAILABLE, "too many connections",
                         NULL);
    }
    web->guests.slow = web->guests.crowded = 0;
}

/* Until somebody's time is over. Every step comes by here, so nobody is forgotten for being busy. */
static cop_step
go_on(struct copi_web *web)
{
    cop_time when = copi_web_guests_look(&web->guests, cop_now());
    say_who_left(web);
    return when == COP_FOREVER ? cop_ok() : cop_ok_timeout_at(when, COP_TAG(LOOK));
}

static cop_step
take_turn(struct copi_web *web)
{
    if (run(web)) {
        cop_cast(cop_self(), COP_TAG(GO_ON));
    }
    return go_on(web);
}

/* Some of those who wait there. 0; or why nobody can be let in for now. */
static int
let_in(struct copi_web *web, int door)
{
    struct sockaddr_storage address;
    socklen_t size;
    int fd = 0;
    for (int i = 0; i < AT_ONCE && (fd = copi_web_doors_accept(door, &address, &size)) >= 0; i++) {
        MHD_add_connection(web->daemon, fd, (const struct sockaddr *)&address, size);
    }
    return fd >= 0 || fd == -EAGAIN ? 0 : fd;
}

/* A door at which somebody waits is ready again at once: while he cannot be let in that would be a busy wait. */
static void
answer_door(struct copi_web *web, int door)
{
    int r = let_in(web, door);
    if (r) {
        copi_web_refused(&web->refusals, 0,
                         copi_web_doors_is_shortage(r) ? "no descriptor or memory for a connection"
                                                       : cop_strerror(r),
                         NULL);
    }
    if (r || watch(door)) {
        cop_send_after(cop_self(), COP_MSG_OF(OPEN_DOORS, door), COP_MS(SHORTAGE_MS));
    }
}

static cop_step
handle_ready(struct copi_web *web, int fd)
{
    if (fd != web->epoll) {
        answer_door(web, fd);
    }
    cop_step step = take_turn(web);
    if (fd == web->epoll && watch(web->epoll)) {
        return cop_stop(cop_failed(-ENOTRECOVERABLE, "no readiness to be had: %s",
                                   cop_strerror(cop_why().code)));
    }
    return step;
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct copi_web *web = state;
    if (msg.tag == COP_MSG_IO) {
        return handle_ready(web, COP_BODY(msg, struct cop_io_ready)->fd);
    }
    if (msg.tag == OPEN_DOORS) {
        answer_door(web, *COP_BODY(msg, int));
    } else if (msg.tag != LOOK && !copi_web_action_told(&web->actions, msg)) {
        cop_log(COP_LOG_DEBUG, "not for the page", COP_KV("tag", msg.tag));
    }
    return take_turn(web);
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    (void)msg; /* GO_ON */
    return take_turn(state);
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct copi_web *web = state;
    if (request.tag == ASK_PORT) {
        cop_reply(from, COP_MSG_OF(ASK_PORT, web->doors.port));
    }
    return go_on(web);
}

static const cop_genserver behaviour = {
    .type = "page",
    .state_size = sizeof(struct copi_web),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
};

/* ---------------------------------------------------------------- for users */

cop_child_spec
cop_web_spec_with(const cop_web_opts *given)
{
    static const cop_web_opts none = {.size = sizeof none};
    const cop_web_opts *opts = given ? given : &none;
    return (cop_child_spec){
        .id = "web",
        .name = opts->name ? opts->name : "coppice_web",
        .genserver = &behaviour,
        .arg = {opts, opts->size},
    };
}

int
cop_web_port(cop_pid web, unsigned *port, cop_time timeout)
{
    return cop_call(web, COP_TAG(ASK_PORT), port, sizeof *port, timeout);
}
