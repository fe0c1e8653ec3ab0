/*
 * tests/support/support.h - what the suites share: the runner, waiting for conditions, counting what
 * is left, failing allocations, reading reports.
 *
 * Room: tests/. Knows the runtime and libcheck.
 *
 *     TEST(a_sender_that_finds_the_mailbox_closed_keeps_its_message)
 *     {
 *         ...
 *         EVENTUALLY(is_closed);
 *     }
 *     SUITE("mailbox")
 *
 * Tests register themselves, in the order in which they stand in the file, so that none is forgotten.
 * Each runs in a process of its own, with a limit of time. When it returns, cop_shutdown and cop_trim
 * are called, and the test fails if a thread, a descriptor or an object of the library's (cop_live) is left
 * that was not there before, or if it has taken longer than five seconds.
 */
#ifndef COPI_TESTS_SUPPORT_H
#define COPI_TESTS_SUPPORT_H

#include <coppice.h>

#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sanitizer's allocator, exit and speed are not what they are elsewhere. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
# define TEST_SANITIZED 1
#else
# define TEST_SANITIZED 0
#endif

/* ---------------------------------------------------------------- the runner */

enum {
    TEST_SECONDS = 5 /* .ci/run-tests multiplies it for sanitizers */
};

struct test {
    const TTest *it;
    int times;
    struct test *next;
};
void test_register(struct test *test);

/* A test that runs `count` times, each time anew; `_i` counts from 0. Each has the limit for itself, so one
 * that takes long is better cut into several. */
#define TEST_TIMES(count, name)                                            \
 static void name##_fn(int _i);                                            \
 static const TTest name##_ttest = {#name, name##_fn, __FILE__, __LINE__}; \
 static struct test name##_test = {.it = &name##_ttest, .times = (count)}; \
 __attribute__((constructor)) static void name##_register(void)            \
 {                                                                         \
  test_register(&name##_test);                                             \
 }                                                                         \
 static void name##_fn(int _i __attribute__((unused)))
#define TEST(name) TEST_TIMES(1, name)

int test_main(const char *suite_name);
#define SUITE(name)         \
 int main(void)             \
 {                          \
  return test_main((name)); \
 }

/* The same with what is done once before the first test and once after the last, in the suite's own process. */
int test_main_around(const char *suite_name, void (*before_all)(void), void (*after_all)(void));
#define SUITE_AROUND(name, before_all, after_all)             \
 int main(void)                                               \
 {                                                            \
  return test_main_around((name), (before_all), (after_all)); \
 }

/* For a test that leaves threads, descriptors or objects behind on purpose: nothing is checked at its end. */
void test_leaves_things_behind(void);

/* For one that leaves objects (cop_live) behind on purpose: threads and descriptors are checked. */
void test_leaves_objects_behind(void);

/* ---------------------------------------------------------------- waiting */

/* What a test does next is done within this, also where the machine stands still for a moment; and it is
 * short enough to be waited for. */
#define IN_TIME (TEST_SANITIZED ? COP_SEC(1) : COP_MS(300))

/* For what has to happen: the test's own limit is a little longer, so that it can say what has not. */
#define SOON (TEST_SANITIZED ? COP_SEC(30) : COP_SEC(4))

/* Wait until the condition holds; the test fails if that takes longer than SOON. In a process this is
 * an exit point. */
#define EVENTUALLY(condition)                                                     \
 do {                                                                             \
  cop_time until_ = cop_now() + SOON;                                             \
  while (!(condition)) {                                                          \
   ck_assert_msg(cop_now() < until_, "has not happened in time: %s", #condition); \
   cop_sleep(COP_US(200));                                                        \
  }                                                                               \
 } while (0)

/* Whether who is found under a name is there and not `gone`. One look finds whom: between two of them a name may
 * lose its holder, and nobody is not `gone` either. */
bool test_is_another(cop_pid found, cop_pid gone);

/* Receive the DOWN of this monitor: why the process ended. Other messages stay. */
cop_reason test_down(cop_ref monitor);

/* Receive a message with this tag; it must be the next one. */
cop_msg test_receive(uint32_t tag);

/* Whether there is a message, and take it. */
bool test_has_mail(void);

/* A process's function: takes what it is sent, until it ends. */
int test_wait_for_end(cop_bytes unused);

/* A process that has ended. */
cop_pid test_start_dead(void);

/* How a server is. */
cop_sys_status test_status(cop_pid server);

/* Whether the process waits in the library and has nothing to read. */
bool test_is_waiting(cop_pid pid);

/* ---------------------------------------------------------------- counting */

unsigned test_threads(void);     /* of this program */
unsigned test_descriptors(void); /* that are open */
size_t test_allocated(void);

/* By how much it may grow though nothing is left behind: pools take 64 KiB at a time. */
enum {
    TEST_POOLS_GROW = 3 * (64 * 1024 + 256)
}; /* bytes */

/* ---------------------------------------------------------------- failing */

/*
 * Call attempt(arg) again and again, with every allocation after the n-th failing, n = 0, 1, …, until
 * it no longer returns -ENOMEM. Returns how often it did; *result is the last return value.
 */
unsigned test_out_of_memory(int (*attempt)(void *arg), void *arg, int *result);

/* The same with each attempt in a process and a thread of its own, which have no memory of before. */
unsigned test_out_of_memory_afresh(int (*attempt)(void *arg), void *arg, int *result);

/* From here on each further cop_defer of this process needs memory. */
void test_fill_deferred(void);

/* From here on the system call fails with this error, in every thread of this test. */
void test_refuse_system_call(int number, int error);

/* Whether this holds in the child of a fork, in which nothing of the library can be used. */
bool test_in_child(bool (*holds)(void));

/* ---------------------------------------------------------------- reports */

/* From here on, what the program writes to standard error is kept; */
void test_catch_stderr(void);

/* until here: all of it, terminated. The caller frees it. */
char *test_caught_stderr(void);

/* How often `part` is in `text`. */
unsigned test_count(const char *text, const char *part);

/* The number behind the first `prefix` in `text`; the test fails if there is none. */
unsigned test_number_after(const char *text, const char *prefix);

#endif
