/*
 * actors/durable/redis_link.c - one connection: what was sent on it and is not answered, and its ends.
 *
 * Room: actors/durable/, libcoppice-redis. The client's process only.
 * Touch freely: the words. Ask first: that a connection with a late answer is never used again.
 *
 *        want, look                 it is greeted
 *   down ──────────▶ dialling ──────────────────▶ up
 *     ▲                  │ it is not                │ closed, silent, or nonsense
 *     └──────────────────┴──────────────────────────┘
 *
 * Answers come in the order of the commands, and nothing else tells whose they are. So one that is late
 * ends the connection: its sender has been told that it may or may not have happened, and the next answer would
 * be taken for another's. What is late is always the first that was sent.
 *
 * A server that is stopped accepts connections: the kernel does. Only its answer shows that it lives; so dialling
 * ends with one, and a connection on which nothing is outstanding is asked for one now and then.
 */
#include "actors/durable/redis_link.h"

#include "actors/durable/redis_dial.h"

#include <stdio.h>
#include <stdlib.h>

void
copi_redis_link_init(struct copi_redis_link *link, const cop_redis_opts *opts, bool with_scripts)
{
    *link = (struct copi_redis_link){.opts = opts, .with_scripts = with_scripts};
    link->down_since = link->retry_at = cop_now();
    STAILQ_INIT(&link->sent);
}

static void
disconnect(struct copi_redis_link *link)
{
    if (link->state == COPI_REDIS_UP) {
        cop_socket_close(link->socket);
    }
    copi_redis_reader_free(link->reader);
    link->reader = NULL;
    link->state = COPI_REDIS_DOWN;
}

static void
forget_dial(struct copi_redis_link *link)
{
    cop_future_release(link->dial);
    link->dial = NULL;
}

void
copi_redis_link_close(struct copi_redis_link *link)
{
    struct copi_redis_request *request;
    if (link->dial) {
        cop_future_cancel(link->dial, COP_REASON_SHUTDOWN);
    }
    forget_dial(link);
    disconnect(link);
    while ((request = STAILQ_FIRST(&link->sent))) {
        STAILQ_REMOVE_HEAD(&link->sent, behind);
        free(request);
    }
}

/* ---------------------------------------------------------------- down */

/* An attempt has failed, or what was up is no more. */
static void
pause_before_another(struct copi_redis_link *link, int code, const char *words)
{
    const cop_redis_opts *opts = link->opts;
    cop_time now = cop_now();
    link->code = code;
    (void)snprintf(link->words, sizeof link->words, "%s", words);
    link->failed_at = now;
    link->failures++;
    link->retry_at = now + cop_retry_pause(opts->backoff_min, opts->backoff_max, link->failures);
}

void
copi_redis_link_lose(struct copi_redis_link *link, int code, const char *words)
{
    if (link->state != COPI_REDIS_UP) {
        return;
    }
    disconnect(link);
    link->down_since = cop_now();
    pause_before_another(link, code, words);
    cop_log(COP_LOG_WARNING, "the connection to Redis is lost", COP_KV("why", link->words));
}

bool
copi_redis_link_is_gone(const struct copi_redis_link *link, cop_time now)
{
    if (link->state == COPI_REDIS_UP || link->code == 0) {
        return false;
    }
    bool is_final = link->code == -EACCES || link->code == -EINVAL || link->code == -EIO;
    return is_final || now - link->down_since >= link->opts->gone_after;
}

static void
dial(struct copi_redis_link *link)
{
    link->dial = copi_redis_dial(link->opts, link->with_scripts);
    link->dialling = link->dial ? cop_future_notify(link->dial, COPI_REDIS_DIALLED) : (cop_ref){0};
    if (link->dialling.id == 0) {
        forget_dial(link);
        pause_before_another(link, -EHOSTDOWN, "no memory for a connection");
        return;
    }
    link->state = COPI_REDIS_DIALLING;
}

void
copi_redis_link_want(struct copi_redis_link *link, cop_time now)
{
    link->is_wanted = true;
    if (link->state == COPI_REDIS_DOWN && copi_redis_link_is_gone(link, now)
        && link->retry_at > link->failed_at + link->opts->backoff_min) {
        link->retry_at = link->failed_at + link->opts->backoff_min;
    }
}

/* ---------------------------------------------------------------- up */

static void
begin(struct copi_redis_link *link, const struct copi_redis_dialled *dialled)
{
    link->reader = copi_redis_reader_new();
    link->socket = dialled->socket;
    link->shas = dialled->shas;
    link->heard = cop_now();
    link->state = COPI_REDIS_UP;
    if (!link->reader || cop_socket_active_once(link->socket) != 0) {
        copi_redis_link_lose(link, -EHOSTDOWN, "no memory for a connection");
        return;
    }
    link->failures = 0;
    link->code = 0;
}

bool
copi_redis_link_dialled(struct copi_redis_link *link, const struct cop_settled *settled)
{
    struct copi_redis_dialled dialled;
    if (link->state != COPI_REDIS_DIALLING || settled->ref.id != link->dialling.id) {
        return false;
    }
    int r = cop_await(link->dial, COP_OUT(dialled), 0);
    forget_dial(link);
    link->state = COPI_REDIS_DOWN;
    if (r) {
        pause_before_another(link, -EHOSTDOWN, cop_strerror(r));
    } else if (dialled.code) {
        pause_before_another(link, dialled.code, dialled.words);
    } else {
        begin(link, &dialled);
    }
    return true;
}

int
copi_redis_link_send(struct copi_redis_link *link, struct copi_redis_request *request)
{
    char *bytes;
    size_t size;
    int r = copi_redis_format(request, &link->shas, &bytes, &size);
    if (r) {
        return r;
    }
    r = cop_send_bytes(link->socket, (cop_bytes){bytes, size}, 0);
    redisFreeCommand(bytes);
    if (r == 0) {
        request->sent = cop_now();
        STAILQ_INSERT_TAIL(&link->sent, request, behind);
    } else if (r != -EAGAIN && r != -EMSGSIZE) {
        copi_redis_link_lose(link, -EHOSTDOWN, cop_strerror(r));
    }
    return r;
}

int
copi_redis_link_hear(struct copi_redis_link *link, cop_bytes bytes)
{
    link->heard = cop_now();
    int r = copi_redis_feed(link->reader, bytes);
    return r ? r : cop_socket_active_once(link->socket);
}

/* ---------------------------------------------------------------- time */

static void
ping(struct copi_redis_link *link)
{
    cop_bytes word = COP_TEXT("PING");
    struct copi_redis_request *request = copi_redis_request_new(COPI_REDIS_PLAIN, 0, &word, 1);
    if (request && copi_redis_link_send(link, request) != 0) {
        free(request);
    }
}

static cop_time
look_while_up(struct copi_redis_link *link, cop_time now)
{
    const struct copi_redis_request *first = STAILQ_FIRST(&link->sent);
    if (!first && now - link->heard >= link->opts->heartbeat) {
        link->heard = now; /* so that no memory for it is no reason to be busy */
        ping(link);
        first = STAILQ_FIRST(&link->sent);
    }
    if (link->state != COPI_REDIS_UP) { /* by that very attempt */
        return link->retry_at;
    }
    if (!first) {
        return link->heard + link->opts->heartbeat;
    }
    if (now - first->sent < link->opts->command_timeout) {
        return first->sent + link->opts->command_timeout;
    }
    copi_redis_link_lose(link, -EHOSTDOWN, "no answer in time");
    return link->retry_at;
}

cop_time
copi_redis_link_look(struct copi_redis_link *link, cop_time now)
{
    if (link->state == COPI_REDIS_UP) {
        return look_while_up(link, now);
    }
    if (link->state == COPI_REDIS_DIALLING || !link->is_wanted) {
        return COP_FOREVER;
    }
    if (now >= link->retry_at) {
        dial(link);
    }
    return link->state == COPI_REDIS_DOWN ? link->retry_at : COP_FOREVER;
}
