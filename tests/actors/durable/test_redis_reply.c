/*
 * tests/actors/durable/test_redis_reply.c - what Redis says, from bytes; and what is no such thing.
 *
 * Room: tests/.
 */
#include "actors/durable/redis_reply.h"
#include "tests/support/support.h"

#include <coppice-redis.h>

static struct copi_redis_answer *
answer_to(const char *text)
{
    struct copi_redis_reader *reader = copi_redis_reader_new();
    redisReply *reply;
    ck_assert_int_eq(copi_redis_feed(reader, COP_TEXT(text)), 0);
    ck_assert_int_eq(copi_redis_next(reader, &reply), 1);
    struct copi_redis_answer *answer = copi_redis_answer(reply);
    freeReplyObject(reply);
    copi_redis_reader_free(reader);
    return answer;
}

static void
is_answer(const char *text, int code, int64_t number, int64_t left, const char *bytes)
{
    struct copi_redis_answer *answer = answer_to(text);
    ck_assert_int_eq(answer->code, code);
    ck_assert_int_eq(answer->number, number);
    ck_assert_int_eq(answer->left, left);
    ck_assert_uint_eq(answer->size, strlen(bytes));
    ck_assert_str_eq(answer->bytes, bytes);
    free(answer);
}

TEST(each_kind_of_reply_has_one_form)
{
    is_answer("$-1\r\n", 0, 0, 0, "");
    is_answer(":17\r\n", 0, 17, 0, "");
    is_answer("$0\r\n\r\n", 0, 1, 0, "");
    is_answer("$5\r\nhello\r\n", 0, 1, 0, "hello");
    is_answer("+OK\r\n", 0, 1, 0, "OK");
    is_answer("*2\r\n:2\r\n$5\r\nhello\r\n", 0, 2, 0, "hello");
    is_answer("*2\r\n:0\r\n:-2\r\n", 0, 0, -2, "");
    is_answer("*1\r\n:1\r\n", 0, 1, 0, "");
    is_answer("-ERR no\r\n", -EIO, 0, 0, "ERR no");
}

TEST(an_array_that_nobody_asked_for_is_refused)
{
    is_answer("*0\r\n", -EBADMSG, 0, 0, "an answer that is none");
    is_answer("*1\r\n$1\r\nx\r\n", -EBADMSG, 0, 0, "an answer that is none");
    is_answer("*-1\r\n", 0, 0, 0, "");
}

TEST(a_kind_of_reply_that_is_not_known_is_refused)
{
    const redisReply reply = {.type = 1000}; /* of a later library */
    struct copi_redis_answer *answer = copi_redis_answer(&reply);
    ck_assert_int_eq(answer->code, -EBADMSG);
    ck_assert_str_eq(answer->bytes, "an answer that is none");
    free(answer);
}

TEST(errors_have_codes)
{
    ck_assert_int_eq(copi_redis_error("NOAUTH Authentication required."), -EACCES);
    ck_assert_int_eq(copi_redis_error("WRONGPASS invalid"), -EACCES);
    ck_assert_int_eq(copi_redis_error("NOPERM"), -EACCES);
    ck_assert_int_eq(copi_redis_error("OOM command not allowed"), -ENOSPC);
    ck_assert_int_eq(copi_redis_error("READONLY You can't"), -EROFS);
    ck_assert_int_eq(copi_redis_error("LOADING Redis is loading"), -EAGAIN);
    ck_assert_int_eq(copi_redis_error("OOMPH"), -EIO);
    ck_assert_int_eq(copi_redis_error(""), -EIO);
}

TEST(replies_may_come_in_pieces_and_several_at_a_time)
{
    static const char text[] =
        "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$4\r\nfree\r\n:1\r\n$3\r\na\0b\r\n";
    struct copi_redis_reader *reader = copi_redis_reader_new();
    int whole = 0;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        redisReply *reply;
        ck_assert_int_eq(copi_redis_feed(reader, (cop_bytes){text + i, 1}), 0);
        while (copi_redis_next(reader, &reply) > 0) {
            whole++;
            freeReplyObject(reply);
        }
    }
    ck_assert_int_eq(whole, 3);
    copi_redis_reader_free(reader);
}

static int
read_all(const void *data, size_t size)
{
    struct copi_redis_reader *reader = copi_redis_reader_new();
    redisReply *reply;
    int r = copi_redis_feed(reader, (cop_bytes){data, size});
    while (r == 0 && (r = copi_redis_next(reader, &reply)) > 0) {
        free(copi_redis_answer(reply));
        freeReplyObject(reply);
        r = 0;
    }
    copi_redis_reader_free(reader);
    return r;
}

TEST(what_is_no_reply_is_refused)
{
    static const char *const wrong[] = {
        "HTTP/1.1 200 OK\r\n",
        "$x\r\n",
        "$-7\r\n",
        ":1x\r\n",
        "\r\n",
        "*9\r\n:1\r\n",
        "*1000000000\r\n",
        "*2\r\n*1\r\n:1\r\n:1\r\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(read_all(wrong[i], strlen(wrong[i])) == -EBADMSG, "%s", wrong[i]);
    }
}

TEST(a_reply_longer_than_any_that_is_asked_for_is_refused)
{
    struct copi_redis_reader *reader = copi_redis_reader_new();
    static char block[1 << 20];
    redisReply *reply;
    int r = copi_redis_feed(reader, COP_TEXT("$400000000\r\n"));
    for (int i = 0; r == 0 && i < 400; i++) {
        r = copi_redis_feed(reader, (cop_bytes){block, sizeof block});
        ck_assert_int_eq(copi_redis_next(reader, &reply), 0);
    }
    ck_assert_int_eq(r, -EMSGSIZE);
    copi_redis_reader_free(reader);
}

TEST_TIMES(20, rubbish_harms_nobody)
{
    static const char letters[] = "*$:+-0123456789\r\n\r\n\r\nx";
    char text[64];
    srand((unsigned)_i);
    for (int turn = 0; turn < 5000; turn++) {
        size_t size = (size_t)rand() % sizeof text;
        for (size_t i = 0; i < size; i++) {
            text[i] = letters[(size_t)rand() % (sizeof letters - 1)];
        }
        read_all(text, size);
    }
}

SUITE("what Redis says")
