/*
 * tests/actors/durable/test_redis.c - the client: connections that fail in every way, and come again.
 *
 * Room: tests/.
 */
#include "actors/durable/redis.h"
#include "actors/durable/redis_ask.h"
#include "tests/actors/durable/redis.h"
#include "tests/support/proxy.h"

static int
get_by(cop_shared *shared, const char *key, cop_time timeout)
{
    cop_msg value;
    int r = cop_shared_get(shared, key, answer, nothing, &value, timeout);
    if (r == 0) {
        ck_assert_mem_eq(value.body.data, "forty-two", 9);
        cop_msg_release(&value);
    }
    return r;
}

static int
get(cop_shared *shared, const char *key)
{
    return get_by(shared, key, SOON);
}

static char line_address[64];

/* A client behind a line. */
static cop_pid
start_behind(const struct proxy *line, cop_redis_opts opts)
{
    union {
        const struct proxy *in;
        struct proxy *out;
    } where = {.in = line};
    (void)snprintf(line_address, sizeof line_address, "127.0.0.1:%u", proxy_port(where.out));
    opts.address = line_address;
    return start_client(&opts);
}

/* ---------------------------------------------------------------- starts */

TEST(times_that_cannot_be_fail_the_start)
{
    test_catch_stderr();
    const cop_child_spec specs[] = {
        cop_redis_spec(.command_timeout = -1), cop_redis_spec(.gone_after = -1),
        cop_redis_spec(.heartbeat = -1), cop_redis_spec(.backoff_min = -1),
        cop_redis_spec(.backoff_min = COP_SEC(2), .backoff_max = COP_SEC(1))};
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        ck_assert_int_eq(cop_supervisor_start(NULL, &(cop_supervisor_spec){COP_CHILDREN(specs[i])}),
                         -EINVAL);
    }
    free(test_caught_stderr());
}

TEST(a_client_starts_and_stops_without_a_server)
{
    cop_pid tree = start_client(&(cop_redis_opts){.address = "unix:/nobody/is/there"});
    stop_client(tree);
    tree = start_client(&(cop_redis_opts){.address = "no address"});
    stop_client(tree);
}

static int
ask_for_news(cop_time until)
{
    struct copi_redis_interest interest = {.until = until, .size = 3, .name = "{n}"};
    cop_msg reply;
    int r = cop_call_any(cop_whereis("coppice_redis"), COP_MSG_OF(COPI_REDIS_SUBSCRIBE, interest),
                         &reply, SOON);
    if (r == 0) {
        r = copi_redis_answer_of(&reply)->code;
        cop_msg_release(&reply);
    }
    return r;
}

/* What still waits is the client's own: the sanitizer tells if it is forgotten. */
TEST(a_client_may_end_while_requests_wait_for_a_connection)
{
    const cop_bytes words[] = {COP_TEXT("PING")};
    cop_pid tree =
        start_client(&(cop_redis_opts){.address = "unix:/nobody/is/there", .gone_after = SOON});
    copi_redis_tell(cop_whereis("coppice_redis"), COPI_REDIS_PLAIN, words, 1);
    ck_assert_int_eq(ask_for_news(cop_now()), -EHOSTDOWN); /* it has seen what was before */
    stop_client(tree);
    ck_assert_int_eq(ask_for_news(cop_now()), -ESRCH);
}

/* ---------------------------------------------------------------- refusals */

TEST(a_password_that_is_wrong_is_told_to_who_asks) /* RD14 */
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){.password = "wrong"});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, "refused"), -EACCES);
    ck_assert_str_ne(cop_why().text, "");
    ck_assert_int_eq(get(shared, "refused"), -EACCES);
    ck_assert_int_eq(computed, 0);
    cop_shared_free(shared);
    stop_client(tree);
}

TEST(a_password_that_is_missing_too_and_the_right_one_is_let_in) /* RD14 */
{
    cop_shared *shared;
    ck_assert(is_ok(say("ACL SETUSER default resetpass >secret")));
    ck_assert(is_ok(say("ACL SETUSER alice on >wonder ~* &* +@all")));
    const cop_redis_opts opts[] = {
        {0}, {.password = "secret"}, {.user = "alice", .password = "wonder", .database = 3}};
    const int expected[] = {-EACCES, 0, 0};
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    for (int i = 0; i < 3; i++) {
        cop_pid tree = start_client(&opts[i]);
        ck_assert_int_eq(get(shared, "secret"), expected[i]);
        stop_client(tree);
    }
    ck_assert_int_eq(computed, 2); /* in two databases */
    ck_assert(is_ok(say("ACL SETUSER default nopass")));
    cop_shared_free(shared);
    forget_stranger();
}

TEST(a_user_who_may_not_load_scripts_sends_them)
{
    cop_shared *shared;
    ck_assert(is_ok(say("ACL SETUSER bob on >b ~* &* +@all -script")));
    cop_pid tree = start_client(&(cop_redis_opts){.user = "bob", .password = "b"});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, "bob"), 0);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(scripts_that_were_forgotten_are_sent_again) /* RD10 */
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, "flushed0"), 0);
    ck_assert(is_ok(say("SCRIPT FLUSH")));
    ck_assert_int_eq(get(shared, "flushed1"), 0);
    ck_assert_int_eq(get(shared, "flushed2"), 0);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

/* ---------------------------------------------------------------- a server that is not there */

TEST(who_asks_while_the_server_is_down_is_told_and_not_when_it_is_back) /* RD15 */
{
    cop_shared *shared;
    server_kill(&redis);
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, "down"), -ECONNREFUSED);
    ck_assert_int_eq(get(shared, "down"), -ECONNREFUSED);
    server_start(&redis);
    ck_assert_int_eq(get(shared, "down"), 0);
    ck_assert_int_eq(computed, 1);
    cop_shared_free(shared);
    stop_client(tree);
}

TEST(who_has_less_time_than_that_is_told_in_his_time)
{
    cop_shared *shared;
    server_kill(&redis);
    cop_pid tree = start_client(&(cop_redis_opts){.gone_after = COP_SEC(60)});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    int r = get_by(shared, "hurry", COP_MS(400));
    ck_assert_msg(r == -ECONNREFUSED || r == -ETIMEDOUT, "%d",
                  r); /* the latter if we were not served */
    server_start(&redis);
    cop_shared_free(shared);
    stop_client(tree);
}

TEST(a_restart_in_between_is_not_noticed)
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){.gone_after = SOON});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, "restart0"), 0);
    test_catch_stderr();
    server_restart(&redis);
    ck_assert_int_eq(get(shared, "restart1"), 0);
    free(test_caught_stderr());
    cop_shared_free(shared);
    stop_client(tree);
}

TEST(a_server_that_stands_still_is_gone_and_then_it_is_not)
{
    cop_shared *shared;
    test_catch_stderr();
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, "still0"), 0);
    server_pause(&redis);
    int r = get(shared, "still1");
    ck_assert_msg(r == -EREMOTEIO || r == -EHOSTDOWN, "%d", r);
    server_continue(&redis);
    EVENTUALLY(get(shared, "still1") == 0);
    cop_shared_free(shared);
    stop_client(tree);
    free(test_caught_stderr());
}

TEST(who_chose_to_computes_alone_and_stores_nothing)
{
    cop_shared *shared;
    server_kill(&redis);
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .alone_if_gone = true), 0);
    ck_assert_int_eq(get(shared, "alone"), 0);
    ck_assert_int_eq(computed, 1);
    server_start(&redis);
    EVENTUALLY(number_of(say("EXISTS {alone}v {alone}l")) == 0);
    ck_assert_int_eq(get(shared, "alone"), 0);
    ck_assert_int_eq(computed, 2);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(a_client_that_crashes_is_started_again_and_asked_again)
{
    cop_shared *shared;
    test_catch_stderr();
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, "crash0"), 0);
    cop_pid before = cop_whereis("coppice_redis");
    ck_assert_int_eq(cop_exit_signal(before, cop_failed(-EIO, "crashed")), 0);
    EVENTUALLY(test_is_another(cop_whereis("coppice_redis"), before));
    ck_assert_int_eq(get(shared, "crash1"), 0);
    cop_shared_free(shared);
    stop_client(tree);
    free(test_caught_stderr());
}

/* ---------------------------------------------------------------- a line with faults */

TEST(answers_may_come_byte_by_byte)
{
    struct proxy *line = proxy_new(redis.port);
    cop_shared *shared;
    proxy_split(line, PROXY_ANSWERS, true);
    cop_pid tree = start_behind(line, (cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, "bytewise"), 0);
    ck_assert_int_eq(get(shared, "bytewise"), 0);
    cop_shared_free(shared);
    stop_client(tree);
    proxy_free(line);
}

/* Whatever is cut off: the same is asked again, and computed once. */
TEST_TIMES(8, a_line_may_be_cut_anywhere_in_an_exchange)
{
    enum {
        CUTS = 6
    };
    struct proxy *line = proxy_new(redis.port);
    char key[32];
    cop_shared *shared;
    test_catch_stderr();
    cop_pid tree = start_behind(line, (cop_redis_opts){.gone_after = SOON});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, "cut"), 0);
    for (size_t cut = 0; cut < CUTS; cut++) {
        /* GET, acquire and settle are some 500 bytes, and their answers some 30. */
        enum proxy_way way = _i % 2 ? PROXY_ANSWERS : PROXY_REQUESTS;
        size_t bytes = (cut * 8 + (size_t)_i) * (way == PROXY_ANSWERS ? 1 : 17) % 600;
        computed = 0;
        proxy_cut_after(line, way, bytes);
        (void)snprintf(key, sizeof key, "cut%d-%zu", _i, cut);
        ck_assert_int_eq(get(shared, key), 0);
        ck_assert_int_le(computed, 1);
    }
    cop_shared_free(shared);
    stop_client(tree);
    proxy_free(line);
    free(test_caught_stderr());
}

TEST(a_connection_that_is_half_open_is_found_by_its_silence)
{
    struct proxy *line = proxy_new(redis.port);
    cop_shared *shared;
    test_catch_stderr();
    cop_pid tree =
        start_behind(line, (cop_redis_opts){.heartbeat = COP_MS(50), .gone_after = SOON});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, "half"), 0);
    unsigned before = proxy_connections(line);
    proxy_swallow(line, PROXY_ANSWERS, true);
    EVENTUALLY(proxy_connections(line) > before); /* nobody has asked for anything */
    proxy_swallow(line, PROXY_ANSWERS, false);
    ck_assert_int_eq(get(shared, "half"), 0);
    cop_shared_free(shared);
    stop_client(tree);
    proxy_free(line);
    free(test_caught_stderr());
}

TEST(a_late_answer_is_nobody_elses)
{
    struct proxy *line = proxy_new(redis.port);
    cop_shared *shared;
    test_catch_stderr();
    cop_pid tree = start_behind(line, (cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, "late"), 0);
    ck_assert_int_eq(get(shared, "other"), 0);
    ck_assert(is_ok(say("SET {other}v COP1v000000000123456789abcdef0123456789abcdefforty-two!")));
    proxy_hold(line, PROXY_ANSWERS, true);
    int r = get(shared, "late");
    ck_assert_msg(r == -EREMOTEIO || r == -EHOSTDOWN, "%d", r);
    proxy_hold(line, PROXY_ANSWERS, false);
    cop_msg value = {0};
    EVENTUALLY(cop_shared_get(shared, "other", answer, nothing, &value, SOON) == 0);
    ck_assert_uint_eq(value.body.size, 10);
    cop_msg_release(&value);
    cop_shared_free(shared);
    stop_client(tree);
    proxy_free(line);
    forget_stranger();
    free(test_caught_stderr());
}

/* ---------------------------------------------------------------- who is gone, and what nobody asked for */

static int
wait_for_news(cop_bytes unused)
{
    (void)unused;
    int r = ask_for_news(cop_now() + SOON);
    return r ? r : cop_sleep(COP_FOREVER);
}

TEST(who_is_killed_while_he_waits_for_news_is_unsubscribed)
{
    cop_pid tree = start_client(&(cop_redis_opts){0}), waiter;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&waiter, wait_for_news, .monitor = &monitor), 0);
    EVENTUALLY(number_of(say("PUBLISH {n} nothing")) == 1);
    ck_assert_int_eq(cop_exit_signal(waiter, COP_REASON_KILLED), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_KILLED);
    EVENTUALLY(number_of(say("PUBLISH {n} nothing")) == 0);
    stop_client(tree);
    forget_stranger();
}

static unsigned
monitors(void)
{
    freeReplyObject(say("PING")); /* they are told of; what administers they are not */
    redisReply *list = say("CLIENT LIST");
    unsigned count = test_count(list->str, "cmd=monitor");
    freeReplyObject(list);
    return count;
}

/* Who monitors is told of what others do. */
TEST(a_server_that_says_what_nobody_asked_for_is_left_and_connected_anew)
{
    const cop_bytes monitor[] = {COP_TEXT("MONITOR")}, ping[] = {COP_TEXT("PING")};
    cop_msg reply;
    test_catch_stderr();
    cop_pid tree = start_client(&(cop_redis_opts){0}), client = cop_whereis("coppice_redis");
    ck_assert_int_eq(copi_redis_ask(client, COPI_REDIS_PLAIN, monitor, 1, COP_FOREVER, &reply), 0);
    cop_msg_release(&reply);
    EVENTUALLY(monitors() == 0);
    ck_assert_int_eq(copi_redis_ask(client, COPI_REDIS_PLAIN, ping, 1, COP_FOREVER, &reply), 0);
    ck_assert_str_eq(copi_redis_answer_of(&reply)->bytes, "PONG");
    cop_msg_release(&reply);
    stop_client(tree);
    forget_stranger();
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "the connection to Redis is lost"), 1);
    free(said);
}

SUITE_AROUND("the client of Redis", start_server, end_server)
