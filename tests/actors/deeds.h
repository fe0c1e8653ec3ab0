/*
 * tests/actors/deeds.h - a server that does as it is told.
 *
 * Room: tests/.
 *
 * What a message brings is a deed, a function that the server then does in the callback that got the
 * message. So each test shows what its server does, next to what it expects of that. A deed says a
 * word in passing; the words, in order, are what happened.
 */
#ifndef COPI_TESTS_DEEDS_H
#define COPI_TESTS_DEEDS_H

#include "tests/support/support.h"

#include <pthread.h>

/* ---------------------------------------------------------------- what happened */

static struct {
    pthread_mutex_t lock;
    char words[512];
} said = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline void
say(const char *word)
{
    pthread_mutex_lock(&said.lock);
    size_t used = strlen(said.words);
    (void)snprintf(said.words + used, sizeof said.words - used, "%s%s", used ? " " : "", word);
    pthread_mutex_unlock(&said.lock);
}

static inline bool
has_said(const char *words)
{
    pthread_mutex_lock(&said.lock);
    bool same = strcmp(said.words, words) == 0;
    pthread_mutex_unlock(&said.lock);
    return same;
}

static inline void
assert_said(const char *words)
{
    pthread_mutex_lock(&said.lock);
    ck_assert_str_eq(said.words, words);
    pthread_mutex_unlock(&said.lock);
}

static inline void
forget_what_was_said(void)
{
    pthread_mutex_lock(&said.lock);
    said.words[0] = '\0';
    pthread_mutex_unlock(&said.lock);
}

/* How many of a test's moved bodies were dropped. */
static atomic_uint drops;

static inline void
count_drop(void *body)
{
    atomic_fetch_add(&drops, 1);
    free(body);
}

static inline cop_msg
moved(uint32_t tag)
{
    void *body = calloc(1, 16);
    ck_assert_ptr_nonnull(body);
    return COP_MSG_MOVE(tag, body, 16, count_drop);
}

/* ---------------------------------------------------------------- the server */

enum {
    DO = 1,
    WORD, /* says its tag's word and does nothing */
    ADD,
    NUMBER,
};

typedef cop_step (*deed)(cop_from from);
typedef cop_step (*beginning)(void);

static cop_reason last_reason; /* terminate's */

static inline cop_step
do_it(cop_msg msg, cop_from from)
{
    deed what = *COP_BODY(msg, deed);
    return what(from);
}

static inline cop_step
on_init(void *state, cop_bytes arg)
{
    (void)state;
    beginning begin = NULL;
    if (arg.size > 0) {
        memcpy(&begin, arg.data, sizeof begin);
    }
    return begin ? begin() : cop_ok();
}

static inline cop_step
on_call(void *state, cop_from from, cop_msg request)
{
    (void)state;
    if (request.tag != DO) {
        say("call");
        return cop_reply(from, COP_TAG(0));
    }
    return do_it(request, from);
}

static inline cop_step
on_cast(void *state, cop_msg msg)
{
    (void)state;
    if (msg.tag != DO) {
        say("cast");
        return cop_ok();
    }
    return do_it(msg, (cop_from){0});
}

static inline cop_step
on_info(void *state, cop_msg msg)
{
    (void)state;
    switch (msg.tag) {
    case DO:
        return do_it(msg, (cop_from){0});
    case COP_MSG_TIMEOUT:
        say("timeout");
        break;
    case COP_MSG_EXIT:
        say("exit");
        break;
    case COP_MSG_DOWN:
        say("down");
        break;
    default:
        say("info");
    }
    return cop_ok();
}

static inline cop_step
on_continue(void *state, cop_msg token)
{
    (void)state;
    say("continue");
    return token.tag == DO ? do_it(token, (cop_from){0}) : cop_ok();
}

static inline void
on_terminate(void *state, cop_reason reason)
{
    (void)state;
    pthread_mutex_lock(&said.lock);
    last_reason = reason;
    pthread_mutex_unlock(&said.lock);
    say("terminate");
}

static const cop_genserver server = {
    .type = "server",
    .state_size = sizeof(int),
    .init = on_init,
    .handle_call = on_call,
    .handle_cast = on_cast,
    .handle_info = on_info,
    .handle_continue = on_continue,
    .terminate = on_terminate,
};

static const cop_genserver bare = {.type = "bare"}; /* no callback at all */

static inline cop_pid
start_as(const cop_genserver *behaviour)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, behaviour, .link = false), 0);
    return pid;
}

static inline cop_pid
start(void)
{
    return start_as(&server);
}

static inline cop_pid
start_monitored(cop_ref *ended)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .monitor = ended), 0);
    return pid;
}

static inline int
call(cop_pid pid, deed what)
{
    return cop_call(pid, COP_MSG_OF(DO, what), NULL, 0, SOON);
}

static inline int
cast(cop_pid pid, deed what)
{
    return cop_cast(pid, COP_MSG_OF(DO, what));
}

static inline int
send(cop_pid pid, deed what)
{
    return cop_send(pid, COP_MSG_OF(DO, what));
}

static inline cop_step
answer(cop_from from)
{
    return cop_reply(from, COP_TAG(0));
}

/* A server that answers has done all that it was asked before. */
static inline void
wait_for(cop_pid pid)
{
    ck_assert_int_eq(call(pid, answer), 0);
}

static inline void
stop(cop_pid pid)
{
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
}

static inline cop_step
answer_number(cop_from from)
{
    int number = 42;
    return cop_reply(from, COP_MSG_OF(NUMBER, number));
}

/* The request stays without an answer. */
static inline cop_step
keep_quiet(cop_from from)
{
    (void)from;
    say("quiet");
    return cop_ok();
}

/* To answer later. */
static cop_from kept_from;

static inline cop_step
keep_from(cop_from from)
{
    kept_from = from;
    return cop_ok();
}

static inline cop_step
sleep_for_ever(cop_from from)
{
    (void)from;
    say("asleep");
    cop_sleep(COP_FOREVER);
    say("awake");
    return cop_ok();
}

static inline cop_step
stop_with_42(cop_from from)
{
    (void)from;
    return cop_stop(cop_failed(-42, "forty-two"));
}

static inline cop_step
exit_with_42(cop_from from)
{
    (void)from;
    cop_exit(cop_failed(-42, "forty-two"));
}

/* A client of its own, for calls that are to wait. What came of it is its reason. */
struct request {
    cop_pid server;
    deed what;
    cop_time timeout;
};

static inline int
make_request(cop_bytes arg)
{
    const struct request *request = arg.data;
    int r = cop_call(request->server, COP_MSG_OF(DO, request->what), NULL, 0, request->timeout);
    cop_reason why = cop_why();
    cop_exit(r ? cop_failed(r, "%s", why.text) : COP_REASON_NORMAL);
}

static inline cop_pid
request_from_another(cop_pid pid, deed what, cop_time timeout, cop_ref *ended)
{
    cop_pid client;
    struct request request = {.server = pid, .what = what, .timeout = timeout};
    ck_assert_int_eq(cop_spawn(&client, make_request, .arg = COP_BYTES(request), .monitor = ended),
                     0);
    return client;
}

/* One with a state: a number, to which a request adds. It looks whether it has begun with zeros. */
struct counter {
    int count;
    char zeros[60];
};

static inline cop_step
counter_init(void *state, cop_bytes arg)
{
    struct counter *counter = state;
    for (size_t i = 0; i < sizeof counter->zeros; i++) {
        if (counter->zeros[i] != 0) {
            return cop_stop(cop_failed(-EINVAL, "not zeroed"));
        }
    }
    memset(counter->zeros, 1, sizeof counter->zeros);
    memcpy(&counter->count, arg.data, sizeof counter->count);
    return cop_ok();
}

static inline cop_step
counter_call(void *state, cop_from from, cop_msg request)
{
    struct counter *counter = state;
    counter->count += *COP_BODY(request, int);
    return cop_reply(from, COP_MSG_OF(NUMBER, counter->count));
}

static const cop_genserver counting = {
    .type = "counter",
    .state_size = sizeof(struct counter),
    .init = counter_init,
    .handle_call = counter_call,
};

#endif
