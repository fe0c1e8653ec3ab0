/*
 * tests/runtime/test_notice.c - notices: what a process waits for that is no process, and what becomes
 * of those that nobody waits for any more.
 *
 * Room: tests/. Each notice owns a number, whose drop function counts: it has to run once, wherever
 * the notice ends up. Who waits in a process of its own says under which reference.
 */
#include "runtime/cycle.h"
#include "runtime/notice.h"
#include "runtime/table.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <unistd.h>

enum {
    PLACE = 1,
    OUTCOME,
    PLAIN,
    MANY = 1000,
};

/* ---------------------------------------------------------------- helpers */

static atomic_uint drops, last_dropped;

static void
drop(void *number)
{
    atomic_fetch_add(&drops, 1);
    atomic_store(&last_dropped, *(unsigned *)number);
    free(number);
}

static struct copi_message *
notice(cop_ref ref, unsigned number)
{
    struct copi_message *node = copi_message_new(COPI_NOTE, number, sizeof(struct copi_outside));
    unsigned *owned = malloc(sizeof *owned);
    ck_assert_ptr_nonnull(node);
    ck_assert_ptr_nonnull(owned);
    *owned = number;
    node->ref = ref;
    node->flags |= COPI_OUTSIDE;
    *(struct copi_outside *)(void *)node->body = (struct copi_outside){.data = owned, .drop = drop};
    return node;
}

static void
post(cop_pid to, cop_ref ref, unsigned number)
{
    copi_notice_post(to, notice(ref, number));
}

static struct copi_process *
self(void)
{
    struct copi_process *process;
    ck_assert_int_eq(copi_enter(&process), 0);
    return process;
}

static cop_ref
begin(void)
{
    cop_ref ref = copi_make_ref(self(), self()->index);
    copi_notices_begin(self(), ref);
    return ref;
}

/* The number of the next one, or a code. */
static int
next(struct copi_message **at, cop_time timeout)
{
    struct copi_wait wait = COPI_WAIT("test", timeout);
    int r = copi_notices_next(self(), &wait, at);
    return r ? r : (int)(*at)->tag;
}

static void
assert_wanted(cop_ref ref, bool wanted)
{
    ck_assert_int_eq(copi_notice_is_wanted(cop_self(), ref), wanted);
}

/* ---------------------------------------------------------------- who waits elsewhere */

struct place {
    cop_pid pid;
    cop_ref ref;
};

struct order {
    cop_pid starter;
    unsigned count; /* of notices to wait for */
    cop_time timeout;
};

struct outcome {
    int code; /* of the first wait that failed */
    unsigned got[4];
    cop_reason why;
};

static int
wait_for_notices(cop_bytes arg)
{
    const struct order *order = arg.data;
    struct outcome outcome = {0};
    struct copi_message *at = NULL;
    struct copi_wait wait = COPI_WAIT("test", order->timeout);
    struct place place = {cop_self(), begin()};
    ck_assert_int_eq(cop_send(order->starter, COP_MSG_OF(PLACE, place)), 0);
    for (unsigned i = 0; i < order->count && outcome.code == 0; i++) {
        outcome.code = copi_notices_next(self(), &wait, &at);
        if (outcome.code == 0) {
            outcome.got[i % 4] = at->tag;
        }
    }
    outcome.why = cop_why();
    copi_notices_end(self());
    return cop_send(order->starter, COP_MSG_OF(OUTCOME, outcome));
}

static bool
sleeps(cop_pid pid)
{
    struct copi_process *process = copi_table_find(pid);
    return process && copi_load_relaxed_64(&process->mailbox.word) & COPI_MAILBOX_ASLEEP;
}

static struct place
start_waiter(unsigned count, cop_ref *monitor)
{
    struct order order = {cop_self(), count, COP_FOREVER};
    ck_assert_int_eq(cop_spawn(NULL, wait_for_notices, .arg = COP_BYTES(order), .monitor = monitor),
                     0);
    cop_msg msg = test_receive(PLACE);
    struct place place = *COP_BODY(msg, struct place);
    EVENTUALLY(sleeps(place.pid));
    return place;
}

static struct outcome
outcome(void)
{
    cop_msg msg = test_receive(OUTCOME);
    return *COP_BODY(msg, struct outcome);
}

/* ---------------------------------------------------------------- whom nobody waits for */

TEST(a_notice_for_nobody_is_let_go)
{
    post(COP_NOBODY, (cop_ref){7}, 1);
    ck_assert_uint_eq(drops, 1);
    ck_assert(!copi_notice_is_wanted(COP_NOBODY, (cop_ref){7}));
}

TEST(a_notice_for_a_process_that_has_ended_is_let_go)
{
    cop_pid dead = test_start_dead();
    post(dead, (cop_ref){7}, 1);
    ck_assert_uint_eq(drops, 1);
    ck_assert(!copi_notice_is_wanted(dead, (cop_ref){7}));
}

TEST(a_notice_is_not_for_who_lives_where_the_other_did)
{
    cop_ref monitor;
    struct place dead = start_waiter(1, &monitor);
    struct copi_process *record = copi_table_find(dead.pid);
    cop_exit_signal(dead.pid, COP_REASON_KILLED);
    test_down(monitor);
    struct place place;
    do { /* until one lives in the same record */
        place = start_waiter(1, NULL);
        if (copi_table_find(place.pid) != record) {
            post(place.pid, place.ref, 0);
            ck_assert_uint_eq(outcome().got[0], 0);
        }
    } while (copi_table_find(place.pid) != record);
    drops = 0;
    ck_assert(!copi_notice_is_wanted(dead.pid, dead.ref));
    ck_assert(!copi_notice_is_wanted(dead.pid, place.ref));
    post(dead.pid, place.ref, 1); /* even under a reference that it waits for */
    ck_assert_uint_eq(drops, 1);
    post(place.pid, place.ref, 2);
    ck_assert_uint_eq(outcome().got[0], 2);
}

TEST(a_notice_under_another_reference_is_let_go_when_it_is_taken_in)
{
    cop_ref ref = begin();
    struct copi_message *at = NULL;
    post(cop_self(), (cop_ref){ref.id + 1}, 1);
    ck_assert_uint_eq(drops, 0);
    ck_assert_int_eq(next(&at, 0), -ETIMEDOUT);
    ck_assert_ptr_null(at);
    ck_assert_uint_eq(drops, 1);
    copi_notices_end(self());
}

TEST(a_notice_that_comes_when_the_wait_is_over_is_let_go_and_is_no_message)
{
    cop_msg msg;
    cop_ref ref = begin();
    copi_notices_end(self());
    post(cop_self(), ref, 1);
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
    ck_assert_uint_eq(drops, 1);
}

TEST(a_notice_that_was_never_asked_for_is_let_go)
{
    cop_msg msg;
    post(cop_self(), (cop_ref){7}, 1);
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
    ck_assert_uint_eq(drops, 1);
}

/* ---------------------------------------------------------------- whether it is wanted */

TEST(a_notice_is_wanted_from_the_beginning_of_the_wait_to_its_end)
{
    cop_ref before = begin();
    assert_wanted(before, true);
    copi_notices_end(self());
    assert_wanted(before, false);
    cop_ref ref = begin();
    assert_wanted(ref, true);
    assert_wanted(before, false);
    struct copi_message *at = NULL;
    post(cop_self(), ref, 1);
    ck_assert_int_eq(next(&at, 0), 1);
    assert_wanted(ref, true); /* there may be more */
    cop_ref other = begin();
    assert_wanted(ref, false);
    assert_wanted(other, true);
    copi_notices_end(self());
    assert_wanted(other, false);
}

TEST(another_thread_sees_whether_a_notice_is_wanted)
{
    struct place place = start_waiter(1, NULL);
    ck_assert(copi_notice_is_wanted(place.pid, place.ref));
    ck_assert(!copi_notice_is_wanted(place.pid, (cop_ref){place.ref.id + 1}));
    post(place.pid, place.ref, 1);
    outcome();
    EVENTUALLY(!copi_notice_is_wanted(place.pid, place.ref));
}

/* ---------------------------------------------------------------- taking them */

TEST(notices_come_in_the_order_of_time_and_stay_until_the_wait_is_over)
{
    cop_ref ref = begin();
    struct copi_message *at = NULL;
    for (unsigned i = 0; i < MANY; i++) {
        post(cop_self(), ref, i);
    }
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_int_eq(next(&at, 0), (int)i);
    }
    ck_assert_int_eq(next(&at, 0), -ETIMEDOUT);
    ck_assert_uint_eq(at->tag, MANY - 1); /* and nothing has changed */
    ck_assert_uint_eq(drops, 0);
    post(cop_self(), ref, MANY);
    ck_assert_int_eq(next(&at, 0), MANY);
    copi_notices_end(self());
    ck_assert_uint_eq(drops, MANY + 1);
}

TEST(notices_that_nobody_has_looked_at_go_with_the_wait_too)
{
    cop_ref ref = begin();
    struct copi_message *at = NULL;
    for (unsigned i = 0; i < 10; i++) {
        post(cop_self(), ref, i);
    }
    ck_assert_int_eq(next(&at, 0), 0);
    copi_notices_end(self());
    ck_assert_uint_eq(drops, 10);
}

TEST(a_wait_that_begins_lets_go_of_what_came_for_the_one_before)
{
    cop_ref ref = begin();
    struct copi_message *at = NULL;
    post(cop_self(), ref, 1);
    ck_assert_int_eq(next(&at, 0), 1);
    ref = begin();
    ck_assert_uint_eq(drops, 1);
    at = NULL;
    ck_assert_int_eq(next(&at, 0), -ETIMEDOUT);
    post(cop_self(), ref, 2);
    ck_assert_int_eq(next(&at, 0), 2);
    copi_notices_end(self());
    copi_notices_end(self()); /* twice is safe */
    ck_assert_uint_eq(drops, 2);
}

TEST(a_notice_is_taken_before_the_messages_that_wait_and_leaves_them_there)
{
    cop_ref ref = begin();
    struct copi_message *at = NULL;
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_int_eq(cop_send(cop_self(), COP_MSG_OF(PLAIN, i)), 0);
    }
    post(cop_self(), ref, 9);
    ck_assert_int_eq(next(&at, SOON), 9);
    copi_notices_end(self());
    for (unsigned i = 0; i < 5; i++) {
        cop_msg msg = test_receive(PLAIN);
        ck_assert_uint_eq(*COP_BODY(msg, unsigned), i);
    }
}

TEST(a_notice_wakes_who_waits_for_it)
{
    struct place place = start_waiter(3, NULL);
    for (unsigned i = 0; i < 3; i++) {
        EVENTUALLY(sleeps(place.pid));
        ck_assert_uint_eq(drops, 0);
        post(place.pid, place.ref, 10 + i);
    }
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, 0);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(got.got[i], 10 + i);
    }
    ck_assert_uint_eq(drops, 3); /* before it said so */
}

TEST(a_message_does_not_end_the_wait)
{
    struct place place = start_waiter(1, NULL);
    ck_assert_int_eq(cop_send(place.pid, COP_TAG(PLAIN)), 0);
    post(place.pid, (cop_ref){place.ref.id + 1}, 5);
    EVENTUALLY(drops == 1);
    EVENTUALLY(sleeps(place.pid));
    post(place.pid, place.ref, 6);
    ck_assert_uint_eq(outcome().got[0], 6);
}

/* ---------------------------------------------------------------- what ends a wait */

TEST(the_time_of_a_wait_goes_on_from_one_notice_to_the_next)
{
    cop_ref ref = begin();
    struct copi_message *at = NULL;
    cop_time start = cop_now();
    struct copi_wait wait = COPI_WAIT("test", COP_MS(30));
    ck_assert_int_eq(copi_notices_next(self(), &wait, &at), -ETIMEDOUT);
    ck_assert(cop_now() - start >= COP_MS(30));
    ck_assert_int_eq(cop_why().code, -ETIMEDOUT);
    post(cop_self(), ref, 1); /* what is there is taken, late as it is */
    ck_assert_int_eq(copi_notices_next(self(), &wait, &at), 0);
    ck_assert_int_eq(copi_notices_next(self(), &wait, &at), -ETIMEDOUT);
    copi_notices_end(self());
}

TEST(who_is_asked_to_stop_does_not_wait_on)
{
    struct place place = start_waiter(1, NULL);
    cop_exit_signal(place.pid, COP_REASON_SHUTDOWN);
    struct outcome got = outcome();
    ck_assert_int_eq(got.code, -ECANCELED);
    ck_assert_int_eq((int)got.why.kind, COP_SHUTDOWN);
}

TEST(who_is_killed_in_a_wait_lets_go_of_what_has_come_and_of_what_comes_later)
{
    cop_ref monitor;
    struct place place = start_waiter(3, &monitor);
    post(place.pid, place.ref, 1);
    EVENTUALLY(sleeps(place.pid));
    ck_assert_uint_eq(drops, 0);
    cop_exit_signal(place.pid, COP_REASON_KILLED);
    ck_assert_int_eq((int)test_down(monitor).kind, COP_KILLED);
    ck_assert_uint_eq(drops, 1); /* before its monitors are told */
    post(place.pid, place.ref, 2);
    ck_assert_uint_eq(drops, 2);
}

TEST(a_notice_that_meets_the_end_of_the_process_is_let_go_once)
{
    for (unsigned round = 0; round < 500; round++) {
        cop_ref monitor;
        struct place place = start_waiter(2, &monitor);
        cop_exit_signal(place.pid, COP_REASON_KILLED);
        for (unsigned i = round % 50 * 100; i > 0; i--) {
            atomic_signal_fence(memory_order_seq_cst);
        }
        post(place.pid, place.ref, round);
        test_down(monitor);
        EVENTUALLY(drops == round + 1);
    }
}

static void *
wait_on_a_thread(void *arg)
{
    struct place *place = arg;
    *place = (struct place){cop_self(), begin()};
    struct copi_message *at = NULL;
    ck_assert_int_eq(next(&at, COP_MS(1)), -ETIMEDOUT);
    post(cop_self(), place->ref, 1);
    ck_assert_int_eq(next(&at, 0), 1);
    post(cop_self(), place->ref, 2); /* not taken in */
    return NULL;                     /* in the middle of it */
}

TEST(a_thread_of_others_that_ends_in_a_wait_lets_go_of_everything)
{
    pthread_t thread;
    struct place place;
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_on_a_thread, &place), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(drops, 2);
    ck_assert(!copi_notice_is_wanted(place.pid, place.ref));
    post(place.pid, place.ref, 3);
    ck_assert_uint_eq(drops, 3);
}

/* ---------------------------------------------------------------- circles */

TEST(a_notice_takes_away_the_edge_of_its_wait_and_of_no_other)
{
    struct place other = start_waiter(1, NULL);
    struct copi_process *me = self();
    cop_ref ref = copi_make_ref(me, copi_table_find(other.pid)->index);
    ck_assert_int_eq(copi_cycle_begin(me, other.pid, ref), 0);
    copi_notices_begin(me, ref);
    post(cop_self(), (cop_ref){ref.id + 1}, 1);
    ck_assert_uint_eq(copi_load_relaxed_64(&me->waits_for), ref.id);
    post(cop_self(), ref, 2);
    ck_assert_uint_eq(copi_load_relaxed_64(&me->waits_for), 0); /* though it has not looked yet */
    copi_notices_end(me);
    post(other.pid, other.ref, 3);
    outcome();
}

TEST(the_end_of_a_wait_takes_its_edge_away)
{
    struct place other = start_waiter(1, NULL);
    struct copi_process *me = self();
    cop_ref ref = copi_make_ref(me, copi_table_find(other.pid)->index);
    ck_assert_int_eq(copi_cycle_begin(me, other.pid, ref), 0);
    copi_notices_begin(me, ref);
    copi_notices_end(me);
    ck_assert_uint_eq(copi_load_relaxed_64(&me->waits_for), 0);
    post(other.pid, other.ref, 3);
    outcome();
}

/* ---------------------------------------------------------------- many at once */

enum {
    POSTERS = 4
};
static struct place target;

static void *
post_many(void *arg)
{
    unsigned from = (unsigned)(uintptr_t)arg * MANY;
    cop_self(); /* so that what it allocates is given back */
    for (unsigned i = 0; i < MANY; i++) {
        post(target.pid, target.ref, from + i);
    }
    return NULL;
}

TEST(notices_of_many_threads_all_come_and_those_of_each_in_order)
{
    pthread_t threads[POSTERS];
    unsigned seen[POSTERS] = {0};
    struct copi_message *at = NULL;
    target = (struct place){cop_self(), begin()};
    for (uintptr_t i = 0; i < POSTERS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, post_many, (void *)i), 0);
    }
    for (unsigned i = 0; i < POSTERS * MANY; i++) {
        int number = next(&at, SOON);
        ck_assert_int_ge(number, 0);
        ck_assert_int_eq(number % MANY, (int)seen[number / MANY]++);
    }
    for (unsigned i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
    }
    copi_notices_end(self());
    ck_assert_uint_eq(drops, POSTERS * MANY);
}

static atomic_bool goes_on;

static void *
post_in_vain(void *arg)
{
    (void)arg;
    unsigned count = 0;
    cop_self();
    for (; goes_on; count++) {
        post(target.pid, target.ref, count);
    }
    return (void *)(uintptr_t)count;
}

/* Waits begin and end all the while; the reference of one of them is used on and on. */
TEST(notices_for_a_wait_that_is_over_never_end_another)
{
    pthread_t thread;
    void *posted;
    cop_msg msg;
    target = (struct place){cop_self(), begin()};
    copi_notices_end(self());
    goes_on = true;
    ck_assert_int_eq(pthread_create(&thread, NULL, post_in_vain, NULL), 0);
    for (unsigned i = 0; i < 2000; i++) {
        struct copi_message *at = NULL;
        cop_ref ref = begin();
        ck_assert_int_eq(next(&at, 0), -ETIMEDOUT);
        post(cop_self(), ref, i);
        ck_assert_int_eq(next(&at, 0), (int)i);
        copi_notices_end(self());
    }
    goes_on = false;
    ck_assert_int_eq(pthread_join(thread, &posted), 0);
    ck_assert_int_eq(cop_receive(&msg, 0), -ETIMEDOUT);
    ck_assert_uint_eq(drops, 2000 + (unsigned)(uintptr_t)posted);
}

SUITE("notice")
