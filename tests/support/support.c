/*
 * tests/support/support.c - what the suites share.
 *
 * Room: tests/.
 */
#include "tests/support/support.h"

#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/slab.h"

#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------------------------------------------------------------- counting */

static unsigned
count_entries(const char *path)
{
    unsigned count = 0;
    DIR *directory = opendir(path);
    ck_assert_ptr_nonnull(directory);
    for (struct dirent *entry;
         (entry = readdir(directory));) { /* NOLINT(concurrency-mt-unsafe): its own directory */
        count += entry->d_name[0] != '.';
    }
    closedir(directory);
    return count;
}

unsigned
test_threads(void)
{
    return count_entries("/proc/self/task");
}

unsigned
test_descriptors(void)
{
    return count_entries("/proc/self/fd") - 1; /* the directory's own */
}

#if TEST_SANITIZED
size_t __sanitizer_get_current_allocated_bytes(void); /* not every compiler has a header for it */
#endif

size_t
test_allocated(void)
{
#if TEST_SANITIZED
    return __sanitizer_get_current_allocated_bytes() + copi_slabs_taken() * COPI_SLAB_SIZE;
#else
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd + copi_slabs_taken() * COPI_SLAB_SIZE;
#endif
}

/* ---------------------------------------------------------------- the runner */

static struct test *first, **end = &first;

enum {
    KINDS_MOST = 64
};

static struct {
    unsigned threads, descriptors;
    size_t kinds;
    cop_live_count live[KINDS_MOST];
    bool anything_goes, objects_may_stay;
} before;

void
test_register(struct test *test)
{
    *end = test;
    end = &test->next;
}

void
test_leaves_things_behind(void)
{
    before.anything_goes = true;
}

void
test_leaves_objects_behind(void)
{
    before.objects_may_stay = true;
}

#if defined(__SANITIZE_THREAD__)
static void *
tell_number(void *number)
{
    *(pid_t *)number = gettid();
    return NULL;
}

/* The sanitizer starts threads of its own beside the program's first one. */
static void
let_sanitizer_start_threads(void)
{
    pthread_t thread;
    pid_t number;
    char path[64];
    ck_assert_int_eq(pthread_create(&thread, NULL, tell_number, &number), 0);
    pthread_join(thread, NULL);
    (void)snprintf(path, sizeof path, "/proc/self/task/%d", (int)number);
    while (access(path, F_OK) == 0) {
        usleep(100);
    }
}
#endif

static void
look_before(void)
{
#if defined(__SANITIZE_THREAD__)
    let_sanitizer_start_threads();
#endif
    before.threads = test_threads();
    before.descriptors = test_descriptors();
    before.kinds = cop_live(before.live, KINDS_MOST);
    ck_assert_uint_le(before.kinds, KINDS_MOST);
}

/* What was sent to this thread, and what it had in its hands, is nobody's. */
static void
let_go_of_mail(void)
{
    cop_msg msg;
    while (copi_here.process && cop_receive(&msg, 0) == 0) {
    }
}

/* All kinds that differ, in words: what one object holds is left behind with it. */
static void
compare_live_objects(void)
{
    char words[512] = "";
    size_t length = 0;
    cop_live_count now[KINDS_MOST];
    cop_live(now, KINDS_MOST);
    for (size_t i = 0; i < before.kinds; i++) {
        bool is_this_thread = strcmp(now[i].kind, "processes") == 0 && copi_here.process;
        size_t wanted = before.live[i].count + is_this_thread;
        if (now[i].count != wanted && length < sizeof words) {
            length +=
                (size_t)snprintf(words + length, sizeof words - length, " %zu %s instead of %zu;",
                                 now[i].count, now[i].kind, wanted);
        }
    }
    ck_assert_msg(length == 0, "alive after the test:%s", words);
}

static void
look_after(void)
{
    copi_alloc_fail_after(-1);
    if (before.anything_goes) {
        return;
    }
    cop_shutdown(SOON);
    let_go_of_mail();
    cop_trim();
    EVENTUALLY(test_threads()
               == before.threads); /* a joined thread may be listed a moment longer */
    /* By which this thread, a process by now, is woken from a wait for another. */
    bool has_one = copi_here.process && copi_here.process->parker.wake_fd >= 0;
    ck_assert_uint_eq(test_descriptors(), before.descriptors + has_one);
    if (!before.objects_may_stay) {
        compare_live_objects();
    }
}

/* Whether it is on the list of what this machine cannot show: TEST_SKIPS, a name a line and the reason. */
static bool
is_skipped(const char *name)
{
    const char *path = getenv("TEST_SKIPS");
    FILE *list = path && path[0] ? fopen(path, "re") : NULL;
    char word[128] = "";
    bool is_listed = false;
    while (list && !is_listed && fscanf(list, "%127s%*[^\n]", word) == 1) {
        is_listed = strcmp(word, name) == 0;
    }
    if (list) {
        (void)fclose(list);
    }
    return is_listed;
}

int
test_main(const char *suite_name)
{
    return test_main_around(suite_name, NULL, NULL);
}

int
test_main_around(const char *suite_name, void (*before_all)(void), void (*after_all)(void))
{
    setenv("COPPICE_LOG", "notime", true); /* what is said is the same each time */
    Suite *suite = suite_create(suite_name);
    TCase *all = tcase_create(suite_name);
    tcase_set_timeout(all, TEST_SECONDS);
    tcase_add_unchecked_fixture(all, before_all, after_all);
    tcase_add_checked_fixture(all, look_before, look_after);
    for (struct test *test = first; test; test = test->next) {
        tcase_add_loop_test(all, test->it, 0, is_skipped(test->it->name) ? 0 : test->times);
    }
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---------------------------------------------------------------- waiting */

static bool
is_down_of(const cop_msg *msg, void *monitor)
{
    const cop_ref *wanted = monitor;
    struct cop_down down;
    if (msg->tag != COP_MSG_DOWN) {
        return false;
    }
    memcpy(&down, msg->body.data, sizeof down);
    return down.ref.id == wanted->id;
}

bool
test_is_another(cop_pid found, cop_pid gone)
{
    return !cop_pid_eq(found, COP_NOBODY) && !cop_pid_eq(found, gone);
}

cop_reason
test_down(cop_ref monitor)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive_match(&msg, is_down_of, &monitor, SOON), 0);
    return COP_BODY(msg, struct cop_down)->reason;
}

cop_msg
test_receive(uint32_t tag)
{
    cop_msg msg;
    ck_assert_int_eq(cop_receive(&msg, SOON), 0);
    ck_assert_uint_eq(msg.tag, tag);
    return msg;
}

bool
test_has_mail(void)
{
    cop_msg msg;
    return cop_receive(&msg, 0) == 0;
}

static int
end_at_once(cop_bytes unused)
{
    (void)unused;
    return 0;
}

cop_pid
test_start_dead(void)
{
    cop_pid pid;
    cop_ref monitor;
    ck_assert_int_eq(cop_spawn(&pid, end_at_once, .monitor = &monitor), 0);
    test_down(monitor);
    return pid;
}

int
test_wait_for_end(cop_bytes unused)
{
    (void)unused;
    cop_msg msg;
    int r = 0;
    while (r == 0) {
        r = cop_receive(&msg, COP_FOREVER);
    }
    return r;
}

cop_sys_status
test_status(cop_pid server)
{
    cop_sys_status status;
    ck_assert_int_eq(cop_sys_get_status(server, &status, SOON), 0);
    return status;
}

bool
test_is_waiting(cop_pid pid)
{
    cop_process_info info;
    return cop_inspect(pid, &info) == 0 && !info.callback && info.mailbox == 0;
}

/* ---------------------------------------------------------------- failing */

unsigned
test_out_of_memory(int (*attempt)(void *arg), void *arg, int *result)
{
    for (long n = 0;; n++) {
        copi_alloc_fail_after(n);
        *result = attempt(arg);
        copi_alloc_fail_after(-1);
        if (*result != -ENOMEM) {
            return (unsigned)n;
        }
        ck_assert_int_lt(n, 10000);
    }
}

struct afresh {
    int (*attempt)(void *arg);
    void *arg;
    long allocations;
    int *result;
};

static int
attempt_afresh(cop_bytes arg)
{
    const struct afresh *it = *(const struct afresh *const *)arg.data;
    copi_alloc_fail_after(it->allocations);
    *it->result = it->attempt(it->arg);
    copi_alloc_fail_after(-1);
    return 0;
}

unsigned
test_out_of_memory_afresh(int (*attempt)(void *arg), void *arg, int *result)
{
    struct afresh it = {.attempt = attempt, .arg = arg};
    const struct afresh *at = &it;
    it.result = result;
    do {
        cop_ref down;
        ck_assert_int_eq(cop_spawn(NULL, attempt_afresh, .arg = COP_BYTES(at), .monitor = &down,
                                   .fresh_thread = true),
                         0);
        ck_assert_int_eq(test_down(down).kind, COP_NORMAL);
        ck_assert_int_lt(it.allocations, 10000);
    } while (*result == -ENOMEM && ++it.allocations);
    return (unsigned)it.allocations;
}

static void
do_nothing(void *unused)
{
    (void)unused;
}

void
test_fill_deferred(void)
{
    struct copi_process *self;
    ck_assert_int_eq(copi_enter(&self), 0);
    const struct copi_defers *defers = &self->callback_defers;
    while (defers->count < COPI_DEFERS_INSIDE + defers->capacity) {
        ck_assert_int_eq(cop_defer(do_nothing, NULL), 0);
    }
}

void
test_refuse_system_call(int number, int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(
        (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program), 0);
}

bool
test_in_child(bool (*holds)(void))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        _exit(holds() ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status == 0;
}

/* ---------------------------------------------------------------- reports */

static int caught = -1, real_stderr = -1;

void
test_catch_stderr(void)
{
    (void)fflush(stderr);
    real_stderr = dup(STDERR_FILENO);
    caught = memfd_create("stderr", MFD_CLOEXEC);
    ck_assert_int_ge(real_stderr, 0);
    ck_assert_int_ge(caught, 0);
    dup2(caught, STDERR_FILENO);
}

char *
test_caught_stderr(void)
{
    struct stat status;
    (void)fflush(stderr);
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    ck_assert_int_eq(fstat(caught, &status), 0);
    char *text = calloc(1, (size_t)status.st_size + 1);
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(pread(caught, text, (size_t)status.st_size, 0), status.st_size);
    close(caught);
    return text;
}

unsigned
test_number_after(const char *text, const char *prefix)
{
    const char *at = strstr(text, prefix);
    ck_assert_ptr_nonnull(at);
    char *rest;
    unsigned long number = strtoul(at + strlen(prefix), &rest, 10);
    ck_assert_ptr_ne(rest, at + strlen(prefix));
    return (unsigned)number;
}

unsigned
test_count(const char *text, const char *part)
{
    unsigned count = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) {
        count++;
    }
    return count;
}
