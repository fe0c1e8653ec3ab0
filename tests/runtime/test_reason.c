/*
 * tests/runtime/test_reason.c - why a process ended, and error numbers in words.
 *
 * Room: tests/.
 */
#include "runtime/table.h"
#include "tests/support/support.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>

enum {
    TEXT = sizeof((cop_reason *)0)->text,
    KIND_THAT_IS_NONE = 99,
};

/* In words, in a buffer that lives until the next call. */
static const char *
words(cop_reason reason)
{
    static char out[TEXT];
    return cop_reason_string(reason, out, sizeof out);
}

/* ---------------------------------------------------------------- made */

TEST(a_failure_has_its_code_and_its_formatted_text)
{
    cop_reason reason = cop_failed(-EIO, "%s %d", "disk", 7);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, -EIO);
    ck_assert_str_eq(reason.text, "disk 7");
}

TEST(a_failure_may_have_no_text)
{
    cop_reason reason = cop_failed(42, NULL);
    ck_assert_int_eq(reason.kind, COP_FAILED);
    ck_assert_int_eq(reason.code, 42);
    ck_assert_str_eq(reason.text, "");
}

TEST(a_text_that_just_fits_is_whole)
{
    cop_reason reason = cop_failed(-EIO, "%0*d", TEXT - 1, 7);
    ck_assert_uint_eq(strlen(reason.text), TEXT - 1);
    ck_assert_int_eq(reason.text[TEXT - 2], '7');
}

TEST(a_text_that_is_too_long_is_cut_and_terminated)
{
    cop_reason reason = cop_failed(-EIO, "%0*d", TEXT, 7);
    ck_assert_uint_eq(strlen(reason.text), TEXT - 1);
    ck_assert_int_eq(reason.text[TEXT - 2], '0');
}

TEST(the_constants_are_what_they_say)
{
    ck_assert_int_eq(COP_REASON_NORMAL.kind, COP_NORMAL);
    ck_assert_int_eq(COP_REASON_SHUTDOWN.kind, COP_SHUTDOWN);
    ck_assert_int_eq(COP_REASON_KILLED.kind, COP_KILLED);
    ck_assert_int_eq(((cop_reason){0}).kind, COP_NORMAL); /* zero is the default */
}

TEST(all_but_normal_and_shutdown_are_crashes)
{
    ck_assert(!cop_is_crash(COP_REASON_NORMAL));
    ck_assert(!cop_is_crash(COP_REASON_SHUTDOWN));
    ck_assert(!cop_is_crash((cop_reason){.kind = COP_SHUTDOWN, .code = -EIO, .text = "more"}));
    ck_assert(cop_is_crash(cop_failed(0, NULL)));
    ck_assert(cop_is_crash((cop_reason){.kind = COP_FAULTED}));
    ck_assert(cop_is_crash(COP_REASON_KILLED));
    ck_assert(cop_is_crash((cop_reason){.kind = COP_NOPROC}));
}

/* ---------------------------------------------------------------- as an error */

TEST(a_negative_code_is_the_error)
{
    ck_assert_int_eq(cop_reason_error(cop_failed(-EIO, "text")), -EIO);
    ck_assert_int_eq(cop_reason_error(cop_failed(-1, NULL)), -1);
    ck_assert_int_eq(cop_reason_error(cop_failed(INT_MIN, NULL)), INT_MIN);
}

TEST(an_applications_own_number_is_not_recoverable)
{
    ck_assert_int_eq(cop_reason_error(cop_failed(1, NULL)), -ENOTRECOVERABLE);
    ck_assert_int_eq(cop_reason_error(cop_failed(INT_MAX, NULL)), -ENOTRECOVERABLE);
    ck_assert_int_eq(cop_reason_error(cop_failed(0, NULL)), -ENOTRECOVERABLE);
}

TEST(every_other_kind_has_an_error_of_its_own)
{
    ck_assert_int_eq(cop_reason_error(COP_REASON_NORMAL), -EPIPE);
    ck_assert_int_eq(cop_reason_error(COP_REASON_SHUTDOWN), -ECANCELED);
    ck_assert_int_eq(cop_reason_error(COP_REASON_KILLED), -ECANCELED);
    ck_assert_int_eq(cop_reason_error((cop_reason){.kind = COP_NOPROC}), -ESRCH);
    ck_assert_int_eq(cop_reason_error((cop_reason){.kind = COP_FAULTED, .code = SIGSEGV}), -EFAULT);
}

/* A success read out of a reason would be taken for a result. */
TEST(an_error_is_negative_whatever_the_code_and_kind)
{
    const int codes[] = {INT_MIN, -EIO, -1, 0, 1, SIGSEGV, INT_MAX};
    for (int kind = COP_NORMAL; kind <= COP_NOPROC; kind++) {
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
            cop_reason reason = {.kind = (cop_exit_kind)kind, .code = codes[i]};
            ck_assert_int_lt(cop_reason_error(reason), 0);
        }
    }
}

/* ---------------------------------------------------------------- in words */

TEST(a_kind_that_nobody_knows_is_not_recoverable)
{
    ck_assert_int_eq(cop_reason_error((cop_reason){.kind = (cop_exit_kind)99}), -ENOTRECOVERABLE);
}

TEST(kinds_are_named_as_erlang_names_them)
{
    ck_assert_str_eq(words(COP_REASON_NORMAL), "normal");
    ck_assert_str_eq(words(COP_REASON_SHUTDOWN), "shutdown");
    ck_assert_str_eq(words(COP_REASON_KILLED), "killed");
    ck_assert_str_eq(words((cop_reason){.kind = COP_NOPROC}), "noproc");
}

TEST(a_failure_without_a_text_is_its_code_in_words)
{
    ck_assert_str_eq(words(cop_failed(-EIO, NULL)), cop_strerror(-EIO));
    ck_assert_str_eq(words(cop_failed(-ETIMEDOUT, NULL)), cop_strerror(-ETIMEDOUT));
}

TEST(a_fault_without_a_text_has_its_signal)
{
    char number[8];
    snprintf(number, sizeof number, "%d", SIGSEGV);
    ck_assert_uint_eq(test_count(words((cop_reason){.kind = COP_FAULTED, .code = SIGSEGV}), number),
                      1);
}

TEST(a_text_goes_before_everything_else)
{
    for (int kind = COP_NORMAL; kind <= COP_NOPROC; kind++) {
        cop_reason reason = {.kind = (cop_exit_kind)kind, .code = -EIO, .text = "{shutdown,x}"};
        ck_assert_str_eq(words(reason), "{shutdown,x}");
    }
}

TEST(every_kind_has_words)
{
    for (int kind = COP_NORMAL; kind <= COP_NOPROC; kind++) {
        ck_assert_str_ne(words((cop_reason){.kind = (cop_exit_kind)kind}), "");
    }
}

TEST(words_that_do_not_fit_are_cut_and_terminated)
{
    char out[8];
    memset(out, 'x', sizeof out);
    ck_assert_ptr_eq(cop_reason_string(COP_REASON_SHUTDOWN, out, 5), out);
    ck_assert_str_eq(out, "shut");
    ck_assert_int_eq(out[5], 'x'); /* nothing is written behind the end */

    cop_reason_string(cop_failed(-EIO, NULL), out, 3);
    ck_assert_uint_eq(strlen(out), 2);
    cop_reason_string(cop_failed(-EIO, "text"), out, 1);
    ck_assert_str_eq(out, "");
    cop_reason_string((cop_reason){.kind = COP_FAULTED, .code = 11}, out, 4);
    ck_assert_uint_eq(strlen(out), 3);
}

TEST(without_room_nothing_is_written)
{
    char out = 'x';
    ck_assert_ptr_eq(cop_reason_string(COP_REASON_NORMAL, &out, 0), &out);
    ck_assert_int_eq(out, 'x');
}

TEST(words_that_just_fit_are_whole)
{
    char out[sizeof "shutdown"];
    ck_assert_str_eq(cop_reason_string(COP_REASON_SHUTDOWN, out, sizeof out), "shutdown");
}

/* ---------------------------------------------------------------- error numbers in words */

/* All that the public headers name. */
static const int named[] = {
    EAGAIN, EALREADY,    EBADF,  EBUSY,  ECANCELED, ECHILD, EDEADLK,         EEXIST,
    EFAULT, EINPROGRESS, EINVAL, EMFILE, EMSGSIZE,  ENFILE, ENOENT,          ENOMEM,
    EPERM,  EOPNOTSUPP,  EPIPE,  ESRCH,  ETIMEDOUT, ENOSYS, ENOTRECOVERABLE,
};
enum {
    NAMED = sizeof named / sizeof *named
};

TEST(every_error_that_the_headers_name_has_words)
{
    for (size_t i = 0; i < NAMED; i++) {
        ck_assert_ptr_nonnull(cop_strerror(named[i]));
        ck_assert_str_ne(cop_strerror(named[i]), "");
        ck_assert_str_ne(cop_strerror(named[i]), cop_strerror(INT_MAX));
        ck_assert_str_ne(cop_strerror(named[i]), cop_strerror(0));
    }
}

TEST(an_error_has_the_same_words_negative_and_positive)
{
    for (size_t i = 0; i < NAMED; i++) {
        ck_assert_str_eq(cop_strerror(named[i]), cop_strerror(-named[i]));
    }
}

TEST(no_two_errors_have_the_same_words)
{
    for (size_t i = 0; i < NAMED; i++) {
        for (size_t j = 0; j < i; j++) {
            ck_assert_str_ne(cop_strerror(named[i]), cop_strerror(named[j]));
        }
    }
}

/* The system's words would mislead: of what these mean in OTP it knows nothing. */
TEST(errors_that_mean_something_of_ours_say_so)
{
    const int ours[] = {ECANCELED, EDEADLK, EINPROGRESS, EALREADY, EBUSY, EPIPE, ENOTRECOVERABLE};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        ck_assert_str_ne(cop_strerror(ours[i]), strerror(ours[i]));
    }
}

TEST(zero_is_a_success)
{
    ck_assert_str_eq(cop_strerror(0), "success");
}

TEST(the_systems_other_errors_have_the_systems_words)
{
    ck_assert_str_eq(cop_strerror(-EISDIR), strerror(EISDIR));
}

TEST(what_is_no_error_number_has_words_too)
{
    const int none[] = {12345, -12345, INT_MAX, -INT_MAX, INT_MIN};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        ck_assert_str_eq(cop_strerror(none[i]), "unknown error");
    }
}

/* ---------------------------------------------------------------- why the last call failed */

TEST(nothing_has_failed_at_first)
{
    ck_assert_int_eq(cop_why().kind, COP_NORMAL);
    cop_self();
    ck_assert_int_eq(cop_why().kind, COP_NORMAL);
}

TEST(a_failed_call_is_remembered_and_a_successful_one_changes_nothing)
{
    cop_self();
    ck_assert_int_eq(cop_unregister("nobody"), -ENOENT);
    ck_assert_int_eq(cop_why().kind, COP_FAILED);
    ck_assert_int_eq(cop_why().code, -ENOENT);
    ck_assert_int_eq(cop_sleep(0), 0);
    ck_assert_int_eq(cop_why().code, -ENOENT);
}

TEST(the_next_failure_leaves_nothing_of_the_one_before)
{
    cop_context *context = cop_context_new(COP_FOREVER);
    ck_assert_int_eq(cop_context_enter(context), 0);
    cop_context_cancel(context, cop_failed(-EIO, "the cause"));
    ck_assert_int_eq(cop_sleep(COP_SEC(1)), -ECANCELED);
    ck_assert_str_eq(cop_why().text, "the cause");
    ck_assert_int_eq(cop_unregister("nobody"), -ENOENT);
    ck_assert_str_eq(cop_why().text, "");
    cop_context_leave(context);
    cop_context_free(context);
}

static void *
look_why(void *kind)
{
    *(int *)kind = (int)cop_why().kind;
    cop_unregister("nobody");
    return NULL;
}

TEST(each_thread_has_its_own_reason)
{
    cop_self();
    cop_unregister("nobody");
    int kind = KIND_THAT_IS_NONE;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, look_why, &kind), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(kind, COP_NORMAL);
}

static int
fail_a_call(cop_bytes arg)
{
    (void)arg;
    return cop_why().kind == COP_NORMAL && cop_unregister("nobody") == -ENOENT ? 0 : -EIO;
}

/* Soon on the same thread, and after one round through the table in the same record. */
TEST(a_process_does_not_find_the_reason_of_the_one_before)
{
    for (int i = 0; i < COPI_TABLE_CHUNK + 50; i++) {
        cop_ref monitor;
        ck_assert_int_eq(cop_spawn(NULL, fail_a_call, .monitor = &monitor), 0);
        ck_assert_int_eq(test_down(monitor).kind, COP_NORMAL);
    }
}

TEST(the_first_call_of_a_thread_may_be_the_one_that_fails)
{
    ck_assert_int_eq(cop_unregister("nobody"), -ENOENT);
    ck_assert_int_eq(cop_why().code, -ENOENT);
}

static int
return_zero(cop_bytes arg)
{
    (void)arg;
    return 0;
}

/* Many of them use calls inside that may fail, and must not leave that behind. */
TEST(no_call_that_succeeds_leaves_a_trace)
{
    cop_msg msg;
    cop_pid pid;
    cop_ref monitor;
    cop_time left;
    cop_process_info info;
    cop_self();
    ck_assert_int_eq(cop_unregister("nobody"), -ENOENT);
#define SUCCEEDS(call)                             \
 do {                                              \
  ck_assert_int_eq((call), 0);                     \
  ck_assert_msg(cop_why().code == -ENOENT, #call); \
 } while (0)
    SUCCEEDS(cop_sleep(COP_MS(1)));
    SUCCEEDS(cop_send(cop_self(), COP_TAG(1)));
    SUCCEEDS(cop_receive(&msg, 0));
    SUCCEEDS(cop_spawn(&pid, return_zero, .monitor = &monitor));
    SUCCEEDS(cop_receive(&msg, SOON));
    SUCCEEDS(cop_stop_process(pid, COP_REASON_NORMAL, SOON));
    SUCCEEDS(cop_exit_signal(pid, COP_REASON_KILLED));
    SUCCEEDS(cop_register("me", cop_self()));
    SUCCEEDS(cop_unregister("me"));
    SUCCEEDS(cop_inspect(cop_self(), &info));
    cop_ref timer = cop_send_after(cop_self(), COP_TAG(1), COP_SEC(3600));
    SUCCEEDS(cop_read_timer(timer, &left));
    SUCCEEDS(cop_cancel_timer(timer, &left));
    SUCCEEDS(cop_demonitor(cop_monitor(cop_self())));
    SUCCEEDS(cop_cancelled());
    cop_free(cop_alloc(1));
    cop_checkpoint();
    SUCCEEDS(0);
#undef SUCCEEDS
}

SUITE("reason")
