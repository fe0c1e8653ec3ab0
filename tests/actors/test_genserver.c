/*
 * tests/actors/test_genserver.c - servers: how they start, answer, go on and end.
 *
 * Room: tests/. The numbers (GEN-…) are those of the behaviours of OTP's gen_server and Elixir's
 * GenServer that hold here.
 *
 * Most servers here are one and the same: what a message brings is a deed, a function that the server
 * then does in the callback that got the message. So each test shows what its server does, next to
 * what it expects of that. A deed says a word in passing; the words, in order, are what happened.
 */
#include "runtime/alloc.h"
#include "tests/support/support.h"

#include <pthread.h>

/* ---------------------------------------------------------------- what happened */

static struct {
    pthread_mutex_t lock;
    char words[512];
} said = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
say(const char *word)
{
    pthread_mutex_lock(&said.lock);
    size_t used = strlen(said.words);
    (void)snprintf(said.words + used, sizeof said.words - used, "%s%s", used ? " " : "", word);
    pthread_mutex_unlock(&said.lock);
}

static bool
has_said(const char *words)
{
    pthread_mutex_lock(&said.lock);
    bool same = strcmp(said.words, words) == 0;
    pthread_mutex_unlock(&said.lock);
    return same;
}

static void
assert_said(const char *words)
{
    pthread_mutex_lock(&said.lock);
    ck_assert_str_eq(said.words, words);
    pthread_mutex_unlock(&said.lock);
}

static void
forget_what_was_said(void)
{
    pthread_mutex_lock(&said.lock);
    said.words[0] = '\0';
    pthread_mutex_unlock(&said.lock);
}

/* How many of a test's moved bodies were dropped. */
static atomic_uint drops;

static void
count_drop(void *body)
{
    atomic_fetch_add(&drops, 1);
    free(body);
}

static cop_msg
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

static cop_step
do_it(cop_msg msg, cop_from from)
{
    deed what = *COP_BODY(msg, deed);
    return what(from);
}

static cop_step
on_init(void *state, cop_bytes arg)
{
    (void)state;
    beginning begin = NULL;
    if (arg.size > 0) {
        memcpy(&begin, arg.data, sizeof begin);
    }
    return begin ? begin() : cop_ok();
}

static cop_step
on_call(void *state, cop_from from, cop_msg request)
{
    (void)state;
    if (request.tag != DO) {
        say("call");
        return cop_reply(from, COP_TAG(0));
    }
    return do_it(request, from);
}

static cop_step
on_cast(void *state, cop_msg msg)
{
    (void)state;
    if (msg.tag != DO) {
        say("cast");
        return cop_ok();
    }
    return do_it(msg, (cop_from){0});
}

static cop_step
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

static cop_step
on_continue(void *state, cop_msg token)
{
    (void)state;
    say("continue");
    return token.tag == DO ? do_it(token, (cop_from){0}) : cop_ok();
}

static void
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

static cop_pid
start_as(const cop_genserver *behaviour)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, behaviour, .link = false), 0);
    return pid;
}

static cop_pid
start(void)
{
    return start_as(&server);
}

static cop_pid
start_monitored(cop_ref *ended)
{
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .monitor = ended), 0);
    return pid;
}

static int
call(cop_pid pid, deed what)
{
    return cop_call(pid, COP_MSG_OF(DO, what), NULL, 0, SOON);
}

static int
cast(cop_pid pid, deed what)
{
    return cop_cast(pid, COP_MSG_OF(DO, what));
}

static int
send(cop_pid pid, deed what)
{
    return cop_send(pid, COP_MSG_OF(DO, what));
}

static cop_step
answer(cop_from from)
{
    return cop_reply(from, COP_TAG(0));
}

/* A server that answers has done all that it was asked before. */
static void
wait_for(cop_pid pid)
{
    ck_assert_int_eq(call(pid, answer), 0);
}

static void
stop(cop_pid pid)
{
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), 0);
}

static cop_step
answer_number(cop_from from)
{
    int number = 42;
    return cop_reply(from, COP_MSG_OF(NUMBER, number));
}

/* The request stays without an answer. */
static cop_step
keep_quiet(cop_from from)
{
    (void)from;
    say("quiet");
    return cop_ok();
}

static cop_step
sleep_for_ever(cop_from from)
{
    (void)from;
    say("asleep");
    cop_sleep(COP_FOREVER);
    say("awake");
    return cop_ok();
}

static cop_step
stop_with_42(cop_from from)
{
    (void)from;
    return cop_stop(cop_failed(-42, "forty-two"));
}

static cop_step
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

static int
make_request(cop_bytes arg)
{
    const struct request *request = arg.data;
    int r = cop_call(request->server, COP_MSG_OF(DO, request->what), NULL, 0, request->timeout);
    cop_reason why = cop_why();
    cop_exit(r ? cop_failed(r, "%s", why.text) : COP_REASON_NORMAL);
}

static cop_pid
request_from_another(cop_pid pid, deed what, cop_time timeout, cop_ref *ended)
{
    cop_pid client;
    struct request request = {.server = pid, .what = what, .timeout = timeout};
    ck_assert_int_eq(cop_spawn(&client, make_request, .arg = COP_BYTES(request), .monitor = ended),
                     0);
    return client;
}

/* ---------------------------------------------------------------- starts that fail */

TEST(a_start_without_a_behaviour_is_refused)
{
    cop_pid pid = {7};
    ck_assert_int_eq(cop_genserver_start(&pid, NULL, .link = false), -EINVAL);
    ck_assert_uint_eq(pid.id, 7);
}

/* GEN-012 */
TEST(a_name_that_is_none_is_refused)
{
    char long_name[65] = "";
    memset(long_name, 'n', 64);
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .name = ""), -EINVAL);
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .name = long_name), -EINVAL);
}

TEST(an_argument_without_data_is_refused)
{
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = {NULL, 4}), -EINVAL);
}

TEST(a_negative_init_timeout_is_refused)
{
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .init_timeout = -1), -EINVAL);
}

/* GEN-010 */
TEST(a_name_that_is_taken_is_refused_with_its_holder)
{
    cop_pid first, second = COP_NOBODY, third = COP_NOBODY;
    ck_assert_int_eq(cop_genserver_start(&first, &server, .name = "taken"), 0);
    ck_assert_int_eq(cop_genserver_start(&second, &server, .name = "taken"), -EEXIST);
    ck_assert_uint_eq(second.id, first.id);
    ck_assert_int_eq(cop_genserver_start(&third, &bare, .name = "taken", .link = true), -EEXIST);
    ck_assert_uint_eq(third.id, first.id);
    wait_for(cop_named("taken"));
}

static int
return_at_once(cop_bytes arg)
{
    (void)arg;
    return 0;
}

/* GEN-010 */
TEST(a_name_that_is_taken_is_refused_whatever_is_started)
{
    cop_pid first, agent = COP_NOBODY;
    int value = 1;
    ck_assert_int_eq(cop_genserver_start(&first, &server, .name = "taken"), 0);
    ck_assert_int_eq(cop_agent_start(&agent, COP_BYTES(value), .name = "taken"), -EEXIST);
    ck_assert_uint_eq(agent.id, first.id);
    ck_assert_int_eq(cop_spawn(NULL, return_at_once, .name = "taken"), -EEXIST);
    wait_for(cop_named("taken"));
}

TEST(a_name_that_is_taken_does_not_even_run_init)
{
    beginning begin = NULL;
    cop_pid first = start();
    ck_assert_int_eq(cop_register("taken", first), 0);
    cop_process_info info;
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .name = "taken", .arg = COP_BYTES(begin)),
                     -EEXIST);
    ck_assert_int_eq(cop_inspect(first, &info), 0);
    assert_said("");
}

static cop_step
init_stops(void)
{
    say("init");
    return cop_stop(cop_failed(-ECONNREFUSED, "no database"));
}

/* GEN-006 */
TEST(init_that_stops_fails_the_start_with_its_reason)
{
    beginning begin = init_stops;
    cop_pid pid = {7};
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "n", .arg = COP_BYTES(begin)),
                     -ECONNREFUSED);
    cop_reason why = cop_why();
    ck_assert_int_eq(why.kind, COP_FAILED);
    ck_assert_str_eq(why.text, "no database");
    ck_assert_uint_eq(pid.id, 7);
    ck_assert_uint_eq(cop_whereis("n").id, 0);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1); /* the test itself: it is gone already */
    assert_said("init");                          /* and terminate did not run */
}

static cop_step
init_exits(void)
{
    cop_exit(cop_failed(-ECONNREFUSED, "no database"));
}

TEST(init_that_leaves_by_cop_exit_fails_the_start_without_terminate)
{
    beginning begin = init_exits;
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = COP_BYTES(begin)), -ECONNREFUSED);
    ck_assert_str_eq(cop_why().text, "no database");
    assert_said("");
}

static cop_step
init_stops_with_7(void)
{
    return cop_stop(cop_failed(7, "seven"));
}

static cop_step
init_stops_normally(void)
{
    return cop_stop(COP_REASON_NORMAL);
}

static cop_step
init_shuts_down(void)
{
    return cop_stop(COP_REASON_SHUTDOWN);
}

TEST(each_reason_of_init_has_its_code)
{
    beginning positive = init_stops_with_7, normal = init_stops_normally, down = init_shuts_down;
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = COP_BYTES(positive)),
                     -ENOTRECOVERABLE);
    ck_assert_int_eq(cop_why().code, 7);
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = COP_BYTES(normal)), -EPIPE);
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = COP_BYTES(down)), -ECANCELED);
    ck_assert_int_eq(cop_why().kind, COP_SHUTDOWN);
}

static cop_step
init_returns_nonsense(void)
{
    return (cop_step){.next = 12345};
}

TEST(init_with_a_step_that_is_none_fails_the_start)
{
    beginning begin = init_returns_nonsense;
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = COP_BYTES(begin)), -EINVAL);
    ck_assert_str_eq(cop_why().text, "{bad_return_value,12345}");
    assert_said("");
}

static cop_step
init_ignores(void)
{
    return cop_ignore();
}

/* GEN-006 */
TEST(init_that_ignores_is_no_error_and_no_process)
{
    beginning begin = init_ignores;
    cop_pid pid = {7};
    test_catch_stderr();
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "n", .arg = COP_BYTES(begin)), 0);
    ck_assert_uint_eq(pid.id, 0);
    ck_assert_uint_eq(cop_whereis("n").id, 0);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1);
    assert_said("");
    char *report = test_caught_stderr();
    ck_assert_str_eq(report, "");
    free(report);
}

static cop_step
init_hangs(void)
{
    say("hanging");
    cop_sleep(COP_FOREVER);
    return cop_ok();
}

TEST(init_that_hangs_is_killed_after_init_timeout)
{
    beginning begin = init_hangs;
    cop_pid pid = {7};
    cop_time before = cop_now();
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "n", .init_timeout = COP_MS(30),
                                         .arg = COP_BYTES(begin)),
                     -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(30));
    ck_assert_uint_eq(pid.id, 7);
    ck_assert_uint_eq(cop_whereis("n").id, 0);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1);
    assert_said("hanging");
}

static cop_step
init_hangs_and_traps(void)
{
    cop_trap_exits(true);
    return init_hangs();
}

TEST(init_that_traps_exits_is_killed_after_init_timeout_all_the_same)
{
    beginning begin = init_hangs_and_traps;
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .init_timeout = COP_MS(10),
                                         .arg = COP_BYTES(begin)),
                     -ETIMEDOUT);
    ck_assert_uint_eq(cop_processes(NULL, 0), 1);
}

static cop_pid starter;

static cop_step
init_calls_its_starter(void)
{
    int r = cop_call(starter, COP_TAG(WORD), NULL, 0, SOON);
    return cop_stop(cop_failed(r, NULL));
}

static cop_step
start_one_that_calls_me(cop_from from)
{
    beginning begin = init_calls_its_starter;
    starter = cop_self();
    int r = cop_genserver_start(NULL, &server, .arg = COP_BYTES(begin));
    return cop_reply(from, COP_MSG_OF(NUMBER, r));
}

TEST(init_that_calls_its_starter_is_refused_and_not_endured)
{
    deed what = start_one_that_calls_me;
    cop_pid pid = start();
    int r;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(r), SOON), 0);
    ck_assert_int_eq(r, -EDEADLK);
    wait_for(pid);
}

static int
start_one_that_hangs(cop_bytes arg)
{
    beginning begin = init_hangs;
    (void)arg;
    int r = cop_genserver_start(NULL, &server, .name = "child", .arg = COP_BYTES(begin));
    ck_assert_int_eq(r, -ECANCELED);
    ck_assert_uint_eq(cop_whereis("child").id, 0);
    say("gave up");
    return r;
}

TEST(a_start_is_given_up_when_its_starter_is_asked_to_stop)
{
    cop_pid pid;
    cop_ref ended;
    ck_assert_int_eq(cop_spawn(&pid, start_one_that_hangs, .monitor = &ended), 0);
    EVENTUALLY(has_said("hanging"));
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(ended).kind, COP_SHUTDOWN);
    assert_said("hanging gave up");
}

static int
start_named(void *arg)
{
    cop_pid *pid = arg;
    int r = cop_genserver_start(pid, &server, .name = "n", .link = true);
    copi_alloc_fail_after(-1);
    if (r == -ENOMEM) {
        ck_assert_uint_eq(cop_whereis("n").id, 0);
        ck_assert_uint_eq(cop_processes(NULL, 0), 1);
    }
    return r;
}

TEST(a_start_without_memory_leaves_nothing_behind)
{
    cop_pid pid;
    int r;
    cop_self();
    cop_trap_exits(true);
    test_out_of_memory(start_named, &pid, &r);
    ck_assert_int_eq(r, 0);
    wait_for(pid);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT); /* no link told of one that never was */
}

/* ---------------------------------------------------------------- starts */

static cop_step
init_takes_its_time(void)
{
    cop_sleep(COP_MS(20));
    say("init");
    return cop_ok();
}

/* GEN-004 */
TEST(a_start_returns_when_init_has)
{
    beginning begin = init_takes_its_time;
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .arg = COP_BYTES(begin)), 0);
    assert_said("init");
}

TEST(options_are_read_as_far_as_an_older_program_knows_them)
{
    beginning begin = init_takes_its_time;
    const cop_start_opts old = {
        .size = offsetof(cop_start_opts, init_timeout),
        .arg = COP_BYTES(begin),
        .init_timeout = COP_US(1),
    };
    ck_assert_int_eq(cop_genserver_start_with(NULL, &server, &old), 0);
    assert_said("init");
}

/* GEN-001 */
TEST(a_server_answers_until_it_is_stopped)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, answer), 0);
    stop(pid);
    ck_assert(!cop_alive(pid));
    ck_assert_int_eq(call(pid, answer), -ESRCH);
}

/* GEN-002 */
TEST(a_linked_server_tells_its_starter_of_its_end)
{
    cop_pid pid;
    cop_trap_exits(true);
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .link = true), 0);
    ck_assert_int_eq(cast(pid, stop_with_42), 0);
    cop_msg msg = test_receive(COP_MSG_EXIT);
    const struct cop_exited *exited = COP_BODY(msg, struct cop_exited);
    ck_assert_uint_eq(exited->pid.id, pid.id);
    ck_assert_int_eq(exited->reason.code, -42);
    ck_assert_str_eq(exited->reason.text, "forty-two");
}

TEST(a_monitor_that_the_start_sets_tells_of_the_end)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, stop_with_42), 0);
    ck_assert_int_eq(test_down(ended).code, -42);
}

/* GEN-010, GEN-014 */
TEST(a_server_is_found_and_called_by_its_name)
{
    cop_pid pid;
    ck_assert_uint_eq(cop_whereis("by_name").id, 0);
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "by_name"), 0);
    ck_assert_uint_eq(cop_whereis("by_name").id, pid.id);
    ck_assert_int_eq(call(cop_named("by_name"), answer), 0);
    ck_assert_int_eq(cop_stop_process(cop_named("by_name"), COP_REASON_NORMAL, SOON), 0);
    ck_assert_uint_eq(cop_whereis("by_name").id, 0);
}

TEST(a_behaviour_without_callbacks_starts_and_stops)
{
    cop_pid pid = start_as(&bare);
    stop(pid);
}

struct counter {
    int count;
    char zeros[60];
};

static cop_step
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

static cop_step
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

TEST(each_incarnation_begins_with_a_zeroed_state_and_the_argument)
{
    for (int i = 0; i < 3; i++) {
        cop_pid pid;
        int one = 1, reply;
        ck_assert_int_eq(cop_genserver_start(&pid, &counting, .arg = COP_BYTES(i)), 0);
        ck_assert_int_eq(cop_call(pid, COP_MSG_OF(ADD, one), COP_OUT(reply), SOON), 0);
        ck_assert_int_eq(reply, i + 1);
        stop(pid);
    }
}

static cop_bytes kept_argument;

static cop_step
argument_init(void *state, cop_bytes arg)
{
    (void)state;
    kept_argument = arg;
    return cop_ok();
}

static cop_step
argument_call(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    int first;
    memcpy(&first, kept_argument.data, sizeof first);
    return cop_reply(from, COP_MSG_OF(NUMBER, first));
}

TEST(the_argument_is_copied_and_valid_until_the_end)
{
    static const cop_genserver keeper = {
        .type = "keeper", .init = argument_init, .handle_call = argument_call};
    cop_pid pid;
    int argument = 42, reply;
    ck_assert_int_eq(cop_genserver_start(&pid, &keeper, .arg = COP_BYTES(argument)), 0);
    argument = 0;
    ck_assert_int_eq(cop_call(pid, COP_TAG(NUMBER), COP_OUT(reply), SOON), 0);
    ck_assert_int_eq(reply, 42);
}

/* ---------------------------------------------------------------- calls that fail */

/* GEN-020 */
TEST(a_call_to_nobody_finds_no_process)
{
    cop_pid gone = start();
    stop(gone);
    ck_assert_int_eq(call(gone, answer), -ESRCH);
    ck_assert_int_eq(call(COP_NOBODY, answer), -ESRCH);
    ck_assert_int_eq(call(cop_named("nobody_has_it"), answer), -ESRCH);
}

static int
wait_for_ever(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    return cop_receive(&msg, COP_FOREVER);
}

TEST(a_call_to_a_process_that_is_no_server_says_so)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, wait_for_ever, .link = false), 0);
    ck_assert_int_eq(cop_call(pid, COP_TAG(WORD), NULL, 0, SOON), -EOPNOTSUPP);
    ck_assert(cop_alive(pid));
}

TEST(a_call_with_a_tag_of_the_library_is_refused)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_call(pid, COP_TAG(COP_MSG_RESERVED), NULL, 0, SOON), -EINVAL);
    ck_assert_int_eq(cop_call(pid, COP_TAG(COP_MSG_DOWN), NULL, 0, SOON), -EINVAL);
    assert_said("");
}

TEST(a_call_with_bytes_but_no_data_is_refused)
{
    cop_pid pid = start();
    cop_msg msg = {.tag = WORD, .body = {NULL, 4}};
    ck_assert_int_eq(cop_call(pid, msg, NULL, 0, SOON), -EINVAL);
    assert_said("");
}

static cop_step
call_myself(cop_from from)
{
    int r = call(cop_self(), answer);
    return cop_reply(from, COP_MSG_OF(NUMBER, r));
}

TEST(a_server_that_calls_itself_is_refused)
{
    deed what = call_myself;
    cop_pid pid = start();
    int r;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(r), SOON), 0);
    ck_assert_int_eq(r, -EDEADLK);
}

static cop_pid ping, pong;

static cop_step
call_ping(cop_from from)
{
    int r = call(ping, answer);
    ck_assert_int_eq(r, -EDEADLK);
    ck_assert_ptr_nonnull(strstr(cop_why().text, "ping"));
    ck_assert_ptr_nonnull(strstr(cop_why().text, "pong"));
    return cop_reply(from, COP_MSG_OF(NUMBER, r));
}

static cop_step
call_pong(cop_from from)
{
    deed what = call_ping;
    int r, inner = 0;
    r = cop_call(pong, COP_MSG_OF(DO, what), COP_OUT(inner), SOON);
    ck_assert_int_eq(r, 0);
    return cop_reply(from, COP_MSG_OF(NUMBER, inner));
}

TEST(a_circle_of_two_calls_is_refused_and_shown)
{
    deed what = call_pong;
    int r;
    ck_assert_int_eq(cop_genserver_start(&ping, &server, .name = "ping"), 0);
    ck_assert_int_eq(cop_genserver_start(&pong, &server, .name = "pong"), 0);
    ck_assert_int_eq(cop_call(ping, COP_MSG_OF(DO, what), COP_OUT(r), SOON), 0);
    ck_assert_int_eq(r, -EDEADLK);
    wait_for(ping);
    wait_for(pong);
}

static cop_from kept_from;

static cop_step
keep_from(cop_from from)
{
    kept_from = from;
    return cop_ok();
}

/* GEN-018 */
TEST(a_call_without_an_answer_in_time_gives_up_and_the_server_goes_on)
{
    deed what = keep_quiet;
    cop_pid pid = start();
    cop_time before = cop_now();
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), NULL, 0, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(20));
    wait_for(pid);
    assert_said("quiet");
}

static cop_step
answer_the_first(cop_from from)
{
    int first = 1, second = 2;
    cop_reply(kept_from, COP_MSG_OF(NUMBER, first));
    return cop_reply(from, COP_MSG_OF(NUMBER, second));
}

TEST(a_late_answer_is_never_handed_to_another_call)
{
    deed keep = keep_from, what = answer_the_first;
    cop_pid pid = start();
    int reply = 0;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, keep), COP_OUT(reply), 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), 0);
    ck_assert_int_eq(reply, 2);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

TEST(an_answer_of_another_size_is_refused_and_nothing_written)
{
    deed what = answer_number;
    cop_pid pid = start();
    char small = 7, large[8] = {7};
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(small), SOON), -EMSGSIZE);
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(large), SOON), -EMSGSIZE);
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), NULL, 0, SOON), -EMSGSIZE);
    ck_assert_int_eq(small, 7);
    ck_assert_int_eq(large[0], 7);
}

/* GEN-023 */
TEST(a_request_in_the_hands_of_a_server_that_stops_fails_with_its_reason)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, stop_with_42), -EPIPE);
    ck_assert_int_eq(cop_why().code, -42);
    ck_assert_str_eq(cop_why().text, "forty-two");
    assert_said("terminate");
}

TEST(a_request_in_the_hands_of_a_server_that_exits_fails_with_its_reason)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, exit_with_42), -EPIPE);
    ck_assert_int_eq(cop_why().code, -42);
}

TEST(a_request_in_the_hands_of_a_server_that_is_killed_fails)
{
    cop_ref failed;
    cop_pid pid = start();
    request_from_another(pid, sleep_for_ever, COP_FOREVER, &failed);
    EVENTUALLY(has_said("asleep"));
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(failed).code, -EPIPE);
}

TEST(a_request_that_the_server_had_not_taken_is_safe_to_repeat)
{
    cop_ref in_hand, waiting;
    cop_process_info info;
    cop_pid pid = start();
    request_from_another(pid, sleep_for_ever, COP_FOREVER, &in_hand);
    EVENTUALLY(has_said("asleep"));
    request_from_another(pid, answer, COP_FOREVER, &waiting);
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.mailbox == 1);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(waiting).code, -ESRCH);
    ck_assert_int_eq(test_down(in_hand).code, -EPIPE);
}

TEST(a_request_that_was_put_off_fails_when_the_server_ends)
{
    cop_ref failed;
    cop_pid pid = start();
    request_from_another(pid, keep_quiet, COP_FOREVER, &failed);
    EVENTUALLY(has_said("quiet"));
    ck_assert_int_eq(call(pid, stop_with_42), -EPIPE);
    cop_reason reason = test_down(failed);
    ck_assert_int_eq(reason.code, -EPIPE);
    ck_assert_str_eq(reason.text, "forty-two");
}

TEST(a_call_to_a_full_mailbox_is_refused)
{
    cop_pid pid;
    cop_process_info info;
    cop_ref ended;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .mailbox = {.limit = 1}), 0);
    request_from_another(pid, sleep_for_ever, COP_FOREVER, &ended);
    EVENTUALLY(has_said("asleep") && cop_inspect(pid, &info) == 0 && info.mailbox == 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    ck_assert_int_eq(call(pid, answer), -EAGAIN);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(ended).code, -EPIPE);
}

TEST(a_caller_that_is_asked_to_stop_gives_up)
{
    cop_ref ended;
    cop_pid pid = start();
    cop_pid client = request_from_another(pid, keep_quiet, COP_FOREVER, &ended);
    EVENTUALLY(has_said("quiet"));
    cop_exit_signal(client, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(ended).code, -ECANCELED);
    wait_for(pid);
}

TEST(a_call_does_not_outlast_the_deadline_of_its_context)
{
    cop_pid pid = start();
    cop_context *context = cop_context_new(COP_MS(20));
    ck_assert_int_eq(cop_context_enter(context), 0);
    cop_time before = cop_now();
    ck_assert_int_eq(call(pid, keep_quiet), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(10)); /* the context began a little earlier */
    ck_assert_int_eq(cop_context_leave(context), 0);
    cop_context_free(context);
}

static int
call_large(void *arg)
{
    static char body[5000]; /* so that it needs memory of its own */
    const cop_pid *pid = arg;
    return cop_call(*pid, COP_MSG_OF(WORD, body), NULL, 0, SOON);
}

TEST(a_call_without_memory_sends_nothing)
{
    cop_pid pid = start();
    int r;
    wait_for(pid);
    unsigned refused = test_out_of_memory(call_large, &pid, &r);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_gt(refused, 0);
    assert_said("call");
}

static cop_step
answer_without_memory(cop_from from)
{
    copi_alloc_fail_after(0);
    cop_step step = cop_reply(from, COP_TAG(0));
    copi_alloc_fail_after(-1);
    return step;
}

TEST(an_answer_for_which_there_is_no_memory_at_all_is_an_error_to_the_caller)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, answer_without_memory), -ENOMEM);
    wait_for(pid);
}

static cop_step
answer_much_without_memory(cop_from from)
{
    static char body[5000];
    copi_alloc_fail_after(0);
    cop_step step = cop_reply(from, COP_MSG_OF(0, body));
    copi_alloc_fail_after(-1);
    return step;
}

TEST(an_answer_that_is_too_large_for_the_memory_is_an_error_to_the_caller)
{
    cop_pid pid = start();
    wait_for(pid); /* now it has room for a small message */
    ck_assert_int_eq(call(pid, answer_much_without_memory), -ENOMEM);
    wait_for(pid);
}

/* ---------------------------------------------------------------- moved requests */

TEST(a_moved_request_is_taken_when_it_is_answered)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_call(pid, moved(WORD), NULL, 0, SOON), 0);
    stop(pid);
    ck_assert_uint_eq(drops, 1);
}

TEST(a_moved_request_is_taken_when_nobody_is_there)
{
    ck_assert_int_eq(cop_call(COP_NOBODY, moved(WORD), NULL, 0, SOON), -ESRCH);
    ck_assert_int_eq(cop_call(cop_named("nobody"), moved(WORD), NULL, 0, SOON), -ESRCH);
    ck_assert_uint_eq(drops, 2);
}

TEST(a_moved_request_is_taken_when_it_is_refused)
{
    cop_pid pid = start(), plain;
    ck_assert_int_eq(cop_call(pid, moved(COP_MSG_DOWN), NULL, 0, SOON), -EINVAL);
    ck_assert_uint_eq(drops, 1);
    ck_assert_int_eq(cop_spawn(&plain, wait_for_ever, .link = false), 0);
    ck_assert_int_eq(cop_call(plain, moved(WORD), NULL, 0, SOON), -EOPNOTSUPP);
    ck_assert_uint_eq(drops, 2);
}

TEST(a_moved_request_is_taken_when_the_time_is_up)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, sleep_for_ever), 0);
    ck_assert_int_eq(cop_call(pid, moved(WORD), NULL, 0, COP_MS(1)), -ETIMEDOUT);
    cop_exit_signal(pid, COP_REASON_KILLED);
    EVENTUALLY(drops == 1);
}

static cop_step
call_myself_with_a_move(cop_from from)
{
    int r = cop_call(cop_self(), moved(WORD), NULL, 0, SOON);
    return cop_reply(from, COP_MSG_OF(NUMBER, r));
}

TEST(a_moved_request_is_taken_when_it_would_close_a_circle)
{
    deed what = call_myself_with_a_move;
    cop_pid pid = start();
    int r;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(r), SOON), 0);
    ck_assert_int_eq(r, -EDEADLK);
    ck_assert_uint_eq(drops, 1);
}

TEST(a_moved_request_is_taken_when_the_mailbox_is_full)
{
    cop_pid pid;
    cop_process_info info;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .mailbox = {.limit = 1}), 0);
    ck_assert_int_eq(cast(pid, sleep_for_ever), 0);
    EVENTUALLY(has_said("asleep") && cop_inspect(pid, &info) == 0 && info.mailbox == 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    ck_assert_int_eq(cop_call(pid, moved(WORD), NULL, 0, SOON), -EAGAIN);
    ck_assert_uint_eq(drops, 1);
    cop_exit_signal(pid, COP_REASON_KILLED);
}

static unsigned moves;

static int
call_moved(void *arg)
{
    cop_pid *pid = arg;
    moves++;
    return cop_call(*pid, moved(WORD), NULL, 0, SOON);
}

/* In a process that has not sent before, so that there is something to allocate. */
static int
call_moved_without_memory(cop_bytes arg)
{
    cop_pid pid;
    int r;
    memcpy(&pid, arg.data, sizeof pid);
    ck_assert_uint_gt(test_out_of_memory(call_moved, &pid, &r), 0);
    return r;
}

TEST(a_moved_request_is_taken_when_there_is_no_memory)
{
    cop_ref ended;
    cop_pid pid = start();
    wait_for(pid);
    ck_assert_int_eq(
        cop_spawn(NULL, call_moved_without_memory, .arg = COP_BYTES(pid), .monitor = &ended), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    stop(pid);
    ck_assert_uint_eq(drops, moves);
}

static cop_step
stop_by_any_call(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)from, (void)request;
    return cop_stop(cop_failed(-42, "forty-two"));
}

TEST(a_moved_request_is_taken_when_the_server_ends_with_it_in_its_hands)
{
    static const cop_genserver stopping = {.type = "stopping", .handle_call = stop_by_any_call};
    cop_pid pid = start_as(&stopping);
    ck_assert_int_eq(cop_call(pid, moved(WORD), NULL, 0, SOON), -EPIPE);
    ck_assert_uint_eq(drops, 1);
}

/* ---------------------------------------------------------------- answers */

/* GEN-016 */
TEST(a_call_returns_the_answer_and_the_state_stays)
{
    cop_pid pid;
    int start_at = 0, reply;
    ck_assert_int_eq(cop_genserver_start(&pid, &counting, .arg = COP_BYTES(start_at)), 0);
    for (int i = 1; i <= 3; i++) {
        ck_assert_int_eq(cop_call(pid, COP_MSG(ADD, int, 10), COP_OUT(reply), SOON), 0);
        ck_assert_int_eq(reply / 10, i);
    }
}

static cop_step
answer_the_kept_one(cop_from from)
{
    (void)from;
    return cop_reply(kept_from, COP_TAG(0));
}

static cop_step
say_kept(cop_from from)
{
    kept_from = from;
    say("kept");
    return cop_ok();
}

/* GEN-017 */
TEST(an_answer_may_come_from_another_callback)
{
    cop_ref ended;
    cop_pid pid = start();
    request_from_another(pid, say_kept, COP_FOREVER, &ended);
    EVENTUALLY(has_said("kept"));
    ck_assert_int_eq(cast(pid, answer_the_kept_one), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
}

static int
answer_from_here(cop_bytes arg)
{
    (void)arg;
    cop_reply(kept_from, COP_TAG(0));
    return 0;
}

TEST(an_answer_may_come_from_another_process)
{
    cop_ref ended;
    cop_pid pid = start();
    request_from_another(pid, say_kept, COP_FOREVER, &ended);
    EVENTUALLY(has_said("kept"));
    ck_assert_int_eq(cop_spawn(NULL, answer_from_here, .link = false), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    wait_for(pid);
}

static cop_step
answer_both(cop_from from)
{
    cop_reply(kept_from, COP_TAG(0));
    cop_reply(from, COP_TAG(0));
    return cop_ok();
}

TEST(one_callback_may_answer_several_callers)
{
    cop_ref first, second;
    cop_pid pid = start();
    request_from_another(pid, say_kept, COP_FOREVER, &first);
    EVENTUALLY(has_said("kept"));
    request_from_another(pid, answer_both, COP_FOREVER, &second);
    ck_assert_int_eq(test_down(first).kind, COP_NORMAL);
    ck_assert_int_eq(test_down(second).kind, COP_NORMAL);
}

static cop_step
answer_twice(cop_from from)
{
    int first = 1, second = 2;
    cop_reply(from, COP_MSG_OF(NUMBER, first));
    return cop_reply(from, COP_MSG_OF(NUMBER, second));
}

TEST(a_second_answer_to_the_same_request_is_dropped)
{
    deed what = answer_twice, honest = answer_number;
    cop_pid pid = start();
    int reply;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), 0);
    ck_assert_int_eq(reply, 1);
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, honest), COP_OUT(reply), SOON), 0);
    ck_assert_int_eq(reply, 42);
}

static cop_step
answer_nobody_with_a_move(cop_from from)
{
    cop_reply(kept_from, moved(NUMBER));
    return cop_reply(from, COP_TAG(0));
}

TEST(a_moved_answer_that_nobody_waits_for_is_dropped)
{
    cop_ref ended;
    cop_pid pid = start();
    cop_pid client = request_from_another(pid, say_kept, COP_FOREVER, &ended);
    EVENTUALLY(has_said("kept"));
    cop_exit_signal(client, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    ck_assert_int_eq(call(pid, answer_nobody_with_a_move), 0);
    stop(pid);
    ck_assert_uint_eq(drops, 1);
}

enum {
    MUCH = 100000
};

static cop_step
answer_much(cop_from from)
{
    char *body = malloc(MUCH);
    if (!body) {
        return cop_stop(cop_failed(-ENOMEM, NULL));
    }
    memset(body, 'm', MUCH);
    cop_step step = cop_reply(from, (cop_msg){.tag = NUMBER, .body = {body, MUCH}});
    free(body);
    return step;
}

TEST(call_any_gets_an_answer_of_any_size)
{
    deed much = answer_much, little = answer;
    cop_pid pid = start();
    cop_msg reply;
    ck_assert_int_eq(cop_call_any(pid, COP_MSG_OF(DO, much), &reply, SOON), 0);
    ck_assert_uint_eq(reply.tag, NUMBER);
    ck_assert_uint_eq(reply.body.size, MUCH);
    ck_assert_int_eq(((const char *)reply.body.data)[MUCH - 1], 'm');
    cop_msg_release(&reply);
    ck_assert_int_eq(cop_call_any(pid, COP_MSG_OF(DO, little), &reply, SOON), 0);
    ck_assert_uint_eq(reply.body.size, 0);
    cop_msg_release(&reply);
    cop_msg_release(&reply); /* twice is safe */
}

static cop_step
answer_with_a_move(cop_from from)
{
    return cop_reply(from, moved(NUMBER));
}

TEST(call_any_gets_a_moved_answer_to_keep)
{
    deed what = answer_with_a_move;
    cop_pid pid = start();
    cop_msg reply;
    ck_assert_int_eq(cop_call_any(pid, COP_MSG_OF(DO, what), &reply, SOON), 0);
    ck_assert_uint_eq(drops, 0);
    cop_msg_release(&reply);
    ck_assert_uint_eq(drops, 1);
}

TEST(call_any_takes_a_moved_request_when_it_fails)
{
    cop_msg reply = {.tag = 7};
    ck_assert_int_eq(cop_call_any(COP_NOBODY, moved(WORD), &reply, SOON), -ESRCH);
    ck_assert_uint_eq(drops, 1);
    ck_assert_uint_eq(reply.tag, 7);
}

TEST(a_moved_answer_is_copied_out_and_dropped_by_a_plain_call)
{
    deed what = answer_with_a_move;
    cop_pid pid = start();
    char reply[16] = {7};
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), 0);
    ck_assert_int_eq(reply[0], 0);
    ck_assert_uint_eq(drops, 1);
}

/* ---------------------------------------------------------------- typed messages */

struct sum {
    int a, b;
};
COP_MESSAGE(add, ADD, struct sum)

static cop_step
typed_call(void *state, cop_from from, cop_msg request)
{
    (void)state;
    const struct sum *sum = add_of(request);
    if (!sum) {
        say("another");
        return cop_reply(from, COP_TAG(0));
    }
    int total = sum->a + sum->b;
    return cop_reply(from, COP_MSG_OF(NUMBER, total));
}

static const cop_genserver typed = {.type = "typed", .handle_call = typed_call};

TEST(a_typed_message_carries_its_body)
{
    cop_pid pid = start_as(&typed);
    int total;
    ck_assert_int_eq(cop_call(pid, add_msg(&(struct sum){2, 3}), COP_OUT(total), SOON), 0);
    ck_assert_int_eq(total, 5);
}

TEST(a_typed_message_is_told_from_another)
{
    cop_pid pid = start_as(&typed);
    ck_assert_int_eq(cop_call(pid, COP_TAG(WORD), NULL, 0, SOON), 0);
    assert_said("another");
}

TEST(a_body_of_the_wrong_size_crashes_the_receiver)
{
    cop_pid pid = start_as(&typed);
    int small = 1;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(ADD, small), NULL, 0, SOON), -EPIPE);
    ck_assert_int_eq(cop_why().code, -EMSGSIZE);
    ck_assert(!cop_alive(pid));
}

/* ---------------------------------------------------------------- order */

static cop_step
say_1(cop_from from)
{
    say("1");
    return from.ref.id ? cop_reply(from, COP_TAG(0)) : cop_ok();
}

static cop_step
say_2(cop_from from)
{
    say("2");
    return from.ref.id ? cop_reply(from, COP_TAG(0)) : cop_ok();
}

static cop_step
say_3(cop_from from)
{
    say("3");
    return from.ref.id ? cop_reply(from, COP_TAG(0)) : cop_ok();
}

/* GEN-029 */
TEST(what_one_sender_says_is_heard_in_order)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, say_1), 0);
    ck_assert_int_eq(send(pid, say_2), 0);
    ck_assert_int_eq(call(pid, say_3), 0);
    ck_assert_int_eq(send(pid, say_1), 0);
    ck_assert_int_eq(cast(pid, say_2), 0);
    ck_assert_int_eq(call(pid, say_3), 0);
    assert_said("1 2 3 1 2 3");
}

/* ---------------------------------------------------------------- casts and plain messages */

TEST(a_cast_to_nobody_is_no_error_and_takes_the_body)
{
    cop_pid gone = start();
    stop(gone);
    ck_assert_int_eq(cop_cast(gone, moved(WORD)), 0);
    ck_assert_int_eq(cop_cast(cop_named("nobody"), moved(WORD)), 0);
    ck_assert_uint_eq(drops, 2);
}

TEST(a_cast_that_is_refused_leaves_the_body_to_the_sender)
{
    cop_pid pid = start();
    cop_msg msg = moved(COP_MSG_TIMEOUT);
    ck_assert_int_eq(cop_cast(pid, msg), -EINVAL);
    ck_assert_uint_eq(drops, 0);
    cop_msg_release(&msg);
    ck_assert_uint_eq(drops, 1);
}

/* GEN-037 */
TEST(a_cast_is_handled_and_may_stop_the_server)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    ck_assert_int_eq(cast(pid, stop_with_42), 0);
    ck_assert_int_eq(test_down(ended).code, -42);
    assert_said("cast terminate");
}

/* GEN-039 */
TEST(a_plain_message_is_handled_and_may_stop_the_server)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cop_send(pid, COP_TAG(WORD)), 0);
    ck_assert_int_eq(send(pid, stop_with_42), 0);
    ck_assert_int_eq(test_down(ended).code, -42);
    assert_said("info terminate");
}

static cop_pid other;

static cop_step
monitor_and_trap(cop_from from)
{
    cop_trap_exits(true);
    ck_assert_uint_ne(cop_monitor(other).id, 0);
    ck_assert_int_eq(cop_link(other), 0);
    return cop_reply(from, COP_TAG(0));
}

TEST(the_ends_of_others_are_plain_messages_to_a_server_that_traps)
{
    other = start();
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, monitor_and_trap), 0);
    cop_exit_signal(other, COP_REASON_KILLED);
    EVENTUALLY(has_said("down exit") || has_said("exit down"));
    wait_for(pid);
}

static bool
is_any(const cop_msg *msg, void *env)
{
    (void)msg, (void)env;
    return true;
}

/* Two plain messages, by either way, whatever else is there. */
static cop_step
receive_two(cop_from from)
{
    (void)from;
    cop_msg msg;
    say("receiving");
    ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    ck_assert_uint_eq(msg.tag, ADD);
    ck_assert_int_eq(cop_receive_match(&msg, is_any, NULL, SOON), 0);
    ck_assert_uint_eq(msg.tag, NUMBER);
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
    say("received");
    return cop_ok();
}

TEST(a_callback_receives_plain_messages_and_leaves_requests_casts_and_stops_to_others)
{
    cop_ref called, ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, receive_two), 0);
    EVENTUALLY(has_said("receiving"));
    request_from_another(pid, answer, SOON, &called);
    cop_process_info info;
    EVENTUALLY(cop_inspect(pid, &info) == 0 && info.mailbox == 1);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, COP_MS(1)), -ETIMEDOUT);
    ck_assert_int_eq(cop_send(pid, COP_TAG(ADD)), 0);
    ck_assert_int_eq(cop_send(pid, COP_TAG(NUMBER)), 0);
    ck_assert_int_eq(test_down(called).kind, COP_NORMAL);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    assert_said("receiving received cast terminate");
}

/* GEN-040 */
TEST(without_handle_info_a_message_is_dropped_and_reported)
{
    static const cop_genserver deaf = {.type = "deaf", .handle_call = on_call};
    cop_pid pid = start_as(&deaf);
    test_catch_stderr();
    ck_assert_int_eq(cop_send(pid, moved(77)), 0);
    wait_for(pid);
    char *report = test_caught_stderr();
    ck_assert_uint_eq(test_count(report, "no handle_info for message 77"), 1);
    free(report);
    ck_assert_uint_eq(drops, 1);
}

/* GEN-040 */
TEST(without_handle_call_a_call_ends_the_server)
{
    cop_pid pid = start_as(&bare);
    ck_assert_int_eq(cop_call(pid, COP_TAG(WORD), NULL, 0, SOON), -EPIPE);
    ck_assert_int_eq(cop_why().code, -ENOSYS);
    ck_assert_str_eq(cop_why().text, "{undef,handle_call}");
    ck_assert(!cop_alive(pid));
}

/* GEN-040 */
TEST(without_handle_cast_a_cast_ends_the_server)
{
    cop_ref ended;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &bare, .monitor = &ended), 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    ck_assert_str_eq(test_down(ended).text, "{undef,handle_cast}");
}

static cop_step
continue_anyway(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    return cop_ok_continue(COP_TAG(WORD));
}

/* GEN-040 */
TEST(without_handle_continue_a_continuation_ends_the_server)
{
    static const cop_genserver stuck = {
        .type = "stuck", .handle_cast = continue_anyway, .terminate = on_terminate};
    cop_ref ended;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &stuck, .monitor = &ended), 0);
    ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    ck_assert_str_eq(test_down(ended).text, "{undef,handle_continue}");
    assert_said("terminate");
}

/* ---------------------------------------------------------------- steps that are none */

static cop_step
return_nonsense(cop_from from)
{
    (void)from;
    return (cop_step){.next = 77};
}

static cop_step
return_zero(cop_from from)
{
    (void)from;
    return (cop_step){0};
}

static cop_step
ignore_late(cop_from from)
{
    (void)from;
    return cop_ignore();
}

/* GEN-024 */
TEST(a_step_that_is_none_ends_the_server_and_fails_the_caller)
{
    const deed deeds[] = {return_nonsense, return_zero, ignore_late};
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
        forget_what_was_said();
        cop_pid pid = start();
        ck_assert_int_eq(call(pid, deeds[i]), -EPIPE);
        ck_assert_int_eq(cop_why().code, -EINVAL);
        ck_assert_uint_eq(test_count(cop_why().text, "{bad_return_value,"), 1);
        ck_assert(!cop_alive(pid));
        assert_said("terminate");
    }
}

/* ---------------------------------------------------------------- continuing */

/* Something that is in the mailbox before the continuation is asked for. */
static void
send_to_myself(void)
{
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(WORD)), 0);
}

static cop_step
init_continues(void)
{
    send_to_myself();
    return cop_ok_continue(COP_TAG(WORD));
}

/* GEN-041 */
TEST(init_can_be_continued_before_any_message)
{
    beginning begin = init_continues;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .arg = COP_BYTES(begin)), 0);
    wait_for(pid);
    assert_said("continue info");
}

static cop_step
answer_and_continue(cop_from from)
{
    send_to_myself();
    if (from.ref.id) {
        cop_reply(from, COP_TAG(0));
    }
    return cop_ok_continue(COP_TAG(WORD));
}

/* GEN-041 */
TEST(a_call_can_be_answered_and_continued)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, answer_and_continue), 0);
    wait_for(pid);
    assert_said("continue info");
}

static cop_step
answer_kept_and_stop(cop_from from)
{
    (void)from;
    cop_reply(kept_from, COP_TAG(0));
    return cop_ok();
}

static cop_step
continue_without_an_answer(cop_from from)
{
    deed what = answer_kept_and_stop;
    kept_from = from;
    send_to_myself();
    return cop_ok_continue(COP_MSG_OF(DO, what));
}

/* GEN-041 */
TEST(a_call_can_be_continued_and_answered_there)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, continue_without_an_answer), 0);
    wait_for(pid);
    assert_said("continue info");
}

/* GEN-041 */
TEST(casts_and_plain_messages_can_be_continued)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, answer_and_continue), 0);
    EVENTUALLY(has_said("continue info"));
    ck_assert_int_eq(send(pid, answer_and_continue), 0);
    EVENTUALLY(has_said("continue info continue info"));
}

static cop_step
continue_once_more(cop_from from)
{
    (void)from;
    return cop_ok_continue(COP_TAG(WORD));
}

static cop_step
continue_twice(cop_from from)
{
    deed what = continue_once_more;
    (void)from;
    send_to_myself();
    return cop_ok_continue(COP_MSG_OF(DO, what));
}

/* GEN-041 */
TEST(a_continuation_can_be_continued)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, continue_twice), 0);
    EVENTUALLY(has_said("continue continue info"));
}

static cop_step
continue_by_timeout(void *state, cop_msg msg)
{
    (void)state;
    if (msg.tag != COP_MSG_TIMEOUT) {
        say("info");
        return cop_ok();
    }
    say("timeout");
    send_to_myself();
    return cop_ok_continue(COP_TAG(WORD));
}

static cop_step
begin_with_a_timeout(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    return cop_ok_timeout(0);
}

TEST(a_timeout_can_be_continued)
{
    static const cop_genserver timed = {
        .type = "timed",
        .init = begin_with_a_timeout,
        .handle_info = continue_by_timeout,
        .handle_continue = on_continue,
    };
    start_as(&timed);
    EVENTUALLY(has_said("timeout continue info"));
}

static cop_step
continue_with_a_move(cop_from from)
{
    (void)from;
    return cop_ok_continue(moved(WORD));
}

static cop_step
change_the_mind(cop_from from)
{
    cop_ok_continue(moved(WORD));
    cop_ok_continue(moved(WORD));
    return cop_reply(from, COP_TAG(0));
}

TEST(a_moved_token_is_dropped_once_after_the_continuation)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, continue_with_a_move), 0);
    wait_for(pid);
    ck_assert_uint_eq(drops, 1);
}

TEST(a_token_that_is_not_returned_is_dropped_before_the_end_is_told)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, change_the_mind), 0);
    stop(pid);
    ck_assert_uint_eq(drops, 2);
    assert_said("terminate"); /* and did not continue */
}

static cop_step
continue_without_memory(cop_from from)
{
    static char token[5000];
    (void)from;
    copi_alloc_fail_after(0);
    cop_step step = cop_ok_continue(COP_MSG_OF(WORD, token));
    copi_alloc_fail_after(-1);
    return step;
}

TEST(a_continuation_without_memory_stops_the_server)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, continue_without_memory), 0);
    ck_assert_int_eq(test_down(ended).code, -ENOMEM);
    assert_said("terminate");
}

static cop_step
continue_and_sleep(cop_from from)
{
    deed what = sleep_for_ever;
    (void)from;
    return cop_ok_continue(COP_MSG_OF(DO, what));
}

TEST(a_kill_reaches_a_continuation)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, continue_and_sleep), 0);
    EVENTUALLY(has_said("continue asleep"));
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
}

/* ---------------------------------------------------------------- idle timeouts */

static cop_time asked_at, timed_out_at;

static cop_step
wait_20ms(cop_from from)
{
    if (from.ref.id) {
        cop_reply(from, COP_TAG(0));
    }
    asked_at = cop_now();
    return cop_ok_timeout(COP_MS(20));
}

static cop_step
note_the_time(void *state, cop_msg msg)
{
    (void)state;
    if (msg.tag == COP_MSG_TIMEOUT) {
        timed_out_at = cop_now();
        say("timeout");
        return cop_ok();
    }
    return do_it(msg, (cop_from){0});
}

static const cop_genserver timed_server = {
    .type = "timed",
    .handle_call = on_call,
    .handle_cast = on_cast,
    .handle_info = note_the_time,
};

/* GEN-044 */
TEST(an_idle_timeout_comes_after_its_time_and_once)
{
    cop_pid pid = start_as(&timed_server);
    ck_assert_int_eq(call(pid, wait_20ms), 0);
    EVENTUALLY(has_said("timeout"));
    wait_for(pid);
    ck_assert_int_ge(timed_out_at - asked_at, COP_MS(20));
    cop_sleep(COP_MS(40)); /* time enough for one that should not come */
    assert_said("timeout");
}

/* The message is there before the timeout is set, so that nothing depends on the machine's speed. */
static cop_step
send_to_myself_and_wait_20ms(cop_from from)
{
    (void)from;
    send_to_myself();
    return cop_ok_timeout(COP_MS(20));
}

static cop_step
cast_to_myself_and_wait_20ms(cop_from from)
{
    (void)from;
    ck_assert_int_eq(cop_cast(cop_self(), COP_TAG(WORD)), 0);
    return cop_ok_timeout(COP_MS(20));
}

/* GEN-044 */
TEST(any_message_cancels_an_idle_timeout)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, send_to_myself_and_wait_20ms), 0);
    cop_sleep(COP_MS(40)); /* time enough for one that should not come */
    assert_said("info");
    ck_assert_int_eq(cast(pid, cast_to_myself_and_wait_20ms), 0);
    cop_sleep(COP_MS(40));
    assert_said("info cast");
}

static cop_step
wait_200ms(cop_from from)
{
    (void)from;
    return cop_ok_timeout(COP_MS(200));
}

static cop_step
send_to_myself_and_wait_0(cop_from from)
{
    (void)from;
    send_to_myself();
    return cop_ok_timeout(0);
}

/* GEN-044 */
TEST(a_message_that_is_there_cancels_even_a_timeout_of_0)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, send_to_myself_and_wait_0), 0);
    EVENTUALLY(has_said("info"));
    wait_for(pid);
    assert_said("info");
}

static cop_step
wait_0(cop_from from)
{
    (void)from;
    return cop_ok_timeout(0);
}

static cop_step
answer_and_wait_0(cop_from from)
{
    cop_reply(from, COP_TAG(0));
    return cop_ok_timeout(0);
}

TEST(a_timeout_of_0_comes_at_once_when_the_mailbox_is_empty)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, wait_0), 0);
    EVENTUALLY(has_said("timeout"));
    wait_for(pid);
}

static cop_step
wait_for_ever_idle(cop_from from)
{
    (void)from;
    return cop_ok_timeout(COP_FOREVER);
}

/* GEN-046 */
TEST(a_timeout_of_for_ever_never_comes)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, wait_for_ever_idle), 0);
    EVENTUALLY(test_is_waiting(pid));
    wait_for(pid);
    assert_said("");
}

static cop_step
init_waits_0(void)
{
    return cop_ok_timeout(0);
}

TEST(init_can_set_a_timeout)
{
    beginning begin = init_waits_0;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .arg = COP_BYTES(begin)), 0);
    EVENTUALLY(has_said("timeout"));
}

/* GEN-037, GEN-039 */
TEST(calls_casts_and_plain_messages_can_set_a_timeout)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, answer_and_wait_0), 0);
    EVENTUALLY(has_said("timeout"));
    ck_assert_int_eq(cast(pid, wait_0), 0);
    EVENTUALLY(has_said("timeout timeout"));
    ck_assert_int_eq(send(pid, wait_0), 0);
    EVENTUALLY(has_said("timeout timeout timeout"));
}

static cop_step
continue_and_wait_0(cop_from from)
{
    deed what = wait_0;
    (void)from;
    return cop_ok_continue(COP_MSG_OF(DO, what));
}

TEST(a_continuation_can_set_a_timeout)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, continue_and_wait_0), 0);
    EVENTUALLY(has_said("continue timeout"));
}

/* What only the library sees is no message: a call's late answer, an exit signal that is ignored. */
TEST(what_is_no_message_does_not_cancel_a_timeout)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, wait_200ms), 0);
    EVENTUALLY(test_is_waiting(pid));
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_NORMAL), 0);
    EVENTUALLY(has_said("timeout"));
}

TEST(without_handle_info_a_timeout_passes_in_silence)
{
    static const cop_genserver silent = {
        .type = "silent", .init = begin_with_a_timeout, .handle_call = on_call};
    test_catch_stderr();
    cop_pid pid = start_as(&silent);
    EVENTUALLY(test_is_waiting(pid));
    wait_for(pid);
    char *report = test_caught_stderr();
    ck_assert_str_eq(report, "");
    free(report);
}

/* ---------------------------------------------------------------- stopping */

/* GEN-051 */
TEST(a_stop_with_a_negative_timeout_is_refused_and_the_server_lives)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, -1), -EINVAL);
    wait_for(pid);
}

TEST(a_stop_with_a_reason_that_is_none_to_ask_with_is_refused)
{
    cop_pid pid = start();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_KILLED, SOON), -EINVAL);
    wait_for(pid);
}

static cop_step
stop_myself(cop_from from)
{
    int r = cop_stop_process(cop_self(), COP_REASON_NORMAL, SOON);
    return cop_reply(from, COP_MSG_OF(NUMBER, r));
}

TEST(a_server_that_stops_itself_so_is_refused)
{
    deed what = stop_myself;
    cop_pid pid = start();
    int r;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(r), SOON), 0);
    ck_assert_int_eq(r, -EDEADLK);
}

TEST(a_stop_of_a_server_that_does_not_end_in_time_says_so)
{
    cop_pid pid = start();
    ck_assert_int_eq(cast(pid, sleep_for_ever), 0);
    cop_time before = cop_now();
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - before, COP_MS(20));
    cop_msg msg;
    cop_exit_signal(pid, COP_REASON_KILLED);
    EVENTUALLY(!cop_alive(pid));
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT); /* no DOWN is left over */
}

/* GEN-049 */
TEST(a_stop_returns_when_the_server_is_gone_and_twice_is_safe)
{
    cop_ref ended;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .name = "n", .monitor = &ended), 0);
    stop(pid);
    ck_assert(!cop_alive(pid));
    ck_assert_uint_eq(cop_whereis("n").id, 0);
    assert_said("terminate");
    ck_assert_int_eq(last_reason.kind, COP_NORMAL);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    stop(pid);
    ck_assert_int_eq(cop_stop_process(cop_named("n"), COP_REASON_NORMAL, SOON), 0);
}

/* GEN-049 */
TEST(a_server_can_be_stopped_by_its_name)
{
    ck_assert_int_eq(cop_genserver_start(NULL, &server, .name = "n"), 0);
    ck_assert_int_eq(cop_stop_process(cop_named("n"), COP_REASON_NORMAL, SOON), 0);
    ck_assert_uint_eq(cop_whereis("n").id, 0);
    assert_said("terminate");
}

TEST(a_stop_lets_the_server_do_first_what_it_was_asked_before)
{
    cop_pid pid = start();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_cast(pid, COP_TAG(WORD)), 0);
    }
    stop(pid);
    assert_said("cast cast cast terminate");
}

/* GEN-050 */
TEST(a_stop_with_another_reason_ends_with_it_and_is_no_error)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cop_stop_process(pid, cop_failed(-42, "enough"), SOON), 0);
    cop_reason reason = test_down(ended);
    ck_assert_int_eq(reason.code, -42);
    ck_assert_str_eq(reason.text, "enough");
    ck_assert_int_eq(last_reason.code, -42);
}

/* GEN-056 */
TEST(without_terminate_a_server_simply_ends_with_the_reason)
{
    const cop_reason reasons[] = {COP_REASON_NORMAL, COP_REASON_SHUTDOWN, cop_failed(-42, "x")};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        cop_ref ended;
        cop_pid pid;
        ck_assert_int_eq(cop_genserver_start(&pid, &bare, .monitor = &ended), 0);
        ck_assert_int_eq(cop_stop_process(pid, reasons[i], SOON), 0);
        ck_assert_int_eq(test_down(ended).kind, reasons[i].kind);
    }
}

static void
terminate_badly(void *state, cop_reason reason)
{
    (void)state, (void)reason;
    say("terminate");
    cop_exit(cop_failed(-EIO, "could not save"));
}

static const cop_genserver clumsy = {
    .type = "clumsy",
    .init = on_init,
    .handle_call = on_call,
    .handle_cast = on_cast,
    .terminate = terminate_badly,
};

/* GEN-057 */
TEST(a_terminate_that_crashes_replaces_the_reason_and_fails_the_stop)
{
    cop_ref ended;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &clumsy, .monitor = &ended), 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_NORMAL, SOON), -EIO);
    ck_assert_str_eq(cop_why().text, "could not save");
    ck_assert_int_eq(test_down(ended).code, -EIO);
    assert_said("terminate"); /* once */
}

TEST(a_terminate_that_crashes_after_a_crash_replaces_that_reason)
{
    cop_ref ended;
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &clumsy, .monitor = &ended), 0);
    ck_assert_int_eq(cast(pid, exit_with_42), 0);
    ck_assert_int_eq(test_down(ended).code, -EIO);
    assert_said("terminate");
}

static cop_step
answer_42_and_stop(cop_from from)
{
    int number = 42;
    say("stop");
    return cop_reply_stop(from, COP_MSG_OF(NUMBER, number), COP_REASON_NORMAL);
}

static void
terminate_slowly(void *state, cop_reason reason)
{
    (void)state, (void)reason;
    cop_sleep(COP_MS(20));
    say("terminate");
}

/* GEN-023 */
TEST(the_answer_of_reply_stop_comes_after_terminate)
{
    static const cop_genserver slow = {
        .type = "slow", .handle_call = on_call, .terminate = terminate_slowly};
    deed what = answer_42_and_stop;
    cop_pid pid = start_as(&slow);
    int reply;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), 0);
    ck_assert_int_eq(reply, 42);
    assert_said("stop terminate");
    EVENTUALLY(!cop_alive(pid));
}

TEST(the_answer_of_reply_stop_is_lost_when_terminate_crashes)
{
    deed what = answer_42_and_stop;
    cop_pid pid = start_as(&clumsy);
    int reply = 7;
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), -EPIPE);
    ck_assert_int_eq(cop_why().code, -EIO);
    ck_assert_int_eq(reply, 7);
}

static cop_step
answer_a_move_and_stop(cop_from from)
{
    return cop_reply_stop(from, moved(NUMBER), COP_REASON_NORMAL);
}

TEST(a_moved_answer_of_reply_stop_is_dropped_once_whatever_comes_of_it)
{
    deed what = answer_a_move_and_stop;
    cop_pid pid = start();
    char reply[16];
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), 0);
    ck_assert_uint_eq(drops, 1);
    pid = start_as(&clumsy);
    ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), COP_OUT(reply), SOON), -EPIPE);
    EVENTUALLY(drops == 2);
}

/* GEN-058 */
TEST(an_orderly_end_is_not_reported_and_a_crash_is)
{
    cop_ref ended;
    test_catch_stderr();
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_SHUTDOWN, SOON), 0);
    pid = start_monitored(&ended);
    stop(pid);
    pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, stop_with_42), 0);
    test_down(ended);
    char *report = test_caught_stderr();
    ck_assert_uint_eq(test_count(report, "\n"), 1);
    ck_assert_uint_eq(test_count(report, "crashed: forty-two"), 1);
    free(report);
}

/* GEN-058 */
TEST(a_crash_is_reported_with_the_last_message_and_the_caller)
{
    const deed deeds[] = {stop_with_42, exit_with_42};
    ck_assert_int_eq(cop_register("caller", cop_self()), 0);
    for (size_t i = 0; i < 2; i++) {
        test_catch_stderr();
        cop_ref ended;
        cop_pid pid = start_monitored(&ended);
        deed what = deeds[i];
        ck_assert_int_eq(cop_call(pid, COP_MSG_OF(DO, what), NULL, 0, SOON), -EPIPE);
        test_down(ended);
        char *report = test_caught_stderr();
        ck_assert_uint_eq(test_count(report, "forty-two (message 1 from caller in hand"), 1);
        free(report);
    }
}

static cop_reason
shutdown_and_why(void)
{
    cop_reason reason = cop_failed(-ENOSPC, "{shutdown,full}");
    reason.kind = COP_SHUTDOWN;
    return reason;
}

static cop_step
stop_by_shutdown(cop_from from)
{
    (void)from;
    return cop_stop(shutdown_and_why());
}

static cop_step
exit_by_shutdown(cop_from from)
{
    (void)from;
    cop_exit(shutdown_and_why());
}

/* GEN-058 */
TEST(an_end_by_shutdown_is_not_reported_be_it_by_return_or_by_exit)
{
    const deed deeds[] = {stop_by_shutdown, exit_by_shutdown};
    test_catch_stderr();
    for (size_t i = 0; i < 2; i++) {
        cop_ref ended;
        cop_pid pid = start_monitored(&ended);
        ck_assert_int_eq(cast(pid, deeds[i]), 0);
        ck_assert_str_eq(test_down(ended).text, "{shutdown,full}");
        ck_assert_int_eq(last_reason.kind, COP_SHUTDOWN);
    }
    char *report = test_caught_stderr();
    ck_assert_str_eq(report, "");
    free(report);
}

/* ---------------------------------------------------------------- when terminate runs */

TEST(terminate_runs_when_a_callback_stops_the_server)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, stop_with_42), 0);
    test_down(ended);
    assert_said("terminate");
    ck_assert_int_eq(last_reason.code, -42);
}

TEST(terminate_runs_when_a_callback_is_left_by_cop_exit)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, exit_with_42), 0);
    ck_assert_int_eq(test_down(ended).code, -42);
    assert_said("terminate");
    ck_assert_int_eq(last_reason.code, -42);
}

TEST(terminate_does_not_run_after_a_kill)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    cop_exit_signal(pid, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(ended).kind, COP_KILLED);
    assert_said("");
}

TEST(terminate_does_not_run_after_an_exit_signal_that_is_not_trapped)
{
    const cop_reason reasons[] = {cop_failed(-42, "x"), COP_REASON_SHUTDOWN};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        cop_ref ended;
        cop_pid pid = start_monitored(&ended);
        cop_exit_signal(pid, reasons[i]);
        ck_assert_int_eq(test_down(ended).kind, reasons[i].kind);
        assert_said("");
    }
}

static cop_step
call_slowly(cop_from from)
{
    (void)from;
    say("asleep");
    int r = cop_sleep(COP_FOREVER);
    say(r == -ECANCELED ? "canceled" : "woken");
    return cop_stop(cop_failed(r, "gave up"));
}

TEST(a_callback_that_a_shutdown_wakes_may_return_but_terminate_does_not_run)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, call_slowly), 0);
    EVENTUALLY(has_said("asleep"));
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(ended).kind, COP_SHUTDOWN);
    assert_said("asleep canceled");
}

static cop_step
trap(cop_from from)
{
    cop_trap_exits(true);
    return cop_reply(from, COP_TAG(0));
}

TEST(a_stranger_s_exit_signal_is_a_message_to_a_server_that_traps)
{
    cop_pid pid = start();
    ck_assert_int_eq(call(pid, trap), 0);
    ck_assert_int_eq(cop_exit_signal(pid, cop_failed(-42, "x")), 0);
    wait_for(pid);
    assert_said("exit");
}

/* A parent, whose end is asked for by a message. */
struct parent {
    cop_pid tell;
    bool child_traps;
    cop_reason ends_with, asks_with; /* asks_with: not NORMAL: it asks its child, and goes on */
};

static cop_step
init_traps(void)
{
    cop_trap_exits(true);
    return cop_ok();
}

static int
be_a_parent(cop_bytes arg)
{
    const struct parent *parent = arg.data;
    beginning begin = parent->child_traps ? init_traps : NULL;
    cop_pid child;
    cop_msg msg;
    cop_trap_exits(true);
    ck_assert_int_eq(cop_genserver_start(&child, &server, .link = true, .arg = COP_BYTES(begin)),
                     0);
    ck_assert_int_eq(cop_send(parent->tell, COP_MSG_OF(NUMBER, child)), 0);
    ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    if (parent->asks_with.kind != COP_NORMAL) {
        ck_assert_int_eq(cop_exit_signal(child, parent->asks_with), 0);
        ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    }
    cop_exit(parent->ends_with);
}

static cop_reason
end_with_parent(struct parent parent)
{
    cop_pid pid, child;
    parent.tell = cop_self();
    ck_assert_int_eq(cop_spawn(&pid, be_a_parent, .arg = COP_BYTES(parent)), 0);
    child = *COP_BODY(test_receive(NUMBER), cop_pid);
    cop_ref ended = cop_monitor(child);
    ck_assert_int_eq(cop_send(pid, COP_TAG(WORD)), 0);
    return test_down(ended);
}

TEST(terminate_runs_when_the_parent_of_a_server_that_traps_ends)
{
    cop_reason reason = end_with_parent(
        (struct parent){.child_traps = true, .ends_with = cop_failed(-42, "parent")});
    ck_assert_int_eq(reason.code, -42);
    assert_said("terminate"); /* handle_info did not see it */
    ck_assert_str_eq(last_reason.text, "parent");
}

TEST(terminate_runs_when_the_parent_of_a_server_that_traps_ends_normally)
{
    cop_reason reason = end_with_parent((struct parent){.child_traps = true});
    ck_assert_int_eq(reason.kind, COP_NORMAL);
    assert_said("terminate");
}

TEST(terminate_runs_when_the_parent_of_a_server_that_traps_asks_it)
{
    cop_reason reason =
        end_with_parent((struct parent){.child_traps = true, .asks_with = COP_REASON_SHUTDOWN});
    ck_assert_int_eq(reason.kind, COP_SHUTDOWN);
    assert_said("terminate");
}

TEST(terminate_does_not_run_when_the_parent_of_a_server_that_does_not_trap_crashes)
{
    cop_reason reason = end_with_parent((struct parent){.ends_with = cop_failed(-42, "parent")});
    ck_assert_int_eq(reason.code, -42);
    assert_said("");
}

TEST(a_server_that_does_not_trap_survives_the_normal_end_of_its_parent)
{
    struct parent parent = {.tell = cop_self()};
    cop_pid pid, child;
    cop_ref ended;
    ck_assert_int_eq(cop_spawn(&pid, be_a_parent, .arg = COP_BYTES(parent), .monitor = &ended), 0);
    child = *COP_BODY(test_receive(NUMBER), cop_pid);
    ck_assert_int_eq(cop_send(pid, COP_TAG(WORD)), 0);
    ck_assert_int_eq(test_down(ended).kind, COP_NORMAL);
    wait_for(child);
    assert_said("");
}

static void
terminate_with_calls(void *state, cop_reason reason)
{
    (void)state, (void)reason;
    say(cop_sleep(COP_MS(1)) == 0 ? "slept" : "canceled");
    say(cop_call(other, COP_TAG(WORD), NULL, 0, SOON) == 0 ? "called" : "refused");
}

TEST(blocking_calls_in_terminate_are_not_cancelled)
{
    static const cop_genserver careful = {
        .type = "careful", .init = on_init, .terminate = terminate_with_calls};
    static const cop_genserver quiet = {.type = "quiet", .handle_call = on_call};
    beginning begin = init_traps;
    cop_pid pid;
    other = start_as(&quiet);
    ck_assert_int_eq(cop_genserver_start(&pid, &careful, .arg = COP_BYTES(begin)), 0);
    ck_assert_int_eq(cop_stop_process(pid, COP_REASON_SHUTDOWN, SOON), 0);
    assert_said("slept call called");
}

static void
say_deferred(void *word)
{
    say(word);
}

static cop_step
defer_and_exit(cop_from from)
{
    (void)from;
    static char callback[] = "callback", process[] = "process";
    ck_assert_int_eq(cop_at_exit(say_deferred, process), 0);
    ck_assert_int_eq(cop_defer(say_deferred, callback), 0);
    cop_exit(cop_failed(-42, NULL));
}

TEST(terminate_comes_between_the_deferred_calls_of_the_callback_and_of_the_process)
{
    cop_ref ended;
    cop_pid pid = start_monitored(&ended);
    ck_assert_int_eq(cast(pid, defer_and_exit), 0);
    test_down(ended);
    assert_said("callback terminate process");
}

SUITE("genserver")
