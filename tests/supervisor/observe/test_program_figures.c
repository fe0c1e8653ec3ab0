/*
 * tests/supervisor/observe/test_program_figures.c - what Prometheus' own clients tell of every program.
 *
 * Room: tests/.
 */
#include "runtime/alloc.h"
#include "supervisor/observe/figures.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double
number(const char *name)
{
    struct copi_text text = {0};
    char *out, wanted[128];
    size_t size;
    copi_program_figures_put(&text);
    ck_assert_int_eq(copi_text_take(&text, &out, &size), 0);
    (void)snprintf(wanted, sizeof wanted, "\n%s ", name);
    const char *at = strstr(out, wanted);
    double value = at ? strtod(at + strlen(wanted), NULL) : -1;
    free(out);
    return value;
}

TEST(where_nothing_can_be_opened_the_rest_is_told)
{
    struct rlimit was, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = was;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert(number("process_open_fds") < 0);
    ck_assert(number("process_resident_memory_bytes") < 0);
    ck_assert(number("process_start_time_seconds") < 0);
    ck_assert(number("process_cpu_seconds_total") >= 0);
    ck_assert(number("process_max_fds") >= 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
}

TEST(descriptors_are_counted)
{
    double before = number("process_open_fds");
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert(number("process_open_fds") == before + 1);
    close(fd);
    ck_assert(number("process_open_fds") == before);
    ck_assert_uint_eq((unsigned)before, test_descriptors());
}

TEST(it_started_lately)
{
    double start = number("process_start_time_seconds"), now = (double)time(NULL);
    ck_assert_msg(start > now - 3600 && start < now + 5, "%f, and it is %f", start, now);
}

TEST(memory_and_time_are_more_than_nothing)
{
    for (volatile unsigned i = 0; i < 30000000; i++) {
    }
    ck_assert(number("process_cpu_seconds_total") > 0);
    ck_assert(number("process_resident_memory_bytes") > 100000);
    ck_assert(number("process_virtual_memory_bytes") >= number("process_resident_memory_bytes"));
}

TEST(a_program_may_have_any_name)
{
    ck_assert_int_eq(prctl(PR_SET_NAME, ") ( 1 2) 3"), 0);
    ck_assert(number("process_resident_memory_bytes") > 100000);
    ck_assert(number("process_start_time_seconds") > 1000000000);
}

SUITE("program_figures")
