/*
 * tests/runtime/test_standard_error.c - where lines of the log go by themselves.
 *
 * Room: tests/.
 */
#include "runtime/standard_error.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static const struct copi_log_shape timed = {.has_time = true};

static void
say(const char *message)
{
    const cop_log_entry entry = {.level = COP_LOG_WARNING, .is_library = true, .message = message};
    copi_standard_error_write(&entry, (struct copi_log_shape){0});
}

static void
say_timed(const char *message)
{
    const cop_log_entry entry = {.level = COP_LOG_WARNING, .is_library = true, .message = message};
    copi_standard_error_write(&entry, timed);
}

/* Standard error is this from now on; what was it is closed. */
static void
redirect(int fd)
{
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    close(fd);
}

/* Its reading end, where reads do not wait. */
static int
redirect_to_pipe(void)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    redirect(ends[1]);
    test_leaves_things_behind();
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    return ends[0];
}

static int
redirect_to_socket(int type)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
    redirect(pair[1]);
    test_leaves_things_behind();
    (void)fcntl(pair[0], F_SETFL, O_NONBLOCK);
    return pair[0];
}

/* All that can be read now, terminated; the caller frees it. */
static char *
drain(int fd)
{
    enum {
        MOST = 8 * 1024 * 1024
    };
    char *all = malloc(MOST);
    size_t used = 0;
    ssize_t n;
    while ((n = read(fd, all + used, MOST - 1 - used)) > 0) {
        used += (size_t)n;
    }
    all[used] = '\0';
    return all;
}

/* ---------------------------------------------------------------- nobody reads */

TEST(a_closed_standard_error_costs_the_line_and_leaves_errno_alone)
{
    close(STDERR_FILENO);
    test_leaves_things_behind();
    errno = EXDEV;
    say("unheard");
    ck_assert_int_eq(errno, EXDEV);
}

TEST(a_full_disk_costs_the_line)
{
    redirect(open("/dev/full", O_WRONLY | O_CLOEXEC));
    say("unheard");
}

TEST(a_broken_pipe_costs_the_line_and_not_the_program)
{
    close(redirect_to_pipe());
    signal(SIGPIPE, SIG_DFL);
    say("unheard");
    sigset_t pending;
    sigpending(&pending);
    ck_assert(!sigismember(&pending, SIGPIPE));
}

TEST(a_broken_socket_costs_the_line_and_not_the_program)
{
    close(redirect_to_socket(SOCK_STREAM));
    signal(SIGPIPE, SIG_DFL);
    say("unheard");
}

TEST(a_pipe_that_nobody_reads_does_not_hang_and_what_is_lost_is_counted)
{
    enum {
        MANY = 5000
    };
    int from = redirect_to_pipe();
    cop_time longest = 0;
    for (int i = 0; i < MANY; i++) {
        cop_time before = cop_now();
        say("said again and again, until there is no room in the pipe any more");
        longest = cop_now() - before > longest ? cop_now() - before : longest;
    }
    printf("the longest was %.1f ms\n", (double)longest / 1e6);
    char *before = drain(from);
    unsigned there = test_count(before, "again and again"), lost = 0;
    ck_assert_uint_lt(there, MANY);
    say("there is room again");
    char *after = drain(from),
         *told = strstr(after, "lines were lost: standard error was full lines=");
    ck_assert_ptr_nonnull(strstr(after, "coppice: warning: there is room again\n"));
    ck_assert_ptr_nonnull(told);
    lost = test_number_after(strrchr(after, '='), "=");
    ck_assert_uint_eq(there + lost, MANY);
    ck_assert_int_eq(before[strlen(before) - 1], '\n'); /* whole lines only */
    free(before);
    free(after);
    say("nothing is told twice");
    after = drain(from);
    ck_assert_str_eq(after, "coppice: warning: nothing is told twice\n");
    free(after);
    close(from);
}

TEST(a_socket_that_nobody_reads_does_not_hang_either)
{
    int from = redirect_to_socket(SOCK_STREAM);
    for (int i = 0; i < 50000; i++) {
        say("said again and again, until there is no room in the socket any more");
    }
    free(drain(from));
    say("there is room again");
    char *after = drain(from);
    ck_assert_ptr_nonnull(strstr(after, "lines were lost"));
    free(after);
    close(from);
}

/* A pipe with room for so many lines; negative: for all. Or a kernel that cannot be told not to wait. */
static atomic_int room = -1;
static atomic_bool may_wait;

ssize_t real_write(int fd, const struct iovec *parts, int count, off_t at, int flags)
    REAL(pwritev2);
ssize_t write_some(int fd, const struct iovec *parts, int count, off_t at, int flags)
    WRAP(pwritev2);
ssize_t
write_some(int fd, const struct iovec *parts, int count, off_t at, int flags)
{
    int left = atomic_load(&room);
    if (left == 0 || atomic_load(&may_wait)) {
        errno = left == 0 ? EAGAIN : EOPNOTSUPP;
        return -1;
    }
    if (left > 0) {
        atomic_store(&room, left - 1);
    }
    return real_write(fd, parts, count, at, flags);
}

TEST(how_many_were_lost_is_not_lost_when_there_is_no_room_to_tell)
{
    int from = redirect_to_pipe();
    room = 0;
    say("one");
    say("two");
    room = 1;
    say("three");
    room = -1;
    say("four");
    char *all = drain(from);
    ck_assert_str_eq(all, "coppice: warning: three\n"
                          "coppice: warning: four\n"
                          "coppice: warning: lines were lost: standard error was full lines=2\n");
    free(all);
    close(from);
}

TEST(a_full_pipe_hangs_nobody_where_the_kernel_cannot_be_told_not_to_wait)
{
    int from = redirect_to_pipe();
    char filler[4096];
    memset(filler, 'x', sizeof filler);
    (void)fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
    while (write(STDERR_FILENO, filler, sizeof filler) > 0) {
    }
    (void)fcntl(STDERR_FILENO, F_SETFL, 0);
    may_wait = true;
    say("unheard");
    free(drain(from));
    say("heard");
    char *all = drain(from);
    ck_assert_str_eq(all, "coppice: warning: heard\n"
                          "coppice: warning: lines were lost: standard error was full lines=1\n");
    free(all);
    close(from);
}

static void *
read_late(void *fd)
{
    usleep(20000);
    return drain(*(int *)fd);
}

static bool
is_heard_by_a_late_reader(void)
{
    int from = redirect_to_pipe();
    char filler[4096];
    memset(filler, 'x', sizeof filler);
    (void)fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK);
    while (write(STDERR_FILENO, filler, sizeof filler) > 0) {
    }
    pthread_t thread;
    void *all;
    ck_assert_int_eq(pthread_create(&thread, NULL, read_late, &from), 0);
    say("heard");
    pthread_join(thread, &all);
    char *rest = drain(from);
    bool is_heard = strstr(all, "heard\n") || strstr(rest, "heard\n");
    free(all);
    free(rest);
    close(from);
    return is_heard;
}

/* A reader on a busy machine may be later than it wants to be. */
TEST(a_reader_that_is_a_little_late_loses_nothing)
{
    bool is_heard = false;
    for (int i = 0; i < 10 && !is_heard; i++) {
        is_heard = is_heard_by_a_late_reader();
    }
    ck_assert(is_heard);
}

/* ---------------------------------------------------------------- many at once */

enum {
    THREADS = 1000,
    EACH = 10,
};

static void
say_one_letter(char letter)
{
    char message[300];
    memset(message, letter, sizeof message - 1);
    message[sizeof message - 1] = '\0';
    say(message);
}

static void *
say_some(void *unused)
{
    for (int i = 0; i < EACH; i++) {
        say_one_letter((char)('a' + i));
    }
    return unused;
}

static void
say_from_threads(void)
{
    static pthread_t thread[THREADS];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 128 * 1024);
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&thread[i], &small, say_some, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
    }
}

/* Each is of one letter. */
static unsigned
count_whole_lines(char *all)
{
    static const char head[] = "coppice: warning: ";
    unsigned count = 0;
    char *rest = NULL;
    for (char *line = strtok_r(all, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        ck_assert_int_eq(strncmp(line, head, sizeof head - 1), 0);
        const char *letters = line + sizeof head - 1;
        ck_assert_uint_eq(strlen(letters), 299);
        ck_assert_uint_eq(strspn(letters, (char[]){letters[0], '\0'}), 299);
        count++;
    }
    return count;
}

TEST(lines_of_a_thousand_threads_are_whole_in_a_file)
{
    FILE *file = tmpfile(); /* no memfd: writes to those do not follow one another */
    ck_assert_ptr_nonnull(file);
    redirect(dup(fileno(file)));
    test_leaves_things_behind();
    say_from_threads();
    rewind(file);
    char *all = drain(fileno(file));
    ck_assert_uint_eq(count_whole_lines(all), THREADS * EACH);
    free(all);
    (void)fclose(file);
}

static void *
read_all(void *fd)
{
    int from = *(int *)fd;
    (void)fcntl(from, F_SETFL, 0);
    return drain(from);
}

static bool
is_empty(int pipe)
{
    int bytes = -1;
    return ioctl(pipe, FIONREAD, &bytes) == 0 && bytes == 0;
}

TEST(lines_of_a_thousand_threads_are_whole_in_a_pipe)
{
    int from = redirect_to_pipe();
    pthread_t reader;
    void *all;
    ck_assert_int_eq(pthread_create(&reader, NULL, read_all, &from), 0);
    say_from_threads();
    EVENTUALLY(is_empty(from));
    say_one_letter('z'); /* there is room for it, and for how many were lost before */
    close(STDERR_FILENO);
    pthread_join(reader, &all);
    char *lost = strstr(all, "lines were lost"); /* on a machine that is very busy */
    if (!lost) {
        ck_assert_uint_eq(count_whole_lines(all), THREADS * EACH + 1);
    }
    free(all);
    close(from);
}

/* ---------------------------------------------------------------- who reads */

TEST(a_terminal_or_a_file_gets_the_time)
{
    test_catch_stderr();
    say_timed("m");
    char *lines = test_caught_stderr();
    ck_assert_str_eq(lines, "1970-01-01T00:00:00.000Z coppice: warning: m\n");
    free(lines);
}

static void
make_it_the_journals(unsigned long long wrong)
{
    struct stat it;
    char stream[64];
    ck_assert_int_eq(fstat(STDERR_FILENO, &it), 0);
    (void)snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)it.st_dev,
                   (unsigned long long)it.st_ino + wrong);
    copi_standard_error_journal(stream);
}

TEST(the_journal_gets_the_level_and_no_time)
{
    int from = redirect_to_socket(SOCK_STREAM);
    make_it_the_journals(0);
    say_timed("m");
    char *lines = drain(from);
    ck_assert_str_eq(lines, "<4>coppice: warning: m\n");
    free(lines);
    close(from);
}

TEST(another_stream_of_the_journals_makes_no_difference)
{
    test_catch_stderr();
    make_it_the_journals(1);
    say_timed("m");
    char *lines = test_caught_stderr();
    ck_assert_str_eq(lines, "1970-01-01T00:00:00.000Z coppice: warning: m\n");
    free(lines);
}

/* The program has sent its standard error elsewhere. */
TEST(the_journal_is_looked_for_at_each_line)
{
    test_catch_stderr();
    make_it_the_journals(0);
    say("m");
    int other = memfd_create("other", MFD_CLOEXEC), journal = dup(STDERR_FILENO);
    dup2(other, STDERR_FILENO);
    say("n");
    dup2(journal, STDERR_FILENO);
    close(journal);
    char words[64] = "";
    ck_assert_int_gt(pread(other, words, sizeof words - 1, 0), 0);
    close(other);
    char *lines = test_caught_stderr();
    ck_assert_str_eq(lines, "<4>coppice: warning: m\n");
    ck_assert_str_eq(words, "coppice: warning: n\n");
    free(lines);
}

TEST(what_is_no_stream_is_none)
{
    static const char *const wrong[] = {NULL, "", "x", "8", "8:", ":8", "0:0"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        copi_standard_error_journal(wrong[i]);
        test_catch_stderr();
        say("m");
        char *lines = test_caught_stderr();
        ck_assert_str_eq(lines, "coppice: warning: m\n");
        free(lines);
    }
}

SUITE("standard_error")
