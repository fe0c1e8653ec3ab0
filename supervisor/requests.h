/*
 * supervisor/requests.h - what a supervisor is asked.
 *
 * Room: supervisor/.
 */
#ifndef COPI_SUPERVISOR_REQUESTS_H
#define COPI_SUPERVISOR_REQUESTS_H

#include <coppice/genserver.h>

struct copi_supervisor;

/* Answer a request: in the supervisor. */
cop_step copi_requests_handle(struct copi_supervisor *sup, cop_from from, cop_msg request);

#endif
