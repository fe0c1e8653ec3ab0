/*
 * actors/durable/sqlite_side.c - the file beside a database: a queue of writers, and a bell.
 *
 * Room: actors/durable/, libcoppice-sqlite. The store's process.
 * Touch freely: nothing. Ask first: what is done under the lock.
 *
 * SQLite's own way of waiting for another writer is to sleep and try again, and one of eight may get nothing for
 * seconds. So each writer takes flock(2) on this file first: the kernel keeps those who wait in a queue, and lets go of it
 * for who is killed. Checkpoints take it, too: with that, none can run while another connection writes, which
 * is what SQLite before 3.51.3 can damage a file by. The lock belongs to the open file, so two stores of one process exclude each
 * other as well.
 *
 * It is a blocking call. It ends in EINTR when the store's process is to end and does not (the ladder of
 * coppice/process.h); what waited was not applied.
 *
 * The bell: after a commit the writer writes to the file, and inotify tells those who watch it. It tells that something
 * has changed and not what; SQLite's data_version says whether it was somebody else. A bell that was not heard is made up for by
 * the poll.
 */
#include "actors/durable/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

static const char suffix[] = "-coppice";

/* Those whose mappings are not shared between machines: of linux/magic.h and fs/. */
static bool
is_network(int file)
{
    static const unsigned types[] = {0x6969 /* NFS */,
                                     0x517b /* SMB */,
                                     0xff534d42 /* CIFS */,
                                     0xfe534d42 /* SMB2 */,
                                     0x01021997 /* 9P */,
                                     0x00c36400 /* Ceph */,
                                     0x5346414f /* AFS */};
    struct statfs system;
    if (fstatfs(file, &system) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if ((unsigned)system.f_type == types[i]) {
            return true;
        }
    }
    return false;
}

/* Without it there is the poll. */
static int
watch(const char *path)
{
    int events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (events >= 0 && inotify_add_watch(events, path, IN_MODIFY) < 0) {
        close(events);
        events = -1;
    }
    return events;
}

static int
open_file(struct copi_sqlite_side *side, const char *path)
{
    side->file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (side->file < 0) {
        return -errno;
    }
    if (is_network(side->file)) {
        close(side->file);
        side->file = -1;
        return -EOPNOTSUPP;
    }
    side->events = watch(path);
    return 0;
}

int
copi_sqlite_side_open(struct copi_sqlite_side *side, const char *path)
{
    size_t size = strlen(path) + sizeof suffix;
    char *beside = malloc(size);
    *side = (struct copi_sqlite_side){-1, -1};
    if (!beside) {
        return -ENOMEM;
    }
    (void)snprintf(beside, size, "%s%s", path, suffix);
    int r = open_file(side, beside);
    free(beside);
    return r;
}

void
copi_sqlite_side_close(struct copi_sqlite_side *side)
{
    if (side->events >= 0) {
        close(side->events);
    }
    if (side->file >= 0) {
        close(side->file);
    }
    *side = (struct copi_sqlite_side){-1, -1};
}

/* ---------------------------------------------------------------- the queue */

int
copi_sqlite_side_lock(const struct copi_sqlite_side *side)
{
    return flock(side->file, LOCK_EX) == 0 ? 0 : errno == EINTR ? -ECANCELED : -errno;
}

bool
copi_sqlite_side_try_lock(const struct copi_sqlite_side *side)
{
    return flock(side->file, LOCK_EX | LOCK_NB) == 0;
}

void
copi_sqlite_side_unlock(const struct copi_sqlite_side *side)
{
    (void)flock(side->file, LOCK_UN);
}

/* ---------------------------------------------------------------- the bell */

void
copi_sqlite_side_tell(const struct copi_sqlite_side *side)
{
    ssize_t written = pwrite(side->file, "!", 1, 0);
    (void)written; /* on a full disk there is the poll */
}

void
copi_sqlite_side_hear(const struct copi_sqlite_side *side)
{
    _Alignas(struct inotify_event) char events[4096];
    while (side->events >= 0 && read(side->events, events, sizeof events) > 0) {
    }
}
