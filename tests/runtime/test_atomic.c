/*
 * tests/runtime/test_atomic.c - the atomic operations, in whichever variant the build has.
 *
 * Room: tests/.
 */
#include "runtime/atomic.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <sched.h>

#define BIG  UINT64_C(0xfedcba9876543210)
#define BIG2 UINT64_C(0x0123456789abcdef)

TEST(a_compare_and_swap_that_fails_changes_nothing_and_says_what_is_there)
{
    copi_atomic64 word;
    copi_atomic32 half;
    copi_atomic_ptr pointer;
    int a, b;
    copi_store_relaxed_64(&word, BIG);
    copi_store_relaxed_32(&half, 7);
    copi_store_relaxed_ptr(&pointer, &a);

    uint64_t expected = BIG ^ (UINT64_C(1) << 63); /* differs in the upper half only */
    ck_assert(!copi_cas_64(&word, &expected, 1));
    ck_assert(expected == BIG);
    ck_assert(copi_load_relaxed_64(&word) == BIG);

    uint32_t expected_half = 8;
    ck_assert(!copi_cas_32(&half, &expected_half, 1));
    ck_assert(expected_half == 7 && copi_load_relaxed_32(&half) == 7);

    void *expected_pointer = &b;
    ck_assert(!copi_cas_ptr(&pointer, &expected_pointer, &b));
    ck_assert(expected_pointer == &a && copi_load_relaxed_ptr(&pointer) == &a);
}

TEST(a_compare_and_swap_that_succeeds_puts_the_new_value_there)
{
    copi_atomic64 word;
    copi_atomic32 half;
    copi_atomic_ptr pointer;
    int a;
    copi_store_relaxed_64(&word, BIG);
    copi_store_relaxed_32(&half, 7);
    copi_store_relaxed_ptr(&pointer, NULL);

    uint64_t expected = BIG;
    ck_assert(copi_cas_64(&word, &expected, BIG2));
    ck_assert(copi_load_acquire_64(&word) == BIG2);
    uint32_t expected_half = 7;
    ck_assert(copi_cas_32(&half, &expected_half, UINT32_MAX));
    ck_assert(copi_load_acquire_32(&half) == UINT32_MAX);
    void *expected_pointer = NULL;
    ck_assert(copi_cas_ptr(&pointer, &expected_pointer, &a));
    ck_assert(copi_load_acquire_ptr(&pointer) == &a);
}

TEST(an_exchange_gives_the_old_value)
{
    copi_atomic64 word;
    copi_atomic32 half;
    copi_atomic_ptr pointer;
    int a;
    copi_store_release_64(&word, BIG);
    copi_store_release_32(&half, 7);
    copi_store_release_ptr(&pointer, &a);
    ck_assert(copi_exchange_64(&word, BIG2) == BIG);
    ck_assert(copi_load_relaxed_64(&word) == BIG2);
    ck_assert(copi_exchange_32(&half, 9) == 7);
    ck_assert(copi_load_relaxed_32(&half) == 9);
    ck_assert(copi_exchange_ptr(&pointer, NULL) == &a);
    ck_assert(copi_load_relaxed_ptr(&pointer) == NULL);
}

TEST(an_addition_gives_the_old_value_and_wraps)
{
    copi_atomic64 word;
    copi_atomic32 half;
    copi_store_relaxed_64(&word, UINT64_MAX);
    copi_store_relaxed_32(&half, 0);
    ck_assert(copi_fetch_add_64(&word, 2) == UINT64_MAX);
    ck_assert(copi_load_relaxed_64(&word) == 1);
    ck_assert(copi_fetch_add_32(&half, (uint32_t)-1) == 0);
    ck_assert(copi_load_relaxed_32(&half) == UINT32_MAX);
}

enum {
    THREADS = 4,
    ROUNDS = 50000
};

static struct {
    copi_atomic64 added, swapped;
    copi_atomic32 holder; /* of a lock made of an exchange */
    uint64_t plain;       /* guarded by it */
} shared;

static pthread_barrier_t together;

static void *
hammer(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&together);
    for (int i = 0; i < ROUNDS; i++) {
        copi_fetch_add_64(&shared.added, 1);
        uint64_t old = copi_load_relaxed_64(&shared.swapped);
        while (!copi_cas_64(&shared.swapped, &old, old + 3)) {
        }
        while (copi_exchange_32(&shared.holder, 1)) {
            sched_yield();
        }
        shared.plain++;
        copi_store_release_32(&shared.holder, 0); /* pairs with the exchange above */
    }
    return NULL;
}

TEST(nothing_is_lost_between_threads)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&together, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&together);
    ck_assert_uint_eq(copi_load_relaxed_64(&shared.added), UINT64_C(1) * THREADS * ROUNDS);
    ck_assert_uint_eq(copi_load_relaxed_64(&shared.swapped), UINT64_C(3) * THREADS * ROUNDS);
    ck_assert_uint_eq(shared.plain, UINT64_C(1) * THREADS * ROUNDS);
}

/* Games by turns end after so many rounds, or after this time: on a busy machine a turn may take a
 * time slice. */
#define LONG_ENOUGH COP_SEC(2)

enum {
    LAST = UINT16_MAX /* no round: the game is over */
};

static struct {
    uint64_t payload[8];
    copi_atomic32 turn; /* odd: the reader's */
} handed;

static void *
write_payload(void *arg)
{
    (void)arg;
    for (;;) {
        uint32_t turn = copi_load_acquire_32(&handed.turn); /* pairs with the reader's release */
        if (turn == 2 * LAST) {
            return NULL;
        }
        if (turn % 2 == 0) {
            for (int k = 0; k < 8; k++) {
                handed.payload[k] = turn;
            }
            copi_store_release_32(&handed.turn, turn + 1); /* pairs with the reader's acquire */
        } else {
            sched_yield();
        }
    }
}

TEST(what_was_written_before_a_release_is_seen_after_the_acquire)
{
    pthread_t writer;
    unsigned wrong = 0;
    cop_time end = cop_now() + LONG_ENOUGH;
    ck_assert_int_eq(pthread_create(&writer, NULL, write_payload, NULL), 0);
    for (uint32_t i = 0; i < ROUNDS && cop_now() < end; i++) {
        while (copi_load_acquire_32(&handed.turn) != 2 * i + 1) {
            sched_yield();
        }
        for (int k = 0; k < 8; k++) {
            wrong += handed.payload[k] != (uint64_t)2 * i;
        }
        copi_store_release_32(&handed.turn, 2 * i + 2);
    }
    while (copi_load_acquire_32(&handed.turn) % 2 == 0) {
        sched_yield();
    }
    copi_store_release_32(&handed.turn, 2 * LAST);
    pthread_join(writer, NULL);
    ck_assert_uint_eq(wrong, 0);
}

/* Dekker's question, which every sleep and wake-up in the library rests on: of two who each announce
 * and then look, at least one sees the other. */
static struct {
    copi_atomic32 announced[2], start, seen;
} dekker;

static void *
announce_and_look(void *arg)
{
    (void)arg;
    for (uint32_t last = 0;;) {
        uint32_t i = copi_load_acquire_32(&dekker.start);
        if (i == LAST) {
            return NULL;
        }
        if (i == last) {
            sched_yield();
            continue;
        }
        last = i;
        copi_exchange_32(&dekker.announced[1], i);
        bool sees = copi_load_relaxed_32(&dekker.announced[0]) == i;
        copi_store_release_32(&dekker.seen, 2 * i + sees);
    }
}

TEST(of_two_that_announce_and_look_one_sees_the_other)
{
    pthread_t other;
    unsigned neither = 0;
    cop_time end = cop_now() + LONG_ENOUGH;
    ck_assert_int_eq(pthread_create(&other, NULL, announce_and_look, NULL), 0);
    for (uint32_t i = 1; i < ROUNDS && cop_now() < end; i++) {
        copi_store_release_32(&dekker.start, i);
        copi_exchange_32(&dekker.announced[0], i);
        bool mine = copi_load_relaxed_32(&dekker.announced[1]) == i;
        uint32_t theirs;
        while ((theirs = copi_load_acquire_32(&dekker.seen)) / 2 != i) {
            sched_yield();
        }
        neither += !mine && theirs % 2 == 0;
    }
    copi_store_release_32(&dekker.start, LAST);
    pthread_join(other, NULL);
    ck_assert_uint_eq(neither, 0);
}

SUITE("atomic")
