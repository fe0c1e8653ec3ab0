/*
 * tests/runtime/test_context.c - cancellation and deadlines that no call forgets.
 *
 * Room: tests/. The test's own thread is a process like any other: most of it happens there. Case ids
 * (CB16) are those of the list of futures' cases.
 */
#include "runtime/alloc.h"
#include "runtime/context.h"
#include "tests/runtime/blocking.h"
#include "tests/support/support.h"

#include <pthread.h>

enum {
    GO = 1
};

/* ---------------------------------------------------------------- helpers */

static cop_context *
new_context(cop_time timeout)
{
    cop_context *context = cop_context_new(timeout);
    ck_assert_ptr_nonnull(context);
    return context;
}

static void
enter(cop_context *context)
{
    ck_assert_int_eq(cop_context_enter(context), 0);
}

static void
leave(cop_context *context)
{
    ck_assert_int_eq(cop_context_leave(context), 0);
}

static cop_reason
cause(const char *text)
{
    return cop_failed(-EDOM, "%s", text);
}

/* What a loop inside `context` would be told. */
static int
state_of(cop_context *context)
{
    enter(context);
    int r = cop_cancelled();
    leave(context);
    return r;
}

/* ---------------------------------------------------------------- what is refused */

TEST(no_context_cannot_be_entered)
{
    ck_assert_int_eq(cop_context_enter(NULL), -EINVAL);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    ck_assert_int_eq(cop_cancelled(), 0);
}

TEST(only_the_innermost_context_can_be_left)
{
    cop_context *outer = new_context(COP_FOREVER), *inner = new_context(COP_FOREVER);
    ck_assert_int_eq(cop_context_leave(outer), -EINVAL);
    ck_assert_int_eq(cop_context_leave(NULL), -EINVAL);
    enter(outer);
    enter(inner);
    ck_assert_int_eq(cop_context_leave(outer), -EINVAL);
    cop_context_cancel(inner, cause("inner"));
    ck_assert_int_eq(cop_cancelled(), -ECANCELED); /* still inside */
    leave(inner);
    ck_assert_int_eq(cop_cancelled(), 0);
    ck_assert_int_eq(cop_context_leave(inner), -EINVAL);
    leave(outer);
    ck_assert_int_eq(cop_context_leave(outer), -EINVAL);
    cop_context_free(outer);
    cop_context_free(inner);
}

TEST(without_memory_there_is_no_context_and_none_is_entered)
{
    cop_context *context = new_context(COP_FOREVER);
    cop_context_cancel(context, cause("cancelled"));
    copi_alloc_fail_after(0);
    cop_context *none = cop_context_new(COP_FOREVER);
    int why = cop_why().code;
    cop_context *detached = cop_context_detached(COP_FOREVER);
    int r = cop_context_enter(context);
    copi_alloc_fail_after(-1);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(why, -ENOMEM);
    ck_assert_ptr_null(detached);
    ck_assert_int_eq(r, -ENOMEM);
    ck_assert_int_eq(cop_cancelled(), 0);
    ck_assert_int_eq(cop_context_leave(context), -EINVAL);
    cop_context_free(context);
}

TEST(nothing_can_be_freed_and_cancelled)
{
    cop_context_free(NULL);
    cop_context_cancel(NULL, COP_REASON_SHUTDOWN);
}

/* ---------------------------------------------------------------- the tree */

TEST(a_cancellation_reaches_all_below_and_nobody_else) /* CB16 */
{
    cop_context *top = new_context(COP_FOREVER);
    enter(top);
    cop_context *middle = new_context(COP_FOREVER), *sibling = new_context(COP_FOREVER);
    enter(middle);
    cop_context *bottom = new_context(COP_FOREVER), *other = new_context(COP_FOREVER);
    leave(middle);
    leave(top);

    cop_context_cancel(middle, cause("middle"));
    ck_assert_int_eq(state_of(top), 0);
    ck_assert_int_eq(state_of(sibling), 0);
    ck_assert_int_eq(state_of(middle), -ECANCELED);
    ck_assert_int_eq(state_of(other), -ECANCELED);
    ck_assert_int_eq(state_of(bottom), -ECANCELED);
    ck_assert_str_eq(cop_why().text, "middle");
    ck_assert_int_eq(cop_why().code, -EDOM);

    cop_context *all[] = {top, middle, sibling, bottom, other};
    for (size_t i = 0; i < 5; i++) {
        cop_context_free(all[i]);
    }
}

TEST(the_first_cause_stays)
{
    cop_context *outer = new_context(COP_FOREVER);
    enter(outer);
    cop_context *inner = new_context(COP_FOREVER);
    leave(outer);
    cop_context_cancel(inner, cause("first"));
    cop_context_cancel(inner, cause("second"));
    cop_context_cancel(outer, cause("third"));
    ck_assert_int_eq(state_of(inner), -ECANCELED);
    ck_assert_str_eq(cop_why().text, "first");
    ck_assert_int_eq(state_of(outer), -ECANCELED);
    ck_assert_str_eq(cop_why().text, "third");
    cop_context_free(outer);
    cop_context_free(inner);
}

TEST(below_a_cancelled_context_all_are_cancelled) /* CB16 */
{
    cop_context *outer = new_context(COP_FOREVER);
    cop_context_cancel(outer, cause("before"));
    enter(outer);
    cop_context *inner = new_context(COP_FOREVER);
    leave(outer);
    ck_assert_int_eq(state_of(inner), -ECANCELED);
    ck_assert_str_eq(cop_why().text, "before");
    cop_context_free(outer);
    cop_context_free(inner);
}

TEST(leaving_brings_the_outer_context_back)
{
    cop_context *outer = new_context(COP_FOREVER), *inner = cop_context_detached(COP_FOREVER);
    cop_context_cancel(outer, cause("outer"));
    enter(outer);
    enter(inner);
    ck_assert_int_eq(cop_sleep(COP_US(1)), 0);
    leave(inner);
    ck_assert_int_eq(cop_sleep(COP_US(1)), -ECANCELED);
    leave(outer);
    ck_assert_int_eq(cop_sleep(COP_US(1)), 0);
    cop_context_free(outer);
    cop_context_free(inner);
}

TEST(one_context_can_be_entered_twice)
{
    cop_context *context = new_context(COP_FOREVER);
    enter(context);
    enter(context);
    leave(context);
    cop_context_cancel(context, cause("twice"));
    ck_assert_int_eq(cop_cancelled(), -ECANCELED);
    leave(context);
    ck_assert_int_eq(cop_cancelled(), 0);
    cop_context_free(context);
}

TEST(a_detached_context_is_below_nobody)
{
    cop_context *outer = new_context(COP_US(1));
    enter(outer);
    cop_context *detached = cop_context_detached(COP_FOREVER);
    cop_context_cancel(outer, cause("outer"));
    ck_assert_int_eq(state_of(detached), 0);
    leave(outer);
    cop_context_free(outer);
    cop_context_free(detached);
}

TEST(freeing_a_context_neither_cancels_it_nor_lifts_its_deadline)
{
    cop_context *context = new_context(COP_MS(20));
    enter(context);
    cop_context_free(context);
    ck_assert_int_eq(cop_cancelled(), 0);
    ck_assert_int_eq(cop_sleep(COP_FOREVER), -ETIMEDOUT);
    leave(context);
}

TEST(a_freed_parent_still_cancels_and_limits_what_is_below)
{
    cop_context *parent = new_context(COP_MS(20));
    enter(parent);
    cop_context *child = new_context(COP_FOREVER);
    leave(parent);
    cop_context_free(parent);
    enter(child);
    ck_assert_int_eq(cop_sleep(COP_FOREVER), -ETIMEDOUT);
    leave(child);
    cop_context_free(child);
}

TEST(contexts_nest_as_deep_as_a_program_likes)
{
    enum {
        DEEP = 20000
    };
    static cop_context *contexts[DEEP];
    for (int i = 0; i < DEEP; i++) {
        contexts[i] = new_context(COP_FOREVER);
        enter(contexts[i]);
    }
    cop_context_cancel(contexts[0], cause("top"));
    ck_assert_int_eq(cop_cancelled(), -ECANCELED);
    for (int i = 0; i < DEEP; i++) {
        cop_context_free(contexts[i]); /* from the top: each hangs on those below */
    }
    for (int i = DEEP; i-- > 0;) {
        leave(contexts[i]);
    }
    ck_assert_int_eq(cop_cancelled(), 0);
}

/* ---------------------------------------------------------------- deadlines */

TEST(a_deadline_ends_a_wait_and_never_early)
{
    cop_time begun = cop_now();
    cop_context *context = new_context(COP_MS(20));
    enter(context);
    ck_assert_int_eq(cop_sleep(COP_FOREVER), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - begun, COP_MS(20));
    ck_assert_int_eq(cop_cancelled(), -ETIMEDOUT);
    ck_assert_int_eq(cop_why().code, -ETIMEDOUT);
    leave(context);
    cop_context_free(context);
}

TEST(a_parents_earlier_deadline_counts) /* DL01 */
{
    cop_context *parent = new_context(COP_MS(10));
    enter(parent);
    cop_context *child = new_context(COP_SEC(3600));
    enter(child);
    ck_assert_int_eq(cop_sleep(COP_FOREVER), -ETIMEDOUT);
    leave(child);
    leave(parent);
    cop_context_free(parent);
    cop_context_free(child);
}

TEST(a_childs_earlier_deadline_is_its_own) /* DL01 */
{
    cop_context *parent = new_context(COP_SEC(3600));
    enter(parent);
    cop_context *child = new_context(COP_MS(5));
    enter(child);
    ck_assert_int_eq(cop_sleep(COP_FOREVER), -ETIMEDOUT);
    leave(child);
    ck_assert_int_eq(cop_cancelled(), 0);
    leave(parent);
    cop_context_free(parent);
    cop_context_free(child);
}

TEST(a_wait_that_ends_before_the_deadline_is_its_own_affair)
{
    cop_msg msg;
    cop_context *context = new_context(COP_SEC(3600));
    enter(context);
    ck_assert_int_eq(cop_sleep(COP_MS(1)), 0);
    ck_assert_int_eq(cop_receive(&msg, COP_MS(1)), -ETIMEDOUT);
    ck_assert_int_eq(cop_cancelled(), 0);
    leave(context);
    cop_context_free(context);
}

TEST(a_timeout_of_0_or_less_is_a_deadline_that_has_passed)
{
    const cop_time timeouts[] = {0, -1, INT64_MIN};
    for (size_t i = 0; i < 3; i++) {
        cop_context *context = new_context(timeouts[i]);
        ck_assert_int_eq(state_of(context), -ETIMEDOUT);
        cop_context_free(context);
    }
}

TEST(what_is_left_is_that_of_the_earliest_deadline)
{
    ck_assert_int_eq(cop_time_left(), COP_FOREVER);
    cop_context *parent = new_context(COP_SEC(60));
    enter(parent);
    cop_context *child = new_context(COP_SEC(3600)), *over = new_context(0);
    cop_time left = cop_time_left();
    ck_assert(left > 0 && left <= COP_SEC(60));
    enter(child);
    ck_assert_int_le(cop_time_left(), left);
    leave(child);
    enter(over);
    ck_assert_int_eq(cop_time_left(), 0);
    leave(over);
    leave(parent);
    cop_context_free(parent);
    cop_context_free(child);
    cop_context_free(over);
}

struct errand {
    cop_time deadline;
};

/* Is late, then does what it was sent within what is left. */
static int
run_errand(cop_bytes arg)
{
    cop_msg msg;
    (void)arg;
    cop_sleep(COP_MS(50));
    ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    const struct errand *errand = COP_BODY(msg, struct errand);
    cop_context *context = new_context(errand->deadline - cop_now());
    cop_time end = errand->deadline;
    enter(context);
    ck_assert_int_le(cop_time_left(), COP_MS(150)); /* the queue has had its part */
    ck_assert_int_eq(cop_sleep(COP_FOREVER), -ETIMEDOUT);
    ck_assert_int_ge(cop_now(), end);
    leave(context);
    cop_context_free(context);
    return 0;
}

TEST(a_deadline_crosses_in_a_message_and_the_time_in_the_queue_counts) /* DL02 */
{
    cop_pid pid;
    cop_ref monitor;
    cop_context *context = new_context(COP_MS(200));
    enter(context);
    ck_assert_int_eq(cop_spawn(&pid, run_errand, .monitor = &monitor), 0);
    struct errand errand = {cop_now() + cop_time_left()};
    leave(context);
    ck_assert_int_eq(cop_send(pid, COP_MSG_OF(GO, errand)), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    cop_context_free(context);
}

TEST(cancelled_and_late_are_told_apart_and_the_cause_is_the_outermosts) /* DL04 */
{
    cop_context *outer = new_context(COP_FOREVER);
    enter(outer);
    cop_context *middle = new_context(COP_FOREVER), *late = new_context(0);
    enter(middle);
    cop_context *inner = new_context(COP_FOREVER);
    ck_assert_int_eq(state_of(late), -ETIMEDOUT);
    ck_assert_int_eq(state_of(inner), 0);
    cop_context_cancel(outer, cause("the outermost"));
    enter(inner);
    ck_assert_int_eq(cop_sleep(COP_FOREVER), -ECANCELED);
    ck_assert_int_eq(cop_why().code, -EDOM);
    ck_assert_str_eq(cop_why().text, "the outermost");
    leave(inner);
    leave(middle);
    leave(outer);
    cop_context *all[] = {outer, middle, late, inner};
    for (size_t i = 0; i < 4; i++) {
        cop_context_free(all[i]);
    }
}

/* ---------------------------------------------------------------- what it ends */

static struct {
    cop_context *_Atomic context;
    _Atomic cop_time after;
} to_cancel;

static void *
cancel_later(void *unused)
{
    (void)unused;
    usleep((useconds_t)(atomic_load(&to_cancel.after) / COP_US(1)));
    cop_context_cancel(atomic_load(&to_cancel.context), cause("later"));
    return NULL;
}

TEST_TIMES(CALLS, a_cancellation_wakes_every_kind_of_blocking_call) /* DL05 */
{
    start_what_blocks();
    for (int i = 0; i < 30; i++) {
        pthread_t thread;
        cop_context *context = new_context(COP_FOREVER);
        atomic_store(&to_cancel.context, context);
        atomic_store(&to_cancel.after,
                     COP_US((cop_time)i * 20)); /* before, while and after it falls asleep */
        ck_assert_int_eq(pthread_create(&thread, NULL, cancel_later, NULL), 0);
        enter(context);
        ck_assert_int_eq(block_in((enum call)_i), -ECANCELED);
        ck_assert_str_eq(cop_why().text, "later");
        leave(context);
        pthread_join(thread, NULL);
        cop_context_free(context);
    }
    end_what_blocks();
}

TEST_TIMES(CALLS, in_a_cancelled_context_every_blocking_call_returns_at_once)
{
    start_what_blocks();
    cop_context *context = new_context(COP_FOREVER);
    cop_context_cancel(context, cause("before"));
    enter(context);
    ck_assert_int_eq(block_in((enum call)_i), -ECANCELED);
    ck_assert_str_eq(cop_why().text, "before");
    leave(context);
    cop_context_free(context);
    end_what_blocks();
}

TEST_TIMES(CALLS, a_deadline_ends_every_kind_of_blocking_call)
{
    start_what_blocks();
    cop_time begun = cop_now();
    cop_context *context = new_context(COP_MS(10));
    enter(context);
    ck_assert_int_eq(block_in((enum call)_i), -ETIMEDOUT);
    ck_assert_int_ge(cop_now() - begun, COP_MS(10));
    leave(context);
    cop_context_free(context);
    end_what_blocks();
}

TEST(a_timeout_of_0_takes_what_is_there_even_when_cancelled)
{
    cop_msg msg;
    cop_context *context = new_context(COP_FOREVER);
    cop_context_cancel(context, cause("cancelled"));
    cop_send(cop_self(), COP_TAG(GO));
    enter(context);
    ck_assert_int_eq(cop_receive(&msg, COP_SEC(1)), -ECANCELED);
    ck_assert_int_eq(cop_receive(&msg, 0), 0);
    ck_assert_uint_eq(msg.tag, GO);
    leave(context);
    cop_context_free(context);
}

/* ---------------------------------------------------------------- processes */

static int
say_whether_cancelled(cop_bytes arg)
{
    (void)arg;
    int r = cop_cancelled();
    return r ? -EDOM : 0; /* ECANCELED would say something else */
}

static cop_reason
end_of_process_in(cop_context *context)
{
    cop_ref monitor;
    ck_assert_int_eq(
        cop_spawn(NULL, say_whether_cancelled, .context = context, .monitor = &monitor), 0);
    return test_down(monitor);
}

TEST(a_process_starts_in_the_root_context_and_not_in_the_starters)
{
    cop_context *context = new_context(COP_FOREVER);
    cop_context_cancel(context, cause("cancelled"));
    enter(context);
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, say_whether_cancelled, .monitor = &monitor), 0);
    leave(context);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    cop_context_free(context);
}

TEST(a_process_runs_in_the_context_that_it_is_given)
{
    cop_context *context = new_context(COP_FOREVER);
    ck_assert_int_eq(end_of_process_in(context).kind, COP_NORMAL);
    cop_context_cancel(context, cause("cancelled"));
    ck_assert_int_eq(end_of_process_in(context).code, -EDOM);
    cop_context_free(context);
}

static _Atomic bool sleeps;

static int
sleep_and_say_why(cop_bytes arg)
{
    (void)arg;
    atomic_store(&sleeps, true);
    int r = cop_sleep(COP_FOREVER);
    return r == -ECANCELED && strcmp(cop_why().text, "later") == 0 ? -EDOM : r;
}

TEST(a_process_holds_its_context_when_the_creator_has_freed_it)
{
    cop_context *outer = new_context(COP_FOREVER);
    enter(outer);
    cop_context *inner = new_context(COP_FOREVER);
    leave(outer);
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, sleep_and_say_why, .context = inner, .monitor = &monitor), 0);
    cop_context_free(inner);
    EVENTUALLY(atomic_load(&sleeps));
    cop_context_cancel(outer, cause("later"));
    ck_assert_int_eq(test_down(monitor).code, -EDOM);
    cop_context_free(outer);
}

static int
end_inside(cop_bytes arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        cop_context *context = cop_context_new(COP_FOREVER);
        cop_context_enter(context);
        cop_context_free(context);
    }
    cop_exit(cop_failed(-EIO, NULL));
}

TEST(a_process_that_ends_inside_contexts_lets_go_of_them) /* a leak checker sees to the rest */
{
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(NULL, end_inside, .monitor = &monitor), 0);
    ck_assert_int_eq(test_down(monitor).code, -EIO);
}

TEST(a_context_that_a_process_has_entered_outlives_a_calls_end)
{
    cop_context *context = new_context(COP_FOREVER);
    enter(context);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(cop_sleep(0), 0);
    }
    cop_context_cancel(context, cause("still there"));
    ck_assert_int_eq(cop_sleep(COP_MS(1)), -ECANCELED);
    leave(context);
    cop_context_free(context);
}

static int
ask_whether_to_stop(cop_bytes arg)
{
    (void)arg;
    atomic_store(&sleeps, true);
    for (cop_time until = cop_now() + SOON; cop_now() < until;) {
        int r = cop_cancelled(); /* a loop that makes no blocking call */
        if (r) {
            return r == -ECANCELED && cop_why().kind == COP_SHUTDOWN ? 0 : r;
        }
    }
    return -ETIMEDOUT;
}

TEST(a_loop_learns_that_the_process_is_asked_to_stop)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, ask_whether_to_stop, .monitor = &monitor), 0);
    EVENTUALLY(atomic_load(&sleeps));
    cop_exit_signal(pid, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
}

TEST(what_succeeds_leaves_cop_why_as_it_was)
{
    ck_assert_int_eq(cop_context_enter(NULL), -EINVAL);
    cop_context *context = new_context(COP_FOREVER);
    enter(context);
    ck_assert_int_eq(cop_cancelled(), 0);
    leave(context);
    cop_context_free(context);
    ck_assert_int_eq(cop_why().code, -EINVAL);
}

static int
sleep_in_it(cop_bytes arg)
{
    (void)arg;
    int r = 0;
    while (r == 0) {
        r = cop_sleep(COP_US(50)); /* they come and go in the list of those who wait */
    }
    return r;
}

/* ---------------------------------------------------------------- who watches a context */

struct witness {
    struct copi_context_watch watch;
    cop_context *context;
    atomic_uint told;
};

static void
note_told(struct copi_context_watch *watch)
{
    struct witness *witness = (struct witness *)(void *)watch;
    enter(witness->context); /* no lock is held */
    ck_assert_int_eq(cop_cancelled(), -ECANCELED);
    leave(witness->context);
    witness->told++;
}

static void
begin_watch(struct witness *witness, cop_context *context)
{
    *witness = (struct witness){.watch.cancelled = note_told, .context = context};
    ck_assert(copi_context_watch(context, &witness->watch));
}

TEST(a_cancelled_context_cannot_be_watched)
{
    struct witness witness = {.watch.cancelled = note_told};
    cop_context *context = new_context(COP_FOREVER);
    cop_context_cancel(context, cause("enough"));
    ck_assert(!copi_context_watch(context, &witness.watch));
    ck_assert(!copi_context_unwatch(&witness.watch));
    ck_assert_uint_eq(witness.told, 0);
    cop_context_free(context);
}

TEST(who_watches_is_told_once_of_a_cancellation_there_or_above)
{
    struct witness above, there[3], beside;
    cop_context *parent = new_context(COP_FOREVER);
    enter(parent);
    cop_context *child = new_context(COP_FOREVER), *sibling = new_context(COP_FOREVER);
    leave(parent);
    begin_watch(&above, parent);
    begin_watch(&beside, sibling);
    for (int i = 0; i < 3; i++) {
        begin_watch(&there[i], child);
    }
    cop_context_cancel(child, cause("enough"));
    cop_context_cancel(child, cause("again"));
    ck_assert_uint_eq(above.told + beside.told, 0);
    cop_context_cancel(parent, cause("all"));
    ck_assert_uint_eq(above.told, 1);
    ck_assert_uint_eq(beside.told, 1);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(there[i].told, 1);
        ck_assert(!copi_context_unwatch(&there[i].watch));
    }
    cop_context_free(child);
    cop_context_free(sibling);
    cop_context_free(parent);
}

TEST_TIMES(3, who_watches_no_longer_is_not_told)
{
    struct witness all[3];
    cop_context *context = new_context(COP_FOREVER);
    for (int i = 0; i < 3; i++) {
        begin_watch(&all[i], context);
    }
    ck_assert(copi_context_unwatch(&all[_i].watch)); /* the first, one between, the last */
    ck_assert(!copi_context_unwatch(&all[_i].watch));
    cop_context_cancel(context, cause("enough"));
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(all[i].told, i != _i);
    }
    cop_context_free(context);
}

static void *
cancel_it(void *context)
{
    cop_context_cancel(context, cause("enough"));
    return NULL;
}

TEST(who_stops_to_watch_during_a_cancellation_is_told_or_not_and_knows_which)
{
    for (int i = 0; i < 200; i++) {
        struct witness witness;
        pthread_t thread;
        cop_context *context = new_context(COP_FOREVER);
        begin_watch(&witness, context);
        ck_assert_int_eq(pthread_create(&thread, NULL, cancel_it, context), 0);
        cop_sleep(COP_US(i % 40));
        bool was_told = !copi_context_unwatch(&witness.watch);
        pthread_join(thread, NULL);
        ck_assert_uint_eq(witness.told, was_told);
        cop_context_free(context);
    }
}

TEST(many_wait_in_one_context)
{
    enum {
        MANY = 50
    };
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_ref monitors[MANY];
    for (int i = 0; i < MANY; i++) {
        cop_spawn(NULL, sleep_in_it, .context = context, .monitor = &monitors[i]);
    }
    cop_sleep(COP_MS(5));
    cop_context_cancel(context, cop_failed(-EIO, NULL));
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(test_down(monitors[i]).code, -ECANCELED);
    }
    cop_context_free(context);
}

SUITE("context")
