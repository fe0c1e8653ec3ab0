/*
 * tests/runtime/test_name.c - names for processes.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/name.h"
#include "runtime/table.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#define NAME_63 "123456789012345678901234567890123456789012345678901234567890123"
#define NAME_64 NAME_63 "4"

static int
wait_for_message(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    return cop_receive(&msg, COP_FOREVER);
}

static cop_pid
start(const char *name)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, wait_for_message, .name = name), 0);
    return pid;
}

static void
stop(cop_pid pid)
{
    cop_ref monitor = cop_monitor(pid);
    cop_exit_signal(pid, COP_REASON_KILLED);
    test_down(monitor);
}

/* ---------------------------------------------------------------- what is refused */

TEST(a_name_that_is_taken_stays_with_who_has_it)
{
    cop_pid first = start("taken"), second = start(NULL);
    ck_assert_int_eq(cop_register("taken", second), -EEXIST);
    ck_assert_int_eq(cop_why().code, -EEXIST);
    ck_assert(cop_pid_eq(cop_whereis("taken"), first));
    ck_assert_int_eq(cop_register("taken", first), -EEXIST);
}

TEST(a_process_does_not_start_with_a_name_that_is_taken)
{
    cop_pid first = start("taken"), out = {42};
    ck_assert_int_eq(cop_spawn(&out, wait_for_message, .name = "taken"), -EEXIST);
    ck_assert_uint_eq(out.id, 42);
    ck_assert(cop_pid_eq(cop_whereis("taken"), first));
}

TEST(a_process_has_one_name)
{
    cop_pid pid = start("one");
    ck_assert_int_eq(cop_register("two", pid), -EALREADY);
    ck_assert(cop_pid_eq(cop_whereis("two"), COP_NOBODY));
    ck_assert(cop_pid_eq(cop_whereis("one"), pid));
}

TEST(the_dead_get_no_name)
{
    cop_pid pid = start(NULL);
    stop(pid);
    ck_assert_int_eq(cop_register("late", pid), -ESRCH);
    ck_assert_int_eq(cop_register("late", COP_NOBODY), -ESRCH);
    ck_assert_int_eq(cop_register("late", cop_named("a_name_that_nobody_has")), -ESRCH);
    ck_assert(cop_pid_eq(cop_whereis("late"), COP_NOBODY));
}

TEST(what_is_empty_or_too_long_is_no_name)
{
    cop_pid pid = start(NULL), out;
    ck_assert_int_eq(cop_register("", pid), -EINVAL);
    ck_assert_int_eq(cop_register(NAME_64, pid), -EINVAL);
    ck_assert_int_eq(cop_register(NULL, pid), -EINVAL);
    ck_assert_int_eq(cop_spawn(&out, wait_for_message, .name = ""), -EINVAL);
    ck_assert_int_eq(cop_spawn(&out, wait_for_message, .name = NAME_64), -EINVAL);
    ck_assert(cop_pid_eq(cop_named(""), COP_NOBODY));
    ck_assert(cop_pid_eq(cop_named(NAME_64), COP_NOBODY));
    ck_assert(cop_pid_eq(cop_named(NULL), COP_NOBODY));
    ck_assert(cop_pid_eq(cop_whereis(""), COP_NOBODY));
    ck_assert(cop_pid_eq(cop_whereis(NULL), COP_NOBODY));
    ck_assert_int_eq(cop_unregister(NULL), -ENOENT);
}

TEST(sixty_three_bytes_are_a_name)
{
    cop_process_info info;
    cop_pid pid = start(NULL);
    ck_assert_int_eq(cop_register(NAME_63, pid), 0);
    ck_assert(cop_pid_eq(cop_whereis(NAME_63), pid));
    ck_assert_int_eq(cop_inspect(pid, &info), 0);
    ck_assert_str_eq(info.name, NAME_63);
    ck_assert_int_eq(cop_unregister(NAME_63), 0);
    ck_assert_int_eq(cop_register("x", pid), 0);
    ck_assert(cop_pid_eq(cop_whereis("x"), pid));
}

static int
name_it(void *arg)
{
    return cop_register("short_of_memory", *(cop_pid *)arg);
}

TEST(without_memory_nobody_gets_a_name)
{
    int result;
    cop_pid pid = start(NULL);
    ck_assert_uint_ge(test_out_of_memory(name_it, &pid, &result), 1);
    ck_assert_int_eq(result, 0);
    ck_assert(cop_pid_eq(cop_whereis("short_of_memory"), pid));
    copi_alloc_fail_after(0);
    ck_assert(cop_pid_eq(cop_named("another"), COP_NOBODY));
    ck_assert_uint_ne(cop_named("short_of_memory").id, 0); /* it is there already */
}

static _Atomic(struct copi_process *) leaves; /* while memory is asked for */

void *real_zalloc(size_t size) REAL(copi_zalloc);
void *leave_and_zalloc(size_t size) WRAP(copi_zalloc);
void *
leave_and_zalloc(size_t size)
{
    struct copi_process *process = atomic_exchange(&leaves, NULL);
    if (process) {
        copi_store_release_64(&process->id, 0);
    }
    return real_zalloc(size);
}

/* As it is when it ends in the middle: no pid leads to it any more. */
TEST(who_ends_while_it_is_given_a_name_does_not_get_it)
{
    cop_pid first = start(NULL), second = start(NULL);
    struct copi_process *process = copi_table_find(first);
    ck_assert_ptr_nonnull(process);
    atomic_store(&leaves, process);
    int r = cop_register("too_late", first);
    copi_store_release_64(&process->id, first.id);
    ck_assert_int_eq(r, -ESRCH);
    ck_assert_int_eq(cop_why().code, -ESRCH);
    ck_assert_uint_eq(cop_whereis("too_late").id, 0);
    ck_assert_int_eq(cop_register("too_late", second), 0);
    ck_assert_int_eq(cop_register("another", first), 0);
}

static _Atomic(cop_pid *)
    heir; /* of a name that is given up and taken while its holder ends; once */

void real_release(struct copi_process *process) REAL(copi_name_release);
void give_up_and_release(struct copi_process *process) WRAP(copi_name_release);
void
give_up_and_release(struct copi_process *process)
{
    const cop_pid *pid = atomic_exchange(&heir, NULL);
    if (pid) {
        cop_unregister("inherited");
        cop_register("inherited", *pid);
    }
    real_release(process);
}

TEST(who_ends_while_another_gets_its_name_leaves_it_to_that)
{
    cop_pid first = start("inherited"), second = start(NULL);
    atomic_store(&heir, &second);
    stop(first);
    ck_assert(cop_pid_eq(cop_whereis("inherited"), second));
    ck_assert_int_eq(cop_register("another", second), -EALREADY);
    stop(second);
    ck_assert_uint_eq(cop_whereis("inherited").id, 0);
}

TEST(a_name_that_nobody_has_cannot_be_given_up)
{
    ck_assert_int_eq(cop_unregister("nobody's"), -ENOENT);
    cop_pid pid = start("once");
    ck_assert_int_eq(cop_unregister("once"), 0);
    ck_assert_int_eq(cop_unregister("once"), -ENOENT);
    ck_assert(cop_alive(pid));
}

static void
must_not_run(void *data)
{
    (void)data;
    abort();
}

TEST(a_message_to_a_name_that_nobody_has_is_an_error_and_its_body_the_senders) /* NAM-002 */
{
    int body = 1;
    ck_assert_int_eq(cop_send(cop_named("nobody's"), COP_TAG(1)), -ESRCH);
    ck_assert_int_eq(cop_cast(cop_named("nobody's"), COP_TAG(1)), 0); /* lost, as in OTP */
    ck_assert_int_eq(
        cop_send(cop_named("nobody's"), COP_MSG_MOVE(1, &body, sizeof body, must_not_run)), -ESRCH);
}

/* ---------------------------------------------------------------- free again */

TEST(a_name_is_free_when_its_process_has_ended) /* NAM-002 */
{
    cop_pid first = start("free");
    stop(first);
    ck_assert(cop_pid_eq(cop_whereis("free"), COP_NOBODY));
    cop_pid second = start("free");
    ck_assert(cop_pid_eq(cop_whereis("free"), second));
}

static int
start_another_when_it_is_down(cop_bytes arg)
{
    cop_pid pid;
    cop_ref monitor;
    memcpy(&pid, arg.data, sizeof pid);
    monitor = cop_monitor(pid);
    cop_send(cop_named("starter"), COP_TAG(1));
    test_down(monitor);
    return cop_register("free", cop_self());
}

TEST(a_name_is_free_before_monitors_are_told)
{
    cop_ref monitor;
    ck_assert_int_eq(cop_register("starter", cop_self()), 0);
    for (int i = 0; i < 100; i++) {
        cop_pid first = start("free");
        cop_spawn(NULL, start_another_when_it_is_down, .arg = COP_BYTES(first),
                  .monitor = &monitor);
        test_receive(1);
        cop_send(first, COP_TAG(1));
        ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    }
}

TEST(a_name_that_was_given_up_can_be_given_again)
{
    cop_pid a = start("movable"), b = start(NULL);
    ck_assert_int_eq(cop_unregister("movable"), 0);
    ck_assert_int_eq(cop_register("movable", b), 0);
    ck_assert_int_eq(cop_register("other", a), 0);
    stop(a); /* its end frees what it has, not what it had */
    ck_assert(cop_pid_eq(cop_whereis("movable"), b));
    ck_assert(cop_pid_eq(cop_whereis("other"), COP_NOBODY));
}

/* ---------------------------------------------------------------- pids that stand for names */

TEST(a_named_pid_is_resolved_at_each_use) /* NAM-003 */
{
    cop_pid named = cop_named("service"), again = cop_named("service");
    ck_assert_uint_ne(named.id, 0);
    ck_assert_uint_eq(named.id, again.id);
    ck_assert(!cop_alive(named));
    for (int i = 0; i < 3; i++) { /* three incarnations */
        cop_pid pid = start("service");
        cop_ref monitor = cop_monitor(named);
        ck_assert(cop_alive(named));
        ck_assert_uint_eq(cop_named("service").id, named.id); /* also while somebody has it */
        ck_assert_int_eq(cop_send(named, COP_TAG(1)), 0);
        ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
        ck_assert(!cop_alive(pid));
        ck_assert_int_eq(cop_send(named, COP_TAG(1)), -ESRCH);
    }
}

TEST(a_named_pid_knows_its_holder)
{
    cop_pid named = cop_named("known"), pid = start("known");
    ck_assert(cop_pid_eq(copi_name_holder(named), pid));
    ck_assert(cop_pid_eq(copi_name_holder((cop_pid){UINT64_MAX}), COP_NOBODY));
}

TEST(names_are_told_apart_however_many_there_are)
{
    enum {
        NAMES = 20000
    };
    static cop_pid named[NAMES];
    char name[32];
    unsigned wrong = 0;
    for (int i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof name, "name-%d", i);
        named[i] = cop_named(name);
        wrong += named[i].id == 0;
    }
    for (int i = 0; i < NAMES; i++) {
        (void)snprintf(name, sizeof name, "name-%d", i);
        wrong += cop_named(name).id != named[i].id;
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_int_eq(cop_register("name-19999", cop_self()), 0);
    ck_assert_int_eq(cop_send(named[NAMES - 1], COP_TAG(5)), 0);
    test_receive(5);
}

TEST(what_is_noted_with_a_name_counts_while_that_holder_has_it)
{
    uint32_t number = 42;
    cop_pid first = start("noted"), second = start(NULL);
    ck_assert(!copi_name_noted("noted", &number));
    ck_assert_int_eq(copi_name_note("noted", second, 1), -ESRCH);
    ck_assert_int_eq(copi_name_note("noted", COP_NOBODY, 1), -ESRCH);
    ck_assert_int_eq(copi_name_note("never_seen", first, 1), -ESRCH);
    ck_assert_int_eq(copi_name_note(NULL, first, 1), -ESRCH);
    ck_assert(!copi_name_noted("noted", &number));
    ck_assert(!copi_name_noted("never_seen", &number));
    ck_assert(!copi_name_noted(NULL, &number));
    ck_assert_uint_eq(number, 42);

    ck_assert_int_eq(copi_name_note("noted", first, 7), 0);
    ck_assert(copi_name_noted("noted", &number));
    ck_assert_uint_eq(number, 7);
    ck_assert_int_eq(copi_name_note("noted", first, 0), 0);
    ck_assert(copi_name_noted("noted", &number));
    ck_assert_uint_eq(number, 0);

    stop(first);
    ck_assert(!copi_name_noted("noted", &number));
    ck_assert_int_eq(copi_name_note("noted", COP_NOBODY, 1), -ESRCH);
    ck_assert_int_eq(cop_register("noted", second), 0);
    ck_assert(!copi_name_noted("noted", &number)); /* it is another holder */
}

enum {
    CLAIMANTS = 8,
    ROUNDS = 200
};
static atomic_int winners, round_now, ready;

static int
claim_in_each_round(cop_bytes arg)
{
    (void)arg;
    for (int i = 1; i <= ROUNDS; i++) {
        atomic_fetch_add(&ready, 1);
        while (atomic_load(&round_now) != i) {
            cop_sleep(COP_US(10));
        }
        int r = cop_register("contested", cop_self());
        cop_assert(r == 0 || r == -EEXIST);
        atomic_fetch_add(&winners, r == 0);
        atomic_fetch_add(&ready, 1);
        while (atomic_load(&round_now) != -i) {
            cop_sleep(COP_US(10));
        }
        if (r == 0) {
            cop_assert(cop_unregister("contested") == 0);
        }
    }
    return 0;
}

TEST(of_many_that_want_a_name_one_gets_it)
{
    cop_ref monitors[CLAIMANTS];
    for (int i = 0; i < CLAIMANTS; i++) {
        cop_spawn(NULL, claim_in_each_round, .monitor = &monitors[i]);
    }
    for (int i = 1; i <= ROUNDS; i++) {
        EVENTUALLY(ready == CLAIMANTS);
        atomic_store(&ready, 0);
        atomic_store(&round_now, i);
        EVENTUALLY(ready == CLAIMANTS);
        atomic_store(&ready, 0);
        if (atomic_load(&winners) != i) {
            ck_abort_msg("round %d: %d have won", i, winners);
        }
        atomic_store(&round_now, -i);
    }
    for (int i = 0; i < CLAIMANTS; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
}

/* Whoever finds the name taken takes it away; whoever has started somebody with it ends that. */
static int
give_and_take(cop_bytes arg)
{
    (void)arg;
    cop_process_info info;
    for (int i = 0; i < ROUNDS; i++) {
        cop_pid pid;
        if (cop_spawn(&pid, wait_for_message, .name = "given") == 0) {
            (void)cop_unregister("given");
            (void)cop_register("given", pid);
            stop(pid);
        }
        (void)cop_inspect(cop_whereis("given"), &info);
        (void)cop_unregister("given");
    }
    return 0;
}

TEST(names_are_given_and_taken_while_their_holders_end)
{
    cop_ref monitors[CLAIMANTS];
    for (int i = 0; i < CLAIMANTS; i++) {
        cop_spawn(NULL, give_and_take, .monitor = &monitors[i]);
    }
    for (int i = 0; i < CLAIMANTS; i++) {
        ck_assert_int_eq(test_down(monitors[i]).kind, COP_NORMAL);
    }
    cop_pid last = start("given");
    ck_assert(cop_pid_eq(cop_whereis("given"), last));
}

SUITE("name")
