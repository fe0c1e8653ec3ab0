/*
 * tests/actors/durable/test_redis_flow.c - a key that another computes: who waits is told, or looks, or inherits.
 *
 * Room: tests/.
 */
#include "tests/actors/durable/redis.h"

#include <pthread.h>

static void
gets(cop_shared *shared, const char *key, const char *text)
{
    cop_msg value;
    ck_assert_int_eq(cop_shared_get(shared, key, answer, nothing, &value, SOON), 0);
    ck_assert_uint_eq(value.body.size, strlen(text));
    ck_assert_mem_eq(value.body.data, text, strlen(text));
    cop_msg_release(&value);
}

/* How often anybody has run a script since lock_for_long. */
static unsigned
looks(void)
{
    redisReply *info = say("INFO commandstats");
    bool has_any = strstr(info->str, "cmdstat_evalsha:calls=") != NULL;
    unsigned calls = has_any ? test_number_after(info->str, "cmdstat_evalsha:calls=") : 0;
    freeReplyObject(info);
    return calls;
}

/* The second one, after the subscription: from then on he waits. */
#define HE_WAITS EVENTUALLY(looks() >= 2)

static void
lock_for_long(const char *key)
{
    ck_assert(is_ok(say("CONFIG RESETSTAT")));
    ck_assert(is_ok(say("SET {%s}l somebody PX 60000", key)));
}

/* ---------------------------------------------------------------- told, or not */

static _Atomic(const char *) inject_at;
static atomic_int steps;

static void
inject(const char *step, void *key)
{
    steps++;
    if (inject_at && strcmp(step, inject_at) == 0) {
        inject_at = NULL;
        store_silently(key, "injected");
    }
}

static void
is_seen_though_nobody_tells(const char *step, char *key)
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .poll = COP_SEC(29), .ttl = COP_SEC(60),
                                    .trace = inject, .trace_env = key),
                     0);
    lock_for_long(key);
    inject_at = step;
    gets(shared, key, "injected");
    ck_assert_int_eq(computed, 0);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(what_is_settled_between_the_first_look_and_the_subscription_is_seen) /* RD07 */
{
    char key[] = "before";
    is_seen_though_nobody_tells("looked", key);
}

TEST(what_is_settled_between_the_subscription_and_the_second_look_is_seen) /* RD07 */
{
    char key[] = "between";
    is_seen_though_nobody_tells("subscribed", key);
}

TEST(who_waits_is_told)
{
    cop_shared *shared;
    cop_bytes value;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .poll = COP_SEC(29)), 0);
    lock_for_long("told");
    cop_future *future = cop_shared_start(shared, "told", answer, nothing, SOON);
    HE_WAITS;
    ck_assert_int_eq(number_of(say("PUBLISH {told}c nothing")), 1);
    EVENTUALLY(looks() == 3); /* for nothing */
    ck_assert_int_eq(cop_future_state(future, NULL), -EINPROGRESS);
    store_silently("told", "at last");
    ck_assert_int_eq(number_of(say("PUBLISH {told}c settled")), 1);
    ck_assert_int_eq(cop_await_bytes(future, &value, SOON), 0);
    ck_assert_mem_eq(value.data, "at last", 7);
    cop_future_release(future);
    EVENTUALLY(number_of(say("PUBLISH {told}c nothing")) == 0); /* unsubscribed */
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(who_is_not_told_looks) /* RD08 */
{
    const cop_time poll = COP_MS(100);
    cop_shared *shared;
    cop_bytes value;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .poll = poll), 0);
    lock_for_long("polled");
    cop_future *future = cop_shared_start(shared, "polled", answer, nothing, SOON);
    HE_WAITS;
    cop_time begun = cop_now();
    store_silently("polled", "quietly");
    ck_assert_int_eq(cop_await_bytes(future, &value, SOON), 0);
    printf("a poll of %lld ms: seen after %.1f ms\n", (long long)(poll / COP_MS(1)),
           (double)(cop_now() - begun) / 1e6);
    ck_assert_mem_eq(value.data, "quietly", 7);
    cop_future_release(future);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(a_subscription_that_is_lost_is_made_anew_and_then_looked)
{
    cop_shared *shared;
    cop_bytes value;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .poll = COP_SEC(29)), 0);
    lock_for_long("again");
    cop_future *future = cop_shared_start(shared, "again", answer, nothing, SOON);
    HE_WAITS;
    store_silently("again", "heard"); /* nobody is told */
    ck_assert_int_eq(number_of(say("CLIENT KILL TYPE pubsub")), 1);
    ck_assert_int_eq(cop_await_bytes(future, &value, SOON), 0);
    ck_assert_mem_eq(value.data, "heard", 5);
    cop_future_release(future);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(a_failure_elsewhere_is_the_turn_of_who_waits)
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .poll = COP_SEC(29)), 0);
    lock_for_long("free");
    cop_future *future = cop_shared_start(shared, "free", answer, nothing, SOON);
    HE_WAITS;
    ck_assert_int_eq(number_of(say("DEL {free}l")), 1); /* as release does */
    ck_assert_int_eq(number_of(say("PUBLISH {free}c free")), 1);
    ck_assert_int_eq(cop_await_bytes(future, &(cop_bytes){0}, SOON), 0);
    ck_assert_int_eq(computed, 1);
    cop_future_release(future);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

/* ---------------------------------------------------------------- deaths */

static const char *const stops[] = {"locked", "computed", "settled"};

/* Killed at each step: whatever is there has a time to live. */
TEST_TIMES(3, who_is_killed_leaves_no_lock_for_ever) /* RD03 */
{
    char key[16], line[32];
    cop_shared *shared;
    (void)snprintf(key, sizeof key, "killed%d", _i);
    (void)snprintf(line, sizeof line, "step %s", stops[_i]);
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .poll = COP_SEC(29)), 0);
    struct peer peer = start_peer(key, "0", "300", "30000", stops[_i]);
    hear_until(&peer, line);
    ck_assert_int_ne(number_of(say("PTTL {%s}l", key)), -1);
    ck_assert_int_ne(number_of(say("PTTL {%s}v", key)), -1);
    ck_assert_int_ne(number_of(say("PTTL {%s}e", key)), -1);
    end_peer(&peer);
    cop_msg value;
    ck_assert_int_eq(cop_shared_get(shared, key, answer, nothing, &value, SOON), 0);
    cop_msg_release(&value);
    ck_assert_int_eq(computed, strcmp(stops[_i], "settled") != 0);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(who_waits_inherits_when_the_holders_time_is_over) /* RD09 */
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .poll = COP_SEC(29)), 0);
    struct peer peer = start_peer("inherited", "60000", "400", "30000");
    hear_until(&peer, "computing");
    cop_future *future = cop_shared_start(shared, "inherited", answer, nothing, SOON);
    EVENTUALLY(number_of(say("PUBLISH {inherited}c nothing")) == 1); /* he is about to wait */
    end_peer(&peer);
    long long left = number_of(say("PTTL {inherited}l"));
    cop_time begun = cop_now();
    ck_assert_int_gt(left, 0);
    ck_assert_int_eq(cop_await_bytes(future, &(cop_bytes){0}, SOON), 0);
    printf("%lld ms were left: inherited after %.1f ms\n", left, (double)(cop_now() - begun) / 1e6);
    ck_assert_int_eq(computed, 1);
    cop_future_release(future);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

/* ---------------------------------------------------------------- many deaths */

enum {
    PROGRAMS = TEST_SANITIZED ? 4 : 10,
    IDS = 20,
};

/* Every SET of a result: its token. */
struct log {
    redisContext *monitor;
    char (*tokens)[33];
    int count;
};

static void *
read_log(void *arg)
{
    struct log *log = arg;
    redisReply *line;
    while (redisGetReply(log->monitor, (void **)&line) == REDIS_OK) {
        const char *end = strstr(line->str, "\"QUIT");
        const char *record = strstr(line->str, "v\" \"COP1v00000000");
        if (strstr(line->str, "\"SET\" ") && record && log->count < 100000) {
            memcpy(log->tokens[log->count], record + 17, 32);
            log->count++;
        }
        bool is_over = strstr(line->str, "over") && !end;
        freeReplyObject(line);
        if (is_over) {
            break;
        }
    }
    return NULL;
}

static int
by_token(const void *left, const void *right)
{
    return memcmp(left, right, 33);
}

TEST(whoever_is_killed_every_awaiter_ends_with_a_value) /* RD13 */
{
    struct peer peers[PROGRAMS];
    struct log log = {.tokens = calloc(100000, 33)};
    pthread_t reader;
    int kills = 0, doubles = 0, values = 0;
    log.monitor = redisConnectUnix(redis.socket);
    freeReplyObject(redisCommand(log.monitor, "MONITOR"));
    ck_assert_int_eq(pthread_create(&reader, NULL, read_log, &log), 0);
    for (int i = 0; i < PROGRAMS; i++) {
        peers[i] = start_peer("20");
    }
    cop_time until = cop_now() + (TEST_SANITIZED ? COP_SEC(1) : COP_SEC(2));
    while (cop_now() < until) {
        cop_sleep(COP_MS(20));
        int victim = kills++ % PROGRAMS;
        end_peer(&peers[victim]);
        peers[victim] = start_peer("20");
    }
    for (int i = 0; i < PROGRAMS; i++) { /* those that live go on to get values */
        ck_assert(hear(&peers[i]));
        while (strncmp(peers[i].line, "value ", 6) != 0) {
            ck_assert(strncmp(peers[i].line, "error ", 6) != 0);
            ck_assert(hear(&peers[i]));
        }
        values++;
        end_peer(&peers[i]);
    }
    freeReplyObject(say("PUBLISH over over"));
    ck_assert_int_eq(pthread_join(reader, NULL), 0);
    qsort(log.tokens, (size_t)log.count, 33, by_token);
    for (int i = 1; i < log.count; i++) {
        doubles += memcmp(log.tokens[i - 1], log.tokens[i], 32) == 0;
    }
    printf("%d kills, %d results stored, %d tokens twice, %d living with a value\n", kills,
           log.count, doubles, values);
    ck_assert_int_gt(log.count, 0);
    ck_assert_int_eq(doubles, 0);
    redisFree(log.monitor);
    free(log.tokens);
    forget_stranger();
}

SUITE_AROUND("waiting for others' results", start_server, end_server)
