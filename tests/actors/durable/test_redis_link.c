/*
 * tests/actors/durable/test_redis_link.c - one connection, from dialling to its end.
 *
 * Room: tests/. The test's own process stands for the client's.
 */
#include "actors/durable/redis_link.h"
#include "tests/actors/durable/redis.h"

static cop_redis_opts opts;
static struct copi_redis_link link_;

static void
begin(const char *address)
{
    (void)snprintf(test_address, sizeof test_address, "unix:%s", redis.socket);
    opts = (cop_redis_opts){.address = address ? address : test_address,
                            .command_timeout = SOON,
                            .gone_after = COP_SEC(100),
                            .heartbeat = COP_SEC(100),
                            .backoff_min = COP_MS(10),
                            .backoff_max = COP_MS(100)};
    copi_redis_link_init(&link_, &opts, false);
}

static void
dial(void)
{
    copi_redis_link_want(&link_, cop_now());
    ck_assert_int_eq(copi_redis_link_look(&link_, cop_now()), COP_FOREVER);
    ck_assert_int_eq(link_.state, COPI_REDIS_DIALLING);
    cop_msg msg = test_receive(COPI_REDIS_DIALLED);
    const struct cop_settled *settled = COP_BODY(msg, struct cop_settled);
    ck_assert(
        !copi_redis_link_dialled(&link_, &(struct cop_settled){.ref = {settled->ref.id + 1}}));
    ck_assert(copi_redis_link_dialled(&link_, settled));
}

static struct copi_redis_request *
ping(void)
{
    const cop_bytes word = COP_TEXT("PING");
    return copi_redis_request_new(COPI_REDIS_PLAIN, COP_FOREVER, &word, 1);
}

TEST(nobody_is_dialled_whom_nobody_wants)
{
    begin(NULL);
    ck_assert_int_eq(copi_redis_link_look(&link_, cop_now()), COP_FOREVER);
    ck_assert_int_eq(link_.state, COPI_REDIS_DOWN);
    ck_assert(!copi_redis_link_is_gone(&link_, cop_now() + COP_SEC(1000))); /* who knows */
    copi_redis_link_close(&link_);
}

TEST(what_is_sent_is_answered_and_kept_until_then)
{
    redisReply *reply;
    cop_bytes bytes;
    begin(NULL);
    dial();
    ck_assert_int_eq(link_.state, COPI_REDIS_UP);
    struct copi_redis_request *request = ping();
    ck_assert_int_eq(copi_redis_link_send(&link_, request), 0);
    ck_assert_ptr_eq(STAILQ_FIRST(&link_.sent), request);
    cop_msg msg = test_receive(COP_MSG_DATA);
    ck_assert(cop_data_of(msg, NULL, &bytes));
    ck_assert_int_eq(copi_redis_link_hear(&link_, bytes), 0);
    ck_assert_int_eq(copi_redis_next(link_.reader, &reply), 1);
    ck_assert_str_eq(reply->str, "PONG");
    freeReplyObject(reply);
    copi_redis_link_close(&link_); /* frees what is in it */
}

TEST(a_failed_attempt_is_followed_by_others_after_longer_pauses)
{
    begin("unix:/nobody/is/there");
    for (unsigned i = 0; i < 3; i++) {
        dial();
        ck_assert_int_eq(link_.state, COPI_REDIS_DOWN);
        ck_assert_int_eq(link_.code, -ECONNREFUSED);
        ck_assert_uint_eq(link_.failures, i + 1);
        ck_assert_int_gt(link_.retry_at, link_.failed_at);
        ck_assert_int_eq(copi_redis_link_look(&link_, link_.failed_at), link_.retry_at);
        link_.retry_at = 0;
    }
    ck_assert(!copi_redis_link_is_gone(&link_, link_.down_since + COP_SEC(99)));
    ck_assert(copi_redis_link_is_gone(&link_, link_.down_since + COP_SEC(100)));
    link_.failures = 20;
    link_.retry_at = link_.failed_at + COP_MS(100);
    copi_redis_link_want(&link_, link_.down_since + COP_SEC(100)); /* so it is tried soon */
    ck_assert_int_eq(link_.retry_at, link_.failed_at + opts.backoff_min);
    copi_redis_link_close(&link_);
}

TEST(a_late_answer_ends_the_connection_and_leaves_what_was_sent)
{
    begin(NULL);
    dial();
    test_catch_stderr();
    struct copi_redis_request *request = ping();
    ck_assert_int_eq(copi_redis_link_send(&link_, request), 0);
    ck_assert_int_eq(copi_redis_link_look(&link_, request->sent), request->sent + SOON);
    ck_assert_int_eq(link_.state, COPI_REDIS_UP);
    copi_redis_link_look(&link_, request->sent + SOON);
    ck_assert_int_eq(link_.state, COPI_REDIS_DOWN);
    ck_assert_ptr_eq(STAILQ_FIRST(&link_.sent), request);
    copi_redis_link_lose(&link_, -EIO, "twice is harmless");
    ck_assert_int_eq(link_.code, -EHOSTDOWN);
    free(test_caught_stderr());
    copi_redis_link_close(&link_);
}

TEST(a_silent_connection_is_asked_for_a_sign_of_life)
{
    begin(NULL);
    dial();
    cop_time heard = link_.heard;
    ck_assert_int_eq(copi_redis_link_look(&link_, heard), heard + opts.heartbeat);
    ck_assert(STAILQ_EMPTY(&link_.sent));
    copi_redis_link_look(&link_, heard + opts.heartbeat);
    ck_assert(!STAILQ_EMPTY(&link_.sent));
    copi_redis_link_close(&link_);
}

/* As its owner ends: what comes of the dialling is closed with him. */
static int
close_while_dialling(cop_bytes unused)
{
    (void)unused;
    begin(NULL);
    copi_redis_link_want(&link_, cop_now());
    copi_redis_link_look(&link_, cop_now());
    copi_redis_link_close(&link_);
    return 0;
}

TEST(a_link_may_be_closed_while_it_dials)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, close_while_dialling, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

SUITE_AROUND("a connection to Redis", start_server, end_server)
