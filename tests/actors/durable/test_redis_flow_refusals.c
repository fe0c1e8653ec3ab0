/*
 * tests/actors/durable/test_redis_flow_refusals.c - a shared result, when one answer that its flow waits for, chosen, is
 * another.
 *
 * Room: tests/. As test_redis_refusals.c, for redis_flow.c and redis_hold.c. The locks here have a minute: what is
 * gone sooner was given back, and did not run out.
 */
#include "actors/durable/redis.h"
#include "actors/durable/redis_lease.h"
#include "actors/durable/redis_reply.h"
#include "actors/durable/redis_request.h"
#include "tests/actors/durable/redis.h"
#include "tests/support/wrap.h"

#define LOCK_TTL COP_SEC(60)

static const cop_redis_opts patient = {.command_timeout = SOON, .gone_after = SOON};

static atomic_int running, asked_to_stop;
static atomic_bool gate;

static int
answer_at_the_gate(cop_bytes arg, void *result)
{
    running++;
    int r = 0;
    while (!gate && r == 0) {
        r = cop_sleep(COP_MS(1));
    }
    if (r) {
        asked_to_stop = cop_why().code;
    }
    running--;
    return r ? r : answer(arg, result);
}

/* ---------------------------------------------------------------- the answer to "acquire" */

enum {
    AS_IT_IS,
    GONE, /* it was done, but Redis is gone since */
    LATE, /* the same, and who asked has been asked to stop before he hears of it */
};

static atomic_int acquire_is;
static atomic_int acquired; /* how often it was not as it is */

static int
be_gone(cop_msg *reply)
{
    struct copi_redis_answer *gone = copi_redis_refusal(-EHOSTDOWN, "gone");
    cop_assert(gone);
    *reply = COP_MSG_MOVE(COPI_REDIS_ANSWER, gone, sizeof *gone, free);
    return 0;
}

int real_call(cop_pid server, cop_msg request, cop_msg *reply, cop_time timeout) REAL(cop_call_any);
int other_call(cop_pid server, cop_msg request, cop_msg *reply, cop_time timeout)
    WRAP(cop_call_any);
int
other_call(cop_pid server, cop_msg request, cop_msg *reply, cop_time timeout)
{
    const struct copi_redis_request *asked = request.body.data;
    bool is_acquire = request.tag == COPI_REDIS_COMMAND && asked->script == COPI_REDIS_ACQUIRE;
    int r = real_call(server, request, reply, timeout), other = is_acquire ? acquire_is : AS_IT_IS;
    if (r || other == AS_IT_IS) {
        return r;
    }
    cop_msg_release(reply);
    acquired++;
    while (other == LATE && cop_sleep(COP_MS(1)) == 0) {
    }
    return be_gone(reply);
}

TEST(who_is_asked_to_stop_before_it_hears_of_its_lock_gives_it_back_and_computes_nothing)
{
    cop_shared *shared;
    cop_pid tree = start_client(&patient);
    ck_assert_int_eq(cop_shared_new(&shared, .lock_ttl = LOCK_TTL, .alone_if_gone = true), 0);
    acquire_is = LATE;
    cop_future *future = cop_shared_start(shared, "untold", answer, nothing, SOON);
    EVENTUALLY(acquired == 1);
    ck_assert_int_eq(number_of(say("EXISTS {untold}l")), 1);
    ck_assert_int_eq(cop_future_cancel(future, cop_failed(-ECANCELED, "enough")), 0);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -ECANCELED);
    EVENTUALLY(number_of(say("EXISTS {untold}l")) == 0);
    ck_assert_int_eq(acquired, 1);
    ck_assert_int_eq(computed, 0);
    cop_future_release(future);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(who_hears_that_redis_is_gone_when_it_wants_the_lock_computes_alone)
{
    cop_shared *shared;
    cop_pid tree = start_client(&patient);
    ck_assert_int_eq(cop_shared_new(&shared, .lock_ttl = LOCK_TTL, .alone_if_gone = true), 0);
    acquire_is = GONE;
    is_answer(cop_shared_start(shared, "alone", answer, nothing, SOON));
    ck_assert_int_eq(acquired, 1);
    ck_assert_int_eq(computed, 1);
    ck_assert_int_eq(number_of(say("EXISTS {alone}v")), 0);
    EVENTUALLY(number_of(say("EXISTS {alone}l")) == 0); /* it had been taken */
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

TEST(a_value_that_was_refused_is_not_computed_again_when_redis_is_gone_then)
{
    cop_shared *shared;
    cop_pid tree = start_client(&patient);
    ck_assert_int_eq(cop_shared_new(&shared, .lock_ttl = LOCK_TTL, .alone_if_gone = true), 0);
    cop_future *future = cop_shared_start(shared, "late", answer_at_the_gate, nothing, SOON);
    EVENTUALLY(running == 1);
    ck_assert(is_ok(say("SET {late}l somebody PX 60000")));
    ck_assert_int_eq(number_of(say("HSET {late}e t somebody")), 0);
    acquire_is = GONE;
    gate = true;
    is_answer(future);
    ck_assert_int_eq(acquired, 1);
    ck_assert_int_eq(computed, 1);
    ck_assert_int_eq(number_of(say("EXISTS {late}v")), 0);
    ck_assert_int_eq(number_of(say("EXISTS {late}l")), 1); /* the other's */
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

/* ---------------------------------------------------------------- the time to renew */

static atomic_bool is_due_at_once;
static atomic_int begun; /* how often it was taken or renewed */

void real_begin(struct copi_redis_lease *lease, cop_time ttl, cop_time sent)
    REAL(copi_redis_lease_begin);
void early_begin(struct copi_redis_lease *lease, cop_time ttl, cop_time sent)
    WRAP(copi_redis_lease_begin);
void
early_begin(struct copi_redis_lease *lease, cop_time ttl, cop_time sent)
{
    real_begin(lease, ttl, sent);
    if (atomic_exchange(&is_due_at_once, false)) {
        lease->renew_at = sent;
    }
    begun++;
}

/* When it has been taken, before it is renewed. */
static void
shorten(const char *step, void *key)
{
    if (strcmp(step, "locked") == 0) {
        ck_assert_int_eq(number_of(say("PEXPIRE {%s}l 30000", (const char *)key)), 1);
    }
}

TEST(a_lock_that_is_renewed_has_all_of_its_time_again)
{
    char key[] = "renewed";
    cop_shared *shared;
    cop_pid tree = start_client(&patient);
    ck_assert_int_eq(
        cop_shared_new(&shared, .lock_ttl = LOCK_TTL, .trace = shorten, .trace_env = key), 0);
    is_due_at_once = true;
    cop_future *future = cop_shared_start(shared, key, answer_at_the_gate, nothing, SOON);
    EVENTUALLY(begun == 2);
    ck_assert_int_gt(number_of(say("PTTL {renewed}l")), 30000);
    gate = true;
    is_answer(future);
    ck_assert_int_eq(asked_to_stop, 0);
    ck_assert_int_eq(computed, 1);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

/* ---------------------------------------------------------------- waiting for the computation */

static _Atomic uint64_t waiter;    /* whose next wait ends otherwise; 0: nobody's */
static atomic_bool is_asked_first; /* to stop */
static atomic_int wait_is;         /* 0: as it is */

int real_await(cop_future *future, cop_bytes *out, cop_time timeout) REAL(cop_await_bytes);
int other_await(cop_future *future, cop_bytes *out, cop_time timeout) WRAP(cop_await_bytes);
int
other_await(cop_future *future, cop_bytes *out, cop_time timeout)
{
    uint64_t self = cop_self().id;
    if (!atomic_compare_exchange_strong(&waiter, &self, 0)) {
        return real_await(future, out, timeout);
    }
    while (running == 0) {
        cop_sleep(COP_MS(1));
    }
    if (is_asked_first) {
        cop_exit_signal(cop_self(), COP_REASON_SHUTDOWN);
    }
    return wait_is ? wait_is : real_await(future, out, timeout);
}

/* From here on it waits for nothing but the computation. */
static void
know_waiter(const char *step, void *env)
{
    (void)env;
    if (strcmp(step, "locked") == 0 && is_asked_first + wait_is != 0) {
        waiter = cop_self().id;
    }
}

TEST(a_computation_that_has_come_to_wait_for_itself_is_asked_to_stop)
{
    cop_shared *shared;
    cop_pid tree = start_client(&patient);
    ck_assert_int_eq(cop_shared_new(&shared, .lock_ttl = LOCK_TTL, .trace = know_waiter), 0);
    wait_is = -EDEADLK;
    cop_future *future = cop_shared_start(shared, "itself", answer_at_the_gate, nothing, SOON);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -ECANCELED);
    ck_assert_int_eq(asked_to_stop, -EDEADLK);
    ck_assert_uint_eq(waiter, 0);
    ck_assert_int_eq(computed, 0);
    ck_assert_int_eq(number_of(say("EXISTS {itself}l")), 0);
    cop_future_release(future);
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

/* With the wait ended by that, or by something else just before. */
static const int waits[] = {0, -ENOMEM};

TEST_TIMES(2, who_is_asked_to_stop_while_it_holds_the_lock_stops_the_computation_and_gives_it_back)
{
    char key[16];
    cop_shared *shared;
    (void)snprintf(key, sizeof key, "stopped%d", _i);
    cop_pid tree = start_client(&patient);
    ck_assert_int_eq(cop_shared_new(&shared, .lock_ttl = LOCK_TTL, .trace = know_waiter), 0);
    is_asked_first = true;
    wait_is = waits[_i];
    cop_future *future = cop_shared_start(shared, key, answer_at_the_gate, nothing, SOON);
    ck_assert_int_eq(cop_await(future, NULL, 0, SOON), -ECANCELED);
    ck_assert_uint_eq(waiter, 0);
    cop_future_release(future);
    EVENTUALLY(number_of(say("EXISTS {%s}l", key)) == 0);
    EVENTUALLY(running == 0);
    ck_assert_int_eq(computed, 0);
    is_asked_first = false;
    wait_is = 0;
    gate = true;
    is_answer(cop_shared_start(shared, key, answer_at_the_gate, nothing, SOON));
    cop_shared_free(shared);
    stop_client(tree);
    forget_stranger();
}

SUITE_AROUND("a shared result whose flow is refused", start_server, end_server)
