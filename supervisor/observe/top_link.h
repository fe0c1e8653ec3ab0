/*
 * supervisor/observe/top_link.h - coppice-top: the line to the daemon's observer.
 *
 * Room: supervisor/observe/, the program coppice-top. One thread.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_TOP_LINK_H
#define COPI_SUPERVISOR_OBSERVE_TOP_LINK_H

#include <stdbool.h>
#include <stddef.h>

struct top_link {
    const char *path; /* borrowed */
    int fd;           /* -1: there is no connection */
    bool is_greeted, is_asked;
    char program[64], os_pid[16]; /* who is there; or was last */
    /* what has come and was not taken */
    char *text;
    size_t size, capacity;
};

/* Nothing is connected yet. */
void top_link_init(struct top_link *link, const char *path);

/* Connect, without waiting. 0, or why not: -ENOENT, -ECONNREFUSED, -EAGAIN (too many wait there) … */
int top_link_connect(struct top_link *link);
void top_link_close(struct top_link *link);

/* Ask, when nothing is asked. The connection is closed on an error. -EBUSY: something is; -ENOTCONN: nobody has
 * greeted yet. */
int top_link_ask(struct top_link *link, const char *question);

/*
 * Read what has come. 1: the answer, which is given, terminated, with its empty line; 0: not yet, and what was
 * asked before is still asked. The connection is closed on an error:
 *
 * -ECONNRESET   it has left
 * -EPROTO       it is no observer, or one of a version that is not known; or its answer has no end
 * -ENOMEM
 */
int top_link_read(struct top_link *link, char **answer);

#endif
