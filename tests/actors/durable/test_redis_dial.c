/*
 * tests/actors/durable/test_redis_dial.c - a connection is made and introduced, or it is said why not.
 *
 * Room: tests/.
 */
#include "actors/durable/redis_dial.h"
#include "tests/actors/durable/redis.h"
#include "tests/support/proxy.h"

static struct copi_redis_dialled
dial(const cop_redis_opts *given, bool with_scripts)
{
    struct copi_redis_dialled dialled;
    cop_redis_opts opts = *given;
    (void)snprintf(test_address, sizeof test_address, "unix:%s", redis.socket);
    opts.address = opts.address ? opts.address : test_address;
    opts.command_timeout = opts.command_timeout ? opts.command_timeout : SOON;
    cop_future *future = copi_redis_dial(&opts, with_scripts);
    ck_assert_int_eq(cop_await(future, COP_OUT(dialled), SOON), 0);
    cop_future_release(future);
    return dialled;
}

TEST(a_connection_knows_the_names_of_the_scripts_if_they_are_wanted)
{
    struct copi_redis_dialled dialled = dial(&(cop_redis_opts){0}, true);
    ck_assert_int_eq(dialled.code, 0);
    for (int i = 0; i < COPI_REDIS_SCRIPTS; i++) {
        ck_assert_uint_eq(strlen(dialled.shas.of[i]), COPI_REDIS_SHA);
    }
    ck_assert_int_eq(cop_socket_close(dialled.socket), 0); /* it is ours */
    dialled = dial(&(cop_redis_opts){.database = 5}, false);
    ck_assert_int_eq(dialled.code, 0);
    ck_assert_str_eq(dialled.shas.of[0], "");
    ck_assert_int_eq(cop_socket_close(dialled.socket), 0);
}

TEST(what_is_not_there_says_so)
{
    struct copi_redis_dialled dialled =
        dial(&(cop_redis_opts){.address = "unix:/nobody/is/there"}, true);
    ck_assert_int_eq(dialled.code, -ECONNREFUSED);
    ck_assert_ptr_nonnull(strstr(dialled.words, "/nobody/is/there"));
    ck_assert_int_eq(dial(&(cop_redis_opts){.address = "no address"}, true).code, -EINVAL);
}

TEST(what_is_refused_says_why)
{
    struct copi_redis_dialled dialled = dial(&(cop_redis_opts){.password = "wrong"}, true);
    ck_assert_int_eq(dialled.code, -EACCES);
    dialled = dial(&(cop_redis_opts){.user = "nobody", .password = "wrong"}, true);
    ck_assert_int_eq(dialled.code, -EACCES);
    ck_assert_ptr_nonnull(strstr(dialled.words, "WRONGPASS"));
    ck_assert_int_eq(dial(&(cop_redis_opts){.database = 1000000}, true).code, -EIO);
}

TEST(a_server_that_does_not_answer_is_not_there)
{
    server_pause(&redis); /* the kernel still accepts */
    struct copi_redis_dialled dialled =
        dial(&(cop_redis_opts){.command_timeout = COP_MS(50)}, true);
    ck_assert_int_eq(dialled.code, -EHOSTDOWN);
    server_continue(&redis);
}

TEST_TIMES(40, a_greeting_may_be_cut_anywhere)
{
    char address[64];
    struct proxy *line = proxy_new(redis.port);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", proxy_port(line));
    proxy_cut_after(line, PROXY_ANSWERS, (size_t)_i * 5);
    struct copi_redis_dialled dialled = dial(&(cop_redis_opts){.address = address}, true);
    if (dialled.code) {
        ck_assert_int_eq(dialled.code, -EHOSTDOWN);
    } else {
        ck_assert_int_eq(cop_socket_close(dialled.socket), 0);
    }
    proxy_free(line);
}

SUITE_AROUND("connecting to Redis", start_server, end_server)
