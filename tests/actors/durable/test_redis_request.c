/*
 * tests/actors/durable/test_redis_request.c - the scripts, run by a server; and how they are sent.
 *
 * Room: tests/.
 */
#include "actors/durable/redis_request.h"
#include "tests/actors/durable/redis.h"

/* ---------------------------------------------------------------- sending */

static void
is_formatted(enum copi_redis_script script, const char *sha, bool in_full, const char *begin)
{
    const cop_bytes words[] = {COP_TEXT("a"), {"b\0c", 3}};
    struct copi_redis_shas shas = {0};
    struct copi_redis_request *request = copi_redis_request_new(script, 7, words, 2);
    char *bytes;
    size_t size;
    (void)snprintf(shas.of[COPI_REDIS_RENEW], sizeof shas.of[0], "%s", sha);
    request->in_full = in_full;
    ck_assert_int_eq(copi_redis_format(request, &shas, &bytes, &size), 0);
    ck_assert_mem_eq(bytes, begin, strlen(begin));
    ck_assert_mem_eq(bytes + size - 16, "$1\r\na\r\n$3\r\nb\0c\r\n", 16);
    redisFreeCommand(bytes);
    free(request);
}

TEST(a_script_is_sent_by_its_name_or_in_full)
{
    static const char sha[] = "0123456789012345678901234567890123456789";
    is_formatted(COPI_REDIS_PLAIN, sha, false, "*2\r\n$1\r\na\r\n");
    is_formatted(
        COPI_REDIS_RENEW, sha, false,
        "*5\r\n$7\r\nEVALSHA\r\n$40\r\n0123456789012345678901234567890123456789\r\n$1\r\n1\r\n");
    is_formatted(COPI_REDIS_RENEW, sha, true, "*5\r\n$4\r\nEVAL\r\n");
    is_formatted(COPI_REDIS_RENEW, "", false, "*5\r\n$4\r\nEVAL\r\n");
}

/* ---------------------------------------------------------------- the scripts */

/* The keys are {k}l, {k}v and {k}e. */
static redisReply *
acquire(const char *k, const char *token, const char *ttl_ms)
{
    return say("EVAL %s 3 {%s}l {%s}v {%s}e %s %s 86400000",
               copi_redis_script_text(COPI_REDIS_ACQUIRE), k, k, k, token, ttl_ms);
}

static redisReply *
settle(const char *k, const char *token, const char *record)
{
    return say("EVAL %s 3 {%s}l {%s}v {%s}e %s %s 60000 {%s}c",
               copi_redis_script_text(COPI_REDIS_SETTLE), k, k, k, token, record, k);
}

static long long
release(const char *k, const char *token)
{
    return number_of(
        say("EVAL %s 1 {%s}l %s {%s}c", copi_redis_script_text(COPI_REDIS_RELEASE), k, token, k));
}

static long long
renew(const char *k, const char *token)
{
    return number_of(
        say("EVAL %s 1 {%s}l %s 60000", copi_redis_script_text(COPI_REDIS_RENEW), k, token));
}

/* The first of two, and the second if it is a number. */
static long long
first_of(redisReply *reply, long long *second)
{
    ck_assert_int_eq(reply->type, REDIS_REPLY_ARRAY);
    long long first = reply->element[0]->integer;
    if (second) {
        *second = reply->element[1]->integer;
    }
    freeReplyObject(reply);
    return first;
}

TEST(a_lock_is_taken_once_with_a_time_to_live_and_twice_by_the_same_token) /* RD03 */
{
    long long number, again, left;
    ck_assert_int_eq(first_of(acquire("once", "a", "60000"), &number), 1);
    ck_assert_int_gt(number_of(say("PTTL {once}l")), 0);
    ck_assert_int_gt(number_of(say("PTTL {once}e")), 0);
    ck_assert_int_eq(first_of(acquire("once", "b", "60000"), &left), 0);
    ck_assert_int_gt(left, 0);
    ck_assert_int_le(left, 60000);
    ck_assert_int_eq(first_of(acquire("once", "a", "60000"), &again), 1);
    ck_assert_int_eq(again, number);
    forget_stranger();
}

TEST(a_lock_is_released_by_its_owner_only) /* RD04 */
{
    ck_assert_int_eq(first_of(acquire("owned", "a", "60000"), NULL), 1);
    ck_assert_int_eq(release("owned", "b"), 0);
    ck_assert_int_eq(number_of(say("EXISTS {owned}l")), 1);
    ck_assert_int_eq(release("owned", "a"), 1);
    ck_assert_int_eq(number_of(say("EXISTS {owned}l")), 0);
    ck_assert_int_eq(release("owned", "a"), 0);
    forget_stranger();
}

TEST(a_lock_is_renewed_by_its_owner_only_and_while_it_is_there)
{
    ck_assert_int_eq(first_of(acquire("renewed", "a", "1000"), NULL), 1);
    ck_assert_int_eq(renew("renewed", "b"), 0);
    ck_assert_int_le(number_of(say("PTTL {renewed}l")), 1000);
    ck_assert_int_eq(renew("renewed", "a"), 1);
    ck_assert_int_gt(number_of(say("PTTL {renewed}l")), 1000);
    ck_assert_int_eq(number_of(say("DEL {renewed}l")), 1);
    ck_assert_int_eq(renew("renewed", "a"), 0);
    forget_stranger();
}

TEST(who_took_the_lock_last_settles_and_nobody_else) /* RD05 */
{
    ck_assert_int_eq(first_of(acquire("fenced", "a", "60000"), NULL), 1);
    ck_assert_int_eq(number_of(say("DEL {fenced}l")), 1); /* as if it had run out */
    ck_assert_int_eq(first_of(acquire("fenced", "b", "60000"), NULL), 1);
    ck_assert_int_eq(first_of(settle("fenced", "a", "first"), NULL), 0);
    ck_assert_int_eq(number_of(say("EXISTS {fenced}v")), 0);
    ck_assert_int_eq(number_of(say("EXISTS {fenced}l")), 1); /* the other's */
    ck_assert_int_eq(first_of(settle("fenced", "b", "second"), NULL), 1);
    ck_assert_int_eq(number_of(say("EXISTS {fenced}l")), 0);
    ck_assert_int_eq(first_of(settle("fenced", "b", "third"), NULL), 2);
    ck_assert_int_eq(first_of(acquire("fenced", "c", "60000"), NULL), 2);
    redisReply *stored = say("GET {fenced}v");
    ck_assert_str_eq(stored->str, "second");
    freeReplyObject(stored);
    forget_stranger();
}

TEST(a_server_that_has_forgotten_refuses_to_settle) /* RD11 */
{
    ck_assert_int_eq(first_of(acquire("gone", "a", "60000"), NULL), 1);
    ck_assert_int_eq(number_of(say("DEL {gone}l {gone}e")), 2);
    ck_assert_int_eq(first_of(settle("gone", "a", "late"), NULL), 0);
    ck_assert_int_eq(number_of(say("EXISTS {gone}v {gone}l {gone}e")), 0);
    forget_stranger();
}

SUITE_AROUND("what is asked of Redis", start_server, end_server)
