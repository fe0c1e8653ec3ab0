/*
 * tests/actors/durable/test_redis_channels.c - who waits for news of which channel.
 *
 * Room: tests/. The test's own process stands for the client's, others wait.
 */
#include "actors/durable/redis.h"
#include "actors/durable/redis_channels.h"
#include "actors/durable/redis_reply.h"
#include "tests/support/support.h"

static struct copi_redis_channels channels;
static const cop_bytes first = {"{a}c", 4}, second = {"{b}c", 4};
static cop_pid waiters[3];

static void
begin(void)
{
    copi_redis_channels_init(&channels);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_spawn(&waiters[i], test_wait_for_end), 0);
    }
}

static void
end(void)
{
    copi_redis_channels_close(&channels);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_stop_process(waiters[i], COP_REASON_SHUTDOWN, SOON), 0);
    }
}

static struct copi_redis_channel *
join(cop_bytes name, int who, cop_time until)
{
    return copi_redis_channels_join(&channels, name, (cop_from){.pid = waiters[who]}, until);
}

TEST(who_comes_to_a_channel_that_is_confirmed_is_answered_at_once)
{
    begin();
    struct copi_redis_channel *channel = join(first, 0, COP_FOREVER);
    ck_assert_uint_eq(channels.asking, 1);
    channel->serial = ++channels.serials;
    copi_redis_channels_confirm(&channels, first, channel->serial);
    ck_assert_uint_eq(channels.asking, 0);
    ck_assert_ptr_eq(join(first, 1, COP_FOREVER), channel);
    ck_assert_uint_eq(channels.asking, 0);
    ck_assert_ptr_ne(join(second, 1, COP_FOREVER), channel);
    ck_assert_uint_eq(channels.asking, 1);
    end();
}

TEST(the_confirmation_of_a_subscription_that_was_ended_confirms_nothing)
{
    begin();
    join(first, 0, COP_FOREVER)->serial = 1;
    free(copi_redis_channels_leave(&channels, first, waiters[0]));
    join(first, 1, COP_FOREVER)->serial = 2;
    copi_redis_channels_confirm(&channels, first, 1);
    ck_assert_uint_eq(channels.asking, 1);
    copi_redis_channels_confirm(&channels, first, 2);
    ck_assert_uint_eq(channels.asking, 0);
    copi_redis_channels_confirm(&channels, second, 2); /* of nobody */
    end();
}

TEST(the_last_one_to_leave_ends_the_channel)
{
    begin();
    struct copi_redis_channel *channel = join(first, 0, COP_FOREVER);
    join(first, 1, COP_FOREVER);
    ck_assert_ptr_null(copi_redis_channels_leave(&channels, first, waiters[0]));
    ck_assert_ptr_null(copi_redis_channels_leave(&channels, first, waiters[0]));
    ck_assert_ptr_null(copi_redis_channels_leave(&channels, second, waiters[1]));
    ck_assert_ptr_eq(copi_redis_channels_leave(&channels, first, waiters[1]), channel);
    free(channel);
    ck_assert_uint_eq(channels.asking, 0);
    end();
}

TEST(who_is_killed_has_left)
{
    begin();
    struct copi_redis_channel *channel = join(first, 0, COP_FOREVER);
    ck_assert_int_eq(cop_exit_signal(waiters[0], COP_REASON_KILLED), 0);
    cop_msg msg = test_receive(COP_MSG_DOWN);
    cop_ref monitor = COP_BODY(msg, struct cop_down)->ref;
    ck_assert_ptr_null(copi_redis_channels_down(&channels, (cop_ref){monitor.id + 1}));
    ck_assert_ptr_eq(copi_redis_channels_down(&channels, monitor), channel);
    free(channel);
    end();
}

static int
count_hints(cop_bytes unused)
{
    cop_msg msg;
    (void)unused;
    return cop_receive(&msg, COP_FOREVER) == 0 && msg.tag == COPI_REDIS_HINT ? 0 : -EBADMSG;
}

TEST(news_reach_who_waits_for_them)
{
    cop_pid pid;
    cop_ref monitor;
    begin();
    ck_assert_int_eq(cop_spawn(&pid, count_hints), 0);
    ck_assert_ptr_nonnull(
        copi_redis_channels_join(&channels, first, (cop_from){.pid = pid}, COP_FOREVER));
    monitor = cop_monitor(pid);
    copi_redis_channels_tell(&channels, second);
    ck_assert(cop_alive(pid));
    copi_redis_channels_tell(&channels, first);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    end();
}

TEST(who_is_not_answered_in_time_is_refused)
{
    begin();
    join(first, 0, COP_SEC(5));
    join(second, 1, COP_SEC(7));
    ck_assert_int_eq(copi_redis_channels_look(&channels, COP_SEC(4), -EHOSTDOWN), COP_SEC(5));
    ck_assert_int_eq(copi_redis_channels_look(&channels, COP_SEC(5), -EHOSTDOWN), COP_SEC(7));
    ck_assert_uint_eq(channels.asking, 1);
    ck_assert_int_eq(copi_redis_channels_look(&channels, COP_SEC(8), -EHOSTDOWN), COP_FOREVER);
    ck_assert_uint_eq(channels.asking, 0);
    end();
}

TEST(a_lost_connection_confirms_nothing)
{
    begin();
    struct copi_redis_channel *channel = join(first, 0, COP_FOREVER);
    channel->serial = 1;
    copi_redis_channels_confirm(&channels, first, 1);
    copi_redis_channels_lose(&channels);
    ck_assert(!channel->is_confirmed);
    join(first, 1, COP_FOREVER);
    ck_assert_uint_eq(channels.asking, 1);
    end();
}

SUITE("who waits for news")
