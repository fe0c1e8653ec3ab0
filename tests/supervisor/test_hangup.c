/*
 * tests/supervisor/test_hangup.c - SIGHUP, as a message to whoever wants to hear of it.
 *
 * Room: tests/. The signal itself: test_daemon.c.
 */
#include "runtime/alloc.h"
#include "supervisor/hangup.h"
#include "tests/runtime/no_timers.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <pthread.h>

enum {
    AGAIN = 7,
    ONCE_MORE,
};

TEST(a_tag_of_the_library_s_is_refused)
{
    ck_assert_int_eq(cop_on_hangup(COP_MSG_RESERVED), -EINVAL);
}

TEST(without_memory_nobody_is_told)
{
    cop_self();
    copi_alloc_fail_after(0);
    ck_assert_int_eq(cop_on_hangup(AGAIN), -ENOMEM);
    copi_alloc_fail_after(-1);
    copi_hangup();
    ck_assert(!test_has_mail());
}

static void *
ask_without_memory(void *result)
{
    copi_alloc_fail_after(0);
    *(int *)result = cop_on_hangup(AGAIN);
    copi_alloc_fail_after(-1);
    return NULL;
}

TEST(a_thread_that_cannot_become_a_process_is_not_told)
{
    int r = 0;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_without_memory, &r), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(r, -ENOMEM);
}

TEST(who_has_not_asked_hears_nothing)
{
    cop_self();
    copi_hangup();
    ck_assert(!test_has_mail());
}

TEST(each_one_is_a_message_with_the_tag_asked_for_last)
{
    ck_assert_int_eq(cop_on_hangup(AGAIN), 0);
    copi_hangup();
    copi_hangup();
    cop_msg first = test_receive(AGAIN);
    ck_assert_uint_eq(first.body.size, 0);
    test_receive(AGAIN);
    ck_assert_int_eq(cop_on_hangup(ONCE_MORE), 0);
    copi_hangup();
    test_receive(ONCE_MORE);
    ck_assert(!test_has_mail());
}

static int
listen_and_end(cop_bytes unused)
{
    (void)unused;
    return cop_on_hangup(AGAIN);
}

TEST(who_has_ended_is_forgotten)
{
    cop_ref down;
    ck_assert_int_eq(cop_spawn(NULL, listen_and_end, .monitor = &down), 0);
    test_down(down);
    copi_hangup();
}

/* ---------------------------------------------------------------- without memory */

/* On a thread of its own, so with no message of before to use again. */
static int
listen_and_hear_without_memory(cop_bytes unused)
{
    (void)unused;
    cop_msg msg;
    int r = cop_on_hangup(AGAIN);
    copi_alloc_fail_after(0);
    copi_hangup();
    copi_alloc_fail_after(-1);
    return r ? r : cop_receive(&msg, SOON);
}

TEST(whom_there_is_no_memory_to_tell_is_told_later)
{
    cop_ref down;
    cop_cancel_timer(cop_start_timer(cop_self(), AGAIN, SOON),
                     NULL); /* there is one to tell it later */
    ck_assert_int_eq(
        cop_spawn(NULL, listen_and_hear_without_memory, .monitor = &down, .fresh_thread = true), 0);
    ck_assert_int_eq(test_down(down).kind, COP_NORMAL);
}

/* More than are told later: MANY of supervisor/hangup.c's sixteen. */
enum {
    MANY = 20
};
static atomic_int listening, have_heard;

static int
listen(cop_bytes unused)
{
    (void)unused;
    cop_msg msg;
    int r = cop_on_hangup(AGAIN);
    listening++;
    r = r ? r : cop_receive(&msg, COP_FOREVER);
    have_heard += r == 0 && msg.tag == AGAIN;
    return r;
}

static int
hang_up_without_memory(cop_bytes unused)
{
    (void)unused;
    copi_alloc_fail_after(0);
    copi_hangup();
    copi_alloc_fail_after(-1);
    return 0;
}

TEST(of_too_many_some_are_told_later_and_the_others_are_reported)
{
    cop_ref down;
    cop_cancel_timer(cop_start_timer(cop_self(), AGAIN, SOON), NULL); /* there is one */
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(cop_spawn(NULL, listen), 0);
    }
    EVENTUALLY(listening == MANY);
    test_catch_stderr();
    ck_assert_int_eq(
        cop_spawn(NULL, hang_up_without_memory, .monitor = &down, .fresh_thread = true), 0);
    ck_assert_int_eq(test_down(down).kind, COP_NORMAL);
    char *said = test_caught_stderr();
    ck_assert_uint_ge(test_count(said, "no memory to tell a process of SIGHUP"), 1);
    free(said);
    EVENTUALLY(have_heard > 0);
    copi_hangup();
    EVENTUALLY(have_heard == MANY);
}

static int
listen_and_hear_nothing(cop_bytes unused)
{
    (void)unused;
    int r = cop_on_hangup(AGAIN);
    has_no_timers = true;
    copi_alloc_fail_after(0);
    copi_hangup();
    copi_alloc_fail_after(-1);
    has_no_timers = false;
    return r;
}

TEST(whom_there_is_no_memory_to_tell_later_either_is_reported)
{
    cop_ref down;
    test_catch_stderr();
    ck_assert_int_eq(
        cop_spawn(NULL, listen_and_hear_nothing, .monitor = &down, .fresh_thread = true), 0);
    ck_assert_int_eq(test_down(down).kind, COP_NORMAL);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "no memory to tell a process of SIGHUP"), 1);
    free(said);
}

SUITE("hangup")
