/*
 * tests/actors/durable/test_redis_shortage.c - each allocation of libcoppice-redis fails once.
 *
 * Room: tests/. While an allocation is to fail, nothing is asserted: tests/support/no_memory.h.
 */
#include "tests/actors/durable/redis.h"
#include "tests/support/no_memory.h"

/* ---------------------------------------------------------------- what is done meanwhile */

/* 0, a negative errno value, or 1: it is not what it should be. */
static int
get(cop_shared *shared, const char *key)
{
    cop_msg value;
    int r = cop_shared_get(shared, key, answer, nothing, &value, SOON);
    if (r == 0) {
        r = value.body.size != 9 || memcmp(value.body.data, "forty-two", 9) != 0;
        cop_msg_release(&value);
    }
    return r;
}

/* One that is computed, one that is there, and one whose lock a stranger has for a moment. */
static int
ask_for_three(void)
{
    cop_shared *shared;
    int r = cop_shared_new(&shared, .poll = COP_MS(50));
    if (r == 0) {
        r = get(shared, "new");
        r = r ? r : get(shared, "new");
        r = r ? r : get(shared, "locked");
        cop_shared_free(shared);
    }
    return r;
}

static void
make_it_as_it_was(void)
{
    freeReplyObject(say("DEL {new}v {new}l {new}e {locked}v {locked}l {locked}e"));
    ck_assert(is_ok(say("SET {locked}l 0123456789abcdef0123456789abcdef PX 30")));
}

static int
ask_with_memory_for(long n)
{
    make_it_as_it_was();
    has_failed = false;
    allocations_left = n;
    int r = ask_for_three();
    allocations_left = -1;
    return r;
}

/* ---------------------------------------------------------------- the promise */

enum {
    SHARES = 8
};

TEST_TIMES(SHARES, whatever_finds_no_memory_fails_or_is_tried_again_and_nothing_hangs)
{
    cop_pid tree = start_client(&(cop_redis_opts){0});
    for (long n = _i;; n += SHARES) {
        int r = ask_with_memory_for(n);
        ck_assert_msg(r == 0 || r == -ENOMEM || r == -EHOSTDOWN, "%ld: %d", n, r);
        if (!has_failed) { /* there were no more: all is as before */
            ck_assert_int_eq(r, 0);
            break;
        }
    }
    stop_client(tree);
    forget_stranger();
}

/* The first allocations, each in a program of its own: connecting takes its time. */
TEST_TIMES(12, a_client_that_finds_no_memory_ends_or_tries_again)
{
    cop_pid tree;
    (void)snprintf(test_address, sizeof test_address, "unix:%s", redis.socket);
    cop_supervisor_spec spec = {COP_CHILDREN(cop_redis_spec(.address = test_address))};
    make_it_as_it_was();
    allocations_left = _i;
    int started = cop_supervisor_start(&tree, &spec);
    int r = started ? started : ask_for_three();
    allocations_left = -1;
    ck_assert(has_failed);
    ck_assert_msg(r == 0 || r == -ENOMEM || r == -EHOSTDOWN || r == -ESRCH, "%d", r);
    if (started == 0) {
        EVENTUALLY(ask_with_memory_for(-1) == 0);
        stop_client(tree);
    }
    forget_stranger();
}

SUITE_AROUND("redis_shortage", start_server, end_server)
