/*
 * tests/actors/durable/test_redis_shared.c - results that are shared: what users call.
 *
 * Room: tests/.
 */
#include "tests/actors/durable/redis.h"

static atomic_int running;
static atomic_bool gate;

static int
answer_at_the_gate(cop_bytes arg, void *result)
{
    running++;
    while (!gate) {
        int r = cop_sleep(COP_MS(1));
        if (r) {
            running--;
            return r;
        }
    }
    running--;
    return answer(arg, result);
}

static int
refuse(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    computed++;
    return -ENODATA;
}

static int
get(cop_shared *shared, const char *key, cop_task_fn compute)
{
    cop_msg value;
    int r = cop_shared_get(shared, key, compute, nothing, &value, SOON);
    if (r == 0) {
        ck_assert_uint_eq(value.body.size, 9);
        ck_assert_mem_eq(value.body.data, "forty-two", 9);
        cop_msg_release(&value);
    }
    return r;
}

/* ---------------------------------------------------------------- refusals */

TEST(options_that_do_not_go_together_are_refused)
{
    cop_shared *shared = NULL;
    ck_assert_int_eq(cop_shared_new(&shared, .poll = COP_SEC(1), .ttl = COP_MS(1999)), -EINVAL);
    ck_assert_int_eq(cop_shared_new(&shared, .negative_ttl = COP_MS(1999)), -EINVAL);
    ck_assert_int_eq(cop_shared_new(&shared, .negative_ttl = -1), -EINVAL);
    ck_assert_int_eq(cop_shared_new(&shared, .lock_ttl = COP_MS(99)), -EINVAL);
    ck_assert_int_eq(cop_shared_new(&shared, .poll = -1), -EINVAL);
    ck_assert_int_eq(cop_shared_new(&shared, .ttl = COP_FOREVER), -EINVAL);
    ck_assert_ptr_null(shared);
    cop_shared_free(NULL);
}

TEST(no_options_are_the_defaults)
{
    cop_shared *shared;
    ck_assert_int_eq(cop_shared_new_with(&shared, NULL), 0);
    cop_shared_free(shared);
    ck_assert_str_eq(cop_redis_spec_with(NULL).name, "coppice_redis");
    ck_assert_uint_eq(cop_redis_spec_with(NULL).arg.size, sizeof(cop_redis_opts));
}

TEST(keys_and_calls_that_are_none_are_refused)
{
    char long_key[COP_SHARED_KEY_MAX + 2];
    cop_shared *shared;
    cop_msg value;
    memset(long_key, 'k', sizeof long_key);
    long_key[sizeof long_key - 1] = '\0';
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, NULL, answer), -EINVAL);
    ck_assert_int_eq(get(shared, "", answer), -EINVAL);
    ck_assert_int_eq(get(shared, long_key, answer), -EINVAL);
    ck_assert_int_eq(get(shared, "key", NULL), -EINVAL);
    ck_assert_int_eq(cop_shared_get(shared, "key", answer, nothing, &value, -1), -EINVAL);
    ck_assert_int_eq(cop_shared_forget(shared, "", SOON), -EINVAL);
    cop_future *future = cop_shared_start(shared, NULL, answer, nothing, SOON);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -EINVAL);
    cop_future_release(future);
    cop_shared_free(shared);
}

TEST(without_a_client_there_is_nobody_to_ask)
{
    cop_shared *shared;
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, "key", answer), -ESRCH);
    ck_assert_int_eq(computed, 0);
    cop_shared_free(shared);
}

/* ---------------------------------------------------------------- hits and misses */

TEST(a_miss_computes_and_a_hit_does_not) /* RD02 */
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(get(shared, "hit", answer), 0);
        ck_assert_int_eq(computed, 1);
    }
    ck_assert_int_eq(number_of(say("EXISTS {hit}l")), 0);
    long long used = number_of(say("HGET {hit}e n")); /* a string: it stays -1000 */
    ck_assert_int_eq(used, -1000);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

static int
say_it_again(cop_bytes arg, void *result)
{
    *(cop_bytes *)result = arg;
    return 0;
}

TEST(a_computation_that_is_awaited_gets_its_argument)
{
    cop_shared *shared;
    cop_bytes value;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    cop_future *future =
        cop_shared_start(shared, "argument", say_it_again, COP_TEXT("what is asked"), SOON);
    ck_assert_int_eq(cop_await_bytes(future, &value, SOON), 0);
    ck_assert_uint_eq(value.size, 13);
    ck_assert_mem_eq(value.data, "what is asked", 13);
    cop_future_release(future);
    cop_shared_free(shared);
    stop_client(tree);
}

TEST(everything_in_redis_has_a_time_to_live)
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared, .ttl = COP_SEC(30)), 0);
    ck_assert_int_eq(get(shared, "ttl", answer), 0);
    long long left = number_of(say("PTTL {ttl}v"));
    ck_assert_int_gt(left, 0);
    ck_assert_int_le(left, 30000);
    ck_assert_int_gt(number_of(say("PTTL {ttl}e")), 0);
    ck_assert_int_eq(number_of(say("DBSIZE")) >= 2, 1);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(what_is_forgotten_is_computed_again)
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert_int_eq(get(shared, "forgotten", answer), 0);
    ck_assert_int_eq(cop_shared_forget(shared, "forgotten", SOON), 0);
    ck_assert_int_eq(get(shared, "forgotten", answer), 0);
    ck_assert_int_eq(computed, 2);
    cop_shared_free(shared);
    stop_client(tree);
}

static int
large(cop_bytes arg, void *result)
{
    size_t size = *(const size_t *)arg.data;
    char *bytes = cop_alloc(size);
    cop_assert(bytes);
    memset(bytes, 0, size);
    *(cop_bytes *)result = (cop_bytes){bytes, size};
    return 0;
}

TEST(a_result_may_be_large_or_empty_but_not_too_large)
{
    const size_t sizes[] = {0, 1, 700000, COP_SHARED_RESULT_MAX + 1};
    cop_shared *shared;
    cop_msg value;
    char key[16];
    cop_pid tree = start_client(&(cop_redis_opts){.command_timeout = SOON / 2});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    for (int i = 0; i < 8; i++) { /* each computed, and then found */
        (void)snprintf(key, sizeof key, "large%d", i / 2);
        int r = cop_shared_get(shared, key, large, COP_BYTES(sizes[i / 2]), &value, SOON);
        ck_assert_int_eq(r, i / 2 == 3 ? -EMSGSIZE : 0);
        if (r == 0) {
            ck_assert_uint_eq(value.body.size, sizes[i / 2]);
            cop_msg_release(&value);
        }
    }
    cop_shared_free(shared);
    stop_client(tree);
}

/* ---------------------------------------------------------------- failures */

static int
fail_in_words(cop_bytes arg, void *result)
{
    (void)arg, (void)result;
    computed++;
    cop_exit(cop_failed(-ENODATA, "nothing in stock"));
}

TEST(a_failure_is_not_kept) /* RD12 */
{
    cop_shared *here, *elsewhere;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&here), 0);
    ck_assert_int_eq(cop_shared_new(&elsewhere), 0);
    ck_assert_int_eq(get(here, "failing", refuse), -ENODATA);
    ck_assert_int_eq(number_of(say("EXISTS {failing}l {failing}v")), 0);
    ck_assert_int_eq(get(elsewhere, "failing", refuse), -ENODATA);
    ck_assert_int_eq(computed, 2);
    ck_assert_int_eq(get(elsewhere, "failing", answer), 0);
    cop_shared_free(here);
    cop_shared_free(elsewhere);
    stop_client(tree);
    forget_stranger();
}

TEST(a_failure_that_is_kept_is_told_with_its_words) /* RD12 */
{
    cop_shared *here, *elsewhere;
    test_catch_stderr(); /* it is a crash */
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&here, .negative_ttl = COP_SEC(5)), 0);
    ck_assert_int_eq(cop_shared_new(&elsewhere), 0);
    ck_assert_int_eq(get(here, "kept", fail_in_words), -ENODATA);
    ck_assert_str_eq(cop_why().text, "nothing in stock");
    ck_assert_int_eq(get(elsewhere, "kept", answer), -ENODATA);
    ck_assert_str_eq(cop_why().text, "nothing in stock");
    ck_assert_int_eq(computed, 1);
    long long left = number_of(say("PTTL {kept}v"));
    ck_assert_int_gt(left, 0);
    ck_assert_int_le(left, 5000);
    cop_shared_free(here);
    cop_shared_free(elsewhere);
    stop_client(tree);
    forget_stranger();
    free(test_caught_stderr());
}

TEST(what_is_stored_there_by_others_is_no_result) /* RD14 */
{
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    ck_assert(is_ok(say("SET {foreign}v hello")));
    ck_assert_int_eq(get(shared, "foreign", answer), -EBADMSG);
    ck_assert_int_eq(number_of(say("LPUSH {list}v hello")), 1);
    ck_assert_int_eq(get(shared, "list", answer), -EIO);
    ck_assert_ptr_nonnull(strstr(cop_why().text, "WRONGTYPE"));
    ck_assert_int_eq(computed, 0);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

/* ---------------------------------------------------------------- many at once */

TEST(callers_in_one_program_share_a_computation_and_two_connections)
{
    enum {
        CALLERS = 20
    };
    cop_future *futures[CALLERS];
    cop_shared *shared;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    for (int i = 0; i < CALLERS; i++) {
        futures[i] = cop_shared_start(shared, "many", answer_at_the_gate, nothing, SOON);
    }
    EVENTUALLY(running == 1);
    redisReply *list = say("CLIENT LIST");
    ck_assert_uint_le(test_count(list->str, " fd="), 3); /* and the stranger's */
    freeReplyObject(list);
    gate = true;
    for (int i = 0; i < CALLERS; i++) {
        cop_bytes value;
        ck_assert_int_eq(cop_await_bytes(futures[i], &value, SOON), 0);
        ck_assert_uint_eq(value.size, 9);
        cop_future_release(futures[i]);
    }
    ck_assert_int_eq(computed, 1);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(who_has_no_time_left_leaves_alone_and_the_last_one_ends_it)
{
    cop_shared *shared;
    cop_msg value;
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    cop_future *patient =
        cop_shared_start(shared, "left", answer_at_the_gate, nothing, COP_FOREVER);
    EVENTUALLY(running == 1);
    ck_assert_int_eq(cop_shared_get(shared, "left", answer_at_the_gate, nothing, &value,
                                    COP_MS(30)),
                     -ETIMEDOUT);
    ck_assert_int_eq(running, 1);
    ck_assert_int_eq(cop_future_cancel(patient, cop_failed(-ECANCELED, "enough")), 0);
    ck_assert_int_eq(cop_await(patient, NULL, 0, SOON), -ECANCELED);
    cop_future_release(patient);
    EVENTUALLY(running == 0);
    EVENTUALLY(number_of(say("EXISTS {left}l")) == 0); /* given back, not run out */
    ck_assert_int_eq(computed, 0);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

static cop_shared *own;

static int
ask_for_itself(cop_bytes arg, void *result)
{
    cop_msg value;
    (void)arg, (void)result;
    return cop_shared_get(own, "itself", ask_for_itself, nothing, &value, COP_FOREVER);
}

TEST(who_asks_for_what_he_computes_is_refused)
{
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&own), 0);
    int r = get(own, "itself", ask_for_itself);
    ck_assert_msg(r == -EDEADLK || r == -ECANCELED, "%d", r);
    cop_shared_free(own);
    stop_client(tree);
}

/* ---------------------------------------------------------------- numbers */

static int
tell_number(cop_bytes arg, void *result)
{
    static uint64_t number;
    (void)arg;
    number = cop_shared_number();
    *(cop_bytes *)result = COP_BYTES(number);
    return 0;
}

TEST(a_computation_knows_the_number_of_its_lock)
{
    cop_shared *shared;
    cop_msg value;
    uint64_t numbers[2];
    cop_pid tree = start_client(&(cop_redis_opts){0});
    ck_assert_int_eq(cop_shared_new(&shared), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(cop_shared_get(shared, "number", tell_number, nothing, &value, SOON), 0);
        memcpy(&numbers[i], value.body.data, sizeof *numbers);
        cop_msg_release(&value);
        ck_assert_int_eq(cop_shared_forget(shared, "number", SOON), 0);
    }
    ck_assert_uint_gt(numbers[0], 0);
    ck_assert_uint_eq(numbers[1], numbers[0] + 1);
    ck_assert_uint_eq(cop_shared_number(), 0);
    cop_shared_free(shared);
    stop_client(tree);
}

/* ---------------------------------------------------------------- fifty programs */

TEST(of_fifty_programs_one_computes) /* RD01 */
{
    enum {
        PROGRAMS = TEST_SANITIZED ? 12 : 50
    };
    struct peer peers[PROGRAMS];
    char value[256] = "";
    int begun = 0, ended = 0;
    for (int i = 0; i < PROGRAMS; i++) {
        peers[i] = start_peer("fifty", "300", "10000", "30000");
    }
    for (int i = 0; i < PROGRAMS; i++) {
        while (hear(&peers[i])) {
            begun += strcmp(peers[i].line, "computing") == 0;
            if (strncmp(peers[i].line, "value ", 6) == 0) {
                ended++;
                ck_assert(value[0] == '\0' || strcmp(value, peers[i].line) == 0);
                memcpy(value, peers[i].line, sizeof value);
            }
        }
        end_peer(&peers[i]);
    }
    ck_assert_int_eq(ended, PROGRAMS);
    ck_assert_int_eq(begun, 1);
}

SUITE_AROUND("shared results", start_server, end_server)
