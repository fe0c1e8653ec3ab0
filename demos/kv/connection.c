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
 * Touch freely: times and sizes. Ask first: reading more than there is room for; a client that sends faster
 * than it is served has to wait.
 */
#include "demos/kv/connection.h"

#include "demos/kv/command.h"
#include "demos/kv/session.h"
#include "demos/kv/stats.h"

/* For the socket to arrive; for the rest of a request whose beginning is here; for the client's own end after
 * ours. Between two requests a client may think for ever. */
#define SOCKET_TIMEOUT  COP_SEC(5)
#define REQUEST_TIMEOUT COP_SEC(30)
#define PART_TIMEOUT    COP_MS(500)

#define READ_SIZE ((size_t)16 << 10)
#define KEPT_SIZE ((size_t)64 << 10)

struct connection {
    struct buffer in;
    size_t frame; /* where in `in` the frame begins that is being parsed */
    struct resp_parser parser;
    char peer[128];
    struct session session;
};

static void
connection_free(void *arg)
{
    struct connection *c = arg;
    session_free(&c->session);
    resp_free(&c->parser);
    buffer_free(&c->in);
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
        cop_log(COP_LOG_NOTICE, "a client was not understood", COP_KV("client", c->peer),
                COP_KV("why", c->parser.error));
        resp_error(&c->session.out, "ERR %s", c->parser.error);
        c->session.closing = true;
    }
    drop_frames(c);
}

static int
read_some(struct connection *c, cop_time timeout)
{
    struct buffer *in = &c->in;
    size_t received;
    if (in->capacity - in->used < READ_SIZE / 2 && !buffer_reserve(in, READ_SIZE)) {
        return -ENOMEM;
    }
    int error = cop_receive_bytes(c->session.socket, in->data + in->used, in->capacity - in->used,
                                  &received, timeout);
    in->used += error == 0 ? received : 0;
    return error;
}

/* More input. False when there will be none, and nobody is left to be told anything. */
static bool
read_more(struct connection *c)
{
    int error = read_some(c, c->in.used > 0 ? REQUEST_TIMEOUT : COP_FOREVER);
    if (error == -ETIMEDOUT) {
        resp_error(&c->session.out, "ERR the rest of the request did not come in time");
        c->session.closing = true;
    } else if (error == -ENOMEM) {
        resp_error(&c->session.out, "OOM out of memory");
        c->session.closing = true;
    }
    return error == 0 || c->session.closing;
}

/* Say goodbye so that the last reply arrives: what the client goes on to send to a closed socket would
 * destroy it on the way. */
static void
part(struct connection *c)
{
    cop_time left, until = cop_now() + PART_TIMEOUT;
    (void)cop_socket_shutdown_write(c->session.socket);
    do {
        c->in.used = 0;
        left = until - cop_now();
    } while (left > 0 && read_some(c, left) == 0);
}

static void
serve(struct connection *c)
{
    while (!c->session.closing && read_more(c)) {
        size_t before = c->session.commands;
        if (!c->session.closing) {
            run_frames(c);
        }
        stats_commands_ran(c->session.commands - before);
        int error = session_send(&c->session);
        if (error < 0) {
            cop_log(COP_LOG_DEBUG, "a client did not take its replies", COP_KV("client", c->peer),
                    COP_KV("why", cop_strerror(error)));
            return;
        }
    }
    if (c->session.closing) {
        part(c);
    }
}

int
connection_run(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    struct connection *c = cop_alloc(sizeof *c);
    if (c == NULL) {
        return -ENOMEM;
    }
    *c = (struct connection){0};
    int error = cop_at_exit(connection_free, c);
    if (error < 0) {
        return error;
    }
    if (cop_receive(&msg, SOCKET_TIMEOUT) == 0 && msg.tag == CONNECTION_SOCKET) {
        session_init(&c->session, *COP_BODY(msg, cop_socket));
        (void)cop_socket_peer(c->session.socket, c->peer, sizeof c->peer);
        cop_log(COP_LOG_DEBUG, "a client has come", COP_KV("client", c->peer));
        serve(c);
        cop_log(COP_LOG_DEBUG, "a client has gone", COP_KV("client", c->peer),
                COP_KV("commands", c->session.commands));
    }
    return 0;
}
