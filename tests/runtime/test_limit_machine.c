/*
 * tests/runtime/test_limit_machine.c - on machines of every kind, the nearest limit counts.
 *
 * Room: tests/.
 *
 * What the system's files say, who runs the program and what the user is limited to is what a test says.
 */
#include "runtime/limit.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <sys/resource.h>
#include <unistd.h>

/* ---------------------------------------------------------------- a machine */

enum {
    FILES = 4
};

static struct {
    bool is_ours; /* else it is the one that the test runs on */
    struct {
        const char *path, *text;
    } files[FILES]; /* there are no others */
    uid_t user;
    rlim_t processes; /* RLIMIT_NPROC */
} machine;

static FILE *
open_ours(const char *path)
{
    for (size_t i = 0; i < FILES; i++) {
        const char *text = machine.files[i].text;
        if (text && strcmp(path, machine.files[i].path) == 0) {
            /* One of no size cannot be opened. */
            return text[0] ? fmemopen((void *)(uintptr_t)text, strlen(text), "r") : tmpfile();
        }
    }
    return NULL;
}

FILE *real_fopen(const char *path, const char *mode) REAL(fopen);
FILE *open_it(const char *path, const char *mode) WRAP(fopen);
FILE *
open_it(const char *path, const char *mode)
{
    return machine.is_ours ? open_ours(path) : real_fopen(path, mode);
}

uid_t real_geteuid(void) REAL(geteuid);
uid_t user_of_it(void) WRAP(geteuid);
uid_t
user_of_it(void)
{
    return machine.is_ours ? machine.user : real_geteuid();
}

int real_getrlimit(int what, struct rlimit *out) REAL(getrlimit);
int limit_of_it(int what, struct rlimit *out) WRAP(getrlimit);
int
limit_of_it(int what, struct rlimit *out)
{
    if (!machine.is_ours || what != RLIMIT_NPROC) {
        return real_getrlimit(what, out);
    }
    *out = (struct rlimit){machine.processes, machine.processes};
    return 0;
}

static void
begin(void)
{
    machine.processes = RLIM_INFINITY;
    machine.is_ours = true;
}

/* So many are admitted and not one more, and that is whose limit it is. */
static void
admits(unsigned most, const char *name)
{
    char line[200];
    test_catch_stderr();
    ck_assert_int_eq(copi_limit_admit(most - 1), 0);
    ck_assert_int_eq(copi_limit_admit(most), -EAGAIN);
    machine.is_ours = false;
    char *said = test_caught_stderr();
    (void)snprintf(line, sizeof line, "no new process: %u live, and %s allows no more\n", most,
                   name);
    ck_assert_msg(strstr(said, line), "%s", said);
    free(said);
}

/* ---------------------------------------------------------------- what it says */

TEST(a_machine_that_says_nothing_has_room_for_a_million)
{
    begin();
    admits(1000000, "the table of processes");
}

TEST(a_file_in_which_nothing_is_limits_nothing)
{
    begin();
    machine.files[0].path = "/proc/sys/kernel/pid_max";
    machine.files[0].text = "";
    machine.files[1].path = "/proc/self/cgroup";
    machine.files[1].text = "";
    admits(1000000, "the table of processes");
}

TEST(of_all_pids_some_are_kept_for_others)
{
    begin();
    machine.files[0].path = "/proc/sys/kernel/pid_max";
    machine.files[0].text = "32768\n";
    admits(32768 - 512, "kernel.pid_max");
}

TEST(of_few_pids_half_are_kept_for_others)
{
    begin();
    machine.files[0].path = "/proc/sys/kernel/threads-max";
    machine.files[0].text = "100\n";
    admits(50, "kernel.threads-max");
}

TEST(each_thread_takes_two_of_the_mappings)
{
    begin();
    machine.files[0].path = "/proc/sys/vm/max_map_count";
    machine.files[0].text = "65530\n";
    machine.files[1].path = "/proc/self/maps"; /* those that are there already */
    machine.files[1].text = "a\nb\nc\nd\n";
    admits((65530 - 2048 - 4) / 2, "vm.max_map_count");
}

TEST(mappings_that_cannot_be_counted_are_none)
{
    begin();
    machine.files[0].path = "/proc/sys/vm/max_map_count";
    machine.files[0].text = "65530\n";
    admits((65530 - 2048) / 2, "vm.max_map_count");
}

/* ---------------------------------------------------------------- cgroups */

static void
in_cgroup(const char *line, const char *path, const char *most)
{
    begin();
    machine.files[0].path = "/proc/self/cgroup";
    machine.files[0].text = line;
    machine.files[1].path = path;
    machine.files[1].text = most;
}

TEST(the_cgroups_limit_counts)
{
    in_cgroup("0::/user.slice/a:b\n", "/sys/fs/cgroup/user.slice/a:b/pids.max", "216\n");
    admits(200, "the cgroup's pids.max");
}

TEST(the_limit_of_a_cgroup_of_the_first_version_counts)
{
    in_cgroup("9:cpu,cpuacct:/other\n8:pids:/a:b\n", "/sys/fs/cgroup/pids/a:b/pids.max", "216\n");
    admits(200, "the cgroup's pids.max");
}

TEST(a_cgroup_without_a_limit_limits_nothing)
{
    in_cgroup("0::/a\n", "/sys/fs/cgroup/a/pids.max", "max\n");
    admits(1000000, "the table of processes");
}

TEST(lines_that_speak_of_no_cgroup_are_passed_over)
{
    in_cgroup("\nwords\none:colon\n0:\n0::/a\n", "/sys/fs/cgroup/a/pids.max", "216\n");
    admits(200, "the cgroup's pids.max");
}

/* ---------------------------------------------------------------- users */

TEST(a_user_is_limited)
{
    begin();
    machine.user = 1000;
    machine.processes = 116;
    admits(100, "RLIMIT_NPROC");
}

TEST(a_user_without_a_limit_is_not)
{
    begin();
    machine.user = 1000;
    admits(1000000, "the table of processes");
}

TEST(the_superuser_is_not_limited)
{
    begin();
    machine.processes = 116;
    admits(1000000, "the table of processes");
}

SUITE("the machine's limits")
