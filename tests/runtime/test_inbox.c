/*
 * tests/runtime/test_inbox.c - what a process has taken in, and how it receives.
 *
 * Room: tests/.
 */
#include "runtime/table.h"
#include "tests/support/support.h"

#include <time.h>

enum {
    A = 1,
    B,
    C
};

static atomic_int dropped;
static char body[16];

static void
count_drop(void *data)
{
    (void)data;
    atomic_fetch_add(&dropped, 1);
}

#define MOVED(tag) COP_MSG_MOVE((tag), body, sizeof body, count_drop)

static void
send_to_self(uint32_t tag)
{
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(tag)), 0);
}

static bool
has_tag(const cop_msg *msg, void *tag)
{
    return msg->tag == *(uint32_t *)tag;
}

static int
receive_tag(cop_msg *out, uint32_t tag, cop_time timeout)
{
    return cop_receive_match(out, has_tag, &tag, timeout);
}

/* ---------------------------------------------------------------- nothing comes */

TEST(a_receive_that_looks_only_does_not_wait)
{
    cop_msg msg = {.tag = 42};
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_receive(&msg, -1), -ETIMEDOUT);
    ck_assert_int_eq(receive_tag(&msg, A, 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_why().code, -ETIMEDOUT);
    ck_assert_uint_eq(msg.tag, 42); /* written on success only */
}

TEST(a_receive_gives_up_at_its_deadline_and_not_before)
{
    cop_msg msg;
    cop_time before = cop_now();
    ck_assert_int_eq(cop_receive(&msg, COP_MS(20)), -ETIMEDOUT);
    ck_assert(cop_now() >= before + COP_MS(20));
    send_to_self(B); /* that another message is there changes nothing */
    before = cop_now();
    ck_assert_int_eq(receive_tag(&msg, A, COP_MS(20)), -ETIMEDOUT);
    ck_assert(cop_now() >= before + COP_MS(20));
    test_receive(B);
}

TEST(the_contexts_deadline_ends_a_receive)
{
    cop_msg msg;
    cop_time before = cop_now();
    cop_context *context = cop_context_new(COP_MS(20));
    cop_context_enter(context);
    ck_assert_int_eq(cop_receive(&msg, COP_FOREVER), -ETIMEDOUT);
    ck_assert_int_eq(receive_tag(&msg, A, COP_FOREVER), -ETIMEDOUT);
    ck_assert(cop_now() >= before + COP_MS(20));
    cop_context_leave(context);
    cop_context_free(context);
}

TEST(who_is_cancelled_receives_only_what_is_there_and_only_without_waiting)
{
    cop_msg msg;
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_context_enter(context);
    cop_context_cancel(context, cop_failed(-EIO, "enough"));
    send_to_self(A);
    ck_assert_int_eq(cop_receive(&msg, COP_FOREVER), -ECANCELED);
    ck_assert_str_eq(cop_why().text, "enough");
    ck_assert_int_eq(receive_tag(&msg, A, COP_SEC(1)), -ECANCELED);
    ck_assert_int_eq(cop_receive(&msg, 0), 0);
    ck_assert_uint_eq(msg.tag, A);
    ck_assert_int_eq(cop_receive(&msg, 0), -ECANCELED);
    cop_context_leave(context);
    cop_context_free(context);
}

/* ---------------------------------------------------------------- selective receive */

TEST(what_a_selective_receive_passes_over_stays_in_order)
{
    cop_msg msg;
    const uint32_t tags[] = {A, B, A, C, B, A};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        send_to_self(tags[i]);
    }
    ck_assert_int_eq(receive_tag(&msg, C, 0), 0);
    ck_assert_int_eq(receive_tag(&msg, B, 0), 0);
    const uint32_t left[] = {A, A, B, A};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        test_receive(left[i]);
    }
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

TEST(of_those_that_match_the_oldest_comes)
{
    cop_msg msg;
    for (int i = 0; i < 5; i++) {
        send_to_self(B);
        cop_send(cop_self(), COP_MSG_OF(A, i));
    }
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(receive_tag(&msg, A, 0), 0);
        ck_assert_int_eq(*COP_BODY(msg, int), i);
    }
}

TEST(the_last_of_the_inbox_can_be_picked_and_more_can_follow)
{
    cop_msg msg;
    send_to_self(A);
    send_to_self(B);
    ck_assert_int_eq(receive_tag(&msg, B, 0), 0);
    send_to_self(C);
    test_receive(A);
    test_receive(C);
}

static int
send_three_later(cop_bytes arg)
{
    cop_pid to;
    memcpy(&to, arg.data, sizeof to);
    for (uint32_t tag = A; tag <= C; tag++) {
        cop_sleep(COP_MS(2));
        cop_send(to, COP_TAG(tag));
    }
    return 0;
}

TEST(a_selective_receive_waits_for_what_it_wants)
{
    cop_msg msg;
    cop_pid self = cop_self();
    cop_spawn(NULL, send_three_later, .arg = COP_BYTES(self));
    ck_assert_int_eq(receive_tag(&msg, C, SOON), 0);
    test_receive(A);
    test_receive(B);
}

static int asked;

static bool
ask_about(const cop_msg *msg, void *env)
{
    asked++;
    return has_tag(msg, env);
}

TEST(no_message_is_asked_about_twice_in_one_receive)
{
    cop_msg msg;
    uint32_t wanted = C;
    cop_pid self = cop_self();
    for (int i = 0; i < 100; i++) {
        send_to_self(A);
    }
    cop_spawn(NULL, send_three_later, .arg = COP_BYTES(self));
    ck_assert_int_eq(cop_receive_match(&msg, ask_about, &wanted, SOON), 0);
    ck_assert_int_eq(asked, 103);
}

static bool
exit_in_predicate(const cop_msg *msg, void *env)
{
    (void)msg, (void)env;
    cop_exit(cop_failed(-EIO, "in a predicate"));
}

static atomic_int went_on;

static int
receive_with_exit(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_send(cop_self(), COP_TAG(A));
    int r = cop_receive_match(&msg, exit_in_predicate, NULL, 0);
    atomic_store(&went_on, r == 0 ? 1 : 2);
    return 0;
}

TEST(a_process_does_not_end_in_a_predicate)
{
    cop_ref monitor;
    cop_spawn(NULL, receive_with_exit, .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).code, -EIO);
    ck_assert_int_eq(went_on, 0); /* it ended in the receive, after the predicate */
}

/* ---------------------------------------------------------------- signals act first */

static atomic_int received;
static atomic_bool has_begun, may_go_on;

static int
receive_all(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    while (cop_receive(&msg, COP_FOREVER) == 0) {
        atomic_fetch_add(&received, 1);
        atomic_store(&has_begun, true);
        while (!atomic_load(&may_go_on)) {
            struct timespec pause = {.tv_nsec = 100000};
            nanosleep(&pause, NULL);
        }
    }
    return 0;
}

TEST(an_exit_signal_acts_before_the_messages_that_wait)
{
    cop_pid pid;
    cop_ref monitor;
    cop_spawn(&pid, receive_all, .monitor = &monitor);
    for (int i = 0; i < 100; i++) {
        cop_send(pid, COP_TAG(A));
    }
    EVENTUALLY(has_begun); /* the others may be taken in already, or not */
    cop_exit_signal(pid, cop_failed(-EIO, NULL));
    atomic_store(&may_go_on, true);
    ck_assert_int_eq(test_down(monitor).code, -EIO);
    ck_assert_int_eq(received, 1);
}

static int
send_shutdown_to_oneself(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_send(cop_self(), COP_TAG(A));
    cop_send(cop_self(), COP_TAG(B));
    cop_assert(cop_receive(&msg, COP_FOREVER) == 0);
    cop_exit_signal(cop_self(), COP_REASON_SHUTDOWN);
    cop_assert(cop_receive(&msg, COP_FOREVER) == -ECANCELED);
    cop_assert(cop_receive(&msg, 0) == 0 && msg.tag == B);
    return 0;
}

TEST(a_request_to_stop_overtakes_messages_and_leaves_them_to_be_looked_at)
{
    cop_ref monitor;
    cop_spawn(NULL, send_shutdown_to_oneself, .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).kind, COP_SHUTDOWN);
}

static int
trap_and_receive(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_trap_exits(true);
    cop_send(cop_self(), COP_TAG(A));
    cop_exit_signal(cop_self(), cop_failed(-EIO, NULL));
    cop_send(cop_self(), COP_TAG(B));
    cop_assert(cop_receive(&msg, 0) == 0 && msg.tag == A);
    cop_assert(cop_receive(&msg, 0) == 0 && msg.tag == COP_MSG_EXIT);
    cop_assert(COP_BODY(msg, struct cop_exited)->reason.code == -EIO);
    cop_assert(cop_receive(&msg, 0) == 0 && msg.tag == B);
    return 0;
}

TEST(a_trapped_exit_keeps_its_place_among_the_messages)
{
    cop_ref monitor;
    cop_spawn(NULL, trap_and_receive, .monitor = &monitor);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

/* ---------------------------------------------------------------- letting messages gather */

/* Which he does only where there is a core to spare. */
static struct copi_process *
receiver_that_lets_gather(void)
{
    struct copi_process *self = copi_table_find(cop_self());
    self->pace = 8;
    return self;
}

static void
send_and_receive(int count)
{
    cop_msg msg;
    for (int i = 0; i < count; i++) {
        send_to_self(A);
    }
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    }
}

TEST(who_lets_messages_gather_for_one_does_not_do_so_again_soon)
{
    struct copi_process *self = receiver_that_lets_gather();
    bool is_allowed = copi_spin_allowed();
    send_and_receive(1);
    ck_assert_uint_eq(self->pace, is_allowed ? 0 : 8);
    for (int i = 0; i < 20; i++) {
        send_and_receive(1);
    }
    ck_assert_uint_eq(self->pace, is_allowed ? 0 : 8);
}

TEST(who_gets_more_when_messages_gather_lets_more_gather)
{
    struct copi_process *self = receiver_that_lets_gather();
    bool is_allowed = copi_spin_allowed();
    send_and_receive(2);
    ck_assert_uint_eq(self->pace, is_allowed ? 9 : 8);
}

TEST(who_takes_messages_singly_tries_to_let_them_gather_in_the_end)
{
    struct copi_process *self = copi_table_find(cop_self());
    for (int i = 0; i < 1000 && self->pace == 0; i++) {
        send_and_receive(1);
    }
    ck_assert_uint_gt(self->pace, 0);
}

/* ---------------------------------------------------------------- bodies */

TEST(a_body_lives_until_the_next_receive_and_a_sleep_does_not_end_it)
{
    cop_msg msg;
    uint64_t value = 0x1122334455667788;
    cop_send(cop_self(), COP_MSG_OF(A, value));
    ck_assert_int_eq(cop_receive(&msg, 0), 0);
    for (int i = 0; i < 10; i++) {
        send_to_self(B);
    }
    cop_sleep(COP_MS(1));
    cop_checkpoint();
    ck_assert(*COP_BODY(msg, uint64_t) == value);
}

TEST(a_moved_body_is_dropped_by_the_next_receive_also_by_one_that_fails)
{
    cop_msg msg;
    cop_send(cop_self(), MOVED(A));
    ck_assert_int_eq(cop_receive(&msg, 0), 0);
    ck_assert_ptr_eq(msg.body.data, body);
    ck_assert_int_eq(dropped, 0);
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
    ck_assert_int_eq(dropped, 1);
}

static int
receive_and_end(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    cop_assert(cop_receive(&msg, COP_FOREVER) == 0);
    cop_assert(atomic_load(&dropped) == 0);
    return 0;
}

TEST(a_moved_body_is_dropped_when_its_receiver_ends)
{
    cop_pid pid;
    cop_ref monitor;
    cop_spawn(&pid, receive_and_end, .monitor = &monitor);
    cop_send(pid, MOVED(A));
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    EVENTUALLY(dropped == 1);
}

TEST(a_moved_body_that_is_taken_is_the_receivers)
{
    cop_msg msg;
    cop_send(cop_self(), MOVED(A));
    cop_receive(&msg, 0);
    ck_assert_ptr_eq(cop_msg_take(&msg), body);
    ck_assert_ptr_null(cop_msg_take(&msg)); /* once */
    cop_receive(&msg, 0);
    ck_assert_int_eq(dropped, 0);
}

TEST(a_body_that_was_taken_in_another_copy_of_the_message_is_not_dropped)
{
    cop_msg msg, copy;
    cop_send(cop_self(), MOVED(A));
    cop_receive(&msg, 0);
    copy = msg;
    ck_assert_ptr_eq(cop_msg_take(&copy), body);
    cop_receive(&msg, 0);
    ck_assert_int_eq(dropped, 0);
}

TEST(a_copied_body_cannot_be_taken_small_or_large)
{
    static char large[5000];
    cop_msg msg;
    int small = 7;
    cop_send(cop_self(), COP_MSG_OF(A, small));
    cop_receive(&msg, 0);
    ck_assert_ptr_null(cop_msg_take(&msg));
    ck_assert_int_eq(*COP_BODY(msg, int), 7);
    cop_send(cop_self(), COP_MSG_OF(A, large));
    cop_receive(&msg, 0);
    ck_assert_ptr_null(cop_msg_take(&msg));
    ck_assert_uint_eq(msg.body.size, sizeof large);
}

static int
misread(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    int four = 4;
    cop_send(cop_self(), COP_MSG_OF(A, four));
    cop_receive(&msg, 0);
    return (int)*COP_BODY(msg, uint64_t);
}

TEST(a_body_of_another_size_crashes_who_reads_it)
{
    cop_ref monitor;
    cop_spawn(NULL, misread, .monitor = &monitor);
    cop_reason reason = test_down(monitor);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -EMSGSIZE);
    ck_assert_ptr_nonnull(strstr(reason.text, "a body of 4 bytes, not 8"));
}

TEST(bodies_are_aligned_whatever_their_size)
{
    cop_msg msg;
    static char bytes[3000];
    for (size_t size = 1; size < sizeof bytes; size = size * 2 + 1) {
        cop_send(cop_self(), (cop_msg){.tag = A, .body = {bytes, size}});
        cop_receive(&msg, 0);
        ck_assert_uint_eq(msg.body.size, size);
        ck_assert_uint_eq((uintptr_t)msg.body.data % 8, 0);
    }
}

SUITE("inbox")
