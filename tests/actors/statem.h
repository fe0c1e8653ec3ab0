/*
 * tests/actors/statem.h - a machine that does what its events tell it, and the record of that.
 *
 * Room: tests/.
 *
 * The machine has three states, a, b and c, which are alike. An event brings an order: a word, and a
 * deed, a function that then runs as a part of the state's. So each test shows what its machine does,
 * next to what it expects. The record says "a.x" when the state a has got the word x, ">b(a)" when b
 * was entered from a, and "end" when terminate ran.
 */
#ifndef COPI_TESTS_STATEM_H
#define COPI_TESTS_STATEM_H

#include "tests/support/record.h"
#include "tests/support/support.h"

#include <pthread.h>

/* ---------------------------------------------------------------- the record */

/* All that has happened so far. */
static inline void
happened(const char *expected)
{
    pthread_mutex_lock(&record.lock);
    ck_assert_str_eq(record.text, expected);
    pthread_mutex_unlock(&record.lock);
}

/* How many of a test's moved bodies were dropped. */
static atomic_uint drops;

static inline void
count_drop(void *body)
{
    atomic_fetch_add(&drops, 1);
    free(body);
}

/* ---------------------------------------------------------------- the machine */

enum {
    ORDER = 1, /* struct order */
    PING,      /* a call: is answered, and not in the record */
    THING,     /* moved, 16 bytes */
    NUMBER,
};

/* A moved body that is counted when it is dropped. */
static inline cop_msg
thing(void)
{
    char *body = malloc(16);
    ck_assert_ptr_nonnull(body);
    memcpy(body, "moved or copied", 16);
    return COP_MSG_MOVE(THING, body, 16, count_drop);
}

typedef cop_transition (*deed)(const cop_statem_event *event);

struct order {
    deed what; /* NULL: nothing is to be done */
    char word;
};

static const cop_state a, b, c, *here; /* here: whose function runs */
static void *here_data;

/* What is done on entering: by the state, as long as it is set. */
static deed enter_deed;

static cop_reason last_reason; /* terminate's */
static const cop_state *last_state;

static inline cop_transition
obey(const cop_state *state, const cop_statem_event *event)
{
    here = state;
    if (event->msg.tag == PING) {
        cop_reply(event->from, COP_TAG(0));
        return cop_statem_keep_state();
    }
    if (event->msg.tag != ORDER) {
        note("%s.?", state->name);
        return cop_statem_keep_state();
    }
    const struct order *order = COP_BODY(event->msg, struct order);
    note("%s.%c", state->name, order->word);
    return order->what ? order->what(event) : cop_statem_keep_state();
}

static inline cop_transition
enter(const cop_state *state, const cop_state *old)
{
    note(">%s(%s)", state->name, old->name);
    here = state;
    return enter_deed ? enter_deed(NULL) : cop_statem_keep_state();
}

#define STATE(letter)                                                             \
 static cop_transition letter##_handle(void *data, const cop_statem_event *event) \
 {                                                                                \
  here_data = data;                                                               \
  return obey(&(letter), event);                                                  \
 }                                                                                \
 static cop_transition letter##_enter(void *data, const cop_state *old)           \
 {                                                                                \
  here_data = data;                                                               \
  return enter(&(letter), old);                                                   \
 }                                                                                \
 static const cop_state letter = {#letter, letter##_handle, letter##_enter, {NULL}};
STATE(a)
STATE(b)
STATE(c)

static inline cop_transition
on_init(void *data, cop_bytes arg)
{
    (void)data;
    deed begin = NULL;
    if (arg.size > 0) {
        memcpy(&begin, arg.data, sizeof begin);
    }
    return begin ? begin(NULL) : cop_statem_keep_state();
}

static inline void
on_terminate(void *data, const cop_state *state, cop_reason reason)
{
    (void)data;
    pthread_mutex_lock(&record.lock);
    last_state = state;
    last_reason = reason;
    pthread_mutex_unlock(&record.lock);
    note("end");
}

static const cop_statem machine = {
    .type = "machine",
    .data_size = 64,
    .initial = &a,
    .init = on_init,
    .terminate = on_terminate,
};

static inline cop_pid
start_monitored(cop_ref *ended)
{
    cop_pid pid;
    ck_assert_int_eq(cop_statem_start(&pid, &machine, .monitor = ended), 0);
    return pid;
}

static inline cop_pid
start(void)
{
    return start_monitored(NULL);
}

static inline cop_pid
start_with(deed init)
{
    cop_pid pid;
    ck_assert_int_eq(cop_statem_start(&pid, &machine, .arg = COP_BYTES(init)), 0);
    return pid;
}

#define TELL(letter, deed_) COP_MSG(ORDER, struct order, .what = (deed_), .word = (letter))

static inline void
tell(cop_pid pid, char word, deed what)
{
    ck_assert_int_eq(cop_cast(pid, TELL(word, what)), 0);
}

static inline int
ask(cop_pid pid, char word, deed what)
{
    return cop_call(pid, TELL(word, what), NULL, 0, SOON);
}

/* It has done all that it was told before. */
static inline void
wait_for(cop_pid pid)
{
    ck_assert_int_eq(cop_call(pid, COP_TAG(PING), NULL, 0, SOON), 0);
}

static inline void
stop(cop_pid pid)
{
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
}

/* ---------------------------------------------------------------- deeds */

static inline cop_transition
go_to_a(const cop_statem_event *event)
{
    (void)event;
    return cop_statem_next_state(&a);
}

static inline cop_transition
go_to_b(const cop_statem_event *event)
{
    (void)event;
    return cop_statem_next_state(&b);
}

static inline cop_transition
go_to_c(const cop_statem_event *event)
{
    (void)event;
    return cop_statem_next_state(&c);
}

static inline cop_transition
repeat(const cop_statem_event *event)
{
    (void)event;
    return cop_statem_repeat_state();
}

static inline cop_transition
stop_with_42(const cop_statem_event *event)
{
    (void)event;
    return cop_statem_stop(cop_failed(-42, "forty-two"));
}

static inline cop_transition
ignore(const cop_statem_event *event)
{
    (void)event;
    return cop_statem_ignore();
}

/* A transition to no state. */
static inline cop_transition
go_nowhere(const cop_statem_event *event)
{
    (void)event;
    return cop_statem_next_state(NULL);
}

/* No transition at all. */
static inline cop_transition
make_nothing(const cop_statem_event *event)
{
    (void)event;
    return (cop_transition){0};
}

static inline cop_transition
ask_for_a_wrong_time(const cop_statem_event *event)
{
    (void)event;
    ck_assert_int_eq(cop_statem_state_timeout(-5, COP_TAG(0)), -EINVAL);
    return cop_statem_keep_state();
}

static inline cop_transition
ask_for_a_wrong_time_and_stop(const cop_statem_event *event)
{
    ask_for_a_wrong_time(event);
    return stop_with_42(event);
}

static inline cop_transition
reply(const cop_statem_event *event)
{
    cop_reply(event->from, COP_TAG(0));
    return cop_statem_keep_state();
}

/* Later, when it is not in a any more. */
static inline cop_transition
not_in_a(const cop_statem_event *event)
{
    if (here == &a) {
        cop_statem_postpone();
    } else if (event->kind == COP_STATEM_CALL) {
        cop_reply(event->from, COP_TAG(0));
    }
    return cop_statem_keep_state();
}

/* Holds the machine in its callback, so that what is sent meanwhile waits in its mailbox. */
static atomic_uint holds, passes;

static inline void
be_held(void)
{
    unsigned turn = atomic_fetch_add(&holds, 1) + 1;
    EVENTUALLY(atomic_load(&passes) >= turn);
}

static inline void
let_go(void)
{
    atomic_fetch_add(&passes, 1);
}

static inline void
wait_until_held(void)
{
    EVENTUALLY(atomic_load(&holds) > atomic_load(&passes));
}

static inline cop_transition
hold(const cop_statem_event *event)
{
    (void)event;
    be_held();
    return cop_statem_keep_state();
}

static inline void
tell_and_hold(cop_pid pid)
{
    tell(pid, 'h', hold);
    wait_until_held();
}

/* What a process says of a call that it makes: its code, and the server's reason. */
struct request {
    cop_pid server;
    struct order order;
    cop_time timeout;
};

static inline int
make_request(cop_bytes arg)
{
    const struct request *request = arg.data;
    int r = cop_call(request->server, COP_MSG_OF(ORDER, request->order), NULL, 0, request->timeout);
    cop_exit(r ? cop_failed(r, "%s", cop_why().text) : COP_REASON_NORMAL);
}

static inline cop_ref
ask_from_another(cop_pid pid, char word, deed what)
{
    cop_ref ended;
    struct request request = {pid, {what, word}, SOON};
    ck_assert_int_eq(cop_spawn(NULL, make_request, .arg = COP_BYTES(request), .monitor = &ended),
                     0);
    return ended;
}

#endif
