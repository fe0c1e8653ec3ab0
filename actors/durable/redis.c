/*
 * actors/durable/redis.c - the client: who has the connections to a server, for all of this program.
 *
 * Room: actors/durable/, libcoppice-redis. The public API only, and hiredis's formatter and reader.
 * Touch freely: the defaults. Ask first: that it waits for nobody.
 *
 * A genserver. Its mailbox is the queue in which commands from all processes become a pipeline: each is sent as it
 * comes, and answered when its turn has come (redis_link.c). Connecting is done by a task (redis_dial.c). So no callback
 * blocks, and what it waits for comes as messages: requests, bytes, a connection that was made, the end of
 * somebody who waits for news. Every step looks at the clock before it ends, so nobody is forgotten for being
 * busy.
 *
 *   commands   connected from the beginning, and again whenever it is lost
 *   news       connected when somebody first subscribes; a connection that has subscribed may do nothing else
 *
 * Where a request may be:
 *
 *   waiting    for a connection. Refused when its time is over, or when the server is gone and another attempt
 *              has failed
 *   sent       in the link. When the connection is lost before the answer it waits again: all that is asked
 *              here may be done twice. If it is refused then, it is with -EREMOTEIO: perhaps it was done
 *
 * It is answered once and freed then. Who is answered may be gone; a cast is answered to nobody.
 *
 * A server that has forgotten a script is sent its text, once, behind what was sent meanwhile.
 */
#include "actors/durable/redis.h"

#include "actors/durable/redis_channels.h"
#include "actors/durable/redis_link.h"

#include <stdio.h>
#include <stdlib.h>

struct client {
    cop_redis_opts opts;
    struct copi_redis_link commands, news;
    struct copi_redis_requests waiting;
    struct copi_redis_channels channels;
};

/* ---------------------------------------------------------------- answers */

static void
free_answer(void *answer)
{
    free(answer);
}

/* Large ones are not copied. NULL: there is no memory for it. */
static void
answer(const struct copi_redis_request *request, struct copi_redis_answer *answer)
{
    enum {
        LARGE = 512
    };
    static const struct copi_redis_answer none = {.code = -ENOMEM};
    if (request->from.pid.id == COP_NOBODY.id) {
        free(answer);
        return;
    }
    if (!answer) {
        cop_reply(request->from, COP_MSG_OF(COPI_REDIS_ANSWER, none));
        return;
    }
    answer->sent = request->sent;
    size_t size = sizeof *answer + answer->size + 1;
    if (size > LARGE) {
        cop_reply(request->from, COP_MSG_MOVE(COPI_REDIS_ANSWER, answer, size, free_answer));
        return;
    }
    cop_reply(request->from, (cop_msg){.tag = COPI_REDIS_ANSWER, .body = {answer, size}});
    free(answer);
}

static void
refuse(struct copi_redis_request *request, int code, const char *words)
{
    answer(request, copi_redis_refusal(request->was_sent ? -EREMOTEIO : code, words));
    free(request);
}

static void
refuse_all(struct copi_redis_requests *requests, int code, const char *words)
{
    struct copi_redis_request *request;
    while ((request = STAILQ_FIRST(requests))) {
        STAILQ_REMOVE_HEAD(requests, behind);
        refuse(request, code, words);
    }
}

/* ---------------------------------------------------------------- commands */

/* What was sent on a connection that is lost, and was first. A sign of life is not asked for again. */
static void
take_back(struct client *client)
{
    struct copi_redis_requests again = STAILQ_HEAD_INITIALIZER(again);
    struct copi_redis_request *request;
    while ((request = STAILQ_FIRST(&client->commands.sent))) {
        STAILQ_REMOVE_HEAD(&client->commands.sent, behind);
        request->was_sent = true;
        if (request->until > 0) {
            STAILQ_INSERT_TAIL(&again, request, behind);
        } else {
            free(request);
        }
    }
    STAILQ_CONCAT(&again, &client->waiting);
    STAILQ_CONCAT(&client->waiting, &again);
}

/* Whatever has lost it. */
static void
settle_lost(struct client *client)
{
    if (client->commands.state != COPI_REDIS_UP && !STAILQ_EMPTY(&client->commands.sent)) {
        take_back(client);
    }
    if (client->news.state != COPI_REDIS_UP && client->channels.serials > 0) {
        refuse_all(&client->news.sent, -EREMOTEIO, "");
        copi_redis_channels_lose(&client->channels);
    }
}

static void
send_command(struct client *client, struct copi_redis_request *request)
{
    struct copi_redis_link *link = &client->commands;
    int r = link->state == COPI_REDIS_UP ? copi_redis_link_send(link, request) : -ENOTCONN;
    if (r == -EAGAIN || r == -ENOMEM || r == -EMSGSIZE) {
        refuse(request, r, "no room to send it");
    } else if (r) {
        copi_redis_link_want(link, cop_now());
        STAILQ_INSERT_TAIL(&client->waiting, request, behind);
    }
}

static void
send_waiting(struct client *client)
{
    struct copi_redis_requests waiting = STAILQ_HEAD_INITIALIZER(waiting);
    struct copi_redis_request *request;
    STAILQ_CONCAT(&waiting, &client->waiting);
    while ((request = STAILQ_FIRST(&waiting))) {
        STAILQ_REMOVE_HEAD(&waiting, behind);
        send_command(client, request);
    }
}

/* Those whose time is over. Returns when the next one's is. */
static cop_time
refuse_late(struct client *client, cop_time now)
{
    struct copi_redis_requests kept = STAILQ_HEAD_INITIALIZER(kept);
    struct copi_redis_request *request;
    cop_time when = COP_FOREVER;
    while ((request = STAILQ_FIRST(&client->waiting))) {
        STAILQ_REMOVE_HEAD(&client->waiting, behind);
        if (now >= request->until) {
            bool is_tried = client->commands.code != 0;
            refuse(request, is_tried ? client->commands.code : -EHOSTDOWN,
                   is_tried ? client->commands.words : "no connection in time");
        } else {
            STAILQ_INSERT_TAIL(&kept, request, behind);
            when = request->until < when ? request->until : when;
        }
    }
    STAILQ_CONCAT(&client->waiting, &kept);
    return when;
}

/* ---------------------------------------------------------------- news */

static void
send_news(struct client *client, struct copi_redis_channel *channel, const char *word,
          uint64_t serial)
{
    const cop_bytes words[] = {COP_TEXT(word), channel->name};
    struct copi_redis_link *link = &client->news;
    struct copi_redis_request *request =
        link->state == COPI_REDIS_UP ? copi_redis_request_new(COPI_REDIS_PLAIN, 0, words, 2) : NULL;
    if (!request) {
        return; /* who waits polls */
    }
    request->serial = serial;
    if (copi_redis_link_send(link, request) != 0) {
        free(request);
    }
}

static void
subscribe(struct client *client, struct copi_redis_channel *channel)
{
    if (channel->serial == 0 && client->news.state == COPI_REDIS_UP) {
        channel->serial = ++client->channels.serials;
        send_news(client, channel, "SUBSCRIBE", channel->serial);
    }
}

static void
subscribe_all(struct client *client)
{
    struct copi_redis_channel *channel;
    for (channel = TAILQ_FIRST(&client->channels.all); channel;
         channel = TAILQ_NEXT(channel, beside)) {
        subscribe(client, channel);
    }
}

/* The last one has left it. */
static void
unsubscribe(struct client *client, struct copi_redis_channel *channel)
{
    if (channel) {
        if (channel->serial) {
            send_news(client, channel, "UNSUBSCRIBE", 0);
        }
        free(channel);
    }
}

static void
handle_interest(struct client *client, cop_from from, const struct copi_redis_interest *interest)
{
    struct copi_redis_channel *channel =
        copi_redis_channels_join(&client->channels, (cop_bytes){interest->name, interest->size},
                                 from, interest->until);
    if (!channel) {
        const struct copi_redis_answer refusal = {.code = -ENOMEM};
        cop_reply(from, COP_MSG_OF(COPI_REDIS_ANSWER, refusal));
        return;
    }
    copi_redis_link_want(&client->news, cop_now());
    subscribe(client, channel);
}

/* ---------------------------------------------------------------- what the server says */

static struct copi_redis_request *
take_first(struct copi_redis_link *link)
{
    struct copi_redis_request *request = STAILQ_FIRST(&link->sent);
    if (request) {
        STAILQ_REMOVE_HEAD(&link->sent, behind);
    }
    return request;
}

/* false: nobody has asked. */
static bool
handle_answer(struct client *client, const redisReply *reply)
{
    struct copi_redis_request *request = take_first(&client->commands);
    if (!request) {
        return false;
    }
    if (copi_redis_is_error(reply, "NOSCRIPT") && !request->in_full) {
        request->in_full = true;
        send_command(client, request);
        return true;
    }
    answer(request, copi_redis_answer(reply));
    free(request);
    return true;
}

static bool
is_message(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 3
           && reply->element[0]->type == REDIS_REPLY_STRING
           && reply->element[1]->type == REDIS_REPLY_STRING
           && strcmp(reply->element[0]->str, "message") == 0;
}

static bool
handle_news(struct client *client, const redisReply *reply)
{
    if (is_message(reply)) {
        const cop_bytes name = {reply->element[1]->str, reply->element[1]->len};
        copi_redis_channels_tell(&client->channels, name);
        return true;
    }
    struct copi_redis_request *request = take_first(&client->news);
    if (request && request->serial && reply->type == REDIS_REPLY_ARRAY) {
        copi_redis_channels_confirm(&client->channels, request->words[1], request->serial);
    }
    free(request);
    return request != NULL;
}

static void
hear(struct client *client, struct copi_redis_link *link, cop_bytes bytes)
{
    redisReply *reply;
    int r = copi_redis_link_hear(link, bytes);
    while (r == 0 && link->state == COPI_REDIS_UP
           && (r = copi_redis_next(link->reader, &reply)) > 0) {
        bool is_known =
            link == &client->news ? handle_news(client, reply) : handle_answer(client, reply);
        freeReplyObject(reply);
        r = is_known ? 0 : -EBADMSG;
    }
    if (r < 0) {
        copi_redis_link_lose(link, -EHOSTDOWN, cop_strerror(r));
    }
}

static struct copi_redis_link *
link_of(struct client *client, cop_socket socket)
{
    struct copi_redis_link *links[] = {&client->commands, &client->news};
    for (size_t i = 0; i < 2; i++) {
        if (links[i]->state == COPI_REDIS_UP && links[i]->socket.id == socket.id) {
            return links[i];
        }
    }
    return NULL; /* of one that was thrown away */
}

/* ---------------------------------------------------------------- the server's callbacks */

/* Every step comes by here. */
static cop_step
go_on(struct client *client)
{
    cop_time now = cop_now();
    cop_time when = copi_redis_link_look(&client->commands, now);
    cop_time other = copi_redis_link_look(&client->news, now);
    when = other < when ? other : when;
    settle_lost(client);
    other = refuse_late(client, now);
    when = other < when ? other : when;
    other = copi_redis_channels_look(&client->channels, now, -EHOSTDOWN);
    when = other < when ? other : when;
    return when == COP_FOREVER ? cop_ok() : cop_ok_timeout_at(when, COP_TAG(COPI_REDIS_LOOK));
}

static void
handle_dialled(struct client *client, const struct cop_settled *settled)
{
    if (copi_redis_link_dialled(&client->commands, settled)) {
        if (client->commands.state == COPI_REDIS_UP) {
            send_waiting(client);
        } else if (copi_redis_link_is_gone(&client->commands, cop_now())) {
            refuse_all(&client->waiting, client->commands.code, client->commands.words);
        }
    } else if (copi_redis_link_dialled(&client->news, settled)
               && client->news.state == COPI_REDIS_UP) {
        subscribe_all(client);
    }
}

static void
handle_closed(struct client *client, const struct cop_closed *closed)
{
    struct copi_redis_link *link = link_of(client, closed->socket);
    if (link) {
        copi_redis_link_lose(link, -EHOSTDOWN,
                             closed->error ? cop_strerror(closed->error) : "it has hung up");
    }
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct client *client = state;
    cop_socket socket;
    cop_bytes bytes;
    if (cop_data_of(msg, &socket, &bytes)) {
        struct copi_redis_link *link = link_of(client, socket);
        if (link) {
            hear(client, link, bytes);
        }
    } else if (msg.tag == COP_MSG_CLOSED) {
        handle_closed(client, COP_BODY(msg, struct cop_closed));
    } else if (msg.tag == COPI_REDIS_DIALLED) {
        handle_dialled(client, COP_BODY(msg, struct cop_settled));
    } else if (msg.tag == COP_MSG_DOWN) {
        cop_ref monitor = COP_BODY(msg, struct cop_down)->ref;
        unsubscribe(client, copi_redis_channels_down(&client->channels, monitor));
    }
    return go_on(client);
}

/* A request is the message's own until it is taken. */
static void
handle_command(struct client *client, cop_msg msg, cop_from from)
{
    struct copi_redis_request *request = cop_msg_take(&msg);
    if (request) {
        cop_time patience = cop_now() + client->opts.gone_after;
        request->from = from;
        request->until = request->until < patience ? request->until : patience;
        send_command(client, request);
    }
}

static cop_step
handle_call(void *state, cop_from from, cop_msg msg)
{
    struct client *client = state;
    if (msg.tag == COPI_REDIS_COMMAND) {
        handle_command(client, msg, from);
    } else if (msg.tag == COPI_REDIS_SUBSCRIBE) {
        handle_interest(client, from, COP_BODY(msg, struct copi_redis_interest));
    }
    return go_on(client);
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    struct client *client = state;
    if (msg.tag == COPI_REDIS_COMMAND) {
        handle_command(client, msg, (cop_from){0});
    } else if (msg.tag == COPI_REDIS_LEAVE) {
        unsubscribe(client, copi_redis_channels_leave(&client->channels, msg.body, msg.from));
    }
    return go_on(client);
}

/* ---------------------------------------------------------------- beginning and end */

/* Who has asked learns of the end by himself. */
static void
close_all(void *state)
{
    struct client *client = state;
    struct copi_redis_request *request;
    copi_redis_link_close(&client->commands);
    copi_redis_link_close(&client->news);
    copi_redis_channels_close(&client->channels);
    while ((request = STAILQ_FIRST(&client->waiting))) {
        STAILQ_REMOVE_HEAD(&client->waiting, behind);
        free(request);
    }
}

static cop_time
or_else(cop_time time, cop_time otherwise)
{
    return time ? time : otherwise;
}

static void
fill_in(cop_redis_opts *opts)
{
    opts->address = opts->address ? opts->address : "127.0.0.1:6379";
    opts->command_timeout = or_else(opts->command_timeout, COP_SEC(1));
    opts->gone_after = or_else(opts->gone_after, COP_SEC(2));
    opts->heartbeat = or_else(opts->heartbeat, COP_SEC(5));
    opts->backoff_min = or_else(opts->backoff_min, COP_MS(20));
    opts->backoff_max = or_else(opts->backoff_max, COP_SEC(1));
}

static bool
is_valid(const cop_redis_opts *opts)
{
    return opts->command_timeout > 0 && opts->gone_after > 0 && opts->heartbeat > 0
           && opts->backoff_min > 0 && opts->backoff_max >= opts->backoff_min;
}

static cop_step
init(void *state, cop_bytes arg)
{
    struct client *client = state;
    memcpy(&client->opts, arg.data,
           arg.size < sizeof client->opts ? arg.size : sizeof client->opts);
    fill_in(&client->opts);
    if (!is_valid(&client->opts)) {
        return cop_stop(cop_failed(-EINVAL, "times of the connection to Redis that cannot be"));
    }
    copi_redis_link_init(&client->commands, &client->opts, true);
    copi_redis_link_init(&client->news, &client->opts, false);
    copi_redis_channels_init(&client->channels);
    STAILQ_INIT(&client->waiting);
    if (cop_at_exit(close_all, client) != 0) {
        return cop_stop(cop_failed(-ENOMEM, NULL));
    }
    client->commands.is_wanted = true;
    return go_on(client);
}

static const cop_genserver behaviour = {
    .type = "redis",
    .state_size = sizeof(struct client),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
};

cop_child_spec
cop_redis_spec_with(const cop_redis_opts *given)
{
    static const cop_redis_opts none = {.size = sizeof none};
    const cop_redis_opts *opts = given ? given : &none;
    return (cop_child_spec){
        .id = "redis",
        .name = opts->name ? opts->name : "coppice_redis",
        .genserver = &behaviour,
        .arg = {opts, opts->size},
    };
}
