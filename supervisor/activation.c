/*
 * supervisor/activation.c - descriptors that the service manager has opened for us: sd_listen_fds(3).
 *
 * Room: supervisor/. Any thread.
 *
 * They begin at 3, LISTEN_FDS of them, named by LISTEN_FDNAMES, and meant for the process LISTEN_PID
 * only: a child inherits the words, but not what they say. Each is given to one who asks, once, and is
 * that one's; at the first question all are marked to be closed in commands.
 */
#include "runtime/process.h"
#include "runtime/thread.h"

#include <coppice/daemon.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FIRST = 3,
    MOST = 64,
};

static struct {
    copi_lock lock;
    /* guarded by it */
    bool was_read;
    int count;
    bool is_taken[MOST];
} activation = {.lock = COPI_LOCK_INIT};

/* A number in the environment; -1: none. */
static long
number(const char *name)
{
    const char *text = getenv(name); /* NOLINT(concurrency-mt-unsafe): only read */
    char *end;
    errno = 0;
    long n = text ? strtol(text, &end, 10) : -1;
    return text && *text && !*end && !errno ? n : -1;
}

static void
read_environment_locked(void)
{
    long count = number("LISTEN_PID") == getpid() ? number("LISTEN_FDS") : 0;
    activation.was_read = true;
    activation.count = count < 0 ? 0 : count > MOST ? MOST : (int)count;
    for (int i = 0; i < activation.count; i++) {
        int flags = fcntl(FIRST + i, F_GETFD);
        if (flags < 0) {
            activation.is_taken[i] = true; /* closed before we looked */
        } else {
            fcntl(FIRST + i, F_SETFD, flags | FD_CLOEXEC);
        }
    }
}

/* Whether the i-th of the names, separated by colons, is this one. */
static bool
is_named(int i, const char *name)
{
    const char *at = getenv("LISTEN_FDNAMES"); /* NOLINT(concurrency-mt-unsafe): only read */
    for (; at && i > 0; i--) {
        at = strchr(at, ':');
        at = at ? at + 1 : NULL;
    }
    size_t length = at ? strcspn(at, ":") : 0;
    return at && length == strlen(name) && memcmp(at, name, length) == 0;
}

int
cop_activated_fd(const char *name, int *fd)
{
    int r = -ENOENT;
    copi_lock_take(&activation.lock);
    if (!activation.was_read) {
        read_environment_locked();
    }
    for (int i = 0; i < activation.count && r != 0; i++) {
        if (!activation.is_taken[i] && (!name || is_named(i, name))) {
            activation.is_taken[i] = true;
            *fd = FIRST + i;
            r = 0;
        }
    }
    copi_lock_give(&activation.lock);
    return r;
}
