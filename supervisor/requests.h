/*
 * supervisor/requests.h - what a supervisor is asked: by whom it is sent (ask.c), and how it is
 * answered (requests.c).
 *
 * Room: supervisor/.
 */
#ifndef COPI_SUPERVISOR_REQUESTS_H
#define COPI_SUPERVISOR_REQUESTS_H

#include <coppice/genserver.h>
#include <coppice/reason.h>

struct copi_supervisor;

/* Tags of calls, and what they carry. */
#define COPI_START_CHILD     0xfffe0010u /* struct copi_child, moved */
#define COPI_START_INSTANCE  0xfffe0011u /* its argument */
#define COPI_TERMINATE       0xfffe0012u /* cop_pid */
#define COPI_TERMINATE_CHILD 0xfffe0013u /* and on: an id */
#define COPI_RESTART_CHILD   0xfffe0014u
#define COPI_DELETE_CHILD    0xfffe0015u
#define COPI_CHILD           0xfffe0016u
#define COPI_COUNT           0xfffe0017u /* and on: nothing */
#define COPI_CHILDREN        0xfffe0018u
#define COPI_INSTANCE        0xfffe0019u /* cop_pid; answered as COPI_CHILD */

/* To all but the last four, which have their tag and what was asked for; and to refusals. */
struct copi_answer {
    int code;
    cop_pid pid;
    cop_reason why;
};

/* Answer a request: in the supervisor. */
cop_step copi_requests_handle(struct copi_supervisor *sup, cop_from from, cop_msg request);

#endif
