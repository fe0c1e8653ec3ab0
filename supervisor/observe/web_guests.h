/*
 * supervisor/observe/web_guests.h - the connections, and how long each may take.
 *
 * Room: supervisor/observe/, libcoppice-web. The server's thread only.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_WEB_GUESTS_H
#define COPI_SUPERVISOR_OBSERVE_WEB_GUESTS_H

#include <coppice/base.h>

#include <microhttpd.h>
#include <sys/queue.h>

struct copi_web_guest;
TAILQ_HEAD(copi_web_queue, copi_web_guest);

struct copi_web_guests {
    struct copi_web_queue waiting; /* the first has waited longest */
    size_t count, most;            /* waiting; allowed */
    cop_time patience;
    uint64_t slow, crowded; /* shown out because they were, or it was */
};

void copi_web_guests_init(struct copi_web_guests *guests, size_t most, cop_time patience);

/* For libmicrohttpd, with the guests as env: a connection begins or has ended (MHD_OPTION_NOTIFY_CONNECTION), and a
 * request is over (MHD_OPTION_NOTIFY_COMPLETED). */
void copi_web_guest_moves(void *env, struct MHD_Connection *connection, void **guest,
                          enum MHD_ConnectionNotificationCode what);
void copi_web_guest_served(void *env, struct MHD_Connection *connection, void **request,
                           enum MHD_RequestTerminationCode how);

/* This one is being answered. */
void copi_web_guest_answered(struct MHD_Connection *connection);

/* Show out whose time is over, and return when to look again; COP_FOREVER: nobody is there. */
cop_time copi_web_guests_look(struct copi_web_guests *guests, cop_time now);

#endif
