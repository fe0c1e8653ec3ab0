/*
 * tests/runtime/test_trace.c - where in the program a process was when it failed.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/trace.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <dlfcn.h>

/* What a trace taken here would say. */
static char words[COPI_TRACE_SIZE];
static cop_reason reason;
static long allocations = -1;

static int take_below(unsigned depth);
static int (*volatile again)(unsigned depth) =
    take_below; /* so that no compiler makes a loop of it */

static int
take_below(unsigned depth)
{
    struct copi_process *self = copi_here.process;
    if (depth > 0) {
        return again(depth - 1) + 1; /* no tail call */
    }
    copi_alloc_fail_after(allocations);
    copi_trace_take(self, &reason);
    copi_alloc_fail_after(-1);
    copi_trace_in_words(self->trace, words);
    copi_trace_free(self);
    return 0;
}

static int
take(cop_bytes arg)
{
    take_below(*(const unsigned *)arg.data);
    return 0;
}

static const char *
trace_of(unsigned depth, cop_reason why)
{
    cop_ref monitor;
    reason = why;
    strcpy(words, "?");
    ck_assert_int_eq(cop_spawn(NULL, take, .arg = COP_BYTES(depth), .monitor = &monitor), 0);
    test_down(monitor);
    return words;
}

static unsigned
frames(const char *trace)
{
    return test_count(trace, "test_trace+0x");
}

TEST(what_is_no_crash_has_no_trace)
{
    ck_assert_str_eq(trace_of(0, COP_REASON_NORMAL), "");
    ck_assert_str_eq(trace_of(0, COP_REASON_SHUTDOWN), "");
    ck_assert_str_eq(trace_of(0, COP_REASON_KILLED), "");
}

TEST(without_memory_there_is_none)
{
    allocations = 0;
    ck_assert_str_eq(trace_of(0, cop_failed(-EIO, "boom")), "");
}

TEST(there_is_none_where_nothing_is_reported)
{
    cop_log_set_level(COP_LOG_CRITICAL);
    ck_assert_str_eq(trace_of(0, cop_failed(-EIO, "boom")), "");
}

TEST(a_trace_has_the_applications_frames_and_no_others)
{
    const char *shallow = trace_of(0, cop_failed(-EIO, "boom"));
    unsigned few = frames(shallow);
    ck_assert_uint_ge(few, 1);
    ck_assert_uint_eq(test_count(shallow, "+0x"), few); /* neither libc's nor the library's */
    ck_assert_uint_eq(test_count(shallow, "copi_"), 0);
    ck_assert_uint_gt(frames(trace_of(3, cop_failed(-EIO, "boom"))), few);
}

TEST(a_deep_stack_is_shown_by_its_innermost_frames)
{
    unsigned many = frames(trace_of(100, cop_failed(-EIO, "boom")));
    ck_assert_uint_ge(many, 4);
    ck_assert_uint_le(many, 12);
}

TEST(a_place_in_no_module_is_a_number)
{
    char frame[COPI_FRAME_SIZE];
    copi_frame_in_words(0x10, frame);
    ck_assert_str_eq(frame, "0x10");
}

TEST(a_function_that_is_exported_has_its_name)
{
    char frame[COPI_FRAME_SIZE];
    copi_frame_in_words((uintptr_t)strtoul, frame);
    ck_assert_ptr_nonnull(strstr(frame, "libc.so.6+0x"));
    ck_assert_ptr_nonnull(strstr(frame, " "));
}

/* ---------------------------------------------------------------- where others look */

static const char *name_of_all; /* NULL: each has its own */

int real_dladdr(const void *address, Dl_info *info) REAL(dladdr);
int look_up(const void *address, Dl_info *info) WRAP(dladdr);
int
look_up(const void *address, Dl_info *info)
{
    int r = real_dladdr(address, info);
    info->dli_sname = name_of_all ? name_of_all : info->dli_sname;
    return r;
}

/* As a sanitizer does: whoever looks stands in it, too. */
static bool is_watched;

int real_backtrace(void **frames, int most) REAL(backtrace);
int look_down(void **frames, int most) WRAP(backtrace);
int
look_down(void **frames, int most)
{
    if (!is_watched) {
        return real_backtrace(frames, most);
    }
    frames[0] = (void *)(uintptr_t)strtoul;
    return real_backtrace(frames + 1, most - 1) + 1;
}

TEST(frames_that_do_not_fit_are_left_out_whole)
{
    char name[COPI_FRAME_SIZE];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    name_of_all = name;
    const char *trace = trace_of(100, cop_failed(-EIO, "boom"));
    ck_assert_uint_eq(frames(trace), 2);
    ck_assert_uint_eq(strlen(trace), 2 * (COPI_FRAME_SIZE - 1) + strlen("; "));
}

TEST(whoever_looks_is_not_shown)
{
    is_watched = true;
    const char *trace = trace_of(0, cop_failed(-EIO, "boom"));
    ck_assert_uint_ge(frames(trace), 1);
    ck_assert_uint_eq(test_count(trace, "libc.so"), 0);
}

SUITE("trace")
