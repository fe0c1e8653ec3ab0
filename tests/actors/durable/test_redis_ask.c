/*
 * tests/actors/durable/test_redis_ask.c - asking the client, and what is made of the answers.
 *
 * Room: tests/.
 */
#include "actors/durable/redis_ask.h"
#include "tests/actors/durable/redis.h"

static const cop_bytes ping[] = {{"PING", 4}};

TEST(the_names_of_a_key_share_a_slot)
{
    struct copi_redis_names names;
    copi_redis_names(&names, "price:42", 8);
    ck_assert_uint_eq(names.lock.size, 11);
    ck_assert_mem_eq(names.lock.data, "{price:42}l", 11);
    ck_assert_mem_eq(names.value.data, "{price:42}v", 11);
    ck_assert_mem_eq(names.epoch.data, "{price:42}e", 11);
    ck_assert_mem_eq(names.channel.data, "{price:42}c", 11);
}

TEST(a_question_is_answered)
{
    cop_msg reply;
    cop_pid tree = start_client(&(cop_redis_opts){0}), client = cop_whereis("coppice_redis");
    ck_assert_int_eq(copi_redis_ask(client, COPI_REDIS_PLAIN, ping, 1, COP_FOREVER, &reply), 0);
    ck_assert_str_eq(copi_redis_answer_of(&reply)->bytes, "PONG");
    ck_assert_int_gt(copi_redis_answer_of(&reply)->sent, 0);
    cop_msg_release(&reply);
    const cop_bytes wrong[] = {COP_TEXT("NONSENSE")};
    ck_assert_int_eq(copi_redis_ask(client, COPI_REDIS_PLAIN, wrong, 1, COP_FOREVER, &reply), -EIO);
    ck_assert_ptr_nonnull(strstr(copi_redis_answer_of(&reply)->bytes, "unknown command"));
    cop_msg_release(&reply);
    stop_client(tree);
}

TEST(many_questions_are_answered_in_order_each_to_who_asked)
{
    enum {
        WORDS = 500
    };
    cop_pid tree = start_client(&(cop_redis_opts){0}), client = cop_whereis("coppice_redis");
    for (int i = 0; i < WORDS; i++) { /* nobody waits */
        const cop_bytes words[] = {COP_TEXT("INCR"), COP_TEXT("told")};
        copi_redis_tell(client, COPI_REDIS_PLAIN, words, 2);
    }
    cop_msg reply;
    const cop_bytes words[] = {COP_TEXT("INCR"), COP_TEXT("told")};
    ck_assert_int_eq(copi_redis_ask(client, COPI_REDIS_PLAIN, words, 2, COP_FOREVER, &reply), 0);
    ck_assert_int_eq(copi_redis_answer_of(&reply)->number, WORDS + 1);
    cop_msg_release(&reply);
    stop_client(tree);
}

TEST(nobody_is_asked_in_vain_for_ever)
{
    cop_msg reply;
    cop_pid nobody;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&nobody, test_wait_for_end, .monitor = &monitor), 0);
    ck_assert_int_eq(cop_stop_process(nobody, COP_REASON_SHUTDOWN, SOON), 0);
    ck_assert_int_eq(copi_redis_ask(nobody, COPI_REDIS_PLAIN, ping, 1, COP_FOREVER, &reply),
                     -ESRCH);
    cop_msg_release(&reply);
    copi_redis_tell(nobody, COPI_REDIS_PLAIN, ping, 1);
    test_down(monitor);
}

TEST(outcomes_are_what_is_stored)
{
    struct copi_redis_outcome out;
#define TOKEN "0123456789abcdef0123456789abcdef"
    copi_redis_take_record(&out, COP_TEXT("COP1v00000000" TOKEN "text"));
    ck_assert_int_eq(out.code, 0);
    ck_assert_uint_eq(out.size, 4);
    free(out.data);
    copi_redis_take_record(&out, COP_TEXT("COP1f00000061" TOKEN "none in stock"));
    ck_assert_int_eq(out.code, -61);
    ck_assert_str_eq(out.words, "none in stock");
    ck_assert_ptr_null(out.data);
    copi_redis_take_record(&out, COP_TEXT("nonsense"));
    ck_assert_int_eq(out.code, -EBADMSG);
    ck_assert(copi_redis_is_gone(-ECONNREFUSED) && !copi_redis_is_gone(-EACCES));
}

SUITE_AROUND("asking Redis's client", start_server, end_server)
