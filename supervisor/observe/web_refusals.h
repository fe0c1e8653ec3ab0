/*
 * supervisor/observe/web_refusals.h - saying that somebody was refused, once.
 *
 * Room: supervisor/observe/, libcoppice-web. The server's thread only.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_WEB_REFUSALS_H
#define COPI_SUPERVISOR_OBSERVE_WEB_REFUSALS_H

#include <coppice/base.h>

#include <microhttpd.h>

enum {
    COPI_WEB_REASONS = 24 /* more than there are */
};

struct copi_web_refusals {
    struct {
        const char *why;
        cop_time said;
        uint64_t withheld; /* since */
    } reasons[COPI_WEB_REASONS];
    size_t count;
};

/*
 * Somebody was refused: it is logged, if the same has not been for a minute.
 *
 *   status       the answer's; 0: libmicrohttpd has given it, or none
 *   why          static
 *   connection   whose; NULL: not known
 */
void copi_web_refused(struct copi_web_refusals *refusals, unsigned status, const char *why,
                      struct MHD_Connection *connection);

#endif
