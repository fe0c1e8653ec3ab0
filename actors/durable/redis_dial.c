/*
 * actors/durable/redis_dial.c - a connection that is made and introduced, in a process of its own.
 *
 * Room: actors/durable/, libcoppice-redis. A task's process.
 * Touch freely: the greeting. Ask first: that it ends when its time is over.
 *
 * Who owns the connection must not wait for a resolver, a firewall or a server that is stopped; a task may. It
 * reads answer by answer, and is asked nothing meanwhile. The owner is given a socket on which nothing is
 * outstanding, from a server that has just answered.
 *
 * A password is sent to who is there. The link is not encrypted: use a Unix socket, or a tunnel.
 */
#include "actors/durable/redis_dial.h"

#include "actors/durable/redis_reply.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SEND_LIMIT = 4 * COP_SHARED_RESULT_MAX,
    READ_AT_ONCE = 4096,
};

/* A task's argument: the strings follow. */
struct order {
    cop_pid owner;
    cop_time limit;
    unsigned database;
    bool with_scripts;
    size_t user_at, password_at; /* 0: none. The address is at 0 */
    char text[];
};

struct dial {
    const struct order *order;
    struct copi_redis_dialled *out;
    struct copi_redis_reader *reader;
};

/* ---------------------------------------------------------------- one question */

static int
say(const struct dial *dial, const char *const words[], int count)
{
    char *bytes;
    const char *copy[4];
    memcpy(copy, words, (size_t)count * sizeof *copy);
    long long size = redisFormatCommandArgv(&bytes, count, copy, NULL);
    if (size < 0) {
        return -ENOMEM;
    }
    int r = cop_send_bytes(dial->out->socket, (cop_bytes){bytes, (size_t)size}, COP_FOREVER);
    redisFreeCommand(bytes);
    return r;
}

static int
hear(const struct dial *dial, redisReply **reply)
{
    char bytes[READ_AT_ONCE];
    size_t size = 0;
    int r;
    while ((r = copi_redis_next(dial->reader, reply)) == 0) {
        r = cop_receive_bytes(dial->out->socket, bytes, sizeof bytes, &size, COP_FOREVER);
        r = r ? r : copi_redis_feed(dial->reader, (cop_bytes){bytes, size});
        if (r) {
            return r;
        }
    }
    return r > 0 ? 0 : r;
}

/* An error of the server's is `code_of` it, and out->words are its. */
static int
ask(const struct dial *dial, const char *const words[], int count,
    int (*code_of)(const char *words), char *sha)
{
    redisReply *reply;
    int r = say(dial, words, count);
    r = r ? r : hear(dial, &reply);
    if (r) {
        return r;
    }
    if (reply->type == REDIS_REPLY_ERROR && (r = code_of(reply->str)) != 0) {
        (void)snprintf(dial->out->words, sizeof dial->out->words, "%s", reply->str);
    } else if (sha && reply->type == REDIS_REPLY_STRING && reply->len == COPI_REDIS_SHA) {
        memcpy(sha, reply->str, COPI_REDIS_SHA + 1);
    }
    freeReplyObject(reply);
    return r;
}

/* ---------------------------------------------------------------- the greeting */

static int
no_access(const char *words)
{
    (void)words;
    return -EACCES;
}

/* That a command is not allowed is to be said to who needs it. */
static int
what_matters(const char *words)
{
    int code = copi_redis_error(words);
    return strncmp(words, "NOAUTH", 6) == 0 || code == -EAGAIN ? code : 0;
}

static int
log_in(const struct dial *dial)
{
    const struct order *order = dial->order;
    const char *password = order->text + order->password_at;
    if (!order->password_at) {
        return 0;
    }
    if (order->user_at) {
        return ask(dial, (const char *[]){"AUTH", order->text + order->user_at, password}, 3,
                   no_access, NULL);
    }
    return ask(dial, (const char *[]){"AUTH", password}, 2, no_access, NULL);
}

static int
load_scripts(const struct dial *dial)
{
    int r = 0;
    for (int i = 0; r == 0 && i < COPI_REDIS_SCRIPTS; i++) {
        const char *text = copi_redis_script_text((enum copi_redis_script)i);
        r = ask(dial, (const char *[]){"SCRIPT", "LOAD", text}, 3, what_matters,
                dial->out->shas.of[i]);
    }
    return r;
}

static int
greet(const struct dial *dial)
{
    char database[16];
    (void)snprintf(database, sizeof database, "%u", dial->order->database);
    int r = log_in(dial);
    r = r ? r : ask(dial, (const char *[]){"PING"}, 1, what_matters, NULL);
    if (r == 0 && dial->order->database > 0) {
        r = ask(dial, (const char *[]){"SELECT", database}, 2, copi_redis_error, NULL);
    }
    return r == 0 && dial->order->with_scripts ? load_scripts(dial) : r;
}

/* ---------------------------------------------------------------- the task */

/* In the words of who asks. */
static int
code_for_users(int r)
{
    switch (r) {
    case 0:
    case -EACCES:
    case -EINVAL:
    case -EIO:
        return r;
    case -ECONNREFUSED:
    case -ENOENT:
        return -ECONNREFUSED;
    default:
        return -EHOSTDOWN;
    }
}

static int
connect_and_greet(const struct dial *dial)
{
    int r = cop_connect(&dial->out->socket, dial->order->text, COP_FOREVER,
                        .send_limit = SEND_LIMIT, .linger = -1);
    r = r ? r : greet(dial);
    return r ? r : cop_socket_give(dial->out->socket, dial->order->owner);
}

/* Within its time. */
static int
connect_in_time(const struct dial *dial)
{
    cop_context *context = cop_context_new(dial->order->limit);
    if (!context || cop_context_enter(context) != 0) {
        cop_context_free(context);
        return -ENOMEM;
    }
    int r = connect_and_greet(dial);
    cop_context_leave(context);
    cop_context_free(context);
    return r;
}

static void
free_reader(void *reader)
{
    copi_redis_reader_free(reader);
}

static int
run(cop_bytes arg, void *result)
{
    struct copi_redis_dialled *out = result;
    struct dial dial = {arg.data, out, copi_redis_reader_new()};
    if (!dial.reader || cop_defer(free_reader, dial.reader) != 0) {
        copi_redis_reader_free(dial.reader);
        return -ENOMEM;
    }
    int r = connect_in_time(&dial);
    out->code = code_for_users(r);
    if (r && out->words[0] == '\0') {
        (void)snprintf(out->words, sizeof out->words, "%s: %s", dial.order->text, cop_strerror(r));
    }
    return 0;
}

/* ---------------------------------------------------------------- orders */

static size_t
size_of(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

cop_future *
copi_redis_dial(const cop_redis_opts *opts, bool with_scripts)
{
    size_t address = size_of(opts->address), user = size_of(opts->user),
           size = sizeof(struct order) + address + user + size_of(opts->password);
    struct order *order = calloc(1, size);
    if (!order) {
        return NULL;
    }
    *order = (struct order){.owner = cop_self(),
                            .limit = opts->command_timeout,
                            .database = opts->database,
                            .with_scripts = with_scripts,
                            .user_at = user ? address : 0,
                            .password_at = opts->password ? address + user : 0};
    memcpy(order->text, opts->address, address);
    if (user > 0) {
        memcpy(order->text + address, opts->user, user);
    }
    if (opts->password) {
        memcpy(order->text + address + user, opts->password, size_of(opts->password));
    }
    cop_future *future =
        cop_async(run, .arg = {order, size}, .result_size = sizeof(struct copi_redis_dialled));
    free(order);
    return future;
}
