/*
 * coppice/io.h - the readiness of descriptors, as messages.
 *
 * A process asks to be told when a descriptor can be read or written, and goes on: it waits in its
 * mailbox for that as for everything else. Each request is answered by one message, as Erlang's
 * {active, once} and enif_select have it; who wants to hear more asks again, and so is never told faster
 * than it reads.
 *
 * A request is about the open file that the descriptor stands for at that moment. Close it only when
 * nothing is asked about it, or cancel first:
 *
 *   - closed, a descriptor tells nothing any more. When its number is asked about anew, for another
 *     file, what was asked about the old one is answered with -EBADF
 *   - closed, but duplicated before (dup, a fork), the file goes on to be watched, and the answer still
 *     has the old number
 *   - a duplicate is a descriptor like any other: each may be asked about
 *
 * Descriptors should be non-blocking: ready means that something has happened, not that a read will
 * find it when its turn comes.
 *
 * Several processes may ask about one descriptor, and a process several times: each request has its
 * answer, whatever became of the others.
 */
#ifndef COPPICE_IO_H
#define COPPICE_IO_H

#include <coppice/message.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    COP_IO_READ = 1,  /* there is something to read, or an end, or an error that a read will tell */
    COP_IO_WRITE = 2, /* there is room to write, or an error that a write will tell */
};

/* The body of COP_MSG_IO. */
struct cop_io_ready {
    cop_ref watch; /* whose answer it is */
    int fd;
    int events; /* which of those that were asked for have come; 0: none ever will */
    int error;  /* of events 0: -EBADF, the descriptor was closed and is another's now */
};

/*
 * Ask to be told, once, when a descriptor is ready: COP_MSG_IO. At once if it is already.
 *
 * The request ends with the calling process, with its answer, or with cop_io_cancel. cop_shutdown
 * forgets those of threads that the library did not start.
 *
 *   events   COP_IO_READ, COP_IO_WRITE or both: then the first of them answers
 *
 * Returns {0} on failure, and cop_why() has the reason:
 *
 * -EBADF            no open descriptor
 * -EPERM            a regular file or a directory, which are always ready; or in the child of a fork
 * -EINVAL           no events, or others
 * -EMFILE, -ENFILE  no descriptor is left for the library's own (two, with the first request)
 * -ENOSPC           the user's limit of watched descriptors (/proc/sys/fs/epoll/max_user_watches)
 * -EAGAIN           no thread for the library's own
 * -ENOMEM
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_ref cop_io_watch(int fd, int events);

/*
 * Take a request back. After 0 its message will not come.
 *
 * -ENOENT   it was answered (its message may be in the mailbox, or on its way), or cancelled, or its
 *           process has ended, or it never was
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_io_cancel(cop_ref watch);

#ifdef __cplusplus
}
#endif
#endif
