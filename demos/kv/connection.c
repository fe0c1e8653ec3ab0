/*
 * demos/kv/connection.c - one client: a process for as long as it stays.
 *
 * Room: demos/. One process per client; nothing here is shared.
 *
 * Read, take apart, run, reply. All complete requests of one read are answered with one write, so a
 * client that pipelines pays for the system calls once. Whatever a client does wrong ends, at most,
 * this process: the socket and the memory belong to it and go with it, and nothing else knows
 * that it was there.
 *
 * Touch freely: times and sizes. Ask first: the order in which the descriptor is made the process's
 * own; between the message and cop_at_exit it must always have exactly one owner.
 */
#include "demos/kv/connection.h"

#include "demos/kv/command.h"
#include "demos/kv/server.h"
#include "demos/kv/session.h"

/* For the socket to arrive; for the rest of a request whose beginning is here; for a client that
 * does not read its replies. Between two requests a client may think for ever. */
#define SOCKET_TIMEOUT  COP_SEC(5)
#define REQUEST_TIMEOUT COP_SEC(30)
#define WRITE_PATIENCE  COP_SEC(10)

#define KEPT_SIZE ((size_t)64 << 10)

struct connection {
    struct socket *socket;
    struct buffer in;
    size_t frame; /* where in `in` the frame begins that is being parsed */
    struct resp_parser parser;
    struct session session;
};

static void
connection_free(void *arg)
{
    struct connection *c = arg;
    session_free(&c->session);
    resp_free(&c->parser);
    buffer_free(&c->in);
    if (c->socket != NULL) {
        socket_drop(c->socket);
    }
}

/* Drop the frames that were run. What is left of the next moves to the front only then, and only
 * what is left: usually nothing. */
static void
drop_frames(struct connection *c)
{
    size_t left = c->in.used - c->frame;
    if (left == 0) {
        buffer_clear(&c->in, KEPT_SIZE);
    } else if (c->frame > 0) {
        memmove(c->in.data, c->in.data + c->frame, left);
        c->in.used = left;
    }
    c->frame = 0;
}

static void
run_frame(struct connection *c)
{
    struct request request = {c->in.data + c->frame, c->parser.args, c->parser.count};
    if (request.count > 0) {
        command_run(&c->session, &request);
    }
    c->frame += c->parser.at;
    resp_next(&c->parser);
    session_relieve(&c->session);
}

/* Run every complete request that has arrived. */
static void
run_frames(struct connection *c)
{
    enum resp_status status = RESP_COMPLETE;
    while (!c->session.closing && status == RESP_COMPLETE) {
        status = resp_parse(&c->parser, c->in.data + c->frame, c->in.used - c->frame);
        if (status == RESP_COMPLETE) {
            run_frame(c);
        }
    }
    session_flush(&c->session);
    if (status == RESP_BAD) {
        resp_error(&c->session.out, "ERR %s", c->parser.error);
        c->session.closing = true;
    }
    drop_frames(c);
}

/* More input. False when there will be none, and nobody is left to be told anything. */
static bool
read_more(struct connection *c)
{
    bool inside = c->in.used > 0;
    ssize_t n = socket_read(c->socket, &c->in, inside ? REQUEST_TIMEOUT : COP_FOREVER);
    if (n == -ETIMEDOUT) {
        resp_error(&c->session.out, "ERR the rest of the request did not come in time");
        c->session.closing = true;
    } else if (n == -ENOMEM) {
        resp_error(&c->session.out, "OOM out of memory");
        c->session.closing = true;
    }
    return n > 0 || c->session.closing;
}

static void
serve(struct connection *c)
{
    while (!c->session.closing && read_more(c)) {
        size_t before = c->session.commands;
        if (!c->session.closing) {
            run_frames(c);
        }
        server_count_commands(c->session.commands - before);
        if (socket_write(c->socket, &c->session.out, WRITE_PATIENCE) < 0) {
            return;
        }
    }
    if (c->session.closing) {
        socket_part(c->socket);
    }
}

/* In this order, so that the descriptor is never without an owner: it belongs to the message until
 * it is taken, and nothing between that and the assignment can end the process. */
static bool
take_socket(struct connection *c)
{
    cop_msg msg;
    if (cop_receive(&msg, SOCKET_TIMEOUT) < 0 || msg.tag != CONNECTION_SOCKET) {
        return false;
    }
    c->socket = cop_msg_take(&msg);
    return c->socket != NULL;
}

int
connection_run(cop_bytes arg)
{
    (void)arg;
    struct connection *c = cop_alloc(sizeof *c);
    if (c == NULL) {
        return -ENOMEM;
    }
    *c = (struct connection){0};
    int error = cop_at_exit(connection_free, c);
    if (error < 0) {
        return error;
    }
    if (take_socket(c)) {
        session_init(&c->session, c->socket);
        serve(c);
    }
    return 0;
}
