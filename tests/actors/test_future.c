/*
 * tests/actors/test_future.c - the cell of a future: who settles it, who is told, who holds it, and
 * that it forgets who does not wait any more.
 *
 * Room: tests/. A value that is moved in is a number on the heap, whose drop function is counted; a
 * leak checker sees to it that it is not forgotten.
 */
#include "actors/future.h"
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/table.h"
#include "tests/actors/promise.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

enum {
    OUTCOME = 1,
    SETTLED,
    GO,
    STOP,
    SWEEP = 64, /* as in future.c: so many nodes that nobody waits for may be there */
};

/* ---------------------------------------------------------------- helpers */

static struct promise
promise_of_number(void)
{
    return promise_of(sizeof(uint64_t));
}

static int
resolve(struct promise promise, uint64_t number)
{
    return cop_resolve(promise.resolver, COP_BYTES(number));
}

static atomic_uint drops;

static void
drop(void *data)
{
    atomic_fetch_add(&drops, 1);
    free(data);
}

static void
move_in(struct promise promise, uint64_t number)
{
    uint64_t *data = malloc(sizeof *data);
    ck_assert_ptr_nonnull(data);
    *data = number;
    ck_assert_int_eq(cop_resolve_move(promise.resolver, data, sizeof *data, drop), 0);
}

/* How many nodes hang on a pending future that nobody touches right now. */
static size_t
nodes_of(const cop_future *future)
{
    size_t count = 0;
    for (struct copi_message *node = copi_load_acquire_ptr(&future->waiters); node;
         node = node->next) {
        count++;
    }
    return count;
}

struct outcome {
    int code;
    cop_reason why;
    uint64_t number;
};

struct waiter {
    cop_pid starter;
    cop_future *future;
    bool releases;
};

static int
await_once(cop_bytes arg)
{
    const struct waiter *waiter = arg.data;
    struct outcome outcome = {0};
    outcome.code = cop_await(waiter->future, COP_OUT(outcome.number), COP_FOREVER);
    outcome.why = cop_why();
    if (waiter->releases) {
        cop_future_release(waiter->future);
    }
    return cop_send(waiter->starter, COP_MSG_OF(OUTCOME, outcome));
}

static cop_pid
start_waiter(cop_future *future, cop_ref *monitor)
{
    struct waiter waiter = {cop_self(), future, false};
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, await_once, .arg = COP_BYTES(waiter), .monitor = monitor), 0);
    return pid;
}

static struct outcome
outcome(void)
{
    cop_msg msg = test_receive(OUTCOME);
    return *COP_BODY(msg, struct outcome);
}

static void
assert_value_comes(uint64_t number)
{
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, 0);
    ck_assert_uint_eq(got.number, number);
}

static bool
is_settled(const cop_msg *msg, void *env)
{
    (void)env;
    return msg->tag == SETTLED;
}

/* The word that it is settled, with this reference: its code. What waiters tell may come before it. */
static int
settled(cop_ref ref)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive_match(&msg, is_settled, NULL, SOON), 0);
    ck_assert_uint_eq(msg.from.id, COP_NOBODY.id);
    const struct cop_settled *body = COP_BODY(msg, struct cop_settled);
    ck_assert_uint_eq(body->ref.id, ref.id);
    return body->code;
}

static void
assert_nothing_comes(void)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
}

/* ---------------------------------------------------------------- tasks to be looked at */

static atomic_bool may_end;

static void
wait_until_it_may_end(void)
{
    while (!may_end) {
        usleep(200); /* not the library's: it hears nothing of a cancellation */
    }
}

static int
return_a_number(cop_bytes arg, void *result)
{
    (void)arg;
    wait_until_it_may_end();
    *(uint64_t *)result = 5;
    return 0;
}

static int
fail_early(cop_bytes arg, void *result)
{
    (void)arg;
    (void)result;
    return -EIO;
}

static int
return_nonsense(cop_bytes arg, void *result)
{
    (void)arg;
    (void)result;
    return 3;
}

static int
crash(cop_bytes arg, void *result)
{
    (void)arg;
    (void)result;
    cop_exit(cop_failed(-EXDEV, "boom"));
}

static int
sleep_for_ever(cop_bytes arg, void *result)
{
    (void)arg;
    (void)result;
    return cop_sleep(COP_FOREVER);
}

static void
count_drop(void *result)
{
    ck_assert_uint_eq(*(uint64_t *)result, 5);
    atomic_fetch_add(&drops, 1);
}

/* ---------------------------------------------------------------- its state */

TEST(a_pending_future_says_so_and_gives_no_reason)
{
    struct promise promise = promise_of_number();
    cop_reason reason = cop_failed(-EIO, "untouched");
    ck_assert_int_eq(cop_future_state(promise.future, &reason), -EINPROGRESS);
    ck_assert_str_eq(reason.text, "untouched");
    ck_assert_int_eq(cop_future_state(promise.future, NULL), -EINPROGRESS);
    let_go(promise);
}

TEST(a_resolved_future_says_so_and_gives_no_reason)
{
    struct promise promise = promise_of_number();
    cop_reason reason = cop_failed(-EIO, "untouched");
    ck_assert_int_eq(resolve(promise, 1), 0);
    ck_assert_int_eq(cop_future_state(promise.future, &reason), 0);
    ck_assert_str_eq(reason.text, "untouched");
    let_go(promise);
}

TEST(a_rejected_future_gives_its_code_and_its_reason)
{
    struct promise promise = promise_of_number();
    cop_reason reason = {0};
    ck_assert_int_eq(cop_reject(promise.resolver, cop_failed(-EIO, "no")), 0);
    ck_assert_int_eq(cop_future_state(promise.future, &reason), -EIO);
    ck_assert_int_eq((int)reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -EIO);
    ck_assert_str_eq(reason.text, "no");
    ck_assert_int_eq(cop_future_state(promise.future, NULL), -EIO);
    let_go(promise);
}

TEST(a_promise_has_no_process_behind_it)
{
    struct promise promise = promise_of_number();
    ck_assert_uint_eq(cop_future_pid(promise.future).id, COP_NOBODY.id);
    let_go(promise);
}

TEST(a_task_is_behind_its_future_dead_or_alive)
{
    uint64_t number;
    cop_future *task = cop_async(return_a_number, .result_size = sizeof number);
    cop_pid pid = cop_future_pid(task);
    ck_assert(cop_alive(pid));
    may_end = true;
    ck_assert_int_eq(cop_await(task, COP_OUT(number), SOON), 0);
    ck_assert(!cop_alive(pid));
    ck_assert_uint_eq(cop_future_pid(task).id, pid.id);
    cop_future_release(task);
}

/* ---------------------------------------------------------------- no memory for a future */

TEST(the_future_that_stands_for_no_memory_is_like_any_rejected_one_and_never_goes)
{
    cop_self();
    cop_future *future = copi_future_no_memory();
    cop_reason reason = {0};
    uint64_t number;
    ck_assert_int_eq(cop_why().code, -ENOMEM);
    ck_assert_ptr_eq(cop_future_retain(future), future);
    for (int i = 0; i < 5; i++) {
        cop_future_release(future);
    }
    ck_assert_int_eq(cop_future_state(future, &reason), -ENOMEM);
    ck_assert_int_eq(reason.code, -ENOMEM);
    ck_assert_uint_eq(cop_future_pid(future).id, COP_NOBODY.id);
    ck_assert_int_eq(cop_future_cancel(future, COP_REASON_SHUTDOWN), -EALREADY);
    ck_assert_int_eq(cop_await(future, COP_OUT(number), SOON), -ENOMEM);
    ck_assert_int_eq(cop_await_all(&future, 1, COP_OUT(number), SOON), -ENOMEM);
    ck_assert_int_eq(settled(cop_future_notify(future, SETTLED)), -ENOMEM);
}

static int
try_to_start(void *arg)
{
    cop_future *task = cop_async(fail_early);
    (void)arg;
    ck_assert_ptr_nonnull(task);
    int r = cop_future_state(task, NULL);
    if (r != -ENOMEM) {
        cop_future_release(task);
        return 0;
    }
    cop_future_release(task);
    return r;
}

TEST(a_task_that_finds_no_memory_is_a_future_to_be_released_like_any_other)
{
    int r;
    cop_self();
    ck_assert_uint_gt(test_out_of_memory(try_to_start, NULL, &r), 1);
    ck_assert_int_eq(r, 0);
}

/* ---------------------------------------------------------------- cancelling */

TEST(a_settled_future_cannot_be_cancelled)
{
    struct promise promise = promise_of_number();
    ck_assert_int_eq(resolve(promise, 1), 0);
    ck_assert_int_eq(cop_future_cancel(promise.future, COP_REASON_SHUTDOWN), -EALREADY);
    ck_assert_int_eq(cop_future_state(promise.future, NULL), 0);
    let_go(promise);
}

TEST(a_cancelled_promise_is_rejected_with_the_causes_text)
{
    struct promise promise = promise_of_number(), plain = promise_of_number();
    cop_reason reason = {0};
    start_waiter(promise.future, NULL);
    ck_assert_int_eq(cop_future_cancel(promise.future, cop_failed(-EIO, "enough")), 0);
    ck_assert_int_eq(cop_future_state(promise.future, &reason), -ECANCELED);
    ck_assert_str_eq(reason.text, "enough");
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, -ECANCELED);
    ck_assert_str_eq(got.why.text, "enough");
    ck_assert_int_eq(cop_future_cancel(plain.future, COP_REASON_SHUTDOWN), 0);
    cop_future_state(plain.future, &reason);
    ck_assert_str_eq(reason.text, "shutdown");
    let_go(promise);
    let_go(plain);
}

TEST(a_cancelled_task_is_asked_and_its_future_is_rejected_when_it_has_ended)
{
    cop_future *task = cop_async(sleep_for_ever);
    cop_reason reason = {0};
    ck_assert_int_eq(cop_future_cancel(task, cop_failed(-EIO, "enough")), 0);
    ck_assert_int_eq(cop_await(task, NULL, 0, SOON), -ECANCELED);
    ck_assert(!cop_alive(cop_future_pid(task)));
    ck_assert_int_eq(cop_future_state(task, &reason), -ECANCELED);
    ck_assert_str_eq(reason.text, "enough");
    ck_assert_int_eq(cop_future_cancel(task, COP_REASON_SHUTDOWN), -EALREADY);
    cop_future_release(task);
}

TEST(what_a_cancelled_task_returns_all_the_same_is_dropped_once) /* PA45 */
{
    uint64_t number = 7;
    cop_future *task = cop_async(return_a_number, .result_size = sizeof number, .drop = count_drop);
    ck_assert_int_eq(cop_future_cancel(task, cop_failed(-EIO, "enough")), 0);
    ck_assert_int_eq(cop_future_cancel(task, cop_failed(-EIO, "twice")), 0); /* it has not ended */
    ck_assert_int_eq(cop_future_state(task, NULL), -EINPROGRESS);
    may_end = true;
    ck_assert_int_eq(cop_await(task, COP_OUT(number), SOON), -ECANCELED);
    ck_assert_str_eq(cop_why().text, "enough");
    ck_assert_uint_eq(number, 7);
    ck_assert_uint_eq(drops, 1);
    cop_future_release(task);
    ck_assert_uint_eq(drops, 1);
}

TEST(a_task_that_fails_rejects_with_its_code_and_one_that_crashes_with_the_crash) /* PA46 */
{
    cop_future *fails = cop_async(fail_early), *nonsense = cop_async(return_nonsense),
               *crashes = cop_async(crash);
    ck_assert_int_eq(cop_await(fails, NULL, 0, SOON), -EIO);
    ck_assert_int_eq(cop_await(nonsense, NULL, 0, SOON), -EINVAL);
    ck_assert_int_eq(cop_await(crashes, NULL, 0, SOON), -EXDEV);
    ck_assert_str_eq(cop_why().text, "boom");
    cop_future_release(fails);
    cop_future_release(nonsense);
    cop_future_release(crashes);
}

TEST(while_somebody_settles_it_a_future_is_pending_and_nobody_else_may)
{
    struct promise promise = promise_of_number();
    uint64_t number = 5;
    ck_assert(copi_future_claim(promise.future));
    ck_assert(!copi_future_claim(promise.future));
    ck_assert_int_eq(cop_future_state(promise.future, NULL), -EINPROGRESS);
    ck_assert_int_eq(resolve(promise, 1), -EALREADY);
    ck_assert_int_eq(cop_reject(promise.resolver, COP_REASON_SHUTDOWN), -EALREADY);
    ck_assert_int_eq(cop_future_cancel(promise.future, COP_REASON_SHUTDOWN), -EALREADY);
    ck_assert_int_eq(cop_await(promise.future, COP_OUT(number), 0), -ETIMEDOUT);
    copi_future_publish_value(promise.future, &number, sizeof number);
    ck_assert_int_eq(cop_future_state(promise.future, NULL), 0);
    let_go(promise);
}

/* ---------------------------------------------------------------- handles */

TEST(no_future_is_released_without_ado)
{
    cop_future_release(NULL);
}

TEST(releasing_a_handle_neither_cancels_nor_disturbs_who_awaits)
{
    struct promise promise = promise_of_number();
    cop_future *second = cop_future_retain(promise.future);
    ck_assert_ptr_eq(second, promise.future);
    cop_pid pid = start_waiter(second, NULL);
    EVENTUALLY(is_awaiting(pid));
    cop_future_release(promise.future);
    ck_assert_int_eq(cop_future_state(second, NULL), -EINPROGRESS);
    ck_assert_int_eq(resolve(promise, 3), 0);
    assert_value_comes(3);
    let_go(promise);
}

static int
go_on(cop_bytes arg, void *result)
{
    const cop_pid *starter = arg.data;
    (void)result;
    wait_until_it_may_end();
    return cop_send(*starter, COP_TAG(GO));
}

TEST(a_task_whose_future_is_released_goes_on)
{
    cop_pid self = cop_self();
    cop_future_release(cop_async(go_on, .arg = COP_BYTES(self)));
    may_end = true;
    test_receive(GO);
}

TEST(the_value_stays_while_a_notice_of_it_is_under_way_and_goes_with_the_last)
{
    struct promise promise = promise_of_number();
    cop_pid pid = start_waiter(promise.future, NULL);
    EVENTUALLY(is_awaiting(pid));
    cop_future_release(promise.future);
    move_in(promise, 3);
    cop_resolver_free(promise.resolver);
    assert_value_comes(3);
    EVENTUALLY(drops == 1);
}

TEST(a_future_is_awaited_by_many_processes_and_dropped_once_when_all_have_let_go)
{
    enum {
        MANY = 200
    };
    struct promise promise = promise_of_number();
    for (int i = 0; i < MANY; i++) {
        struct waiter waiter = {cop_self(), cop_future_retain(promise.future), true};
        ck_assert_int_eq(cop_spawn(NULL, await_once, .arg = COP_BYTES(waiter)), 0);
    }
    move_in(promise, 8);
    let_go(promise);
    for (int i = 0; i < MANY; i++) {
        assert_value_comes(8);
    }
    EVENTUALLY(drops == 1);
}

/* ---------------------------------------------------------------- being told by a message */

TEST(a_tag_of_the_librarys_is_refused)
{
    struct promise promise = promise_of_number();
    ck_assert_uint_eq(cop_future_notify(promise.future, COP_MSG_RESERVED).id, 0);
    ck_assert_int_eq(cop_why().code, -EINVAL);
    ck_assert_uint_eq(cop_future_notify(promise.future, COP_MSG_DOWN).id, 0);
    ck_assert_uint_eq(nodes_of(promise.future), 0);
    let_go(promise);
    assert_nothing_comes();
}

static int
try_to_be_told(void *future)
{
    cop_ref ref = cop_future_notify(future, SETTLED);
    return ref.id ? 0 : cop_why().code;
}

TEST(without_memory_nobody_is_told)
{
    struct promise promise = promise_of_number();
    int r;
    cop_self();
    ck_assert_uint_gt(test_out_of_memory(try_to_be_told, promise.future, &r), 0);
    ck_assert_int_eq(r, 0);
    ck_assert_uint_eq(nodes_of(promise.future), 1);
    let_go(promise);
    test_receive(SETTLED);
    assert_nothing_comes();
}

TEST(who_wants_to_be_told_gets_a_message_from_nobody_when_it_is_settled)
{
    struct promise resolved = promise_of_number(), rejected = promise_of_number(),
                   broken = promise_of_number(), cancelled = promise_of_number();
    cop_ref refs[] = {
        cop_future_notify(resolved.future, SETTLED),
        cop_future_notify(rejected.future, SETTLED),
        cop_future_notify(broken.future, SETTLED),
        cop_future_notify(cancelled.future, SETTLED),
    };
    assert_nothing_comes();
    ck_assert_int_eq(resolve(resolved, 1), 0);
    ck_assert_int_eq(settled(refs[0]), 0);
    ck_assert_int_eq(cop_reject(rejected.resolver, cop_failed(-EIO, NULL)), 0);
    ck_assert_int_eq(settled(refs[1]), -EIO);
    cop_resolver_free(broken.resolver);
    ck_assert_int_eq(settled(refs[2]), -EPIPE);
    ck_assert_int_eq(cop_future_cancel(cancelled.future, COP_REASON_SHUTDOWN), 0);
    ck_assert_int_eq(settled(refs[3]), -ECANCELED);
    cop_future_release(broken.future);
    let_go(resolved);
    let_go(rejected);
    let_go(cancelled);
    assert_nothing_comes();
}

TEST(who_wants_to_be_told_of_what_is_settled_is_told_at_once)
{
    struct promise promise = promise_of_number();
    ck_assert_int_eq(resolve(promise, 1), 0);
    ck_assert_int_eq(settled(cop_future_notify(promise.future, SETTLED)), 0);
    let_go(promise);
}

TEST(a_word_that_it_is_settled_needs_no_handle)
{
    struct promise promise = promise_of_number();
    cop_ref ref = cop_future_notify(promise.future, SETTLED);
    cop_future_release(promise.future);
    ck_assert_int_eq(resolve(promise, 1), 0);
    cop_resolver_free(promise.resolver);
    ck_assert_int_eq(settled(ref), 0);
}

TEST(the_end_of_a_task_is_told_by_a_message_too)
{
    cop_future *task = cop_async(fail_early);
    ck_assert_int_eq(settled(cop_future_notify(task, SETTLED)), -EIO);
    cop_future_release(task);
}

/* Also when what waited in between has been swept away. */
TEST(words_come_in_the_order_in_which_they_were_asked_for) /* PA29, of messages */
{
    enum {
        MANY = 1000
    };
    struct promise promise = promise_of_number();
    static cop_ref refs[MANY];
    uint64_t number;
    for (int i = 0; i < MANY; i++) {
        refs[i] = cop_future_notify(promise.future, SETTLED);
        ck_assert_uint_ne(refs[i].id, 0);
        ck_assert_int_eq(cop_await(promise.future, COP_OUT(number), 0), -ETIMEDOUT);
    }
    ck_assert_int_eq(resolve(promise, 1), 0);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(settled(refs[i]), 0);
    }
    assert_nothing_comes();
    let_go(promise);
}

static int
be_told_with_a_full_mailbox(cop_bytes arg)
{
    const struct waiter *waiter = arg.data;
    cop_msg msg;
    cop_ref ref = cop_future_notify(waiter->future, SETTLED);
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(GO)), 0);
    ck_assert_int_eq(cop_send(cop_self(), COP_TAG(GO)), -EAGAIN);
    ck_assert_int_eq(cop_send(waiter->starter, COP_TAG(GO)), 0);
    wait_until_it_may_end();
    test_receive(GO);
    ck_assert_int_eq(settled(ref), 0);
    return cop_receive(&msg, 0) == -ETIMEDOUT ? cop_send(waiter->starter, COP_TAG(STOP)) : -EIO;
}

TEST(a_full_mailbox_refuses_no_word)
{
    struct promise promise = promise_of_number();
    struct waiter waiter = {cop_self(), promise.future, false};
    ck_assert_int_eq(cop_spawn(NULL, be_told_with_a_full_mailbox, .arg = COP_BYTES(waiter),
                               .mailbox = {.limit = 1}),
                     0);
    test_receive(GO);
    ck_assert_int_eq(resolve(promise, 1), 0);
    may_end = true;
    test_receive(STOP);
    let_go(promise);
}

/* A server that is asked to wait for a future, and does not wait. */
struct state {
    cop_pid starter;
    cop_ref ref;
};

static cop_step
subscribe_server(void *state, cop_msg msg)
{
    struct state *mine = state;
    const struct waiter *waiter = COP_BODY(msg, struct waiter);
    mine->starter = waiter->starter;
    mine->ref = cop_future_notify(waiter->future, SETTLED);
    return cop_ok();
}

static cop_step
hear_of_it(void *state, cop_msg msg)
{
    const struct state *mine = state;
    const struct cop_settled *body = COP_BODY(msg, struct cop_settled);
    bool right = msg.tag == SETTLED && body->ref.id == mine->ref.id && body->code == -EIO;
    cop_send(mine->starter, COP_TAG(right ? GO : STOP));
    return cop_ok();
}

TEST(a_server_is_told_in_handle_info)
{
    static const cop_genserver server = {
        .type = "listener",
        .state_size = sizeof(struct state),
        .handle_cast = subscribe_server,
        .handle_info = hear_of_it,
    };
    struct promise promise = promise_of_number();
    struct waiter waiter = {cop_self(), promise.future, false};
    cop_pid pid;
    ck_assert_int_eq(cop_genserver_start(&pid, &server, .link = false), 0);
    ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(GO, waiter)), 0);
    EVENTUALLY(nodes_of(promise.future) == 1);
    ck_assert_int_eq(cop_reject(promise.resolver, cop_failed(-EIO, NULL)), 0);
    test_receive(GO);
    let_go(promise);
}

/* ---------------------------------------------------------------- who is gone */

static int
subscribe_and_end(cop_bytes arg)
{
    const struct waiter *waiter = arg.data;
    return cop_future_notify(waiter->future, SETTLED).id ? 0 : -EIO;
}

static void
subscribe_one_that_ends(cop_future *future)
{
    struct waiter waiter = {cop_self(), future, false};
    cop_ref monitor;
    ck_assert_int_eq(
        cop_spawn(NULL, subscribe_and_end, .arg = COP_BYTES(waiter), .monitor = &monitor), 0);
    ck_assert_int_eq((int)test_down(monitor).kind, COP_NORMAL);
}

TEST(a_word_to_a_process_that_has_ended_goes_nowhere)
{
    struct promise promise = promise_of_number();
    subscribe_one_that_ends(promise.future);
    subscribe_one_that_ends(promise.future);
    ck_assert_uint_eq(nodes_of(promise.future), 2);
    ck_assert_int_eq(resolve(promise, 1), 0);
    let_go(promise);
    assert_nothing_comes();
}

static void
kill_one_that_awaits(cop_future *future)
{
    cop_ref monitor;
    cop_pid pid = start_waiter(future, &monitor);
    EVENTUALLY(is_awaiting(pid));
    ck_assert_int_eq(cop_exit_signal(pid, COP_REASON_KILLED), 0);
    ck_assert_int_eq((int)test_down(monitor).kind, COP_KILLED);
}

TEST(who_is_killed_while_it_awaits_keeps_neither_the_future_nor_the_value)
{
    struct promise promise = promise_of_number();
    kill_one_that_awaits(promise.future);
    kill_one_that_awaits(promise.future);
    move_in(promise, 1);
    let_go(promise);
    ck_assert_uint_eq(drops, 1);
    assert_nothing_comes();
}

static void *
await_in_vain(void *future)
{
    uint64_t number;
    return (void *)(intptr_t)cop_await(future, COP_OUT(number), COP_MS(1));
}

TEST(a_thread_that_has_ended_after_it_was_tired_of_waiting_is_not_told)
{
    struct promise promise = promise_of_number();
    pthread_t thread;
    void *code;
    ck_assert_int_eq(pthread_create(&thread, NULL, await_in_vain, promise.future), 0);
    ck_assert_int_eq(pthread_join(thread, &code), 0);
    ck_assert_int_eq((int)(intptr_t)code, -ETIMEDOUT);
    ck_assert_uint_eq(nodes_of(promise.future), 1);
    move_in(promise, 1);
    let_go(promise);
    ck_assert_uint_eq(drops, 1);
}

/* ---------------------------------------------------------------- sweeping */

TEST(a_future_that_is_never_settled_does_not_collect_who_was_tired_of_it)
{
    struct promise promise = promise_of_number();
    uint64_t number;
    for (int i = 0; i < 10000; i++) {
        ck_assert_int_eq(cop_await(promise.future, COP_OUT(number), 0), -ETIMEDOUT);
        ck_assert_uint_le(nodes_of(promise.future), SWEEP + 1);
    }
    ck_assert_uint_le(copi_load_relaxed_32(&promise.future->holds), SWEEP + 3);
    let_go(promise);
}

TEST(none_of_many_futures_collects_those_who_were_tired_of_them_all)
{
    enum {
        FUTURES = 50
    };
    struct promise promises[FUTURES];
    cop_future *futures[FUTURES];
    uint64_t numbers[FUTURES];
    int status[FUTURES];
    for (int i = 0; i < FUTURES; i++) {
        promises[i] = promise_of_number();
        futures[i] = promises[i].future;
    }
    for (int round = 0; round < 300; round++) {
        ck_assert_int_eq(cop_await_all(futures, FUTURES, numbers, 8, 0), -ETIMEDOUT);
        ck_assert_int_eq(cop_await_first(futures, FUTURES, numbers, 8, NULL, 0), -ETIMEDOUT);
        ck_assert_int_eq(cop_await_settled(futures, FUTURES, numbers, 8, status, 0), -ETIMEDOUT);
    }
    for (int i = 0; i < FUTURES; i++) {
        ck_assert_uint_le(nodes_of(futures[i]), SWEEP + 1);
        let_go(promises[i]);
    }
}

TEST(a_future_does_not_collect_words_to_processes_that_have_ended)
{
    struct promise promise = promise_of_number();
    for (int i = 0; i < 300; i++) {
        subscribe_one_that_ends(promise.future);
    }
    ck_assert_uint_le(nodes_of(promise.future), SWEEP + 1);
    let_go(promise);
}

TEST(a_future_does_not_collect_those_who_were_killed)
{
    struct promise promise = promise_of_number();
    for (int i = 0; i < 200; i++) {
        kill_one_that_awaits(promise.future);
    }
    ck_assert_uint_le(nodes_of(promise.future), SWEEP + 1);
    let_go(promise);
}

TEST(who_still_waits_is_not_swept_away)
{
    enum {
        MANY = 100
    };
    struct promise promise = promise_of_number();
    cop_pid waiters[MANY];
    uint64_t number;
    cop_ref ref = cop_future_notify(promise.future, SETTLED);
    for (int i = 0; i < MANY; i++) {
        waiters[i] = start_waiter(promise.future, NULL);
        ck_assert_int_eq(cop_await(promise.future, COP_OUT(number), 0), -ETIMEDOUT);
    }
    for (int i = 0; i < MANY; i++) {
        EVENTUALLY(is_awaiting(waiters[i]));
    }
    for (int i = 0; i < 5000; i++) {
        ck_assert_int_eq(cop_await(promise.future, COP_OUT(number), 0), -ETIMEDOUT);
        ck_assert_uint_le(nodes_of(promise.future), 2 * (MANY + 1 + SWEEP));
    }
    ck_assert_int_eq(resolve(promise, 6), 0);
    ck_assert_int_eq(settled(ref), 0);
    for (int i = 0; i < MANY; i++) {
        assert_value_comes(6);
    }
    let_go(promise);
}

/* ---------------------------------------------------------------- what is abandoned */

static void
await_in_every_way(cop_future *future)
{
    uint64_t number;
    int status;
    cop_bytes bytes;
    ck_assert_int_eq(cop_await(future, COP_OUT(number), 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_await_bytes(future, &bytes, 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_await_all(&future, 1, COP_OUT(number), 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_await_first(&future, 1, COP_OUT(number), NULL, 0), -ETIMEDOUT);
    ck_assert_int_eq(cop_await_settled(&future, 1, COP_OUT(number), &status, 0), -ETIMEDOUT);
}

static atomic_uint handled;

static void
count_failure(cop_reason why, void *env)
{
    (void)why, (void)env;
    handled++;
}

/* Each is abandoned in another phase of its life. */
static void
abandon(int i)
{
    struct promise promise = promise_of_number();
    switch (i % 8) {
    case 0: /* never awaited, or with a handler */
        if (i % 16 == 0) {
            ck_assert_int_eq(cop_on_settled(promise.future, NULL, count_failure, NULL), 0);
        }
        break;
    case 1:
        await_in_every_way(promise.future);
        break;
    case 2:
        ck_assert_uint_ne(cop_future_notify(promise.future, SETTLED).id, 0);
        break;
    case 3:
        move_in(promise, 1);
        break;
    case 4:
        cop_future_cancel(promise.future, COP_REASON_SHUTDOWN);
        break;
    case 5:
        await_in_every_way(promise.future);
        cop_future_release(promise.future);
        promise.future = NULL;
        break;
    case 6:
        await_in_every_way(promise.future);
        move_in(promise, 1);
        break;
    default:
        cop_future_release(promise.future);
        promise.future = NULL;
        move_in(promise, 1);
    }
    let_go(promise);
    if (i % 8 == 2) {
        test_receive(SETTLED);
    }
}

TEST(ten_thousand_futures_that_are_abandoned_in_every_phase_leave_nothing) /* GO03 */
{
    for (int i = 0; i < 800; i++) { /* until the pools are as large as they will be */
        abandon(i);
    }
    EVENTUALLY(handled == 50 && drops == 300);
    drops = 0;
    size_t before = test_allocated();
    for (int i = 0; i < 10000; i++) {
        abandon(i);
    }
    EVENTUALLY(handled == 50 + 625);
    EVENTUALLY(drops == 3750);
    EVENTUALLY(test_allocated() <= before + TEST_POOLS_GROW);
    assert_nothing_comes();
}

/* ---------------------------------------------------------------- many at once */

struct crowd {
    pthread_barrier_t start, end;
    struct promise promise;
    unsigned rounds;
    atomic_uint places, done;
    _Atomic cop_time settled_at, slowest;
    void (*act)(struct crowd *crowd, unsigned place);
};

static void *
run_rounds(void *arg)
{
    struct crowd *crowd = arg;
    unsigned place = atomic_fetch_add(&crowd->places, 1);
    for (unsigned round = 0; round < crowd->rounds; round++) {
        pthread_barrier_wait(&crowd->start);
        crowd->act(crowd, place);
        pthread_barrier_wait(&crowd->end);
    }
    return NULL;
}

/* In each round `count` threads act on a fresh promise, each with a handle of its own, while this one
 * settles it, another moment later in each, and lets go of it. */
static void
run_crowd(struct crowd *crowd, unsigned count)
{
    pthread_t threads[64];
    ck_assert_uint_le(count, 64);
    pthread_barrier_init(&crowd->start, NULL, count + 1);
    pthread_barrier_init(&crowd->end, NULL, count + 1);
    for (unsigned i = 0; i < count; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_rounds, crowd), 0);
    }
    for (unsigned round = 0; round < crowd->rounds; round++) {
        crowd->promise = promise_of_number();
        for (unsigned i = 0; i < count; i++) {
            cop_future_retain(crowd->promise.future);
        }
        pthread_barrier_wait(&crowd->start);
        for (unsigned i = round % 64 * 50; i > 0; i--) {
            atomic_signal_fence(memory_order_seq_cst);
        }
        if (round % 3 == 0) {
            sched_yield();
        }
        crowd->settled_at = cop_now();
        move_in(crowd->promise, round);
        let_go(crowd->promise);
        pthread_barrier_wait(&crowd->end);
        ck_assert_uint_eq(crowd->done, (round + 1) * count);
        ck_assert_uint_le(drops, round + 1);
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(drops, crowd->rounds); /* a notice that came too late may have held one */
    pthread_barrier_destroy(&crowd->start);
    pthread_barrier_destroy(&crowd->end);
}

static void
note_slowest(struct crowd *crowd, cop_time took)
{
    cop_time slowest = crowd->slowest;
    while (took > slowest && !atomic_compare_exchange_weak(&crowd->slowest, &slowest, took)) {
    }
}

static void
await_the_value(struct crowd *crowd, unsigned place)
{
    uint64_t number = UINT64_MAX, again;
    (void)place;
    ck_assert_int_eq(cop_await(crowd->promise.future, COP_OUT(number), SOON), 0);
    note_slowest(crowd, cop_now() - crowd->settled_at);
    ck_assert_int_eq(cop_await(crowd->promise.future, COP_OUT(again), 0), 0);
    ck_assert_uint_eq(number, again);
    cop_future_release(crowd->promise.future);
    atomic_fetch_add(&crowd->done, 1);
}

TEST(sixty_four_threads_that_await_one_future_get_the_same) /* GO02 */
{
    struct crowd crowd = {.rounds = 20, .act = await_the_value};
    run_crowd(&crowd, 64);
    printf("64 were awake %lld us after the settling, the slowest\n",
           (long long)(crowd.slowest / COP_US(1)));
}

TEST(who_begins_to_wait_while_it_is_settled_is_told_for_certain)
{
    struct crowd crowd = {.rounds = 3000, .act = await_the_value};
    run_crowd(&crowd, 3);
}

static void
be_told(struct crowd *crowd, unsigned place)
{
    (void)place;
    cop_ref ref = cop_future_notify(crowd->promise.future, SETTLED);
    ck_assert_int_eq(settled(ref), 0);
    assert_nothing_comes();
    cop_future_release(crowd->promise.future);
    atomic_fetch_add(&crowd->done, 1);
}

TEST(who_asks_to_be_told_while_it_is_settled_is_told_once)
{
    struct crowd crowd = {.rounds = 1000, .act = be_told};
    run_crowd(&crowd, 3);
}

/* Some sweep, some wait in earnest, while it is settled. */
static void
wait_impatiently(struct crowd *crowd, unsigned place)
{
    uint64_t number;
    for (int i = place % 2 ? 300 : 3; i > 0; i--) {
        int r = cop_await(crowd->promise.future, COP_OUT(number), 0);
        ck_assert(r == 0 || r == -ETIMEDOUT);
    }
    await_the_value(crowd, place);
}

TEST(nobody_is_forgotten_by_who_sweeps_while_it_is_settled)
{
    struct crowd crowd = {.rounds = 300, .act = wait_impatiently};
    run_crowd(&crowd, 4);
}

enum {
    LONG_LIST = 1000
};

static struct {
    pthread_barrier_t start, end;
    cop_future *future;
    int rounds;
} sweeping;

static void *
sweep_in_each_round(void *arg)
{
    uint64_t number;
    (void)arg;
    for (int i = 0; i < sweeping.rounds; i++) {
        pthread_barrier_wait(&sweeping.start);
        int r = cop_await(sweeping.future, COP_OUT(number), 0);
        ck_assert(r == 0 || r == -ETIMEDOUT);
        pthread_barrier_wait(&sweeping.end);
    }
    return NULL;
}

/* It has them all in hand, a long list, while the list is closed behind its back. */
static void
settle_while_it_is_swept(struct promise promise, int round)
{
    int asked = 0;
    while (asked < LONG_LIST && cop_future_notify(promise.future, SETTLED).id != 0) {
        asked++;
    }
    ck_assert_int_eq(asked, LONG_LIST);
    sweeping.future = promise.future;
    copi_store_relaxed_32(&promise.future->until_sweep, 1);
    const void *newest = copi_load_acquire_ptr(&promise.future->waiters);
    pthread_barrier_wait(&sweeping.start);
    while (copi_load_acquire_ptr(&promise.future->waiters) == newest) {
        sched_yield();
    }
    for (int i = round * 20; i > 0; i--) {
        atomic_signal_fence(memory_order_seq_cst);
    }
    ck_assert_int_eq(resolve(promise, 1), 0);
    pthread_barrier_wait(&sweeping.end);
}

static void
take_all_that_were_promised(void)
{
    cop_msg msg;
    int told = 0;
    while (told < LONG_LIST && cop_receive(&msg, 0) == 0 && msg.tag == SETTLED) {
        told++;
    }
    ck_assert_int_eq(told, LONG_LIST);
}

TEST_TIMES(4, what_a_sweeper_has_in_hand_when_it_is_settled_is_told_by_the_sweeper)
{
    pthread_t thread;
    sweeping.rounds = 50;
    pthread_barrier_init(&sweeping.start, NULL, 2);
    pthread_barrier_init(&sweeping.end, NULL, 2);
    ck_assert_int_eq(pthread_create(&thread, NULL, sweep_in_each_round, NULL), 0);
    for (int round = 0; round < sweeping.rounds; round++) {
        struct promise promise = promise_of_number();
        settle_while_it_is_swept(promise, _i * sweeping.rounds + round);
        take_all_that_were_promised();
        assert_nothing_comes();
        let_go(promise);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    pthread_barrier_destroy(&sweeping.start);
    pthread_barrier_destroy(&sweeping.end);
}

static void
cancel_it(struct crowd *crowd, unsigned place)
{
    (void)place;
    int r = cop_future_cancel(crowd->promise.future, COP_REASON_SHUTDOWN);
    ck_assert_int_eq(r, -EALREADY);
    cop_future_release(crowd->promise.future);
    atomic_fetch_add(&crowd->done, 1);
}

TEST(the_last_of_many_handles_that_go_together_drops_the_value)
{
    struct crowd crowd = {.rounds = 1, .act = cancel_it};
    struct promise promise = promise_of_number();
    move_in(promise, 1);
    drops = 0;
    crowd.promise = promise;
    pthread_t threads[8];
    pthread_barrier_init(&crowd.start, NULL, 8);
    pthread_barrier_init(&crowd.end, NULL, 8);
    for (int i = 0; i < 8; i++) {
        cop_future_retain(promise.future);
    }
    let_go(promise);
    ck_assert_uint_eq(drops, 0);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run_rounds, &crowd), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
    ck_assert_uint_eq(drops, 1);
    pthread_barrier_destroy(&crowd.start);
    pthread_barrier_destroy(&crowd.end);
}

SUITE("future")
