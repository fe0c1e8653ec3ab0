/*
 * tests/runtime/test_log_limit.c - how many lines of one kind are too many.
 *
 * Room: tests/.
 */
#include "runtime/log_limit.h"
#include "tests/runtime/no_timers.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    USUAL = 100,
};

static bool
admit(const char *like, const char *actor, cop_log_level level)
{
    const cop_log_entry entry = {.level = level, .actor = actor, .message = like};
    return copi_log_admit(&entry, like);
}

static unsigned
admit_many(unsigned count, const char *like, const char *actor)
{
    cop_log_set_level(COP_LOG_INFO); /* the first look would set the limit */
    unsigned admitted = 0;
    for (unsigned i = 0; i < count; i++) {
        admitted += admit(like, actor, COP_LOG_INFO);
    }
    return admitted;
}

static void
told(const char *expected)
{
    copi_log_limit_tell();
    char *lines = test_caught_stderr();
    ck_assert_str_eq(lines, expected);
    free(lines);
}

/* ---------------------------------------------------------------- limits */

TEST(a_flood_is_cut_and_counted)
{
    test_catch_stderr();
    ck_assert_uint_eq(admit_many(1000, "m", "a"), USUAL);
    told("coppice: info: more lines were withheld lines=900 like=m of=a\n");
}

TEST(nothing_is_told_of_what_was_not_withheld)
{
    test_catch_stderr();
    ck_assert_uint_eq(admit_many(USUAL, "m", "a"), USUAL);
    told("");
}

TEST(nothing_is_told_twice)
{
    test_catch_stderr();
    admit_many(1000, "m", "a");
    copi_log_limit_tell();
    free(test_caught_stderr());
    test_catch_stderr();
    told("");
}

TEST(a_flood_hides_nothing_else)
{
    test_catch_stderr();
    admit_many(1000, "m", "a");
    ck_assert(admit("n", "a", COP_LOG_INFO));
    ck_assert(admit("m", "b", COP_LOG_INFO));
    ck_assert(admit("m", "a", COP_LOG_ERROR));
    ck_assert(!admit("m", "a", COP_LOG_INFO));
    free(test_caught_stderr());
}

TEST(an_actor_without_a_name_is_nobody)
{
    test_catch_stderr();
    ck_assert_uint_eq(admit_many(1000, "m", NULL), USUAL);
    told("coppice: info: more lines were withheld lines=900 like=m\n");
}

TEST(the_limit_can_be_set)
{
    cop_log_set_level(COP_LOG_INFO);
    copi_log_limit_configure(7, 0);
    test_catch_stderr();
    ck_assert_uint_eq(admit_many(1000, "m", "a"), 7);
    free(test_caught_stderr());
}

TEST(the_limit_can_be_lifted)
{
    cop_log_set_level(COP_LOG_INFO);
    copi_log_limit_configure(COP_LOG_NO_LIMIT, 0);
    test_catch_stderr();
    ck_assert_uint_eq(admit_many(100000, "m", "a"), 100000);
    told("");
}

TEST(without_a_limit_every_line_would_be_admitted)
{
    const cop_log_entry entry = {.level = COP_LOG_ERROR, .actor = "a"};
    cop_log_set_level(COP_LOG_INFO);
    copi_log_limit_configure(1, 0);
    ck_assert(copi_log_admit(&entry, "m"));
    ck_assert(!copi_log_would_admit(&entry, "m"));
    copi_log_limit_configure(COP_LOG_NO_LIMIT, 0);
    ck_assert(copi_log_would_admit(&entry, "m"));
}

/* More kinds than there are places. */
TEST(a_thousand_kinds_are_no_flood)
{
    char name[16];
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "actor %d", i);
        ck_assert_uint_eq(admit_many(3, "m", name), 3);
    }
    test_catch_stderr();
    told("");
}

TEST(a_message_that_is_long_is_shown_by_its_beginning)
{
    char message[500] = "";
    memset(message, 'm', sizeof message - 1);
    test_catch_stderr();
    admit_many(101, message, "a");
    copi_log_limit_tell();
    char *lines = test_caught_stderr();
    ck_assert_ptr_nonnull(strstr(lines, "lines=1 like=mmmm"));
    ck_assert_uint_lt(strlen(lines), 200);
    free(lines);
}

static void *
flood(void *admitted)
{
    *(unsigned *)admitted = admit_many(1000, "m", "a");
    return NULL;
}

TEST(threads_together_have_one_limit)
{
    enum {
        THREADS = 8
    };
    pthread_t thread[THREADS];
    unsigned admitted[THREADS], sum = 0;
    test_catch_stderr();
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], NULL, flood, &admitted[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        sum += admitted[i];
    }
    copi_log_limit_tell();
    char *lines = test_caught_stderr();
    unsigned withheld = 0;
    for (char *at = lines; (at = strstr(at, "lines=")); at++) {
        withheld += test_number_after(at, "lines=");
    }
    ck_assert_uint_eq(sum + withheld, THREADS * 1000); /* also where a span ends in between */
    free(lines);
}

/* ---------------------------------------------------------------- ends */

TEST(what_was_withheld_is_told_before_the_next_span)
{
    cop_log_set_level(COP_LOG_INFO);
    copi_log_limit_configure(3, COP_MS(20));
    has_no_timers = true;
    test_catch_stderr();
    while (admit("m", "a", COP_LOG_INFO)) {
    }
    while (!admit("m", "a", COP_LOG_INFO)) {
        usleep(1000);
    }
    char *lines = test_caught_stderr();
    ck_assert_uint_eq(test_count(lines, "more lines were withheld"), 1);
    free(lines);
}

/* Where nothing of the kind comes any more. */
TEST(a_flood_that_simply_ends_is_told_of_by_a_timer)
{
    cop_log_set_level(COP_LOG_INFO);
    copi_log_limit_configure(USUAL, COP_MS(50));
    int file = memfd_create("stderr", MFD_CLOEXEC), before = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
    cop_time begin = cop_now();
    unsigned admitted = admit_many(USUAL + 1100, "m", "a"), withheld = 0;
    char words[400] = "";
    const char *last;
    do { /* more than one, on a machine that is so slow that a span ends in between */
        usleep(1000);
        ck_assert_int_ge(pread(file, words, sizeof words - 1, 0), 0);
        last = strstr(words, "lines=");
    } while (!last && cop_now() - begin < SOON);
    dup2(before, STDERR_FILENO);
    close(before);
    close(file);
    ck_assert_ptr_nonnull(last);
    withheld = test_number_after(last, "lines=");
    ck_assert_ptr_nonnull(strstr(last, " like=m of=a"));
    ck_assert_uint_ge(withheld, 1);
    ck_assert_uint_le(admitted + withheld, USUAL + 1100);
    ck_assert_int_ge(cop_now() - begin, COP_MS(50));
    ck_assert_int_eq(cop_shutdown(SOON), 0);
}

SUITE("log_limit")
