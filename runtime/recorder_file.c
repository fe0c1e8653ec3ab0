/*
 * runtime/recorder_file.c - the flight recorder's file: made, locked, mapped.
 *
 * Room: runtime/. The thread that begins.
 * Touch freely: nothing. Ask first: that a file which somebody may have mapped is never cut short.
 *
 * All that can fail of a recorder fails here, before the first record: the pages of the file are there
 * (posix_fallocate), so that a disk that fills up later is no SIGBUS.
 *
 * Who holds the lock (flock) of the file at `path` may put another there. So a start
 *
 *   1. opens it, or makes an empty one, and locks it; another program has it: -EBUSY. What it has locked
 *      must still be what `path` leads to, or it begins again: somebody has put another there meanwhile;
 *   2. makes `path.new`, locks that, gives it its size, maps it and writes the head;
 *   3. lets `path.last` lead to the old one, if anything is in it, and `path` to the new one: at no time
 *      does it lead to none.
 *
 * The mapping keeps the new one open, and so locked, without a descriptor, until the program is gone, however
 * that happens. Children of a fork do not get it, or they would keep the lock when the program has ended. No
 * file is ever cut short or written over: a reader who has an old one mapped keeps what it has.
 */
#include "runtime/recorder_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef COPI_VERSION
# define COPI_VERSION "unknown"
#endif

struct names {
    const char *path;
    char last[PATH_MAX], new[PATH_MAX];
};

static int
close_with(int fd, int code)
{
    if (fd >= 0) {
        close(fd);
    }
    return code;
}

/* ---------------------------------------------------------------- the lock */

static int
lock(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        return 0;
    }
    return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

/* 1: it is; 0: another one is there now. */
static int
is_at(const char *path, const struct stat *opened)
{
    struct stat now;
    if (stat(path, &now) != 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    return now.st_dev == opened->st_dev && now.st_ino == opened->st_ino;
}

/*
 * Under its lock: who has made the file takes it away again. Whoever had put another in its place would have left it
 * no name, as nobody keeps an empty one.
 */
static void
remove_if_empty(const char *path, int fd)
{
    struct stat it;
    if (fstat(fd, &it) == 0 && it.st_size == 0 && it.st_nlink > 0) {
        unlink(path);
    }
}

/* Step 1, once: 1 and *out, or 0: again. */
static int
try_hold(const char *path, int *out, struct stat *it)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0) {
        return errno == EISDIR ? -EINVAL : -errno;
    }
    int r = fstat(fd, it) != 0 ? -errno : S_ISREG(it->st_mode) ? lock(fd) : -EINVAL;
    if (r) {
        return close_with(fd, r);
    }
    r = is_at(path, it);
    if (r == 1) {
        *out = fd;
        return 1;
    }
    if (r < 0) {
        remove_if_empty(path, fd);
    }
    return close_with(fd, r);
}

static int
hold(const char *path, int *out, struct stat *it)
{
    enum {
        ATTEMPTS = 10
    };
    int r = 0;
    for (int i = 0; i < ATTEMPTS && r == 0; i++) {
        r = try_hold(path, out, it);
    }
    return r == 1 ? 0 : r == 0 ? -EBUSY : r;
}

/* ---------------------------------------------------------------- the new one */

/* The kernel would kill the program for trying. */
static int
check_limit(size_t size)
{
    struct rlimit limit;
    bool is_limited = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    return is_limited && size > limit.rlim_cur ? -EFBIG : 0;
}

static int
map(struct copi_recorder_file *file, int fd)
{
    void *memory = mmap(NULL, file->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    madvise(memory, file->size, MADV_DONTFORK);
    file->head = memory;
    return 0;
}

static int
make_new(const char *path, struct copi_recorder_file *file)
{
    unlink(path); /* of a start that did not get further */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    int r = lock(fd);
    r = r ? r : check_limit(file->size);
    r = r ? r : -posix_fallocate(fd, 0, (off_t)file->size);
    r = r ? r : map(file, fd);
    if (r) {
        unlink(path);
    }
    return close_with(fd, r);
}

static void
read_line(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, out, size - 1);
    if (fd >= 0) {
        close(fd);
    }
    out[length > 0 ? length : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

static void
fill_in(const struct copi_recorder_file *file, uint32_t rings, uint32_t records)
{
    struct copi_recording_head *head = file->head;
    memcpy(head->magic, COPI_RECORDING_MAGIC, sizeof head->magic);
    head->version = COPI_RECORDING_VERSION;
    head->byte_order = COPI_RECORDING_BYTE_ORDER;
    head->head_size = (uint32_t)copi_recording_head_size();
    head->ring_head_size = sizeof(struct copi_ring);
    head->record_size = sizeof(struct copi_recording_record);
    head->ring_size = head->ring_head_size + records * head->record_size;
    head->rings = rings;
    head->records = records;
    head->size = file->size;
    head->process = (uint32_t)getpid();
    strncpy(head->coppice, COPI_VERSION, sizeof head->coppice - 1);
    strncpy(head->program, program_invocation_short_name, sizeof head->program - 1);
    read_line("/proc/sys/kernel/random/boot_id", head->boot, sizeof head->boot);
}

/* ---------------------------------------------------------------- in its place */

static int
put_in_place(const struct names *names, bool keeps_last)
{
    if (keeps_last) {
        unlink(names->last);
        if (link(names->path, names->last) != 0 && rename(names->path, names->last) != 0) {
            return -errno;
        }
    }
    return rename(names->new, names->path) == 0 ? 0 : -errno;
}

static int
make(const struct names *names, bool keeps_last, uint32_t rings, uint32_t records,
     struct copi_recorder_file *file)
{
    int r = make_new(names->new, file);
    if (r) {
        return r;
    }
    fill_in(file, rings, records);
    r = put_in_place(names, keeps_last);
    if (r) {
        munmap(file->head, file->size);
        unlink(names->new);
    }
    return r;
}

static bool
name(struct names *names)
{
    return snprintf(names->last, sizeof names->last, "%s.last", names->path) < PATH_MAX
           && snprintf(names->new, sizeof names->new, "%s.new", names->path) < PATH_MAX;
}

int
copi_recorder_file_make(const char *path, uint32_t rings, uint32_t records,
                        struct copi_recorder_file *out)
{
    struct names names = {.path = path};
    struct stat before = {0};
    int held = -1;
    if (!name(&names)) {
        return -ENAMETOOLONG;
    }
    int r = hold(path, &held, &before);
    if (r) {
        return r;
    }
    size_t ring = sizeof(struct copi_ring) + records * sizeof(struct copi_recording_record);
    out->size = copi_recording_head_size() + rings * ring;
    r = make(&names, before.st_size > 0, rings, records, out);
    if (r && before.st_size == 0) {
        unlink(path); /* it was made here, or was nothing */
    }
    return close_with(held, r);
}
