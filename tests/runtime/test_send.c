/*
 * tests/runtime/test_send.c - how a message gets into a mailbox, and bounds.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/message.h"
#include "runtime/send.h"
#include "runtime/table.h"
#include "tests/support/support.h"

#include <unistd.h>

enum {
    STOP = 1,
    WORK = 2,
    READY = 3
};

static atomic_int dropped;
static char body[8];

static void
count_drop(void *data)
{
    (void)data;
    atomic_fetch_add(&dropped, 1);
}

#define MOVED COP_MSG_MOVE(WORK, body, sizeof body, count_drop)

static atomic_int numbers_read[64], reads;
static atomic_bool may_read;

/* Leaves its mailbox alone until it may read, then reads all. */
static int
read_later(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    while (!atomic_load(&may_read)) {
        usleep(100); /* no exit point, which would look into the mailbox */
    }
    while (cop_receive(&msg, COP_FOREVER) == 0 && msg.tag != STOP) {
        int number;
        memcpy(&number, msg.body.data, sizeof number);
        atomic_store(&numbers_read[atomic_fetch_add(&reads, 1)], number);
    }
    return 0;
}

static cop_ref monitor;

static cop_pid
start(cop_process_fn run, size_t limit, cop_when_full when_full)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, run, .monitor = &monitor,
                               .mailbox = {.limit = limit, .when_full = when_full}),
                     0);
    return pid;
}

static void
stop(cop_pid pid)
{
    cop_exit_signal(pid, COP_REASON_KILLED);
    atomic_store(&may_read, true);
    test_down(monitor);
}

static int
send_number(cop_pid to, int number)
{
    return cop_send(to, COP_MSG_OF(WORK, number));
}

static size_t
dropped_by(cop_pid pid)
{
    cop_process_info info;
    ck_assert_int_eq(cop_inspect(pid, &info), 0);
    return info.dropped;
}

/* ---------------------------------------------------------------- errors */

TEST(a_reserved_tag_is_refused_and_the_body_stays_the_senders)
{
    cop_msg msg = MOVED;
    msg.tag = COP_MSG_DOWN;
    ck_assert_int_eq(cop_send(cop_self(), msg), -EINVAL);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    ck_assert_int_eq(dropped, 0);
    cop_msg received;
    ck_assert_int_eq(cop_receive(&received, 0), -ETIMEDOUT);
}

TEST(bytes_without_data_are_refused)
{
    ck_assert_int_eq(cop_send(cop_self(), (cop_msg){.tag = WORK, .body = {NULL, 8}}), -EINVAL);
    ck_assert_int_eq(cop_send(cop_self(), (cop_msg){.tag = WORK, .drop = count_drop}), -EINVAL);
    ck_assert_int_eq(dropped, 0);
}

static int
send_moved(void *to)
{
    return cop_send(*(cop_pid *)to, MOVED);
}

TEST(without_memory_nothing_is_sent_and_the_body_stays_the_senders)
{
    int result;
    cop_pid self = cop_self();
    copi_alloc_fail_after(0);
    ck_assert_int_eq(send_moved(&self), -ENOMEM);
    ck_assert_int_eq(dropped, 0);
    ck_assert_uint_ge(test_out_of_memory(send_moved, &self, &result), 1);
    ck_assert_int_eq(result, 0);
    test_receive(WORK);
    cop_msg received;
    ck_assert_int_eq(cop_receive(&received, 0), -ETIMEDOUT);
    ck_assert_int_eq(dropped, 1);
}

TEST(a_full_mailbox_refuses_and_the_body_stays_the_senders)
{
    cop_pid pid = start(read_later, 1, COP_FULL_REJECT);
    ck_assert_int_eq(send_number(pid, 1), 0);
    ck_assert_int_eq(cop_send(pid, MOVED), -EAGAIN);
    ck_assert_int_eq(cop_why().code, -EAGAIN);
    ck_assert_int_eq(dropped, 0);
    ck_assert_uint_eq(dropped_by(pid), 1);
    stop(pid);
}

/* ---------------------------------------------------------------- by reference */

static void
assert_is_moved(const cop_msg *msg)
{
    ck_assert_ptr_eq(msg->body.data, body);
    ck_assert(msg->drop == count_drop);
    ck_assert_uint_eq(msg->from.id, COP_NOBODY.id);
}

TEST(a_message_that_is_sent_by_reference_is_read_and_not_written)
{
    cop_msg msg = MOVED, refused = MOVED, received;
    refused.tag = COP_MSG_DOWN;
    ck_assert_int_eq(cop_send_by(cop_self(), &refused), -EINVAL);
    assert_is_moved(&refused);
    ck_assert_int_eq(cop_send_by(cop_self(), &msg), 0);
    assert_is_moved(&msg);
    ck_assert_int_eq(cop_receive(&received, 0), 0);
    ck_assert_ptr_eq(received.body.data, body);
    ck_assert_int_eq(dropped, 0);
    ck_assert_int_eq(cop_receive(&received, 0), -ETIMEDOUT);
    ck_assert_int_eq(dropped, 1);
}

/* As a program has them that knows of no header: each is a function of the library, too. */
TEST(what_is_inline_in_a_header_can_be_called_through_a_pointer)
{
    int (*volatile send)(cop_pid to, cop_msg msg) = cop_send;
    const void *(*volatile body_of)(cop_msg msg, size_t size) = cop_body;
    int number = 7;
    ck_assert_int_eq(send(cop_self(), COP_MSG_OF(WORK, number)), 0);
    cop_msg received;
    ck_assert_int_eq(cop_receive(&received, 0), 0);
    ck_assert_ptr_eq(body_of(received, sizeof number), received.body.data);
    ck_assert_int_eq(*COP_BODY(received, int), 7);
}

/* ---------------------------------------------------------------- the dead */

TEST(a_message_to_the_dead_is_no_error_and_its_body_is_dropped)
{
    cop_pid pid = start(read_later, 0, COP_FULL_REJECT);
    stop(pid);
    ck_assert_int_eq(cop_send(pid, COP_TAG(WORK)), 0);
    ck_assert_int_eq(cop_send(pid, MOVED), 0);
    ck_assert_int_eq(dropped, 1);
    ck_assert_int_eq(cop_send(COP_NOBODY, MOVED), 0);
    ck_assert_int_eq(dropped, 2);
}

TEST(what_waits_when_a_process_ends_is_dropped_once)
{
    cop_pid pid = start(read_later, 0, COP_FULL_REJECT);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(cop_send(pid, MOVED), 0);
    }
    ck_assert_int_eq(dropped, 0);
    stop(pid);
    EVENTUALLY(dropped == 100);
}

enum {
    RACERS = 4,
    EACH = 2000
};

static int
send_many_moved(cop_bytes arg)
{
    cop_pid to;
    memcpy(&to, arg.data, sizeof to);
    for (int i = 0; i < EACH; i++) {
        cop_assert(cop_send(to, MOVED) == 0);
    }
    return 0;
}

static int
read_some(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    for (int i = 0; i < EACH; i++) {
        cop_assert(cop_receive(&msg, COP_FOREVER) == 0);
    }
    return 0;
}

TEST_TIMES(5, each_moved_body_is_dropped_once_when_the_receiver_ends_under_its_senders)
{
    cop_ref senders[RACERS], receiver;
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, read_some, .monitor = &receiver), 0);
    for (int i = 0; i < RACERS; i++) {
        cop_spawn(NULL, send_many_moved, .arg = COP_BYTES(pid), .monitor = &senders[i]);
    }
    for (int i = 0; i < RACERS; i++) {
        ck_assert_int_eq(test_down(senders[i]).kind, COP_NORMAL);
    }
    test_down(receiver);
    EVENTUALLY(dropped == RACERS * EACH);
}

/* ---------------------------------------------------------------- order */

struct item {
    int sender, number;
};

static int
send_in_order(cop_bytes arg)
{
    struct {
        cop_pid to;
        int sender;
    } mine;
    memcpy(&mine, arg.data, sizeof mine);
    for (int i = 0; i < EACH; i++) {
        struct item item = {mine.sender, i};
        cop_assert(cop_send(mine.to, COP_MSG_OF(WORK, item)) == 0);
    }
    return 0;
}

TEST(messages_of_one_sender_arrive_in_order_and_before_its_down)
{
    enum {
        SENDERS = 8
    };
    int next[SENDERS] = {0}, down = 0;
    unsigned wrong = 0;
    cop_ref monitors[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        struct {
            cop_pid to;
            int sender;
        } arg = {cop_self(), i};
        cop_spawn(NULL, send_in_order, .arg = COP_BYTES(arg), .monitor = &monitors[i]);
    }
    while (down < SENDERS) {
        cop_msg msg;
        ck_assert_int_eq(cop_receive(&msg, SOON), 0);
        if (msg.tag == WORK) {
            const struct item *item = COP_BODY(msg, struct item);
            wrong += next[item->sender]++ != item->number;
            continue;
        }
        for (int i = 0; i < SENDERS; i++) {
            if (monitors[i].id == COP_BODY(msg, struct cop_down)->ref.id) {
                wrong += next[i] != EACH;
                down++;
            }
        }
    }
    ck_assert_uint_eq(wrong, 0);
}

TEST(the_sender_is_known)
{
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(WORK)), 0);
    ck_assert(cop_pid_eq(test_receive(WORK).from, cop_self()));
}

/* ---------------------------------------------------------------- bounds: who gets in */

static atomic_int admitted, refused, others;

static int
send_to_bounded(cop_bytes arg)
{
    cop_pid to;
    memcpy(&to, arg.data, sizeof to);
    for (int i = 0; i < 50; i++) {
        int r = send_number(to, i);
        atomic_fetch_add(r == 0 ? &admitted : r == -EAGAIN ? &refused : &others, 1);
    }
    return 0;
}

static void
let_eight_send(cop_pid pid)
{
    cop_ref monitors[8];
    for (int i = 0; i < 8; i++) {
        cop_spawn(NULL, send_to_bounded, .arg = COP_BYTES(pid), .monitor = &monitors[i]);
    }
    for (int i = 0; i < 8; i++) {
        test_down(monitors[i]);
    }
}

TEST_TIMES(5, as_many_as_the_bound_get_in_and_no_more_with_eight_senders)
{
    cop_pid pid = start(read_later, 37, COP_FULL_REJECT);
    let_eight_send(pid);
    ck_assert_int_eq(admitted, 37);
    ck_assert_int_eq(refused, 8 * 50 - 37);
    ck_assert_int_eq(others, 0);
    ck_assert_uint_eq(dropped_by(pid), 8 * 50 - 37);
    atomic_store(&may_read, true);
    EVENTUALLY(reads == 37);
    ck_assert_int_eq(send_number(pid, 1), 0);
    EVENTUALLY(reads == 38);
    stop(pid);
}

TEST(a_mailbox_that_drops_new_ones_tells_no_sender)
{
    cop_pid pid = start(read_later, 3, COP_FULL_DROP_NEW);
    for (int i = 1; i <= 10; i++) {
        ck_assert_int_eq(send_number(pid, i), 0);
    }
    ck_assert_int_eq(cop_send(pid, MOVED), 0);
    ck_assert_int_eq(dropped, 1);
    ck_assert_uint_eq(dropped_by(pid), 8);
    atomic_store(&may_read, true);
    EVENTUALLY(reads == 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(numbers_read[i], i + 1);
    }
    stop(pid);
}

TEST(a_mailbox_that_drops_old_ones_keeps_the_newest)
{
    cop_pid pid = start(read_later, 3, COP_FULL_DROP_OLD);
    ck_assert_int_eq(cop_send(pid, MOVED), 0);
    for (int i = 1; i <= 10; i++) {
        ck_assert_int_eq(send_number(pid, i), 0);
    }
    ck_assert_int_eq(dropped, 0); /* only the receiver evicts */
    atomic_store(&may_read, true);
    EVENTUALLY(reads == 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(numbers_read[i], i + 8);
    }
    ck_assert_int_eq(dropped, 1);
    ck_assert_uint_eq(dropped_by(pid), 8);
    stop(pid);
}

static atomic_int round_of_sender;

static int
read_one_then_two(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    for (int i = 0; i < 3; i++) {
        while (atomic_load(&round_of_sender) <= i && i < 2) {
            usleep(100);
        }
        cop_assert(cop_receive(&msg, COP_FOREVER) == 0);
        int number = *COP_BODY(msg, int);
        atomic_store(&numbers_read[atomic_fetch_add(&reads, 1)], number);
    }
    return 0;
}

TEST(old_ones_are_dropped_also_when_the_receiver_has_taken_some_in)
{
    cop_pid pid = start(read_one_then_two, 2, COP_FULL_DROP_OLD);
    send_number(pid, 1);
    send_number(pid, 2);
    atomic_store(&round_of_sender, 1);
    EVENTUALLY(reads == 1); /* both are taken in */
    for (int i = 3; i <= 5; i++) {
        ck_assert_int_eq(send_number(pid, i), 0);
    }
    atomic_store(&round_of_sender, 2);
    EVENTUALLY(reads == 3);
    ck_assert_int_eq(numbers_read[0], 1);
    ck_assert_int_eq(numbers_read[1], 4);
    ck_assert_int_eq(numbers_read[2], 5);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

TEST(signals_and_downs_are_never_refused)
{
    cop_pid pid = start(read_later, 1, COP_FULL_REJECT);
    ck_assert_int_eq(send_number(pid, 1), 0);
    ck_assert_int_eq(send_number(pid, 2), -EAGAIN);
    ck_assert_int_eq(cop_exit_signal(pid, cop_failed(-EIO, NULL)), 0);
    atomic_store(&may_read, true);
    ck_assert_int_eq(test_down(monitor).code, -EIO);
}

static int
watch_another(cop_bytes arg)
{
    struct {
        cop_pid other, controller;
    } mine;
    memcpy(&mine, arg.data, sizeof mine);
    cop_ref ref = cop_monitor(mine.other);
    cop_ref timer = cop_send_after(cop_self(), COP_TAG(STOP), 0);
    cop_assert(ref.id != 0 && timer.id != 0);
    cop_send(mine.controller, COP_TAG(READY));
    cop_msg msg;
    bool down = false, fired = false, sent = false;
    while (!down || !fired || !sent) {
        cop_assert(cop_receive(&msg, COP_FOREVER) == 0);
        down |= msg.tag == COP_MSG_DOWN;
        fired |= msg.tag == STOP;
        sent |= msg.tag == WORK;
    }
    return 0;
}

TEST(downs_and_timers_take_no_place)
{
    struct {
        cop_pid other, controller;
    } arg = {.other = COP_NOBODY, .controller = cop_self()};
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, watch_another, .arg = COP_BYTES(arg), .monitor = &monitor,
                               .mailbox = {.limit = 1}),
                     0);
    test_receive(READY);
    ck_assert_int_eq(send_number(pid, 1), 0);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

static atomic_size_t dropped_before_the_down;

static int
read_after_a_down(cop_bytes arg)
{
    cop_pid controller;
    memcpy(&controller, arg.data, sizeof controller);
    cop_ref ref = cop_monitor(COP_NOBODY);
    cop_assert(ref.id != 0);
    cop_send(controller, COP_TAG(READY));
    while (!atomic_load(&may_read)) {
        usleep(100);
    }
    bool down = false;
    while (!down || atomic_load(&reads) < 2) {
        cop_msg msg;
        cop_assert(cop_receive(&msg, COP_FOREVER) == 0);
        if (msg.tag == COP_MSG_DOWN) {
            down = true;
            atomic_store(&dropped_before_the_down, dropped_by(cop_self()));
        } else {
            int number = *COP_BODY(msg, int);
            atomic_store(&numbers_read[atomic_fetch_add(&reads, 1)], number);
        }
    }
    return 0;
}

/* The DOWN is older than all of them. */
TEST(old_ones_are_dropped_from_behind_what_takes_no_place)
{
    cop_pid pid, self = cop_self();
    ck_assert_int_eq(cop_spawn(&pid, read_after_a_down, .arg = COP_BYTES(self), .monitor = &monitor,
                               .mailbox = {.limit = 2, .when_full = COP_FULL_DROP_OLD}),
                     0);
    test_receive(READY);
    for (int i = 1; i <= 5; i++) {
        ck_assert_int_eq(send_number(pid, i), 0);
    }
    atomic_store(&may_read, true);
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert_uint_eq(dropped_before_the_down, 3); /* they make room at once */
    ck_assert_int_eq(numbers_read[0], 4);
    ck_assert_int_eq(numbers_read[1], 5);
}

/* As it is when the receiver ends in the middle of a send: it has been counted, and finds the mailbox closed. */
TEST(what_comes_too_late_takes_no_place_and_its_body_is_dropped)
{
    cop_pid pid = start(read_later, 2, COP_FULL_REJECT);
    struct copi_process *process = copi_table_find(pid);
    uint64_t open = copi_load_relaxed_64(&process->mailbox.word);
    copi_store_relaxed_64(&process->mailbox.word, COPI_MAILBOX_CLOSED);
    ck_assert_int_eq(cop_send(pid, MOVED), 0);
    ck_assert_int_eq(dropped, 1);
    ck_assert_int_eq(cop_call(pid, COP_TAG(WORK), NULL, 0, SOON), -ESRCH);
    ck_assert_uint_eq(copi_send_counted(process), 0);
    copi_store_relaxed_64(&process->mailbox.word, open);
    stop(pid);
}

TEST(what_was_counted_for_who_has_ended_is_not_taken_from_the_next_tenant)
{
    cop_pid pid = start(read_later, 2, COP_FULL_REJECT);
    struct copi_process *process = copi_table_find(pid);
    ck_assert_int_eq(send_number(pid, 1), 0);
    struct copi_message late = {.generation = copi_pid_generation(pid) - 1, .flags = COPI_COUNTED};
    copi_send_uncount(process, &late);
    ck_assert_uint_eq(copi_send_counted(process), 1);
    late = (struct copi_message){.generation = copi_pid_generation(pid), .flags = COPI_COUNTED};
    copi_send_uncount(process, &late);
    ck_assert_uint_eq(copi_send_counted(process), 0);
    stop(pid);
}

/* ---------------------------------------------------------------- bounds: who waits */

static atomic_int sent, result_of_send;

static int
send_and_tell(cop_bytes arg)
{
    cop_pid to;
    memcpy(&to, arg.data, sizeof to);
    int r = cop_send(to, MOVED);
    atomic_store(&result_of_send, r);
    atomic_fetch_add(&sent, 1);
    return r == -ECANCELED ? 0 : r;
}

static bool
waits_for(cop_pid pid, cop_pid other)
{
    cop_process_info info;
    return cop_inspect(pid, &info) == 0 && cop_pid_eq(info.waits_for, other);
}

/* A process that waits for room in the mailbox of `full`. */
static cop_pid
start_blocked(cop_pid full, cop_ref *its_monitor, cop_context *context)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, send_and_tell, .arg = COP_BYTES(full), .monitor = its_monitor,
                               .context = context),
                     0);
    EVENTUALLY(waits_for(pid, full));
    ck_assert_int_eq(sent, 0);
    return pid;
}

static cop_pid
start_full(void)
{
    cop_pid pid = start(read_later, 1, COP_FULL_BLOCK);
    ck_assert_int_eq(send_number(pid, 1), 0);
    return pid;
}

TEST(a_sender_that_waits_for_room_goes_on_when_there_is_some)
{
    cop_ref its;
    cop_pid full = start_full();
    start_blocked(full, &its, NULL);
    atomic_store(&may_read, true);
    ck_assert_int_eq(test_down(its).kind, COP_NORMAL);
    ck_assert_int_eq(result_of_send, 0);
    EVENTUALLY(dropped == 1); /* read, and let go at the next receive */
    stop(full);
}

TEST(a_sender_that_waits_for_room_is_told_nothing_when_the_receiver_ends)
{
    cop_ref its;
    cop_pid full = start_full();
    start_blocked(full, &its, NULL);
    stop(full);
    ck_assert_int_eq(test_down(its).kind, COP_NORMAL);
    ck_assert_int_eq(result_of_send, 0);
    ck_assert_int_eq(dropped, 1);
}

TEST(a_sender_that_waits_for_room_gives_up_when_its_context_is_cancelled)
{
    cop_ref its;
    cop_context *context = cop_context_new(COP_FOREVER);
    cop_pid full = start_full();
    start_blocked(full, &its, context);
    cop_context_cancel(context, cop_failed(-EIO, "enough"));
    test_down(its);
    ck_assert_int_eq(result_of_send, -ECANCELED);
    ck_assert_int_eq(dropped, 0); /* it is the sender's still */
    cop_context_free(context);
    stop(full);
}

TEST(a_sender_that_waits_for_room_gives_up_at_its_deadline_and_not_before)
{
    cop_pid full = start_full();
    cop_time deadline = cop_now() + COP_MS(30);
    cop_context *context = cop_context_new(COP_MS(30));
    ck_assert_int_eq(cop_context_enter(context), 0);
    int r = cop_send(full, MOVED);
    cop_time after = cop_now();
    cop_context_leave(context);
    cop_context_free(context);
    ck_assert_int_eq(r, -ETIMEDOUT);
    ck_assert(after >= deadline);
    ck_assert_int_eq(dropped, 0);
    stop(full);
}

TEST(a_sender_that_waits_for_room_gives_up_when_it_is_asked_to_stop)
{
    cop_ref its;
    cop_pid full = start_full(), sender = start_blocked(full, &its, NULL);
    cop_exit_signal(sender, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(test_down(its).kind, COP_SHUTDOWN);
    ck_assert_int_eq(result_of_send, -ECANCELED);
    ck_assert_int_eq(dropped, 0);
    stop(full);
}

TEST(a_sender_that_is_killed_while_it_waits_for_room_leaves_nothing_behind)
{
    cop_ref its;
    cop_pid full = start_full(), sender = start_blocked(full, &its, NULL);
    cop_exit_signal(sender, COP_REASON_KILLED);
    ck_assert_int_eq(test_down(its).kind, COP_KILLED);
    ck_assert_int_eq(sent, 0);
    EVENTUALLY(dropped == 1); /* nobody else could */
    atomic_store(&may_read, true);
    EVENTUALLY(reads == 1);
    ck_assert_int_eq(send_number(full, 2), 0); /* it took no place with it */
    EVENTUALLY(reads == 2);
    stop(full);
}

static int
fill_oneself(cop_bytes arg)
{
    (void)arg;
    cop_assert(send_number(cop_self(), 1) == 0);
    int r = cop_send(cop_self(), MOVED);
    cop_assert(r == -EDEADLK && cop_why().code == -EDEADLK);
    cop_assert(strstr(cop_why().text, "self -> self"));
    cop_msg msg;
    cop_assert(cop_receive(&msg, 0) == 0);
    cop_assert(send_number(cop_self(), 2) == 0);
    return 0;
}

TEST(nobody_waits_for_room_in_a_mailbox_of_its_own)
{
    cop_spawn(NULL, fill_oneself, .monitor = &monitor, .name = "self",
              .mailbox = {.limit = 1, .when_full = COP_FULL_BLOCK});
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    ck_assert_int_eq(dropped, 0);
}

static atomic_int deadlocks;

/* Two who fill each other's mailbox without reading. */
static int
send_two_to(cop_bytes arg)
{
    cop_pid other = cop_named(arg.data);
    while (!cop_alive(other)) {
        cop_sleep(COP_US(100));
    }
    cop_assert(send_number(other, 1) == 0);
    int r = send_number(other, 2);
    if (r == -EDEADLK) {
        atomic_fetch_add(&deadlocks, 1);
        cop_assert(strstr(cop_why().text, "left") && strstr(cop_why().text, "right"));
    } else {
        cop_assert(r == 0);
    }
    cop_msg msg;
    while (cop_receive(&msg, COP_MS(100)) == 0) {
    }
    return 0;
}

TEST(two_that_wait_for_room_at_each_other_are_refused)
{
    cop_ref monitors[2];
    cop_mailbox_opts one = {.limit = 1, .when_full = COP_FULL_BLOCK};
    cop_spawn(NULL, send_two_to, .name = "left", .arg = COP_STR("right"), .mailbox = one,
              .monitor = &monitors[0]);
    cop_spawn(NULL, send_two_to, .name = "right", .arg = COP_STR("left"), .mailbox = one,
              .monitor = &monitors[1]);
    ck_assert_int_eq(test_down(monitors[0]).kind, COP_NORMAL);
    ck_assert_int_eq(test_down(monitors[1]).kind, COP_NORMAL);
    ck_assert_int_ge(deadlocks, 1);
}

enum {
    LOAD = 3000
};

static int
send_load(cop_bytes arg)
{
    cop_pid to;
    memcpy(&to, arg.data, sizeof to);
    for (int i = 0; i < LOAD; i++) {
        cop_assert(cop_send(to, MOVED) == 0);
    }
    return 0;
}

static atomic_size_t most;

static int
receive_load(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    for (int i = 0; i < 8 * LOAD; i++) {
        cop_process_info info;
        cop_assert(cop_receive(&msg, COP_FOREVER) == 0);
        cop_assert(cop_inspect(cop_self(), &info) == 0);
        if (info.mailbox > atomic_load(&most)) {
            atomic_store(&most, info.mailbox);
        }
    }
    return 0;
}

TEST(eight_senders_that_wait_for_room_all_get_through_and_never_past_the_bound)
{
    cop_ref its[8];
    cop_pid pid = start(receive_load, 4, COP_FULL_BLOCK);
    for (int i = 0; i < 8; i++) {
        cop_spawn(NULL, send_load, .arg = COP_BYTES(pid), .monitor = &its[i]);
    }
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(test_down(its[i]).kind, COP_NORMAL);
    }
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    EVENTUALLY(dropped == 8 * LOAD);
    ck_assert_uint_le(most, 4);
}

static cop_step
answer_later(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    while (!atomic_load(&may_read)) {
        usleep(100);
    }
    return cop_reply(from, COP_TAG(0));
}

static cop_step
ignore(void *state, cop_msg msg)
{
    (void)state, (void)msg;
    return cop_ok();
}

static int
call_for_ever(cop_bytes arg)
{
    cop_pid server;
    memcpy(&server, arg.data, sizeof server);
    return cop_call(server, COP_TAG(WORK), NULL, 0, COP_FOREVER);
}

TEST(a_request_that_waits_for_room_gives_up_in_time)
{
    static const cop_genserver behaviour = {.handle_call = answer_later, .handle_cast = ignore};
    cop_pid server, caller;
    cop_ref its;
    ck_assert_int_eq(cop_genserver_start(&server, &behaviour,
                                         .mailbox = {.limit = 1, .when_full = COP_FULL_BLOCK}),
                     0);
    cop_spawn(&caller, call_for_ever, .arg = COP_BYTES(server), .monitor = &its);
    cop_process_info info;
    EVENTUALLY(cop_inspect(server, &info) == 0 && info.callback
               && strcmp(info.callback, "handle_call") == 0);
    ck_assert_int_eq(cop_cast(server, COP_TAG(WORK)), 0); /* full */
    cop_time before = cop_now();
    ck_assert_int_eq(cop_call(server, COP_TAG(WORK), NULL, 0, COP_MS(20)), -ETIMEDOUT);
    ck_assert(cop_now() >= before + COP_MS(20));
    atomic_store(&may_read, true);
    ck_assert_int_eq(test_down(its).kind, COP_NORMAL);
}

/* ---------------------------------------------------------------- long mailboxes */

TEST(a_mailbox_that_grows_long_is_reported_and_then_at_each_doubling)
{
    cop_pid pid;
    cop_spawn(&pid, read_later, .name = "glutton", .monitor = &monitor);
    test_catch_stderr();
    for (int i = 0; i < 45000; i++) {
        if (send_number(pid, 0) != 0) {
            ck_abort_msg("not sent");
        }
    }
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "glutton"), 3);
    ck_assert_uint_eq(test_count(said, "10000 "), 1);
    ck_assert_uint_eq(test_count(said, "20000 "), 1);
    ck_assert_uint_eq(test_count(said, "40000 "), 1);
    free(said);
    stop(pid);
}

SUITE("send")
