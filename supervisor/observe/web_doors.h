/*
 * supervisor/observe/web_doors.h - the sockets that listen.
 *
 * Room: supervisor/observe/, libcoppice-web. The server's thread only.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_WEB_DOORS_H
#define COPI_SUPERVISOR_OBSERVE_WEB_DOORS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum {
    COPI_WEB_DOORS = 2
};

struct copi_web_doors {
    int fds[COPI_WEB_DOORS];
    size_t count;
    unsigned port;
};

/*
 * Listen.
 *
 *   address   numeric; NULL: 127.0.0.1, and ::1 if there is one
 *   port      0: any
 *
 * -EINVAL: the address is none. Else as bind(2) and listen(2); nothing is open then.
 */
int copi_web_doors_open(struct copi_web_doors *doors, const char *address, unsigned port);
void copi_web_doors_close(struct copi_web_doors *doors);

/* The next who waits there: a descriptor, non-blocking; or -EAGAIN: nobody, or what else accept4(2) says, of
 * a shortage or of the door. Who has left again is passed over. */
int copi_web_doors_accept(int door, struct sockaddr_storage *address, socklen_t *size);

/* Whether that was an error that passes when others give something back. */
bool copi_web_doors_is_shortage(int error);

#endif
