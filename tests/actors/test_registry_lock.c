/*
 * tests/actors/test_registry_lock.c - a lock for each key.
 *
 * Room: tests/. Each test runs with a registry of one partition, and with one of eight.
 */
#include "actors/registry_lock.h"
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "tests/actors/worker.h"

static atomic_int inside, most_inside, runs;
static atomic_bool may_leave;

static void
count_run(void *env)
{
    (void)env;
    runs++;
}

/* Stay in it until the test says so. */
static void
stay(void *env)
{
    (void)env;
    int now = ++inside;
    if (now > most_inside) {
        most_inside = now;
    }
    while (!may_leave && cop_sleep(COP_US(200)) == 0) {
    }
    inside--;
    runs++;
}

static int
lock_and_stay(void *key)
{
    return cop_registry_lock("r", COP_STR((const char *)key), stay, NULL, COP_FOREVER);
}

static int
lock_and_count(void *key)
{
    return cop_registry_lock("r", COP_STR((const char *)key), count_run, NULL, COP_FOREVER);
}

static char key_k[] = "k", key_l[] = "l";

static cop_pid
start_one_that_stays(char *key)
{
    cop_pid pid = worker_start();
    int before = inside;
    worker_begin(pid, lock_and_stay, key);
    EVENTUALLY(inside == before + 1);
    return pid;
}

/* How many requests the partitions have taken. */
static uint64_t
taken(void)
{
    cop_child_info partitions[8];
    cop_process_info info;
    size_t count;
    uint64_t sum = 0;
    ck_assert_int_eq(cop_supervisor_children(cop_whereis("r"), partitions, 8, &count), 0);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(cop_inspect(partitions[i].pid, &info), 0);
        sum += info.messages_handled;
    }
    return sum;
}

/* One that waits for the key. */
static cop_pid
start_one_that_waits(char *key)
{
    cop_pid pid = worker_start();
    uint64_t before = taken();
    worker_begin(pid, lock_and_count, key);
    EVENTUALLY(taken() > before);
    return pid;
}

static void
await_done(int wanted)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive_match(&msg, worker_is_done, NULL, SOON), 0);
    ck_assert_int_eq(*COP_BODY(msg, int), wanted);
}

/* ---------------------------------------------------------------- what is refused */

TEST(locks_of_an_unknown_registry_are_refused) /* REG-022 */
{
    ck_assert_int_eq(cop_registry_lock("r", COP_STR("k"), count_run, NULL, SOON), -ESRCH);
    registry_start(COP_REGISTRY_UNIQUE, 0);
    ck_assert_int_eq(cop_registry_lock("r", (cop_bytes){NULL, 1}, count_run, NULL, SOON), -EINVAL);
    ck_assert_int_eq(runs, 0);
}

static void
lock_again(void *env)
{
    *(int *)env = cop_registry_lock("r", COP_STR("k"), count_run, NULL, COP_FOREVER);
    ck_assert_int_eq(cop_registry_lock("r", COP_STR("l"), count_run, NULL, COP_FOREVER), 0);
}

TEST_TIMES(2, who_holds_a_lock_does_not_get_it_again) /* REG-027 */
{
    int again = 0;
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_registry_lock("r", COP_STR("k"), lock_again, &again, SOON), 0);
    ck_assert_int_eq(again, -EDEADLK);
    ck_assert_int_eq(runs, 1); /* the other key */
    ck_assert_int_eq(cop_registry_lock("r", COP_STR("k"), count_run, NULL, SOON), 0);
    ck_assert_int_eq(runs, 2);
}

static int
lock_long_key(void *env)
{
    static char key[2000];
    (void)env;
    return cop_registry_lock("r", COP_BYTES(key), count_run, NULL, SOON);
}

TEST_TIMES(2, without_memory_nothing_is_locked)
{
    int result;
    registry_start(COP_REGISTRY_UNIQUE, _i);
    test_fill_deferred();
    ck_assert_uint_ge(test_out_of_memory(lock_long_key, NULL, &result), 6);
    ck_assert_int_eq(result, 0);
    ck_assert_int_eq(runs, 1);
    ck_assert_int_eq(lock_long_key(NULL), 0);
}

/* Its messages find memory that was there before. */
TEST_TIMES(2, without_memory_to_let_go_later_nothing_is_locked)
{
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_registry_lock("r", COP_STR("k"), count_run, NULL, SOON), 0);
    test_fill_deferred();
    copi_alloc_fail_after(0);
    int result = cop_registry_lock("r", COP_STR("k"), count_run, NULL, SOON);
    copi_alloc_fail_after(-1);
    ck_assert_int_eq(result, -ENOMEM);
    ck_assert_int_eq(runs, 1);
    ck_assert_int_eq(cop_registry_lock("r", COP_STR("k"), count_run, NULL, SOON), 0);
    ck_assert_int_eq(runs, 2);
}

TEST_TIMES(2, who_waits_too_long_gives_up_and_leaves_no_trace) /* REG-027 */
{
    registry_start(COP_REGISTRY_UNIQUE, _i);
    start_one_that_stays(key_k);
    cop_time begin = cop_now();
    ck_assert_int_eq(cop_registry_lock("r", COP_STR("k"), count_run, NULL, COP_MS(20)), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - begin, COP_MS(20));
    /* whoever holds it still does */
    ck_assert_int_eq(cop_registry_lock("r", COP_STR("k"), count_run, NULL, COP_MS(1)), -ETIMEDOUT);
    ck_assert_int_eq(runs, 0);
    may_leave = true;
    await_done(0);
    ck_assert_int_eq(cop_registry_lock("r", COP_STR("k"), count_run, NULL, SOON), 0);
}

TEST(a_lock_that_nobody_has_or_wants_takes_no_place)
{
    struct copi_locks locks;
    const uint64_t number_and_key[] = {1, 2};
    cop_msg lock = {.tag = COPI_LOCK, .body = COP_BYTES_INIT(number_and_key)};
    cop_msg unlock = {.tag = COPI_UNLOCK, .body = COP_BYTES_INIT(number_and_key)};
    cop_from from = {.pid = cop_self()};
    from.ref = copi_make_ref(copi_here.process, copi_here.process->index);
    copi_locks_init(&locks);
    for (long allocations = 0; TAILQ_EMPTY(&locks.tickets); allocations++) {
        ck_assert_uint_eq(locks.keys.count, 0);
        copi_alloc_fail_after(allocations);
        ck_assert(copi_locks_call(&locks, from, lock));
        copi_alloc_fail_after(-1);
    }
    ck_assert_uint_eq(locks.keys.count, 1);
    ck_assert(copi_locks_cast(&locks, unlock));
    ck_assert_uint_eq(locks.keys.count, 0);
    ck_assert(copi_locks_cast(&locks, unlock)); /* it is gone */
    ck_assert(!copi_locks_call(&locks, from, COP_TAG(1)));
    ck_assert(!copi_locks_cast(&locks, COP_TAG(1)));
    ck_assert(!copi_locks_info(&locks, COP_TAG(1)));
    copi_locks_clear(&locks);
}

/* Without a word, as who was disowned does: others let go first. */
TEST(who_ends_without_letting_go_has_lost_its_place)
{
    struct copi_locks locks;
    const uint64_t number_and_key[] = {1, 2};
    cop_msg lock = {.tag = COPI_LOCK, .body = COP_BYTES_INIT(number_and_key)}, down;
    cop_from from[3] = {{.ref = {0}}};
    copi_locks_init(&locks);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_spawn(&from[i].pid, test_wait_for_end), 0);
        from[i].ref = copi_make_ref(copi_here.process, copi_here.process->index);
        ck_assert(copi_locks_call(&locks, from[i], lock));
    }
    for (int i = 2; i >= 0; i--) { /* those that wait, and whoever holds it */
        ck_assert_uint_eq(locks.keys.count, 1);
        cop_exit_signal(from[i].pid, COP_REASON_KILLED);
        down = test_receive(COP_MSG_DOWN);
        ck_assert(copi_locks_info(&locks, down));
    }
    ck_assert(TAILQ_EMPTY(&locks.tickets));
    ck_assert_uint_eq(locks.keys.count, 0);
    ck_assert(copi_locks_info(&locks, down)); /* it has none any more */
    copi_locks_clear(&locks);
}

/* ---------------------------------------------------------------- excluding */

TEST_TIMES(2, the_same_key_excludes_and_another_does_not) /* REG-027 */
{
    registry_start(COP_REGISTRY_UNIQUE, _i);
    start_one_that_stays(key_k);
    start_one_that_stays(key_l);
    ck_assert_int_eq(inside, 2);
    start_one_that_waits(key_k);
    ck_assert_int_eq(runs, 0);
    may_leave = true;
    for (int i = 0; i < 3; i++) {
        await_done(0);
    }
    ck_assert_int_eq(runs, 3);
}

static int counter;

static void
increment(void *env)
{
    (void)env;
    int now = ++inside;
    if (now > most_inside) {
        most_inside = now;
    }
    counter++; /* guarded by nothing else */
    inside--;
}

static int
increment_often(cop_bytes arg)
{
    (void)arg;
    int r = 0;
    for (int i = 0; i < 100 && r == 0; i++) {
        r = cop_registry_lock("r", COP_STR("k"), increment, NULL, COP_FOREVER);
    }
    return r;
}

TEST_TIMES(2, of_many_that_want_a_lock_one_is_inside) /* REG-027 */
{
    cop_ref monitors[4];
    registry_start(COP_REGISTRY_DUPLICATE, _i);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(cop_spawn(NULL, increment_often, .monitor = &monitors[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(counter, 400);
    ck_assert_int_eq(most_inside, 1);
}

/* ---------------------------------------------------------------- ends */

static void
crash(void *env)
{
    (void)env;
    cop_exit(cop_failed(-EBADMSG, NULL));
}

static int
lock_and_fail(void *key)
{
    return cop_registry_lock("r", COP_STR((const char *)key), crash, NULL, COP_FOREVER);
}

TEST_TIMES(2, a_function_that_fails_lets_go) /* REG-027 */
{
    registry_start(COP_REGISTRY_UNIQUE, _i);
    for (int i = 0; i < 10; i++) {
        worker_begin(worker_start(), lock_and_fail, key_k);
        ck_assert_int_eq(cop_registry_lock("r", COP_STR("k"), count_run, NULL, SOON), 0);
    }
    ck_assert_int_eq(runs, 10);
}

TEST_TIMES(2, a_process_that_is_killed_inside_lets_go) /* REG-027 */
{
    registry_start(COP_REGISTRY_UNIQUE, _i);
    cop_pid holder = start_one_that_stays(key_k);
    start_one_that_waits(key_k);
    worker_kill(holder);
    await_done(0);
    ck_assert_int_eq(runs, 1);
}

static void
stay_away(void *env)
{
    (void)env;
    inside++;
    while (cop_alive(cop_self())) { /* a loop that nothing interrupts */
    }
}

static int
lock_and_stay_away(void *key)
{
    return cop_registry_lock("r", COP_STR((const char *)key), stay_away, NULL, COP_FOREVER);
}

TEST_TIMES(2, a_process_that_is_disowned_inside_lets_go) /* REG-027 */
{
    cop_config config = {.size = sizeof config, .kill_grace = COP_MS(20)};
    ck_assert_int_eq(cop_configure(&config), 0);
    test_catch_stderr();
    registry_start(COP_REGISTRY_UNIQUE, _i);
    cop_pid pid = worker_start();
    worker_begin(pid, lock_and_stay_away, key_k);
    EVENTUALLY(inside == 1);
    worker_kill(pid);
    ck_assert_int_eq(cop_registry_lock("r", COP_STR("k"), count_run, NULL, SOON), 0);
    EVENTUALLY(cop_disowned() == 0);
    free(test_caught_stderr());
}

static void
get_stuck(void *env)
{
    (void)env;
    inside++;
    while (!may_leave) { /* disowned or not */
    }
}

static int
lock_and_get_stuck(void *key)
{
    return cop_registry_lock("r", COP_STR((const char *)key), get_stuck, NULL, COP_FOREVER);
}

TEST_TIMES(2, a_process_that_does_not_come_back_lets_go_when_it_is_disowned) /* REG-027 */
{
    cop_config config = {.size = sizeof config, .kill_grace = COP_MS(20)};
    ck_assert_int_eq(cop_configure(&config), 0);
    test_catch_stderr();
    registry_start(COP_REGISTRY_UNIQUE, _i);
    cop_pid pid = worker_start();
    worker_begin(pid, lock_and_get_stuck, key_k);
    EVENTUALLY(inside == 1);
    worker_kill(pid);
    ck_assert_int_eq(cop_registry_lock("r", COP_STR("k"), count_run, NULL, SOON), 0);
    ck_assert_int_eq(runs, 1);
    may_leave = true; /* what it says now is about nobody's lock */
    EVENTUALLY(cop_disowned() == 0);
    ck_assert_int_eq(cop_registry_lock("r", COP_STR("k"), count_run, NULL, SOON), 0);
    ck_assert_int_eq(runs, 2);
    free(test_caught_stderr());
}

TEST_TIMES(2, who_waits_and_ends_is_passed_over) /* REG-027 */
{
    registry_start(COP_REGISTRY_UNIQUE, _i);
    start_one_that_stays(key_k);
    cop_pid first = start_one_that_waits(key_k);
    start_one_that_waits(key_k);
    worker_kill(first);
    may_leave = true;
    await_done(0);
    await_done(0);
    ck_assert_int_eq(runs, 2); /* who stayed, and who waited second */
}

TEST_TIMES(2, who_waits_when_the_registry_ends_is_told)
{
    cop_pid registry = registry_start(COP_REGISTRY_UNIQUE, _i);
    start_one_that_stays(key_k);
    start_one_that_waits(key_k);
    ck_assert_int_eq(cop_supervisor_stop(registry, SOON), 0);
    await_done(-EPIPE);
    registry_start(COP_REGISTRY_UNIQUE, _i);
    ck_assert_int_eq(cop_registry_lock("r", COP_STR("k"), count_run, NULL, SOON), 0);
    may_leave = true;
    await_done(0);
}

SUITE("registry lock")
