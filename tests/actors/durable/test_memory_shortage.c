/*
 * tests/actors/durable/test_memory_shortage.c - each allocation on the way of a question to a store, and back, fails.
 *
 * Room: tests/. Over the store in memory: of a batch that finds no memory nothing is applied, and it is asked again.
 */
#include "runtime/alloc.h"
#include "tests/actors/durable/asking.h"

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

SUITE("memory_shortage")
