/*
 * tests/runtime/test_mailbox.c - a mailbox: many senders, one receiver.
 *
 * Room: tests/. Without processes: the word alone, and threads that push to it.
 */
#include "runtime/mailbox.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <sched.h>

enum {
    SENDERS = 8
};

static struct copi_mailbox mailbox;

/* A message that names its sender and its place. */
static struct copi_message *
message(uint32_t sender, uint64_t number)
{
    struct copi_message *m = copi_message_new(COPI_SEND, sender, sizeof number);
    if (!m) {
        abort();
    }
    memcpy(m->body, &number, sizeof number);
    return m;
}

static uint64_t
number_of(const struct copi_message *m)
{
    uint64_t number;
    memcpy(&number, m->body, sizeof number);
    return number;
}

static enum copi_push
push(uint32_t sender, uint64_t number)
{
    uint64_t count;
    struct copi_message *m = message(sender, number);
    enum copi_push pushed = copi_mailbox_push(&mailbox, m, &count);
    if (pushed == COPI_REFUSED) {
        copi_message_free(m);
    }
    return pushed;
}

static unsigned
free_all(struct copi_message *list)
{
    unsigned count = 0;
    while (list) {
        struct copi_message *next = list->next;
        copi_message_free(list);
        list = next;
        count++;
    }
    return count;
}

/* ---------------------------------------------------------------- closed */

TEST(a_sender_that_finds_the_mailbox_closed_keeps_its_message)
{
    uint64_t count = 77;
    copi_mailbox_open(&mailbox);
    copi_mailbox_close(&mailbox);
    struct copi_message *mine = message(1, 42);
    ck_assert_int_eq(copi_mailbox_push(&mailbox, mine, &count), COPI_REFUSED);
    ck_assert_uint_eq(number_of(mine), 42);
    ck_assert_uint_eq(count, 77);
    ck_assert(!copi_mailbox_has_news(&mailbox));
    copi_message_free(mine);
}

TEST(closing_gives_what_was_there_oldest_first)
{
    copi_mailbox_open(&mailbox);
    for (uint64_t i = 0; i < 5; i++) {
        push(1, i);
    }
    struct copi_message *list = copi_mailbox_close(&mailbox);
    uint64_t expected = 0;
    for (struct copi_message *m = list; m; m = m->next) {
        ck_assert_uint_eq(number_of(m), expected++);
    }
    ck_assert_uint_eq(free_all(list), 5);
}

TEST(closing_twice_gives_nothing_the_second_time)
{
    copi_mailbox_open(&mailbox);
    push(1, 1);
    ck_assert_uint_eq(free_all(copi_mailbox_close(&mailbox)), 1);
    ck_assert_ptr_null(copi_mailbox_close(&mailbox));
}

TEST(closing_a_mailbox_whose_receiver_sleeps_leaves_it_closed)
{
    copi_mailbox_open(&mailbox);
    ck_assert(copi_mailbox_sleep(&mailbox));
    copi_mailbox_close(&mailbox);
    copi_mailbox_wake(&mailbox); /* the receiver, disowned, gets up */
    ck_assert_int_eq(push(1, 1), COPI_REFUSED);
}

TEST(nobody_falls_asleep_in_a_closed_mailbox)
{
    copi_mailbox_open(&mailbox);
    copi_mailbox_close(&mailbox);
    ck_assert(!copi_mailbox_sleep(&mailbox));
}

TEST(opening_a_closed_mailbox_lets_messages_in)
{
    copi_mailbox_close(&mailbox);
    copi_mailbox_open(&mailbox);
    ck_assert_int_eq(push(1, 1), COPI_PUSHED);
    free_all(copi_mailbox_take(&mailbox));
}

static atomic_uint start_line, finished;

static void *
close_each_round(void *arg)
{
    unsigned rounds = *(unsigned *)arg;
    for (unsigned i = 1; i <= rounds; i++) {
        while (atomic_load(&start_line) != i) {
            sched_yield();
        }
        unsigned got = free_all(copi_mailbox_close(&mailbox));
        atomic_store(&finished, 2 * i + got);
    }
    return NULL;
}

TEST(a_disowned_receiver_that_takes_while_it_is_closed_leaves_it_closed)
{
    unsigned rounds = 1000, lost = 0, open = 0;
    pthread_t closer;
    ck_assert_int_eq(pthread_create(&closer, NULL, close_each_round, &rounds), 0);
    for (unsigned i = 1; i <= rounds; i++) {
        copi_mailbox_open(&mailbox);
        push(1, i);
        atomic_store(&finished, 0);
        atomic_store(&start_line, i);
        unsigned mine = 0, theirs;
        while ((theirs = atomic_load(&finished)) == 0) {
            mine += free_all(copi_mailbox_take(&mailbox));
            sched_yield();
        }
        mine += free_all(copi_mailbox_take(&mailbox));
        lost += mine + (theirs - 2 * i) != 1;
        open += push(1, 0) != COPI_REFUSED;
        free_all(copi_mailbox_close(&mailbox));
    }
    pthread_join(closer, NULL);
    ck_assert_uint_eq(lost, 0);
    ck_assert_uint_eq(open, 0);
}

/* What the race above may leave behind for a moment, made by hand: the receiver has looked, and only
 * then is the mailbox closed. */
TEST(a_take_that_finds_a_closed_mailbox_closes_it_again)
{
    copi_mailbox_open(&mailbox);
    struct copi_message *late = message(1, 9);
    copi_store_relaxed_64(&mailbox.word, COPI_MAILBOX_CLOSED | COPI_MAILBOX_COUNT_ONE
                                             | (uint64_t)(uintptr_t)late << COPI_MAILBOX_SHIFT);
    free_all(copi_mailbox_take(&mailbox));
    ck_assert_int_eq(push(1, 1), COPI_REFUSED);
    copi_message_free(late);
}

/* ---------------------------------------------------------------- taking */

TEST(an_empty_mailbox_gives_nothing)
{
    copi_mailbox_open(&mailbox);
    ck_assert(!copi_mailbox_has_news(&mailbox));
    ck_assert_ptr_null(copi_mailbox_take(&mailbox));
}

TEST(who_looks_for_a_message_sees_what_anybody_sees)
{
    copi_mailbox_open(&mailbox);
    ck_assert(!copi_mailbox_look(&mailbox));
    ck_assert(copi_mailbox_sleep(&mailbox));
    ck_assert(!copi_mailbox_look(&mailbox)); /* that it sleeps is no message */
    push(1, 2);
    ck_assert(copi_mailbox_look(&mailbox));
    ck_assert(copi_mailbox_look(&mailbox)); /* and it has taken nothing */
    ck_assert_uint_eq(free_all(copi_mailbox_take(&mailbox)), 1);
    ck_assert(!copi_mailbox_look(&mailbox));
    copi_mailbox_close(&mailbox);
    ck_assert(!copi_mailbox_look(&mailbox));
}

TEST(a_take_of_nothing_says_so)
{
    copi_mailbox_open(&mailbox);
    struct copi_taken taken = copi_mailbox_take_all(&mailbox, 1);
    ck_assert_ptr_null(taken.first);
    ck_assert_ptr_null(taken.last);
    ck_assert_uint_eq(taken.count, 0);
    ck_assert_uint_eq(taken.kinds, 0);
    ck_assert(!taken.has_stale);
}

static void
push_kind(enum copi_kind kind, uint32_t generation)
{
    uint64_t count;
    struct copi_message *m = message(1, 0);
    m->kind = (uint8_t)kind;
    m->generation = generation;
    ck_assert_int_eq(copi_mailbox_push(&mailbox, m, &count), COPI_PUSHED);
}

TEST(a_take_says_how_many_and_which_is_last_and_what_kinds_there_are)
{
    copi_mailbox_open(&mailbox);
    push_kind(COPI_CAST, 7);
    push_kind(COPI_SIGNAL, 7); /* the highest; in the middle, where nobody looks for it */
    push_kind(COPI_CAST, 7);
    struct copi_taken taken = copi_mailbox_take_all(&mailbox, 7);
    ck_assert_uint_eq(taken.count, 3);
    ck_assert_ptr_eq(taken.first->next->next, taken.last);
    ck_assert_ptr_null(taken.last->next);
    ck_assert_uint_eq(taken.kinds, 1u << COPI_CAST | 1u << COPI_SIGNAL);
    ck_assert(!taken.has_stale);
    free_all(taken.first);
}

TEST(a_take_says_that_one_of_many_is_for_another_generation)
{
    for (uint32_t stale = 0; stale < 3; stale++) {
        copi_mailbox_open(&mailbox);
        for (uint32_t i = 0; i < 3; i++) {
            push_kind(COPI_CAST, i == stale ? 6 : 7);
        }
        struct copi_taken taken = copi_mailbox_take_all(&mailbox, 7);
        ck_assert(taken.has_stale);
        ck_assert_uint_eq(free_all(taken.first), 3);
    }
}

TEST(a_take_gives_all_of_it_oldest_first)
{
    copi_mailbox_open(&mailbox);
    for (uint64_t i = 0; i < 100; i++) {
        push(1, i);
    }
    ck_assert(copi_mailbox_has_news(&mailbox));
    struct copi_message *list = copi_mailbox_take(&mailbox);
    uint64_t expected = 0;
    for (struct copi_message *m = list; m; m = m->next) {
        ck_assert_uint_eq(number_of(m), expected++);
    }
    ck_assert_uint_eq(expected, 100);
    ck_assert(!copi_mailbox_has_news(&mailbox));
    free_all(list);
}

/* ---------------------------------------------------------------- the count */

TEST(each_push_counts_itself_in)
{
    uint64_t count;
    copi_mailbox_open(&mailbox);
    for (uint64_t i = 1; i <= 3; i++) {
        copi_mailbox_push(&mailbox, message(1, i), &count);
        ck_assert_uint_eq(count, i);
        ck_assert_uint_eq(copi_mailbox_count(copi_load_relaxed_64(&mailbox.word)), i);
    }
    free_all(copi_mailbox_take(&mailbox));
    ck_assert_uint_eq(copi_mailbox_count(copi_load_relaxed_64(&mailbox.word)), 0);
}

TEST(the_count_saturates_and_spoils_nothing_beside_it)
{
    uint64_t count;
    copi_mailbox_open(&mailbox);
    /* As if all but the last had been counted. */
    copi_store_relaxed_64(&mailbox.word, (COPI_MAILBOX_COUNT_MAX - 1) * COPI_MAILBOX_COUNT_ONE);
    for (uint64_t i = 0; i < 4; i++) {
        ck_assert_int_eq(copi_mailbox_push(&mailbox, message(1, i), &count), COPI_PUSHED);
        ck_assert_uint_eq(count, COPI_MAILBOX_COUNT_MAX);
    }
    struct copi_message *list = copi_mailbox_take(&mailbox);
    ck_assert_uint_eq(number_of(list), 0);
    ck_assert_uint_eq(free_all(list), 4);
    copi_mailbox_push(&mailbox, message(1, 1), &count);
    ck_assert_uint_eq(count, 1);
    free_all(copi_mailbox_take(&mailbox));
}

TEST(who_finds_the_mailbox_empty_notes_the_time)
{
    copi_mailbox_open(&mailbox);
    cop_time before = copi_clock_coarse();
    push(1, 1);
    uint64_t since = copi_load_relaxed_64(&mailbox.since);
    ck_assert((cop_time)since >= before);
    EVENTUALLY(copi_clock_coarse() > (cop_time)since);
    push(1, 2);
    ck_assert(copi_load_relaxed_64(&mailbox.since) == since);
    free_all(copi_mailbox_take(&mailbox));
}

/* ---------------------------------------------------------------- sleeping */

TEST(a_receiver_with_something_to_take_does_not_fall_asleep)
{
    copi_mailbox_open(&mailbox);
    push(1, 1);
    ck_assert(!copi_mailbox_sleep(&mailbox));
    free_all(copi_mailbox_take(&mailbox));
    ck_assert(copi_mailbox_sleep(&mailbox));
}

TEST(the_first_sender_to_a_sleeper_is_to_wake_it_and_no_other)
{
    copi_mailbox_open(&mailbox);
    ck_assert(copi_mailbox_sleep(&mailbox));
    ck_assert_int_eq(push(1, 1), COPI_PUSHED_ASLEEP);
    ck_assert_int_eq(push(2, 1), COPI_PUSHED);
    ck_assert_uint_eq(free_all(copi_mailbox_take(&mailbox)), 2);
}

TEST(a_receiver_that_got_up_by_itself_is_not_woken)
{
    copi_mailbox_open(&mailbox);
    ck_assert(copi_mailbox_sleep(&mailbox));
    copi_mailbox_wake(&mailbox);
    ck_assert_int_eq(push(1, 1), COPI_PUSHED);
    ck_assert_uint_eq(free_all(copi_mailbox_take(&mailbox)), 1);
}

TEST(getting_up_loses_no_message)
{
    copi_mailbox_open(&mailbox);
    ck_assert(copi_mailbox_sleep(&mailbox));
    push(1, 1);
    copi_mailbox_wake(&mailbox);
    ck_assert_uint_eq(free_all(copi_mailbox_take(&mailbox)), 1);
}

/* ---------------------------------------------------------------- many senders */

struct sender {
    pthread_t thread;
    uint32_t number;
    uint64_t messages;
    unsigned wakes, refused;
};

static struct copi_parker parker;
static atomic_uint wakes;

static void *
send_all(void *arg)
{
    struct sender *sender = arg;
    for (uint64_t i = 0; i < sender->messages; i++) {
        enum copi_push pushed = push(sender->number, i);
        if (pushed == COPI_PUSHED_ASLEEP) {
            sender->wakes++;
            atomic_fetch_add(&wakes, 1);
            copi_unpark(&parker);
        }
        sender->refused += pushed == COPI_REFUSED;
    }
    copi_pool_leave();
    return NULL;
}

static void
start_senders(struct sender senders[SENDERS], uint64_t messages)
{
    for (uint32_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.number = i, .messages = messages};
        ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
}

TEST(what_each_of_eight_senders_sends_arrives_in_order_and_no_sleep_misses_it)
{
    enum {
        MESSAGES = 20000
    };
    struct sender senders[SENDERS];
    uint64_t next[SENDERS] = {0}, received = 0;
    unsigned wrong = 0, sleeps = 0;
    copi_mailbox_open(&mailbox);
    copi_parker_init(&parker);
    start_senders(senders, MESSAGES);
    while (received < (uint64_t)(unsigned)SENDERS * MESSAGES) {
        struct copi_message *list = copi_mailbox_take(&mailbox);
        for (; list; received++) {
            struct copi_message *following = list->next;
            wrong += number_of(list) != next[list->tag]++;
            copi_message_free(list);
            list = following;
        }
        if (copi_mailbox_sleep(&mailbox)) {
            sleeps++;
            if (received < (uint64_t)(unsigned)SENDERS * MESSAGES) {
                copi_park(&parker, COP_FOREVER);
            }
            copi_mailbox_wake(&mailbox);
        }
    }
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
    }
    copi_pool_flush();
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_le(wakes, sleeps);
}

TEST_TIMES(20, exactly_one_of_eight_senders_wakes_a_sleeper)
{
    struct sender senders[SENDERS];
    copi_mailbox_open(&mailbox);
    copi_parker_init(&parker);
    ck_assert(copi_mailbox_sleep(&mailbox));
    start_senders(senders, 100);
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
    }
    ck_assert_uint_eq(wakes, 1);
    ck_assert_uint_eq(free_all(copi_mailbox_take(&mailbox)), SENDERS * 100u);
}

TEST_TIMES(20, each_message_is_either_refused_or_given_when_the_mailbox_closes_under_its_senders)
{
    enum {
        MESSAGES = 500
    };
    struct sender senders[SENDERS];
    copi_mailbox_open(&mailbox);
    copi_parker_init(&parker);
    start_senders(senders, MESSAGES);
    while (!copi_mailbox_has_news(&mailbox)) {
        sched_yield();
    }
    unsigned given = free_all(copi_mailbox_close(&mailbox)), refused = 0;
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(senders[i].thread, NULL);
        refused += senders[i].refused;
    }
    ck_assert_uint_eq(given + refused, (unsigned)SENDERS * MESSAGES);
    ck_assert(!copi_mailbox_has_news(&mailbox));
}

SUITE("mailbox")
