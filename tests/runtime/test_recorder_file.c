/*
 * tests/runtime/test_recorder_file.c - the recorder's file: made whole, or not at all.
 *
 * Room: tests/.
 */
#include "runtime/recorder_file.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/coppice-recorder-XXXXXX", path[64], last[72], new[72];

static void
remove_folder(void)
{
    const char *names[] = {path, last, new};
    for (size_t i = 0; i < 3; i++) {
        unlink(names[i]);
    }
    rmdir(folder);
}

static void
begin(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/recording", folder);
    snprintf(last, sizeof last, "%s.last", path);
    snprintf(new, sizeof new, "%s.new", path);
    atexit(remove_folder);
}

static int
make(struct copi_recorder_file *file)
{
    return copi_recorder_file_make(path, 4, 8, file);
}

static void
let_go(struct copi_recorder_file *file)
{
    munmap(file->head, file->size);
}

static off_t
size_of(const char *name)
{
    struct stat it;
    return stat(name, &it) == 0 ? it.st_size : -1;
}

TEST(a_file_that_cannot_be_made_is_an_error_and_leaves_nothing)
{
    struct copi_recorder_file file;
    begin();
    ck_assert_int_eq(copi_recorder_file_make("/nowhere/at/all", 4, 8, &file), -ENOENT);
    ck_assert_int_eq(copi_recorder_file_make(folder, 4, 8, &file), -EINVAL);
    ck_assert_int_eq(copi_recorder_file_make("/dev/null", 4, 8, &file), -EINVAL);
    ck_assert_int_eq(copi_recorder_file_make("", 4, 8, &file), -ENOENT);
    char *deep = calloc(1, 5000);
    memset(deep, 'x', 4999);
    ck_assert_int_eq(copi_recorder_file_make(deep, 4, 8, &file), -ENAMETOOLONG);
    free(deep);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(make(&file), -EINVAL);
}

/* ---------------------------------------------------------------- others, meanwhile */

static void (*meanwhile)(void); /* between the lock and the look at what is locked; once */
static int stat_error;

int real_stat(const char *name, struct stat *out) REAL(stat);
int late_stat(const char *name, struct stat *out) WRAP(stat);
int
late_stat(const char *name, struct stat *out)
{
    void (*now)(void) = meanwhile;
    meanwhile = NULL;
    if (now) {
        now();
    }
    errno = stat_error;
    return stat_error ? -1 : real_stat(name, out);
}

static void
write_words(const char *name)
{
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ck_assert_int_eq(write(fd, "words", 5), 5);
    close(fd);
}

static void
remove_it(void)
{
    ck_assert_int_eq(unlink(path), 0);
}

static void
put_another_there(void)
{
    write_words(new);
    ck_assert_int_eq(rename(new, path), 0);
}

TEST(a_file_that_is_removed_meanwhile_is_made_again)
{
    struct copi_recorder_file file;
    begin();
    write_words(path);
    meanwhile = remove_it;
    ck_assert_int_eq(make(&file), 0);
    ck_assert_uint_eq((uint64_t)size_of(path), file.size);
    ck_assert_int_eq(size_of(last), -1); /* nothing was in the second one */
    let_go(&file);
}

TEST(of_two_files_the_one_that_was_put_there_meanwhile_is_kept)
{
    struct copi_recorder_file file;
    begin();
    meanwhile = put_another_there;
    ck_assert_int_eq(make(&file), 0);
    ck_assert_uint_eq((uint64_t)size_of(path), file.size);
    ck_assert_int_eq(size_of(last), 5);
    let_go(&file);
}

TEST(a_file_that_cannot_be_looked_at_is_an_error)
{
    struct copi_recorder_file file;
    begin();
    stat_error = EIO;
    ck_assert_int_eq(make(&file), -EIO);
    stat_error = 0;
    ck_assert_int_eq(size_of(path), -1);
    ck_assert_int_eq(make(&file), 0); /* the lock has been let go */
    let_go(&file);
    stat_error = EIO;
    ck_assert_int_eq(make(&file), -EIO);
    stat_error = 0;
    ck_assert_uint_eq((uint64_t)size_of(path), file.size); /* what is in it stays */
}

static void
put_another_there_and_see_nothing(void)
{
    put_another_there();
    stat_error = EIO;
}

TEST(what_another_has_put_there_is_not_taken_away)
{
    struct copi_recorder_file file;
    begin();
    meanwhile = put_another_there_and_see_nothing;
    ck_assert_int_eq(make(&file), -EIO);
    stat_error = 0;
    ck_assert_int_eq(size_of(path), 5);
}

TEST(a_last_one_that_cannot_be_replaced_is_an_error_and_the_old_file_stays)
{
    struct copi_recorder_file file;
    begin();
    write_words(path);
    ck_assert_int_eq(mkdir(last, 0700), 0);
    ck_assert_int_eq(make(&file), -EISDIR);
    ck_assert_int_eq(size_of(path), 5);
    ck_assert_int_eq(size_of(new), -1);
    ck_assert_int_eq(rmdir(last), 0);
    ck_assert_int_eq(make(&file), 0);
    ck_assert_int_eq(size_of(last), 5);
    let_go(&file);
}

TEST(a_new_one_that_cannot_be_made_is_an_error_and_the_old_file_stays)
{
    struct copi_recorder_file file;
    begin();
    write_words(path);
    ck_assert_int_eq(mkdir(new, 0700), 0);
    ck_assert_int_eq(make(&file), -EEXIST);
    ck_assert_int_eq(size_of(path), 5);
    ck_assert_int_eq(size_of(last), -1);
    ck_assert_int_eq(rmdir(new), 0);
}

/* ---------------------------------------------------------------- disks */

TEST(a_limit_of_file_sizes_is_an_error_and_no_signal)
{
    struct copi_recorder_file file;
    begin();
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, limit.rlim_max});
    ck_assert_int_eq(make(&file), -EFBIG);
    setrlimit(RLIMIT_FSIZE, &limit); /* what counts lines writes at the end, too */
    ck_assert_int_eq(size_of(path), -1);
    ck_assert_int_eq(size_of(new), -1);
}

TEST(a_full_disk_is_an_error_at_the_start_and_the_old_file_stays)
{
    struct copi_recorder_file file;
    begin();
    bool mounted = unshare(CLONE_NEWNS) == 0
                   && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0
                   && mount("tmpfs", folder, "tmpfs", 0, "size=64k") == 0;
    if (!mounted) {
        return; /* that takes a superuser */
    }
    ck_assert_int_eq(make(&file), 0);
    let_go(&file);
    off_t before = size_of(path);
    ck_assert_int_eq(copi_recorder_file_make(path, 1000, 8, &file), -ENOSPC);
    ck_assert_int_eq(size_of(path), before);
    ck_assert_int_eq(size_of(last), -1);
    ck_assert_int_eq(size_of(new), -1);
    remove_folder();
    umount(folder);
}

TEST(it_has_its_whole_size_at_once_and_says_what_it_is)
{
    struct copi_recorder_file file;
    begin();
    ck_assert_int_eq(make(&file), 0);
    struct stat it;
    ck_assert_int_eq(stat(path, &it), 0);
    ck_assert_uint_eq((uint64_t)it.st_size, file.size);
    ck_assert_uint_ge((uint64_t)it.st_blocks * 512, file.size);
    ck_assert_uint_eq(it.st_mode & 0777, 0600);
    ck_assert_int_eq(memcmp(file.head->magic, COPI_RECORDING_MAGIC, 8), 0);
    ck_assert_uint_eq(file.head->version, COPI_RECORDING_VERSION);
    ck_assert_uint_eq(file.head->rings, 4);
    ck_assert_uint_eq(file.head->records, 8);
    ck_assert_uint_eq(file.head->size, file.head->head_size + 4 * file.head->ring_size);
    ck_assert_uint_eq(file.head->process, (uint32_t)getpid());
    ck_assert_str_ne(file.head->program, "");
    ck_assert_uint_eq(strlen(file.head->boot), 36);
    let_go(&file);
}

TEST(who_has_the_file_keeps_others_out)
{
    struct copi_recorder_file file, other;
    begin();
    ck_assert_int_eq(make(&file), 0);
    ck_assert_int_eq(make(&other), -EBUSY);
    ck_assert_int_eq(size_of(last), -1);
    file.head->version = 77; /* it is the one at the path still */
    let_go(&file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct copi_recording_head head;
    ck_assert_int_eq(read(fd, &head, sizeof head), sizeof head);
    ck_assert_uint_eq(head.version, 77);
    close(fd);
}

TEST(the_file_before_is_kept_once)
{
    struct copi_recorder_file file;
    begin();
    ck_assert_int_eq(copi_recorder_file_make(path, 2, 8, &file), 0);
    off_t first = size_of(path);
    let_go(&file);
    ck_assert_int_eq(copi_recorder_file_make(path, 3, 8, &file), 0);
    off_t second = size_of(path);
    ck_assert_int_eq(size_of(last), first);
    let_go(&file);
    ck_assert_int_eq(copi_recorder_file_make(path, 4, 8, &file), 0);
    ck_assert_int_eq(size_of(last), second);
    ck_assert_int_eq(size_of(new), -1);
    let_go(&file);
}

TEST(who_has_the_old_one_mapped_keeps_it)
{
    struct copi_recorder_file old, young;
    begin();
    ck_assert_int_eq(make(&old), 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const char *seen = mmap(NULL, old.size, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    size_t first = copi_recording_head_size(), size = old.size;
    memset((char *)old.head + first, 'x', 100);
    let_go(&old);
    ck_assert_int_eq(make(&young), 0);
    ck_assert_int_eq(seen[first], 'x');
    ck_assert_int_eq(((char *)young.head)[first], 0);
    munmap((void *)(uintptr_t)seen, size);
    let_go(&young);
}

TEST(a_child_does_not_keep_the_file_when_the_program_has_ended)
{
    struct copi_recorder_file file;
    begin();
    ck_assert_int_eq(make(&file), 0);
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    let_go(&file); /* as an end does */
    ck_assert_int_eq(make(&file), 0);
    let_go(&file);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

TEST(what_a_start_has_left_half_done_is_no_hindrance)
{
    struct copi_recorder_file file;
    begin();
    close(open(new, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ck_assert_int_eq(make(&file), 0);
    ck_assert_int_eq(size_of(last), -1); /* an empty one is not worth keeping */
    ck_assert_int_eq(size_of(new), -1);
    let_go(&file);
}

TEST(a_file_that_cannot_be_mapped_is_removed_again)
{
    struct copi_recorder_file file;
    if (TEST_SANITIZED) {
        return; /* it maps memory of its own */
    }
    begin();
    test_refuse_system_call(SYS_mmap, ENOMEM);
    ck_assert_int_eq(make(&file), -ENOMEM);
    ck_assert_int_eq(size_of(path), -1);
}

SUITE("recorder_file")
