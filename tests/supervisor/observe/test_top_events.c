/*
 * tests/supervisor/observe/test_top_events.c - coppice-top: what a process did last, as the observer has told it.
 *
 * Room: tests/.
 */
#include "supervisor/observe/top_events.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <stdarg.h>

static void
becomes(const char *answer, const char *lines)
{
    char *text = strdup(answer), *events = top_events(text, 5000000000);
    ck_assert_str_eq(events, lines);
    free(events);
    free(text);
}

TEST(what_is_refused_is_said)
{
    becomes("error\tnothing is recorded\n\n", "nothing is recorded\n");
    becomes("error\t\n\n", "\n");
}

TEST(what_makes_no_sense_is_passed_over)
{
    becomes("", "");
    becomes("ok", "");
    becomes("ok\n\n", "");
    becomes("ok\nevent\nevent\t7\nnews\t1\t2\nevent\tx\ty\n\nevent\t1\tnot any more\n",
            "    5.0s ago  y\n");
}

static bool has_no_memory;

COP_PRINTF(2, 3)
int asprintf_if_there_is_memory(char **out, const char *format, ...) WRAP(asprintf);
int
asprintf_if_there_is_memory(char **out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int r = has_no_memory ? -1 : vasprintf(out, format, arguments);
    va_end(arguments);
    return r;
}

TEST(without_memory_there_are_none)
{
    char refused[] = "error\tno\n\n", told[] = "ok\nevent\t1\tx\nevent\t2\ty\n\n";
    has_no_memory = true;
    ck_assert_ptr_null(top_events(refused, 0));
    ck_assert_ptr_null(top_events(told, 0));
}

TEST(the_newest_comes_first)
{
    becomes(
        "ok\nevent\t1000000000\tstarted\nevent\t4900000000\tcall 7\tmore\nevent\t9000000000\tlater\n\n",
        "    0.0s ago  later\n    0.1s ago  call 7\n    4.0s ago  started\n");
}

TEST(a_long_one_is_cut)
{
    char words[1001] = "", answer[2048];
    memset(words, 'x', sizeof words - 1);
    (void)snprintf(answer, sizeof answer, "ok\nevent\t0\t%s\n\n", words);
    char *events = top_events(answer, 0);
    ck_assert_uint_eq(strlen(events), 14 + 400 + 1);
    free(events);
}

SUITE("top_events")
