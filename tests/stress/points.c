/*
 * tests/stress/points.c - the points at which the library can fail.
 *
 * Room: tests/. Any thread.
 * Touch freely: the errors of a call, which are those that its manual page knows and that a healthy program
 * can meet. Ask first: failing what cannot fail, or failing something with an effect that it has had.
 *
 * Each call of the system is wrapped by the linker (tests/support/wrap.h). Whose call it is is told by where it
 * comes from: the library has a section of its own for its code. A call in tail position comes from its
 * caller's caller; in the library there is none that would be the application's.
 *
 * Not here: what cannot fail in a program that is not broken (sigaction, pthread_sigmask, clock_gettime), and
 * vfork, whose wrapper would return twice.
 */
#include "tests/stress/points.h"

#include "tests/support/wrap.h"

#include <dirent.h>
#include <errno.h>
#include <linux/futex.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern const char __start_coppice_text[], __stop_coppice_text[]; /* the linker's */

const char *const point_kind_names[POINT_KINDS] = {"allocations", "threads", "system calls"};

static struct {
    atomic_bool armed;
    struct point point;
    struct points_seen *seen;
    _Atomic(const char *) lacking; /* the call that fails until then, */
    _Atomic(int64_t) until;
} points;

#define SHORTAGE INT64_C(200000000) /* ns */

static int64_t
now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

void
points_arm(const struct point *point, struct points_seen *seen)
{
    points.point = *point;
    points.seen = seen;
    atomic_store(&points.lacking, NULL);
    atomic_store(&points.armed, true);
}

void
points_disarm(void)
{
    atomic_store(&points.armed, false);
}

/* A call that can fail: with each of its errors once, and what asks for something that can be short for a
 * while also with the first of them for as long. */
struct way_to_fail {
    enum point_kind kind;
    const char *call;
    const int *errors; /* 0 at the end */
    bool can_last;
};

static unsigned
count_errors(const int *errors)
{
    unsigned count = 0;
    while (errors[count] != 0) {
        count++;
    }
    return count;
}

static bool
is_library(const void *caller)
{
    const char *at = caller;
    return at >= __start_coppice_text && at < __stop_coppice_text;
}

static int
hit(const struct way_to_fail *way, const void *caller)
{
    struct points_seen *seen = points.seen;
    unsigned errors = count_errors(way->errors);
    seen->ways = errors + way->can_last;
    unsigned chosen =
        points.point.way % seen->ways; /* it may have been another call the last time */
    seen->call = way->call;
    seen->caller = caller;
    seen->lasts = chosen == errors;
    seen->error = way->errors[seen->lasts ? 0 : chosen];
    atomic_store(&points.until, now() + SHORTAGE);
    atomic_store(&points.lacking, seen->lasts ? way->call : NULL);
    atomic_store(&seen->hit, true);
    return seen->error;
}

/* The error with which this call is to fail, or 0. */
static int
fails(const struct way_to_fail *way, const void *caller)
{
    if (!atomic_load(&points.armed) || points.point.kind != way->kind || !is_library(caller)) {
        return 0;
    }
    if (atomic_load(&points.lacking) == way->call && now() < atomic_load(&points.until)) {
        return way->errors[0];
    }
    unsigned long number = atomic_fetch_add(&points.seen->reached, 1);
    if (number == points.point.number) {
        return hit(way, caller);
    }
    bool is_second = points.point.second > 0 && number == points.point.number + points.point.second;
    return is_second ? way->errors[0] : 0;
}

#define FAILS(call, ...) FAILS_(call, __VA_ARGS__)
#define FAILS_(call_, kind_, can_last_, ...)      \
 fails(                                           \
     &(const struct way_to_fail){                 \
         .kind = (kind_),                         \
         .call = (call_),                         \
         .errors = (const int[]){__VA_ARGS__, 0}, \
         .can_last = (can_last_),                 \
     },                                           \
     __builtin_return_address(0))

/*
 * A call in the place of another. The arguments: type of the result, name, parameters, arguments, the result of
 * a failure (with `error` in scope), kind, whether it can last, and its errors.
 */
#define CALL(type, name, parameters, arguments, failure, ...) \
 type real_##name parameters REAL(name);                      \
 type point_##name parameters WRAP(name);                     \
 type point_##name parameters                                 \
 {                                                            \
  int error = FAILS(#name, __VA_ARGS__);                      \
  if (error) {                                                \
   errno = error;                                             \
   return failure;                                            \
  }                                                           \
  return real_##name arguments;                               \
 }

/* ---------------------------------------------------------------- memory and threads */

#define MEMORY POINT_MEMORY, true, ENOMEM
#define THREAD POINT_THREAD, true

CALL(void *, malloc, (size_t size), (size), NULL, MEMORY)
CALL(void *, calloc, (size_t n, size_t size), (n, size), NULL, MEMORY)
CALL(void *, realloc, (void *memory, size_t size), (memory, size), NULL, MEMORY)
CALL(void *, aligned_alloc, (size_t to, size_t size), (to, size), NULL, MEMORY)
CALL(int, pthread_create,
     (pthread_t * thread, const pthread_attr_t *how, void *(*run)(void *), void *arg),
     (thread, how, run, arg), error, THREAD, EAGAIN)
CALL(int, pthread_attr_init, (pthread_attr_t * how), (how), error, THREAD, ENOMEM)
CALL(int, pthread_key_create, (pthread_key_t * key, void (*drop)(void *)), (key, drop), error,
     THREAD, EAGAIN, ENOMEM)
CALL(int, pthread_setspecific, (pthread_key_t key, const void *value), (key, value), error, THREAD,
     ENOMEM)

/* ---------------------------------------------------------------- system calls */

#define ONCE    POINT_CALL, false
#define LASTING POINT_CALL, true

CALL(void *, mmap, (void *at, size_t size, int may, int flags, int fd, off_t offset),
     (at, size, may, flags, fd, offset), MAP_FAILED, LASTING, ENOMEM, EAGAIN)
CALL(int, mprotect, (void *at, size_t size, int may), (at, size, may), -1, LASTING, ENOMEM)
CALL(int, madvise, (void *at, size_t size, int advice), (at, size, advice), -1, LASTING, EINVAL,
     ENOMEM, EAGAIN)

CALL(int, eventfd, (unsigned first, int flags), (first, flags), -1, LASTING, EMFILE, ENFILE, ENOMEM)
CALL(int, epoll_create1, (int flags), (flags), -1, LASTING, EMFILE, ENFILE, ENOMEM)
CALL(int, epoll_wait, (int set, struct epoll_event *ready, int most, int ms),
     (set, ready, most, ms), -1, ONCE, EINTR)
CALL(int, poll, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms), -1, ONCE, EINTR, ENOMEM)
CALL(int, ppoll, (struct pollfd * fds, nfds_t n, const struct timespec *t, const sigset_t *mask),
     (fds, n, t, mask), -1, ONCE, EINTR, ENOMEM)

CALL(int, open, (const char *path, int flags, long mode), (path, flags, mode), -1, LASTING, EMFILE,
     ENFILE, ENOENT, EACCES, EINTR)
CALL(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL, LASTING, EMFILE,
     ENOMEM, ENOENT)
CALL(DIR *, opendir, (const char *path), (path), NULL, LASTING, EMFILE, ENOENT)
CALL(int, pipe2, (int fds[2], int flags), (fds, flags), -1, LASTING, EMFILE, ENFILE)
CALL(ssize_t, read, (int fd, void *to, size_t size), (fd, to, size), -1, ONCE, EINTR, EIO)
CALL(ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size), -1, ONCE, EINTR,
     EIO, ENOSPC)
CALL(ssize_t, pwritev2, (int fd, const struct iovec *parts, int n, off_t at, int flags),
     (fd, parts, n, at, flags), -1, ONCE, EINTR, EAGAIN, EIO, EOPNOTSUPP)
CALL(int, fstat, (int fd, struct stat *out), (fd, out), -1, ONCE, EIO)
CALL(int, stat, (const char *path, struct stat *out), (path, out), -1, ONCE, EIO, ENOENT)
CALL(int, lstat, (const char *path, struct stat *out), (path, out), -1, ONCE, EIO, ENOENT)
CALL(int, flock, (int fd, int how), (fd, how), -1, ONCE, EINTR, ENOLCK, EWOULDBLOCK)
CALL(int, posix_fallocate, (int fd, off_t at, off_t size), (fd, at, size), error, ONCE, ENOSPC,
     EINTR)
CALL(int, link, (const char *from, const char *to), (from, to), -1, ONCE, EIO)
CALL(int, rename, (const char *from, const char *to), (from, to), -1, ONCE, EIO)
CALL(int, unlink, (const char *path), (path), -1, ONCE, EIO)
CALL(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, ONCE, EPERM)

CALL(int, socket, (int family, int type, int protocol), (family, type, protocol), -1, LASTING,
     EMFILE, ENFILE, ENOBUFS)
CALL(int, socketpair, (int family, int type, int protocol, int fds[2]),
     (family, type, protocol, fds), -1, LASTING, EMFILE, ENFILE)
CALL(int, bind, (int fd, const struct sockaddr *to, socklen_t size), (fd, to, size), -1, ONCE,
     EADDRINUSE, EACCES)
CALL(int, listen, (int fd, int backlog), (fd, backlog), -1, ONCE, EADDRINUSE)
CALL(int, accept4, (int fd, struct sockaddr *from, socklen_t *size, int flags),
     (fd, from, size, flags), -1, ONCE, EMFILE, ENFILE, ENOMEM, ENOBUFS, ECONNABORTED, EINTR,
     EAGAIN)
CALL(int, connect, (int fd, const struct sockaddr *to, socklen_t size), (fd, to, size), -1, ONCE,
     ECONNREFUSED)
CALL(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size),
     (fd, level, name, value, size), -1, ONCE, ENOMEM)
CALL(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size),
     (fd, level, name, value, size), -1, ONCE, ENOMEM)
CALL(int, getsockname, (int fd, struct sockaddr *out, socklen_t *size), (fd, out, size), -1, ONCE,
     ENOBUFS)
CALL(int, getpeername, (int fd, struct sockaddr *out, socklen_t *size), (fd, out, size), -1, ONCE,
     ENOTCONN)
CALL(ssize_t, recv, (int fd, void *to, size_t size, int flags), (fd, to, size, flags), -1, ONCE,
     EINTR, EAGAIN, ECONNRESET, ENOMEM)
CALL(ssize_t, send, (int fd, const void *from, size_t size, int flags), (fd, from, size, flags), -1,
     ONCE, EINTR, EAGAIN, EPIPE)
CALL(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), -1,
     ONCE, EINTR, EPIPE, ECONNRESET, ENOBUFS)
CALL(ssize_t, sendto,
     (int fd, const void *from, size_t size, int flags, const struct sockaddr *to,
      socklen_t length),
     (fd, from, size, flags, to, length), -1, ONCE, EAGAIN, ECONNREFUSED)
CALL(int, getaddrinfo,
     (const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **out),
     (host, port, hints, out), (error == ENOMEM ? EAI_MEMORY : EAI_AGAIN), LASTING, ENOMEM, EAGAIN)
CALL(ssize_t, getrandom, (void *to, size_t size, unsigned flags), (to, size, flags), -1, ONCE,
     ENOSYS, EINTR)
CALL(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *t),
     (set, info, t), -1, ONCE, EINTR)
CALL(int, kill, (pid_t pid, int signal), (pid, signal), -1, ONCE, ESRCH, EPERM)
CALL(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int flags), (type, id, info, flags), -1,
     ONCE, EINTR, ECHILD)
CALL(int, execve, (const char *path, char *const argv[], char *const env[]), (path, argv, env), -1,
     ONCE, ENOMEM, EACCES)
CALL(int, setpgid, (pid_t pid, pid_t group), (pid, group), -1, ONCE, EPERM)
CALL(int, dup2, (int from, int to), (from, to), -1, ONCE, EMFILE, EINTR)

/* One that has not been closed is; nobody else may get its number from a retry. */
int real_close(int fd) REAL(close);
int point_close(int fd) WRAP(close);
int
point_close(int fd)
{
    int error = FAILS("close", ONCE, EINTR, EIO);
    int r = real_close(fd);
    if (error) {
        errno = error;
        r = -1;
    }
    return r;
}

/* Out of the set there is always a way. */
int real_epoll_ctl(int set, int what, int fd, struct epoll_event *event) REAL(epoll_ctl);
int point_epoll_ctl(int set, int what, int fd, struct epoll_event *event) WRAP(epoll_ctl);
int
point_epoll_ctl(int set, int what, int fd, struct epoll_event *event)
{
    int error = what == EPOLL_CTL_ADD ? FAILS("epoll_ctl", LASTING, ENOSPC, ENOMEM) : 0;
    if (error) {
        errno = error;
        return -1;
    }
    return real_epoll_ctl(set, what, fd, event);
}

/* Those that have no function of libc's. Waking never fails. */
long real_syscall(long number, long a, long b, long c, long d, long e, long f) REAL(syscall);
long point_syscall(long number, long a, long b, long c, long d, long e, long f) WRAP(syscall);
long
point_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    int error = 0;
    switch (number) {
    case SYS_futex:
        if ((b & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET) {
            error = FAILS("futex", ONCE, EINTR, EAGAIN);
        }
        break;
    case SYS_pidfd_open:
        error = FAILS("pidfd_open", LASTING, EMFILE, ENOSYS);
        break;
    case SYS_close_range:
        error = FAILS("close_range", LASTING, ENOSYS);
        break;
    default:
        break;
    }
    if (error) {
        errno = error;
        return -1;
    }
    return real_syscall(number, a, b, c, d, e, f);
}
