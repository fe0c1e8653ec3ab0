/*
 * tests/runtime/test_via.c - starting a process under a key, whoever keeps the keys. With the registry:
 * tests/actors/test_registry_via.c.
 *
 * Room: tests/.
 */
#include "runtime/process.h"
#include "runtime/via.h"
#include "tests/support/support.h"

static cop_via via = {.registry = "anybody's", .key = COP_BYTES_INIT(via)};

static int
do_nothing(cop_bytes arg)
{
    (void)arg;
    return 0;
}

TEST(before_there_is_a_registry_none_is_known) /* REG-022 */
{
    cop_pid out = {42};
    ck_assert_int_eq(cop_spawn(&out, do_nothing, .via = &via), -ESRCH);
    ck_assert_str_eq(cop_why().text, "unknown registry: anybody's");
    ck_assert_int_eq(cop_spawn(&out, do_nothing, .via = &(cop_via){0}), -ESRCH);
    ck_assert_uint_eq(out.id, 42);
}

static int answer;
static cop_pid claimed_for;

static int
claim(struct copi_process *process, const cop_via *wanted, cop_pid *holder)
{
    ck_assert_ptr_eq(wanted, &via);
    claimed_for = process->pid;
    ck_assert(cop_alive(claimed_for));
    holder->id = 4711;
    return answer ? copi_fail(answer) : 0;
}

TEST(a_process_starts_when_it_has_got_its_key)
{
    cop_pid pid;
    copi_via_serve(claim);
    ck_assert_int_eq(cop_spawn(&pid, do_nothing, .via = &via), 0);
    ck_assert(cop_pid_eq(pid, claimed_for));
}

TEST(a_process_that_does_not_get_its_key_has_never_been)
{
    cop_pid pid = {42};
    cop_ref monitor = {0};
    copi_via_serve(claim);
    answer = -EEXIST;
    ck_assert_int_eq(cop_spawn(&pid, do_nothing, .via = &via, .monitor = &monitor), -EEXIST);
    ck_assert_uint_eq(pid.id, 4711); /* who has it */
    ck_assert(!cop_alive(claimed_for));
    pid.id = 42;
    answer = -EOPNOTSUPP;
    ck_assert_int_eq(cop_spawn(&pid, do_nothing, .via = &via), -EOPNOTSUPP);
    ck_assert_uint_eq(pid.id, 42);
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

TEST(a_name_and_a_key_are_one_too_many)
{
    cop_pid pid = {42};
    copi_via_serve(claim);
    ck_assert_int_eq(cop_spawn(&pid, do_nothing, .via = &via, .name = "n"), -EINVAL);
    ck_assert_uint_eq(claimed_for.id, 0);
}

TEST(a_caller_with_the_shorter_options_of_old_has_no_key)
{
    cop_start_opts old = {.size = offsetof(cop_start_opts, via), .via = &via};
    copi_via_serve(claim);
    ck_assert_int_eq(cop_spawn_with(NULL, do_nothing, &old), 0);
    ck_assert_uint_eq(claimed_for.id, 0);
}

SUITE("via")
