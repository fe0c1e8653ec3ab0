/*
 * runtime/standard_error.c - where lines of the log go by themselves.
 *
 * Room: runtime/. Any thread, also in the child of a fork.
 * Touch freely: how long a full standard error is waited for. Ask first: that a line is one system call.
 *
 * A line leaves in one call, without a lock, so that those of two threads do not mix: what is not longer than
 * PIPE_BUF goes into a pipe whole or not at all, and into files and sockets, too. It takes no memory.
 *
 * Whoever reads may have stopped: a pager, a terminal after Ctrl-S, a collector that hangs. A plain write
 * would then hang every actor that has something to say, the timers' thread among them. So no write waits in
 * the kernel: sockets and pipes can be told not to, and of others is asked first whether there is
 * room. If there is none, the caller looks again for a tenth of a second (the library's own threads do not), and
 * then the line is lost, and the next ones at once, until one gets through: then it is said how many there
 * were. Everything here is looked at anew for each line, because programs redirect their standard error.
 *
 * A pipe or a socket that nobody reads any more costs the line, and not the program: there is no SIGPIPE.
 */
#include "runtime/standard_error.h"

#include "runtime/thread.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(COP_LOG_LINE <= PIPE_BUF, "a line goes into a pipe in one piece");

#define PATIENCE COP_MS(100)
#define STEP     COP_MS(1)

static struct {
    /* any thread, atomic */
    copi_atomic64 device, inode; /* what the journal reads; inode 0: nothing */
    copi_atomic64 lost;          /* lines that have not been told of */
    copi_atomic32 is_stuck;      /* nobody has read for as long as we wait */
} out;

void
copi_standard_error_journal(const char *stream)
{
    uint64_t device = 0, inode = 0;
    /* What is no number is no stream of ours. NOLINTNEXTLINE(cert-err34-c) */
    if (!stream || sscanf(stream, "%" SCNu64 ":%" SCNu64, &device, &inode) != 2) {
        inode = 0;
    }
    copi_store_relaxed_64(&out.device, device);
    copi_store_relaxed_64(&out.inode, inode);
}

static bool
is_read_by_journal(const struct stat *it)
{
    return it->st_ino == copi_load_relaxed_64(&out.inode) && it->st_ino != 0
           && it->st_dev == copi_load_relaxed_64(&out.device);
}

/* ---------------------------------------------------------------- one system call */

static ssize_t
write_if_ready(const char *bytes, size_t size)
{
    int ready = copi_poll_fd(STDERR_FILENO, POLLOUT);
    if (ready > 0) {
        return write(STDERR_FILENO, bytes, size);
    }
    errno = ready < 0 ? -ready : EAGAIN;
    return -1;
}

static ssize_t
write_to_pipe(const char *bytes, size_t size)
{
    union {
        const void *in;
        void *out;
    } base = {.in = bytes}; /* writev takes no const */
    const struct iovec part = {base.out, size};
    ssize_t n = pwritev2(STDERR_FILENO, &part, 1, -1, RWF_NOWAIT);
    return n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS) ? write_if_ready(bytes, size) : n;
}

/* The signal of a broken pipe is taken back. */
static ssize_t
write_to_pipe_quietly(const char *bytes, size_t size)
{
    sigset_t broken, before;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    ssize_t n = write_to_pipe(bytes, size);
    int error = errno;
    if (n < 0 && error == EPIPE && !sigismember(&before, SIGPIPE)) {
        const struct timespec now = {0};
        sigtimedwait(&broken, NULL, &now);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return n;
}

static ssize_t
write_once(mode_t mode, const char *bytes, size_t size)
{
    if (S_ISSOCK(mode)) {
        return send(STDERR_FILENO, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (S_ISFIFO(mode)) {
        return write_to_pipe_quietly(bytes, size);
    }
    return S_ISREG(mode) ? write(STDERR_FILENO, bytes, size) : write_if_ready(bytes, size);
}

/* ---------------------------------------------------------------- patience */

/* Look again in a moment, unless it has been long. */
static bool
may_look_again(cop_time *until)
{
    if (copi_here.is_library || copi_load_relaxed_32(&out.is_stuck)) {
        return false;
    }
    cop_time now = copi_clock();
    *until = *until ? *until : now + PATIENCE;
    if (now >= *until) {
        copi_store_relaxed_32(&out.is_stuck, 1);
        return false;
    }
    struct copi_parker pause;
    copi_parker_init(&pause);
    copi_park(&pause, now + STEP);
    copi_parker_fini(&pause);
    return true;
}

static bool
is_full(int error)
{
    return error == EAGAIN || error == ENOBUFS;
}

/* false: it is lost for want of room. One that nobody could ever read is not counted. */
static bool
write_line(mode_t mode, const char *bytes, size_t size)
{
    cop_time until = 0;
    while (size > 0) {
        ssize_t n = write_once(mode, bytes, size);
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (n == 0 || !(is_full(errno) || errno == EINTR)) {
            return true;
        } else if (errno != EINTR && !may_look_again(&until)) {
            return false;
        }
    }
    if (copi_load_relaxed_32(&out.is_stuck)) {
        copi_store_relaxed_32(&out.is_stuck, 0);
    }
    return true;
}

/* ---------------------------------------------------------------- entries */

static bool
write_entry(mode_t mode, const cop_log_entry *entry, struct copi_log_shape shape)
{
    char line[COP_LOG_LINE + 1];
    return write_line(mode, line, copi_log_text(entry, shape, line));
}

static void
tell_lost(mode_t mode, struct copi_log_shape shape)
{
    uint64_t lost = copi_exchange_64(&out.lost, 0);
    const cop_field fields[] = {cop_field_unsigned("lines", lost), cop_field_end_()};
    const cop_log_entry entry = {
        .level = COP_LOG_WARNING,
        .is_library = true,
        .time = copi_clock_wall(),
        .message = "lines were lost: standard error was full",
        .fields = fields,
    };
    if (lost > 0 && !write_entry(mode, &entry, shape)) {
        copi_fetch_add_64(&out.lost, lost);
    }
}

void
copi_standard_error_write(const cop_log_entry *entry, struct copi_log_shape shape)
{
    int kept = errno;
    struct stat it;
    if (fstat(STDERR_FILENO, &it) == 0) {
        bool is_journal = is_read_by_journal(&it);
        shape.has_priority = is_journal;
        shape.has_time = shape.has_time && !is_journal;
        if (!write_entry(it.st_mode, entry, shape)) {
            copi_fetch_add_64(&out.lost, 1);
        } else if (copi_load_relaxed_64(&out.lost) > 0) {
            tell_lost(it.st_mode, shape);
        }
    }
    errno = kept;
}
