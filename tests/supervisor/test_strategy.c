/*
 * tests/supervisor/test_strategy.c - what an end means.
 *
 * Room: tests/. Case ids (SUP-063) are those of the conformance list.
 */
#include "supervisor/strategy.h"
#include "tests/support/support.h"

static const cop_reason normal = {.kind = COP_NORMAL}, shut_down = {.kind = COP_SHUTDOWN},
                        with_words = {.kind = COP_SHUTDOWN, .text = "{shutdown,bye}"},
                        failed = {.kind = COP_FAILED, .code = -EIO, .text = "boom"},
                        faulted = {.kind = COP_FAULTED, .code = 11}, killed = {.kind = COP_KILLED},
                        noproc = {.kind = COP_NOPROC};
static const cop_reason *const clean[] = {&normal, &shut_down, &with_words};
static const cop_reason *const crashes[] = {&failed, &faulted, &killed, &noproc};
#define FOR_EACH(reason, list) \
 for (size_t i_ = 0; i_ < sizeof(list) / sizeof *(list) && ((reason) = (list)[i_]); i_++)

TEST(a_permanent_child_is_always_restarted) /* SUP-063, SUP-064, SUP-065 */
{
    const cop_reason *reason;
    FOR_EACH(reason, clean)
    {
        ck_assert(copi_is_restarted(COP_PERMANENT, reason));
    }
    FOR_EACH(reason, crashes)
    {
        ck_assert(copi_is_restarted(COP_PERMANENT, reason));
    }
}

TEST(a_transient_child_is_restarted_after_a_crash_only) /* SUP-066, SUP-067, SUP-068 */
{
    const cop_reason *reason;
    FOR_EACH(reason, clean)
    {
        ck_assert(!copi_is_restarted(COP_TRANSIENT, reason));
    }
    FOR_EACH(reason, crashes)
    {
        ck_assert(copi_is_restarted(COP_TRANSIENT, reason));
    }
}

TEST(a_temporary_child_is_never_restarted) /* SUP-069 */
{
    const cop_reason *reason;
    FOR_EACH(reason, clean)
    {
        ck_assert(!copi_is_restarted(COP_TEMPORARY, reason));
    }
    FOR_EACH(reason, crashes)
    {
        ck_assert(!copi_is_restarted(COP_TEMPORARY, reason));
    }
}

TEST(every_end_of_a_permanent_child_and_every_crash_is_reported) /* SUP-132 */
{
    const cop_reason *reason;
    FOR_EACH(reason, clean)
    {
        ck_assert(copi_is_end_reported(COP_PERMANENT, reason));
        ck_assert(!copi_is_end_reported(COP_TRANSIENT, reason));
        ck_assert(!copi_is_end_reported(COP_TEMPORARY, reason));
    }
    FOR_EACH(reason, crashes)
    {
        ck_assert(copi_is_end_reported(COP_PERMANENT, reason));
        ck_assert(copi_is_end_reported(COP_TRANSIENT, reason));
        ck_assert(copi_is_end_reported(COP_TEMPORARY, reason));
    }
}

TEST(a_permanent_child_that_is_asked_to_stop_has_to_end_with_shutdown)
{
    ck_assert(copi_is_stopped_as_asked(COP_ONE_FOR_ONE, COP_PERMANENT, COP_SEC(5), &shut_down));
    ck_assert(!copi_is_stopped_as_asked(COP_ONE_FOR_ONE, COP_PERMANENT, COP_SEC(5), &with_words));
    ck_assert(!copi_is_stopped_as_asked(COP_ONE_FOR_ONE, COP_PERMANENT, COP_SEC(5), &normal));
    ck_assert(!copi_is_stopped_as_asked(COP_ONE_FOR_ONE, COP_PERMANENT, COP_SEC(5),
                                        &killed)); /* SUP-136 */
}

TEST(another_child_may_end_with_any_reason_that_is_no_crash)
{
    const cop_reason *reason;
    FOR_EACH(reason, clean)
    {
        ck_assert(copi_is_stopped_as_asked(COP_ONE_FOR_ONE, COP_TRANSIENT, COP_FOREVER, reason));
        ck_assert(
            copi_is_stopped_as_asked(COP_ONE_FOR_ONE, COP_TEMPORARY, COP_BRUTAL_KILL, reason));
    }
    FOR_EACH(reason, crashes)
    {
        ck_assert(!copi_is_stopped_as_asked(COP_ONE_FOR_ONE, COP_TRANSIENT, COP_SEC(5), reason));
    }
}

TEST(a_child_that_is_killed_without_being_asked_has_to_be_killed)
{
    ck_assert(copi_is_stopped_as_asked(COP_ONE_FOR_ONE, COP_PERMANENT, COP_BRUTAL_KILL, &killed));
    ck_assert(copi_is_stopped_as_asked(COP_ONE_FOR_ONE, COP_TRANSIENT, COP_BRUTAL_KILL, &killed));
    ck_assert(
        !copi_is_stopped_as_asked(COP_ONE_FOR_ONE, COP_PERMANENT, COP_BRUTAL_KILL, &shut_down));
    ck_assert(!copi_is_stopped_as_asked(COP_ONE_FOR_ONE, COP_TRANSIENT, COP_BRUTAL_KILL, &failed));
}

TEST(a_dynamic_child_may_say_more_when_it_is_asked_to_stop) /* DYN-026 */
{
    for (cop_restart rule = COP_PERMANENT; rule <= COP_TEMPORARY; rule++) {
        ck_assert(copi_is_stopped_as_asked(COP_DYNAMIC, rule, COP_FOREVER, &shut_down));
        ck_assert(copi_is_stopped_as_asked(COP_DYNAMIC, rule, COP_SEC(5), &with_words));
        ck_assert(!copi_is_stopped_as_asked(COP_DYNAMIC, rule, COP_SEC(5), &killed));
        ck_assert(!copi_is_stopped_as_asked(COP_DYNAMIC, rule, COP_SEC(5), &failed));
        ck_assert_int_eq(copi_is_stopped_as_asked(COP_DYNAMIC, rule, COP_SEC(5), &normal),
                         rule != COP_PERMANENT);
    }
}

TEST(a_dynamic_child_that_is_killed_without_being_asked_has_to_be_killed) /* DYN-025 */
{
    for (cop_restart rule = COP_PERMANENT; rule <= COP_TEMPORARY; rule++) {
        ck_assert(copi_is_stopped_as_asked(COP_DYNAMIC, rule, COP_BRUTAL_KILL, &killed));
        ck_assert(!copi_is_stopped_as_asked(COP_DYNAMIC, rule, COP_BRUTAL_KILL, &shut_down));
        ck_assert(!copi_is_stopped_as_asked(COP_DYNAMIC, rule, COP_BRUTAL_KILL, &normal));
    }
}

TEST(significant_ends_end_the_supervisor_by_its_mode) /* SUP-121, SUP-126 */
{
    for (int left = 0; left < 2; left++) {
        ck_assert(!copi_is_auto_shutdown(COP_NEVER, true, left));
        ck_assert(!copi_is_auto_shutdown(COP_ANY_SIGNIFICANT, false, left));
        ck_assert(!copi_is_auto_shutdown(COP_ALL_SIGNIFICANT, false, left));
        ck_assert(copi_is_auto_shutdown(COP_ANY_SIGNIFICANT, true, left));
        ck_assert_int_eq(copi_is_auto_shutdown(COP_ALL_SIGNIFICANT, true, left), !left);
    }
}

SUITE("strategy")
