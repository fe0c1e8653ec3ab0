/*
 * tests/actors/test_call_async.c - calls whose answer is a future.
 *
 * Room: tests/. Case ids (GEN-030) are those of the conformance list.
 */
#include "runtime/alloc.h"
#include "runtime/map.h"
#include "runtime/process.h"
#include "tests/support/no_messages.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <errno.h>

/* ---------------------------------------------------------------- what comes between */

/* The collectors that were started, in their order. */
static _Atomic uint64_t collectors[2];
static atomic_uint started;
static void (*_Atomic before_a_collector)(void); /* NULL: nothing; once */

int real_spawn(cop_pid *out, cop_ref *ref, const struct copi_spawn *spawn) REAL(copi_spawn);
int spawn_and_note(cop_pid *out, cop_ref *ref, const struct copi_spawn *spawn) WRAP(copi_spawn);
int
spawn_and_note(cop_pid *out, cop_ref *ref, const struct copi_spawn *spawn)
{
    bool is_collector = strcmp(spawn->behaviour->kind, "collector") == 0;
    void (*before)(void) = is_collector ? atomic_exchange(&before_a_collector, NULL) : NULL;
    if (before) {
        before();
    }
    int r = real_spawn(out, ref, spawn);
    if (is_collector && r == 0 && started < 2) {
        collectors[started++] = out->id;
    }
    return r;
}

static bool
is_there(unsigned i)
{
    return cop_alive((cop_pid){collectors[i]});
}

/* The collector ends when it was found, and nothing has been said to it. */
static atomic_bool ends_when_found;

cop_ref real_ref(struct copi_process *self, uint32_t target) REAL(copi_make_ref);
cop_ref end_and_make_ref(struct copi_process *self, uint32_t target) WRAP(copi_make_ref);
cop_ref
end_and_make_ref(struct copi_process *self, uint32_t target)
{
    if (atomic_exchange(&ends_when_found, false)) {
        cop_exit_signal((cop_pid){collectors[0]}, COP_REASON_KILLED);
        EVENTUALLY(!is_there(0));
    }
    return real_ref(self, target);
}

/* No process can see to its end. */
static atomic_bool refuses_ends;

int real_at_exit(void (*fn)(void *arg), void *arg) REAL(cop_at_exit);
int refuse_end(void (*fn)(void *arg), void *arg) WRAP(cop_at_exit);
int
refuse_end(void (*fn)(void *arg), void *arg)
{
    return refuses_ends ? -ENOMEM : real_at_exit(fn, arg);
}

/* The collector has no memory for one more. */
static atomic_bool keeps_no_more;

bool real_put(struct copi_map *map, uint64_t key, void *value) REAL(copi_map_put);
bool put_if_there_is_room(struct copi_map *map, uint64_t key, void *value) WRAP(copi_map_put);
bool
put_if_there_is_room(struct copi_map *map, uint64_t key, void *value)
{
    return !keeps_no_more && real_put(map, key, value);
}

/* ---------------------------------------------------------------- the server */

enum {
    ECHO = 1,
    LATER,    /* answered by RELEASE */
    RELEASE,  /* answers all that wait, newest first */
    STOP,     /* without an answer */
    HOW_MANY, /* wait */
    LARGE,
    NEVER_MIND,
};

struct server {
    cop_from waiting[8];
    int values[8];
    int count;
};

static cop_step
answer_all(struct server *server)
{
    while (server->count > 0) {
        server->count--;
        cop_reply(server->waiting[server->count], COP_MSG_OF(0, server->values[server->count]));
    }
    return cop_ok();
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct server *server = state;
    static const char large[5000] = "large";
    switch (request.tag) {
    case ECHO:
        return cop_reply(from, COP_MSG_OF(0, *COP_BODY(request, int)));
    case LATER:
        server->values[server->count] = *COP_BODY(request, int);
        server->waiting[server->count++] = from;
        return cop_ok();
    case STOP:
        return cop_stop(cop_failed(-EIO, "lost"));
    case HOW_MANY:
        return cop_reply(from, COP_MSG_OF(0, server->count));
    case LARGE:
        return cop_reply(from, COP_MSG_OF(0, large));
    default:
        return cop_ok();
    }
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    return msg.tag == RELEASE ? answer_all(state) : cop_ok();
}

static const cop_genserver server = {
    .state_size = sizeof(struct server),
    .handle_call = handle_call,
    .handle_cast = handle_cast,
};

static cop_pid
start(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server), 0);
    return pid;
}

static cop_future *
ask(cop_pid pid, uint32_t tag, int value)
{
    return cop_call_async(pid, COP_MSG_OF(tag, value), sizeof value, COP_FOREVER);
}

static void
expect(cop_future *f, int code, int value)
{
    int n = 0;
    ck_assert_int_eq(cop_await(f, COP_OUT(n), SOON), code);
    ck_assert_int_eq(n, value);
    cop_future_release(f);
}

/* ---------------------------------------------------------------- what cannot be asked */

TEST(a_request_to_nobody_is_a_rejection) /* GEN-034 */
{
    cop_pid gone = start();
    cop_stop_process(gone, COP_REASON_NORMAL, SOON);
    expect(ask(gone, ECHO, 1), -ESRCH, 0);
    expect(ask(COP_NOBODY, ECHO, 1), -ESRCH, 0);
    expect(ask(cop_named("nobody_has_this_name"), ECHO, 1), -ESRCH, 0);
}

static int
wait_for_ever(cop_bytes arg)
{
    (void)arg;
    return cop_sleep(COP_FOREVER);
}

TEST(a_request_to_what_is_no_server_is_a_rejection)
{
    cop_pid pid;
    cop_spawn(&pid, wait_for_ever);
    expect(ask(pid, ECHO, 1), -EOPNOTSUPP, 0);
}

TEST(a_reserved_tag_is_a_rejection_and_a_moved_body_is_dropped)
{
    cop_pid pid = start();
    char *body = malloc(10);
    cop_future *f = cop_call_async(pid, COP_MSG_MOVE(COP_MSG_RESERVED, body, 10, free), 4, SOON);
    expect(f, -EINVAL, 0);
}

static int
try_to_ask(void *arg)
{
    const cop_pid *pid = arg;
    cop_future *f = ask(*pid, ECHO, 5);
    int n, r = cop_await(f, COP_OUT(n), SOON);
    cop_future_release(f);
    return r;
}

TEST(without_memory_a_request_is_a_rejection_and_nothing_is_left)
{
    cop_pid pid = start();
    int r;
    expect(ask(pid, ECHO, 1), 0, 1); /* the collector is there */
    ck_assert_uint_gt(test_out_of_memory(try_to_ask, &pid, &r), 0);
    ck_assert_int_eq(r, 0);
}

static int
how_many_wait(cop_pid pid)
{
    int n = -1;
    ck_assert_int_eq(cop_call(pid, COP_TAG(HOW_MANY), COP_OUT(n), SOON), 0);
    return n;
}

TEST(without_memory_to_be_registered_nothing_is_asked)
{
    cop_pid pid = start();
    has_no_messages = true;
    expect(ask(pid, LATER, 1), -ENOMEM, 0);
    has_no_messages = false;
    ck_assert_int_eq(how_many_wait(pid), 0);
}

TEST(without_memory_to_tell_of_it_a_cancellation_is_one_all_the_same)
{
    cop_pid pid = start();
    cop_future *f = ask(pid, LATER, 1);
    ck_assert_int_eq(how_many_wait(pid), 1);
    has_no_messages = true;
    ck_assert_int_eq(cop_future_cancel(f, COP_REASON_SHUTDOWN), 0);
    has_no_messages = false;
    expect(f, -ECANCELED, 0);
    cop_cast(pid, COP_TAG(RELEASE)); /* the answer, which comes late, is let go of */
    expect(ask(pid, ECHO, 2), 0, 2);
}

TEST(a_request_whose_collector_ends_before_it_has_heard_of_it_is_a_rejection)
{
    cop_pid pid = start();
    expect(ask(pid, ECHO, 1), 0, 1);
    ends_when_found = true;
    expect(ask(pid, LATER, 2), -ECANCELED, 0);
    expect(ask(pid, ECHO, 3), 0, 3); /* there is another */
    ck_assert_uint_eq(started, 2);
}

TEST(a_collector_that_cannot_see_to_its_end_collects_nothing)
{
    cop_pid pid = start();
    test_catch_stderr();
    refuses_ends = true;
    expect(ask(pid, ECHO, 1), -ECANCELED, 0);
    EVENTUALLY(!is_there(0));
    refuses_ends = false;
    free(test_caught_stderr());
    expect(ask(pid, ECHO, 2), 0, 2);
}

static cop_pid other_server;
static cop_future *others;

static void
ask_for_another(void)
{
    others = ask(other_server, ECHO, 7);
}

TEST(of_two_collectors_that_were_started_at_once_one_stays)
{
    cop_pid pid = other_server = start();
    before_a_collector = ask_for_another;
    expect(ask(pid, ECHO, 1), 0, 1);
    expect(others, 0, 7);
    EVENTUALLY(!is_there(1));
    ck_assert(is_there(0));
    expect(ask(pid, ECHO, 2), 0, 2);
    ck_assert_uint_eq(started, 2);
}

TEST(a_request_that_cannot_be_kept_is_rejected_and_the_next_one_is_answered)
{
    cop_pid pid = start();
    expect(ask(pid, ECHO, 1), 0, 1);
    keeps_no_more = true;
    expect(ask(pid, ECHO, 2), -ENOMEM, 0);
    keeps_no_more = false;
    expect(ask(pid, ECHO, 3), 0, 3);
}

static int
try_several(void *arg)
{
    const cop_pid *servers = arg;
    int value = 6, out[2], status[2];
    return cop_multi_call(servers, 2, COP_MSG_OF(ECHO, value), out, sizeof out[0], status, SOON);
}

TEST(without_memory_several_requests_fail_and_nothing_is_left)
{
    cop_pid servers[2] = {start(), start()};
    int r;
    expect(ask(servers[0], ECHO, 1), 0, 1); /* the collector is there */
    test_fill_deferred();
    ck_assert_uint_gt(test_out_of_memory(try_several, servers, &r), 2);
    ck_assert_int_eq(r, 0);
}

/* ---------------------------------------------------------------- answers */

TEST(an_answer_is_there_when_it_is_awaited) /* GEN-030 */
{
    cop_pid pid = start();
    cop_future *one = ask(pid, ECHO, 1), *two = ask(pid, ECHO, 2);
    expect(two, 0, 2);
    expect(one, 0, 1);
}

TEST(each_answer_reaches_its_own_request_whatever_their_order) /* GEN-030 */
{
    cop_pid pid = start();
    cop_future *fs[8];
    int out[8];
    for (int i = 0; i < 8; i++) {
        fs[i] = ask(pid, LATER, i);
    }
    ck_assert_int_eq(cop_await_all(fs, 8, out, sizeof out[0], COP_MS(2)), -ETIMEDOUT);
    cop_cast(pid, COP_TAG(RELEASE));
    ck_assert_int_eq(cop_await_all(fs, 8, out, sizeof out[0], SOON), 0);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(out[i], i);
        cop_future_release(fs[i]);
    }
}

TEST(requests_arrive_in_the_order_of_all_that_is_sent) /* GEN-029 */
{
    cop_pid pid = start();
    cop_future *f = ask(pid, LATER, 3);
    int waiting;
    ck_assert_int_eq(cop_call(pid, COP_TAG(HOW_MANY), COP_OUT(waiting), SOON), 0);
    ck_assert_int_eq(waiting, 1);
    cop_cast(pid, COP_TAG(RELEASE));
    expect(f, 0, 3);
}

TEST(an_answer_of_another_size_is_a_rejection)
{
    cop_pid pid = start();
    int value = 1;
    cop_future *f = cop_call_async(pid, COP_MSG_OF(ECHO, value), 8, SOON);
    int64_t n;
    ck_assert_int_eq(cop_await(f, COP_OUT(n), SOON), -EMSGSIZE);
    cop_future_release(f);
}

TEST(an_answer_of_any_size_is_borrowed)
{
    cop_pid pid = start();
    cop_future *f = cop_call_async(pid, COP_TAG(LARGE), COP_ANY, SOON);
    cop_bytes bytes;
    ck_assert_int_eq(cop_await_bytes(f, &bytes, SOON), 0);
    ck_assert_uint_eq(bytes.size, 5000);
    ck_assert_str_eq(bytes.data, "large");
    cop_future_release(f);
}

TEST(an_answer_may_come_as_a_message_for_those_who_must_not_wait) /* GEN-033 */
{
    cop_pid pid = start();
    cop_future *f = ask(pid, ECHO, 4);
    cop_ref ref = cop_future_notify(f, 9);
    cop_msg msg = test_receive(9);
    ck_assert_uint_eq(COP_BODY(msg, struct cop_settled)->ref.id, ref.id);
    expect(f, 0, 4);
}

TEST(of_several_requests_the_first_answer_is_taken_with_its_place) /* GEN-035 */
{
    cop_pid pid = start(), other = start();
    cop_future *fs[] = {ask(pid, LATER, 1), ask(other, ECHO, 2), ask(pid, LATER, 3)};
    size_t winner;
    int n;
    ck_assert_int_eq(cop_await_first(fs, 3, COP_OUT(n), &winner, SOON), 0);
    ck_assert_uint_eq(winner, 1);
    ck_assert_int_eq(n, 2);
    ck_assert_int_eq(cop_await_first(NULL, 0, COP_OUT(n), &winner, SOON), -EINVAL);
    for (int i = 0; i < 3; i++) {
        cop_future_release(fs[i]);
    }
}

/* ---------------------------------------------------------------- no answer */

TEST(a_server_that_ends_with_the_request_in_hand_is_a_rejection_with_its_reason) /* GEN-034 */
{
    cop_pid pid = start();
    cop_reason why;
    cop_future *deferred = ask(pid, LATER, 1), *in_hand = ask(pid, STOP, 1);
    cop_future *both[] = {deferred, in_hand};
    for (int i = 0; i < 2; i++) {
        int n;
        ck_assert_int_eq(cop_await(both[i], COP_OUT(n), SOON), -EPIPE);
        cop_future_state(both[i], &why);
        ck_assert_str_eq(why.text, "lost");
        cop_future_release(both[i]);
    }
}

static cop_step
sleep_long(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    cop_sleep(COP_FOREVER);
    return cop_ok();
}

static const cop_genserver sleeper = {.handle_cast = sleep_long};

TEST(a_request_that_was_not_taken_is_a_rejection_that_says_so) /* GEN-034 */
{
    cop_pid pid;
    cop_genserver_start(&pid, &sleeper);
    cop_cast(pid, COP_TAG(1));
    cop_future *f = ask(pid, ECHO, 1);
    cop_exit_signal(pid, COP_REASON_KILLED);
    expect(f, -ESRCH, 0);
}

static atomic_int stuck;

static cop_step
get_stuck(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)from, (void)request;
    for (stuck = 1; stuck;) {
    }
    return cop_ok();
}

static const cop_genserver stuck_server = {.handle_call = get_stuck};

TEST(a_server_that_was_disowned_is_a_rejection)
{
    test_leaves_things_behind(); /* its thread */
    cop_configure(&(cop_config){.size = sizeof(cop_config), .kill_grace = COP_MS(20)});
    cop_pid pid;
    cop_genserver_start(&pid, &stuck_server);
    cop_future *f = ask(pid, ECHO, 1), *queued = ask(pid, ECHO, 2);
    EVENTUALLY(stuck);
    cop_exit_signal(pid, COP_REASON_KILLED);
    expect(f, -EPIPE, 0);
    int n;
    ck_assert_int_lt(cop_await(queued, COP_OUT(n), SOON), 0);
    ck_assert_int_ne(cop_future_state(queued, NULL), -EINPROGRESS);
    cop_future_release(queued);
}

TEST(a_request_whose_time_is_over_is_a_rejection_and_the_server_owes_nothing)
{
    cop_pid pid = start();
    int value = 1;
    cop_time before = cop_now();
    cop_future *f = cop_call_async(pid, COP_MSG_OF(LATER, value), sizeof value, COP_MS(5));
    expect(f, -ETIMEDOUT, 0);
    ck_assert_int_ge(cop_now() - before, COP_MS(5));
    cop_cast(pid, COP_TAG(RELEASE)); /* too late: dropped */
    expect(ask(pid, ECHO, 2), 0, 2);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

/* The allocation with this number fails, and all after it. */
static int
ask_with_memory_for(cop_pid pid, long number)
{
    int value = 0;
    copi_alloc_fail_after(number);
    cop_future *f = cop_call_async(pid, COP_MSG_OF(LATER, value), sizeof value, COP_MS(1));
    EVENTUALLY(cop_future_state(f, NULL) != -EINPROGRESS);
    copi_alloc_fail_after(-1);
    int r = cop_future_state(f, NULL);
    cop_future_release(f);
    return r;
}

TEST(without_memory_for_its_time_a_request_is_over_at_once)
{
    int r = -ENOMEM;
    cop_pid pid = start();
    expect(ask(pid, ECHO, 1), 0, 1); /* what is made once is there */
    long number = 0;
    for (; number < 8 && r == -ENOMEM; number++) {
        r = ask_with_memory_for(pid, number);
    }
    ck_assert_int_eq(r, -ETIMEDOUT);
    ck_assert_int_ge(number, 3); /* no memory for the future, the timer, none of them */
}

static void
send_to_all_others(cop_msg msg)
{
    cop_pid all[16];
    size_t count = cop_processes(all, 16);
    for (size_t i = 0; i < count; i++) {
        if (!cop_pid_eq(all[i], cop_self())) {
            cop_send(all[i], msg);
        }
    }
}

TEST(strange_messages_to_the_collector_are_ignored)
{
    const uint32_t tags[] = {0, 0xfffe0301u, 0xfffe0302u, 0xfffe0303u, 0xfffe0401u};
    char byte = 1;
    cop_pid pid = start();
    cop_future *f = ask(pid, LATER, 7);
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        send_to_all_others(COP_TAG(tags[i]));
        send_to_all_others(COP_MSG_OF(tags[i], byte));
    }
    expect(ask(pid, ECHO, 1), 0, 1);
    cop_cast(pid, COP_TAG(RELEASE));
    expect(f, 0, 7);
}

TEST(a_request_that_is_cancelled_is_forgotten)
{
    cop_pid pid = start();
    cop_future *f = ask(pid, LATER, 1);
    ck_assert_int_eq(cop_future_cancel(f, cop_failed(-EIO, "not needed")), 0);
    ck_assert_int_eq(cop_future_cancel(f, cop_failed(-EIO, "twice")), -EALREADY);
    expect(f, -ECANCELED, 0);
    cop_cast(pid, COP_TAG(RELEASE));
    expect(ask(pid, ECHO, 2), 0, 2);
}

static int
ask_and_end(cop_bytes arg)
{
    ask(*(const cop_pid *)arg.data, LATER, 1); /* the handle is left to the test */
    return 0;
}

TEST(a_caller_may_end_before_its_answer_comes)
{
    cop_pid pid = start();
    cop_ref monitor;
    cop_future *f = ask(pid, LATER, 1);
    cop_spawn(NULL, ask_and_end, .arg = COP_BYTES(pid), .monitor = &monitor);
    test_leaves_things_behind(); /* that handle */
    test_down(monitor);
    cop_cast(pid, COP_TAG(RELEASE));
    expect(f, 0, 1);
}

TEST(what_is_open_at_the_shutdown_is_a_rejection)
{
    cop_pid pid = start();
    cop_future *f = ask(pid, NEVER_MIND, 1);
    ck_assert_int_eq(cop_shutdown(SOON), 0);
    int code = cop_future_state(f, NULL);
    ck_assert_int_ne(code, -EINPROGRESS);
    ck_assert_int_ne(code, 0);
    cop_future_release(f);
}

/* ---------------------------------------------------------------- bounds */

/* One message in its hands, and one in the mailbox. */
static void
fill(cop_pid pid)
{
    cop_process_info info;
    ck_assert_int_eq(cop_cast(pid, COP_TAG(1)), 0);
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.callback);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(1)), 0);
}

TEST(a_full_mailbox_refuses_the_request)
{
    cop_pid pid;
    cop_genserver_start(&pid, &sleeper, .mailbox = {.limit = 1});
    fill(pid);
    expect(ask(pid, ECHO, 1), -EAGAIN, 0);
    cop_exit_signal(pid, COP_REASON_KILLED); /* a shutdown would wait for it to its limit */
}

static int
ask_the_full(cop_bytes arg)
{
    expect(ask(*(const cop_pid *)arg.data, ECHO, 1), 0, 1);
    return 0;
}

TEST(who_ends_while_waiting_for_room_leaves_nothing)
{
    cop_pid pid, asker;
    cop_ref monitor;
    cop_genserver_start(&pid, &sleeper, .mailbox = {.limit = 1, .when_full = COP_FULL_BLOCK});
    fill(pid);
    cop_spawn(&asker, ask_the_full, .arg = COP_BYTES(pid), .monitor = &monitor);
    cop_process_info info;
    EVENTUALLY(cop_inspect(asker, &info) == 0 && cop_pid_eq(info.waits_for, pid));
    cop_exit_signal(asker, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    cop_exit_signal(pid, COP_REASON_KILLED);
}

/* ---------------------------------------------------------------- several servers */

TEST(one_request_to_several_servers_has_every_answer_in_its_place)
{
    cop_pid gone = start();
    cop_stop_process(gone, COP_REASON_NORMAL, SOON);
    cop_pid servers[] = {start(), gone, start()};
    int value = 6, out[3] = {0}, status[3];
    ck_assert_int_eq(cop_multi_call(servers, 3, COP_MSG_OF(ECHO, value), out, 4, status, SOON),
                     -ESRCH);
    ck_assert_int_eq(status[0], 0);
    ck_assert_int_eq(status[1], -ESRCH);
    ck_assert_int_eq(status[2], 0);
    ck_assert_int_eq(out[0], 6);
    ck_assert_int_eq(out[2], 6);
    servers[1] = servers[0];
    ck_assert_int_eq(cop_multi_call(servers, 3, COP_MSG_OF(ECHO, value), out, 4, status, SOON), 0);
    ck_assert_int_eq(cop_multi_call(servers, 0, COP_MSG_OF(ECHO, value), out, 4, status, SOON), 0);
    ck_assert_int_eq(cop_multi_call(servers, 3, COP_MSG_OF(LATER, value), out, 4, status,
                                    COP_MS(3)),
                     -ETIMEDOUT);
}

TEST(one_body_cannot_be_moved_to_several_servers)
{
    cop_pid pid = start();
    int status[1];
    cop_msg request = COP_MSG_MOVE(ECHO, malloc(4), 4, free);
    ck_assert_int_eq(cop_multi_call(&pid, 1, request, NULL, 0, status, SOON), -EINVAL);
}

TEST(a_thousand_requests_are_all_answered)
{
    enum {
        MANY = 1000
    };
    static cop_future *fs[MANY];
    static int out[MANY];
    cop_pid pid = start();
    for (int i = 0; i < MANY; i++) {
        fs[i] = ask(pid, ECHO, i);
    }
    ck_assert_int_eq(cop_await_all(fs, MANY, out, sizeof out[0], SOON), 0);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(out[i], i);
        cop_future_release(fs[i]);
    }
}

SUITE("call_async")
