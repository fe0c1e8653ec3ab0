/*
 * tests/actors/durable/test_memory_shortage.c - each allocation on the way of a question to a store, and back, fails.
 *
 * Room: tests/. Over the store in memory: of a batch that finds no memory nothing is applied, and it is asked again.
 */
#include "actors/durable/memory.h"
#include "tests/actors/durable/asking.h"
#include "tests/actors/durable/faulty.h"
#include "tests/support/wrap.h"

#include <limits.h>

static cop_pid store;
static cop_durable_record record;
static cop_future *future;

static void
begin(void)
{
    ck_assert_int_eq(cop_store_start(&store), 0);
    ck_assert_int_eq(cop_durable_create(store, "pending", .queue = "q"), 0);
    ck_assert_int_eq(cop_durable_create(store, "settled"), 0);
    ck_assert_int_eq(cop_durable_resolve(store, "settled", COP_STR("x")), 0);
}

static int
ask(cop_store_op op)
{
    struct copi_ask *answer;
    int r = copi_ask_and_wait(&answer, store, &op, &(struct copi_ask_opts){0}, SOON);
    if (answer) {
        over(answer);
    }
    return r;
}

static int
see(const cop_durable_record *seen, void *env)
{
    ck_assert_str_eq(seen->id, "pending");
    ++*(int *)env;
    return 0;
}

static int
recover_all(void *arg)
{
    int seen = 0;
    (void)arg;
    int r = cop_durable_recover_all(store, see, &seen);
    return r ? r : seen == 1 ? 0 : -EINVAL;
}

static int
get_it(void *id)
{
    int r = cop_durable_get(store, id, &record, SOON);
    if (r == 0) {
        cop_durable_release(&record);
    }
    return r;
}

static int
recover_it(void *id)
{
    int r = cop_durable_recover(store, id, &future, SOON);
    if (r == 0) {
        cop_future_release(future);
    }
    return r;
}

static int
create_it(void *arg)
{
    struct copi_ask *answer;
    (void)arg;
    int r = copi_ask_and_wait(&answer, store, &ASK(.kind = COP_STORE_CREATE, .id = "new"),
                              &(struct copi_ask_opts){0}, SOON);
    r = r == 0 && answer->op.is_duplicate ? -EEXIST : r; /* it was applied, though it had failed */
    if (answer) {
        over(answer);
    }
    return r;
}

static int
prune_it(void *arg)
{
    (void)arg;
    return ask(ASK(.kind = COP_STORE_PRUNE, .time = -COP_SEC(1), .limit = 9));
}

static int
claim_it(void *arg)
{
    (void)arg;
    return ask(ASK(.kind = COP_STORE_CLAIM, .queue = "q", .owner = OWNER('a'), .time = COP_SEC(9),
                   .limit = 9));
}

static const struct {
    int (*attempt)(void *arg);
    const char *id;
} attempts[] = {
    {recover_all, NULL},     {get_it, "pending"}, {get_it, "settled"}, {recover_it, "pending"},
    {recover_it, "settled"}, {create_it, NULL},   {claim_it, NULL},    {prune_it, NULL},
};

TEST_TIMES(sizeof attempts / sizeof *attempts, what_finds_no_memory_fails_and_succeeds_later)
{
    char id[16] = "";
    int r;
    begin();
    if (attempts[_i].id) {
        (void)snprintf(id, sizeof id, "%s", attempts[_i].id);
    }
    ck_assert_uint_gt(test_out_of_memory(attempts[_i].attempt, id, &r), 0);
    ck_assert_msg(r == 0, "%s", cop_strerror(r));
    ck_assert_int_eq(state_of(store, "pending"), COP_DURABLE_PENDING);
    stop(store);
}

TEST_TIMES(sizeof attempts / sizeof *attempts, what_cannot_defer_fails_and_succeeds_later)
{
    char id[16] = "";
    int r;
    begin();
    if (attempts[_i].id) {
        (void)snprintf(id, sizeof id, "%s", attempts[_i].id);
    }
    test_fill_deferred();
    ck_assert_uint_gt(test_out_of_memory(attempts[_i].attempt, id, &r), 0);
    ck_assert_msg(r == 0, "%s", cop_strerror(r));
    ck_assert_int_eq(state_of(store, "pending"), COP_DURABLE_PENDING);
    stop(store);
}

static unsigned doubts;

/* The answer to a doubt is to say it again; what had no memory was not applied. */
static int
create_with_record(void *arg)
{
    (void)arg;
    int r = cop_durable_create(store, "recorded", .record = &record, .timeout = SOON);
    if (r) {
        doubts += r == -EREMOTEIO;
        return r == -EREMOTEIO ? -ENOMEM : r;
    }
    bool is_another = strcmp(record.id, "recorded") != 0 || (record.is_duplicate && doubts == 0);
    cop_durable_release(&record);
    return is_another ? -EEXIST : 0;
}

TEST(what_was_applied_and_cannot_be_read_is_in_doubt)
{
    int r;
    begin();
    ck_assert_uint_gt(test_out_of_memory(create_with_record, NULL, &r), 0);
    ck_assert_msg(r == 0, "%s", cop_strerror(r));
    ck_assert_uint_gt(doubts, 0);
    ck_assert_int_eq(state_of(store, "recorded"), COP_DURABLE_PENDING);
    stop(store);
}

static atomic_int waits_without_memory; /* so many of the next */

struct copi_message *real_new(enum copi_kind kind, uint32_t tag, size_t size)
    REAL(copi_message_new);
struct copi_message *new_or_none(enum copi_kind kind, uint32_t tag, size_t size)
    WRAP(copi_message_new);
struct copi_message *
new_or_none(enum copi_kind kind, uint32_t tag, size_t size)
{
    if (kind != COPI_NOTE || waits_without_memory == 0) {
        return real_new(kind, tag, size);
    }
    if (--waits_without_memory == 0) {
        let_go(); /* of a store that is held: it has not answered before */
    }
    return NULL;
}

TEST(who_has_no_memory_to_wait_with_waits_for_it)
{
    cop_pid slow = a_faulty_store((cop_store_opts){0});
    hold(slow);
    waits_without_memory = 3;
    ck_assert_int_eq(cop_durable_create(slow, "new", .timeout = SOON), 0);
    ck_assert_int_eq(waits_without_memory, 0);
    ck_assert_int_eq(state_of(slow, "new"), COP_DURABLE_PENDING);
    stop(slow);
    forget_data();
}

TEST(who_finds_none_in_its_time_has_waited_in_vain)
{
    cop_pid slow = a_faulty_store((cop_store_opts){0});
    hold(slow);
    waits_without_memory = INT_MAX;
    ck_assert_int_eq(cop_durable_create(slow, "new", .timeout = COP_MS(5)), -ETIMEDOUT);
    ck_assert_int_eq(cop_why().code, -ETIMEDOUT);
    waits_without_memory = 0;
    let_go();
    EVENTUALLY(state_of(slow, "new") == COP_DURABLE_PENDING); /* it was on its way */
    stop(slow);
    forget_data();
}

/* ---------------------------------------------------------------- the backend alone, without duties of a store's */

enum {
    MANY = 100, /* more changes than a batch has room for at first */
};

static void *data;
static int64_t the_time; /* in milliseconds; it stands still */

static int64_t
clock_of_test(void *env)
{
    (void)env;
    return the_time;
}

static void
begin_alone(void)
{
    static const cop_store_opts opts = {.clock = clock_of_test};
    cop_reason why;
    data = calloc(1, copi_memory_backend.state_size);
    ck_assert_int_eq(copi_memory_backend.open(data, &opts, &why), 0);
}

static void
end_alone(void)
{
    copi_memory_backend.close(data);
    free(data);
}

static int
run_alone(cop_store_op op, size_t *count)
{
    cop_reason why;
    int r = copi_memory_backend.run(data, (cop_store_op *[]){&op}, 1, &why);
    *count = op.count;
    cop_store_forget(&op);
    return r;
}

static void
create_alone(const char *id, cop_time expires_in)
{
    size_t unused;
    ck_assert_int_eq(
        run_alone(ASK(.kind = COP_STORE_CREATE, .id = id, .time = expires_in), &unused), 0);
}

static int
prune_all(void *arg)
{
    size_t count;
    (void)arg;
    int r = run_alone(ASK(.kind = COP_STORE_PRUNE, .time = -COP_SEC(1), .limit = MANY), &count);
    return r ? r : count == MANY ? 0 : -EINVAL;
}

TEST(of_many_that_are_to_be_forgotten_none_is_when_there_is_no_memory_for_all)
{
    char id[16];
    int r;
    begin_alone();
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(id, sizeof id, "p%d", i);
        create_alone(id, -1);
    }
    ck_assert_uint_gt(test_out_of_memory(prune_all, NULL, &r), 0);
    ck_assert_int_eq(r, 0); /* they were all there */
    end_alone();
}

static int
expire_both(void *arg)
{
    size_t count;
    (void)arg;
    int r = run_alone(ASK(.kind = COP_STORE_EXPIRE, .limit = MANY), &count);
    return r ? r : count == 2 ? 0 : -EINVAL;
}

TEST(what_is_overdue_stays_so_when_there_is_no_memory_to_reject_it)
{
    int r;
    begin_alone();
    create_alone("a", COP_MS(1));
    create_alone("b", COP_MS(1));
    the_time += 1;
    ck_assert_uint_gt(test_out_of_memory(expire_both, NULL, &r), 2);
    ck_assert_int_eq(r, 0);
    end_alone();
}

SUITE("memory_shortage")
