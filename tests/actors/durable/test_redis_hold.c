/*
 * tests/actors/durable/test_redis_hold.c - computing under a lock: keeping it, losing it, settling.
 *
 * Room: tests/.
 */
#include "tests/actors/durable/redis.h"

static atomic_int running, asked_to_stop;
static atomic_bool gate;

/* One that stops when it is asked to. */
static int
answer_at_the_gate(cop_bytes arg, void *result)
{
    running++;
    while (!gate) {
        int r = cop_sleep(COP_MS(1));
        if (r) {
            asked_to_stop = cop_why().code;
            return r;
        }
    }
    return answer(arg, result);
}

/* And one that does not. */
static int
answer_whatever_happens(cop_bytes arg, void *result)
{
    running++;
    while (!gate) {
        if (cop_sleep(COP_MS(1)) != 0) {
            usleep(1000);
        }
    }
    return answer(arg, result);
}

/* ---------------------------------------------------------------- keeping */

/* The token that has the lock, or "". */
static void
holder(const char *key, char token[33])
{
    redisReply *reply = say("GET {%s}l", key);
    (void)snprintf(token, 33, "%s", reply->type == REDIS_REPLY_STRING ? reply->str : "");
    freeReplyObject(reply);
}

TEST(a_lock_is_kept_while_the_computation_runs) /* RD06 */
{
    const cop_time ttl = COP_MS(600);
    char first[33], now[33];
    cop_time last, longest = 0;
    struct peer peer = start_peer("renewed", "60000", "600", "30000");
    hear_until(&peer, "computing");
    holder("renewed", first);
    last = cop_now();
    for (cop_time until = last + 5 * ttl; last < until;) {
        holder("renewed", now);
        cop_time time = cop_now();
        longest = time - last > longest ? time - last : longest;
        last = time;
        if (strcmp(first, now) != 0 && longest > ttl / 6) {
            printf("this machine stood still for %.0f ms: nobody can keep a lock so\n",
                   (double)longest / 1e6);
            break;
        }
        ck_assert_str_eq(first, now);
        cop_sleep(COP_MS(5));
    }
    end_peer(&peer);
    forget_stranger();
}

TEST(a_lock_lapses_within_its_time_when_its_holder_stops) /* RD06 */
{
    const long long ttl = 300;
    struct peer peer = start_peer("stopped", "60000", "300", "30000");
    hear_until(&peer, "computing");
    ck_assert_int_eq(kill(peer.pid, SIGSTOP), 0);
    ck_assert_int_le(number_of(say("PTTL {stopped}l")), ttl);
    cop_time begun = cop_now();
    EVENTUALLY(number_of(say("EXISTS {stopped}l")) == 0);
    printf("a lock of %lld ms has lapsed %.1f ms after its holder was stopped\n", ttl,
           (double)(cop_now() - begun) / 1e6);
    end_peer(&peer);
    forget_stranger();
}

/* ---------------------------------------------------------------- losing */

TEST(a_computation_whose_lock_is_lost_is_asked_to_stop_and_another_begins)
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .lock_ttl = COP_MS(300), .poll = COP_MS(20)), 0);
    cop_future *future = cop_shared_start(shared, "lost", answer_at_the_gate, nothing, SOON);
    EVENTUALLY(running > 0);
    int before = running; /* again, if the machine stood still for longer than the lock lasts */
    ck_assert(is_ok(say("SET {lost}l somebody PX 200")));
    EVENTUALLY(running > before); /* when that one's time is over */
    ck_assert_int_eq(asked_to_stop, -ESTALE);
    gate = true;
    is_answer(future);
    ck_assert_int_eq(computed, 1);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(without_a_server_to_ask_trust_ends_before_the_lock_does)
{
    const cop_time ttl = COP_MS(300);
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){.gone_after = SOON});
    ck_assert_int_eq(cop_shared_new(&shared, .lock_ttl = ttl, .poll = COP_MS(20)), 0);
    cop_future *future = cop_shared_start(shared, "paused", answer_at_the_gate, nothing, SOON);
    EVENTUALLY(running > 0);
    server_pause(&redis);
    EVENTUALLY(asked_to_stop == -ESTALE);
    server_continue(&redis);
    gate = true;
    is_answer(future);
    cop_shared_free(shared);
    stop_client(tree);
}

static atomic_int fenced;

static void
count_fenced(const char *step, void *env)
{
    (void)env;
    fenced += strcmp(step, "fenced") == 0;
}

TEST(a_value_that_comes_too_late_is_refused_and_does_not_overwrite) /* RD05 */
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .poll = COP_SEC(29)), 0);
    struct peer late = start_peer("late", "0", "200", "30000", "computed");
    hear_until(&late, "step computed"); /* and it stops itself */
    cop_future *future = cop_shared_start(shared, "late", answer_at_the_gate, nothing, SOON);
    EVENTUALLY(running == 1); /* it has inherited */
    ck_assert_int_eq(kill(late.pid, SIGCONT), 0);
    hear_until(&late, "step fenced");
    ck_assert_int_eq(number_of(say("EXISTS {late}v")), 0);
    gate = true;
    is_answer(future);
    hear_until(&late, "value forty-two"); /* the other one's */
    end_peer(&late);
    ck_assert_int_eq(computed, 1);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(a_value_that_was_refused_is_stored_without_computing_it_again)
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .poll = COP_MS(20), .trace = count_fenced), 0);
    cop_future *future = cop_shared_start(shared, "kept", answer_whatever_happens, nothing, SOON);
    EVENTUALLY(running == 1);
    /* Another takes the lock, and gives it back without a result. */
    ck_assert(is_ok(say("SET {kept}l somebody PX 100")));
    ck_assert_int_eq(number_of(say("HSET {kept}e t somebody")), 0);
    gate = true;
    is_answer(future);
    ck_assert_int_eq(fenced, 1);
    ck_assert_int_eq(computed, 1);
    ck_assert_int_eq(number_of(say("EXISTS {kept}v")), 1);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(who_is_the_last_to_have_had_the_lock_may_settle_after_its_time)
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .trace = count_fenced), 0);
    cop_future *future = cop_shared_start(shared, "lapsed", answer_whatever_happens, nothing, SOON);
    EVENTUALLY(running == 1);
    ck_assert_int_eq(number_of(say("DEL {lapsed}l")), 1);
    gate = true;
    is_answer(future);
    ck_assert_int_eq(fenced, 0);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

/* ---------------------------------------------------------------- a server that forgets */

TEST(a_server_that_comes_back_empty_hangs_nobody) /* RD11 */
{
    cop_shared *shared;
    server_start(&redis);
    cop_pid tree = start_client(&(cop_redis_opts){.gone_after = SOON});
    ck_assert_int_eq(cop_shared_new(&shared, .poll = COP_MS(20), .trace = count_fenced), 0);
    cop_future *future = cop_shared_start(shared, "empty", answer_whatever_happens, nothing, SOON);
    EVENTUALLY(running == 1);
    server_kill(&redis);
    server_start(&redis);
    gate = true;
    is_answer(future);
    ck_assert_int_eq(computed, 1);
    ck_assert_int_eq(fenced, 1); /* it does not know whose the lock was */
    ck_assert_int_eq(number_of(say("PTTL {empty}l")), -2);
    ck_assert_int_gt(number_of(say("PTTL {empty}v")), 0);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

SUITE_AROUND("computing under a lock", start_server, end_server)
