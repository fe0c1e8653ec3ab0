/*
 * tests/runtime/test_table.c - the table pid -> process.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/message.h"
#include "runtime/send.h"
#include "runtime/table.h"
#include "tests/support/support.h"

static uint32_t
index_of(cop_pid pid)
{
    return (uint32_t)(pid.id & COPI_INDEX_MASK);
}

static uint32_t
generation_of(cop_pid pid)
{
    return (uint32_t)(pid.id >> COPI_INDEX_BITS);
}

static int
end_at_once(cop_bytes arg)
{
    (void)arg;
    return 0;
}

static int
receive_one(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    return cop_receive(&msg, COP_FOREVER);
}

/* A process that has ended. */
static cop_pid
dead(void)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, end_at_once, .monitor = &monitor), 0);
    test_down(monitor);
    return pid;
}

/* Wait until the record is free. */
static void
await_free(cop_pid pid)
{
    EVENTUALLY(copi_load_relaxed_32(&copi_table_at(index_of(pid))->life) == COPI_FREE);
}

/* A process that lives in the same record as `before` did. */
static cop_pid
next_tenant(cop_pid before, const cop_mailbox_opts *mailbox)
{
    await_free(before);
    for (unsigned i = 0; i < 4 * copi_table_end(); i++) {
        cop_pid pid;
        ck_assert_int_eq(
            cop_spawn(&pid, receive_one, .mailbox = mailbox ? *mailbox : (cop_mailbox_opts){0}), 0);
        if (index_of(pid) == index_of(before)) {
            return pid;
        }
        cop_ref monitor = cop_monitor(pid);
        cop_exit_signal(pid, COP_REASON_KILLED);
        test_down(monitor);
    }
    ck_abort_msg("the record was not used again");
    return COP_NOBODY;
}

/* Give back a record that nobody has lived in. */
static void
give(struct copi_process *process)
{
    copi_table_withdraw(process);
    copi_table_give(process);
}

/* ---------------------------------------------------------------- nobody */

TEST(nobody_is_found_where_nobody_is)
{
    ck_assert_ptr_null(copi_table_find(COP_NOBODY));
    ck_assert_ptr_null(copi_table_find((cop_pid){1}));
    ck_assert_ptr_null(copi_table_find((cop_pid){UINT64_MAX >> 1}));
    ck_assert_ptr_null(copi_table_find((cop_pid){UINT64_MAX})); /* a name's, and no such name */
    ck_assert_ptr_null(copi_table_at(COPI_INDEX_MASK));
    cop_self();
    ck_assert_ptr_null(copi_table_find((cop_pid){COPI_INDEX_MASK}));
    ck_assert(!cop_alive(COP_NOBODY));
}

TEST(without_memory_for_records_nobody_is_added)
{
    struct copi_process *process = NULL;
    copi_alloc_fail_after(0);
    ck_assert_int_eq(copi_table_take(&process), -ENOMEM);
    copi_alloc_fail_after(-1);
    ck_assert_ptr_null(process);
    ck_assert_uint_eq(copi_table_used(), 0);
    ck_assert_uint_eq(copi_table_end(), 0);
    ck_assert_int_eq(copi_table_take(&process), 0);
    give(process);
}

TEST(a_pid_of_a_process_that_ended_finds_nobody)
{
    cop_pid pid = dead();
    ck_assert_ptr_null(copi_table_find(pid));
    ck_assert(!cop_alive(pid));
}

/* ---------------------------------------------------------------- the next tenant */

TEST(a_stale_pid_does_not_find_the_next_tenant)
{
    cop_pid stale = dead(), pid = next_tenant(stale, NULL);
    ck_assert_uint_ne(stale.id, pid.id);
    ck_assert_ptr_null(copi_table_find(stale));
    ck_assert(cop_alive(pid));
    cop_exit_signal(stale, COP_REASON_KILLED);
    cop_send(stale, COP_TAG(1));
    ck_assert(cop_alive(pid));
    cop_ref monitor = cop_monitor(pid);
    cop_send(pid, COP_TAG(2));
    ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
}

TEST(each_tenant_has_a_generation_of_its_own)
{
    cop_pid first = dead(), second = next_tenant(first, NULL);
    ck_assert_uint_eq(generation_of(second), generation_of(first) + 1);
}

TEST(a_generation_is_never_nothing)
{
    struct copi_process *process, *again;
    cop_self();
    ck_assert_int_eq(copi_table_take(&process), 0);
    copi_store_relaxed_32(&process->generation, UINT32_MAX);
    give(process);
    do {
        ck_assert_int_eq(copi_table_take(&again), 0);
        give(again);
    } while (again != process);
    ck_assert_uint_eq(generation_of(again->pid), 1);
}

/* A sender that looked its receiver up just before it ended, and sends just after its record has been
 * given to another. */
static struct copi_message *
late_message(const void *data, size_t size, void (*drop)(void *data))
{
    struct copi_message *message;
    cop_msg msg = {.tag = 99, .body = {data, size}, .drop = drop};
    ck_assert_int_eq(copi_message_from(&message, COPI_SEND, &msg), 0);
    message->from = cop_self();
    return message;
}

static atomic_int dropped;

static void
count_drop(void *data)
{
    (void)data;
    atomic_fetch_add(&dropped, 1);
}

TEST(a_message_for_the_tenant_before_is_dropped_and_not_seen)
{
    cop_pid stale = dead(), pid = next_tenant(stale, NULL);
    cop_ref monitor = cop_monitor(pid);
    struct copi_process *record = copi_table_find(pid);
    ck_assert_int_eq(
        copi_deliver(record, generation_of(stale), late_message(&dropped, 4, count_drop)), 0);
    EVENTUALLY(dropped == 1);
    ck_assert(cop_alive(pid)); /* it waits for its first message still */
    cop_send(pid, COP_TAG(1));
    test_down(monitor);
}

static void
send_among_messages(struct copi_process *to, uint32_t generation, struct copi_message *message)
{
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(cop_send(copi_pid(to), COP_TAG(2)), 0);
        if (i == 0) {
            ck_assert_int_eq(copi_deliver(to, generation, message), 0);
        }
    }
}

TEST(a_message_for_the_tenant_before_is_dropped_from_among_others)
{
    struct copi_process *self = copi_table_find(cop_self());
    uint32_t before = generation_of(cop_self()) - 1;
    send_among_messages(self, before, late_message(&dropped, 4, count_drop));
    cop_msg msg;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(cop_receive(&msg, SOON), 0);
        ck_assert_uint_eq(msg.tag, 2);
    }
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
    ck_assert_int_eq(dropped, 1);
}

TEST(a_message_for_the_tenant_before_takes_no_place_in_a_bounded_mailbox)
{
    const cop_mailbox_opts one = {.limit = 1};
    cop_pid stale = dead(), pid = next_tenant(stale, &one);
    struct copi_process *self = copi_table_find(cop_self()), *record = copi_table_find(pid);
    struct copi_message *late = late_message(&dropped, 4, count_drop);
    ck_assert_int_eq(copi_send_admit(self, record, stale, late, NULL), -ESRCH);
    copi_message_free(late);
    ck_assert_int_eq(dropped, 1);
    cop_ref monitor = cop_monitor(pid);
    ck_assert_int_eq(cop_send(pid, COP_TAG(1)), 0);
    test_down(monitor);
}

TEST(free_records_are_used_in_the_order_in_which_they_were_given)
{
    enum {
        SOME = 5
    };
    struct copi_process *taken[SOME], *again;
    cop_self();
    for (int i = 0; i < SOME; i++) {
        ck_assert_int_eq(copi_table_take(&taken[i]), 0);
    }
    for (int i = 0; i < SOME; i++) {
        give(taken[i]);
    }
    /* What was free before comes first. */
    unsigned others = copi_table_end() - copi_table_used() - SOME - 1;
    for (unsigned i = 0; i < others; i++) {
        ck_assert_int_eq(copi_table_take(&again), 0);
        give(again);
    }
    for (int i = 0; i < SOME; i++) {
        ck_assert_int_eq(copi_table_take(&again), 0);
        ck_assert_ptr_eq(again, taken[i]);
        give(again);
    }
}

TEST(how_many_records_are_taken_is_known)
{
    struct copi_process *process;
    cop_self();
    unsigned before = copi_table_used();
    ck_assert_int_eq(copi_table_take(&process), 0);
    ck_assert_uint_eq(copi_table_used(), before + 1);
    copi_table_publish(process);
    ck_assert_uint_eq(copi_table_used(), before + 1);
    copi_table_withdraw(process); /* whoever has ended counts no more, though its thread goes on */
    ck_assert_uint_eq(copi_table_used(), before);
    copi_table_give(process);
    ck_assert_uint_eq(copi_table_used(), before);
}

SUITE("table")
