/*
 * supervisor/observe/web.h - the page's server, as its files share it.
 *
 * Room: supervisor/observe/, libcoppice-web. The server's thread only.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_WEB_H
#define COPI_SUPERVISOR_OBSERVE_WEB_H

#include "supervisor/observe/web_actions.h"
#include "supervisor/observe/web_doors.h"
#include "supervisor/observe/web_guests.h"
#include "supervisor/observe/web_refusals.h"

#include <coppice-web.h>

/* An answer that was made a moment ago is good for all who ask for it. */
struct copi_web_kept {
    struct MHD_Response *response; /* NULL: none */
    cop_time made;
};

struct copi_web {
    cop_web_opts opts; /* filled in */
    struct MHD_Daemon *daemon;
    int epoll; /* the daemon's */
    struct copi_web_doors doors;
    struct copi_web_guests guests;
    struct copi_web_refusals refusals;
    struct copi_web_actions actions;
    struct copi_web_kept tree, metrics;
};

/* For libmicrohttpd, with the server: a request is to be answered. */
enum MHD_Result copi_web_route(void *web, struct MHD_Connection *connection, const char *path,
                               const char *method, const char *version, const char *body,
                               size_t *body_size, void **again);

#endif
