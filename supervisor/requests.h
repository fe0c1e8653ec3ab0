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

/* Tags of calls, which no program can send by itself: so what they carry is as said here. */
#define COPI_START_CHILD     0xffff0500u /* struct copi_child, moved */
#define COPI_START_INSTANCE  0xffff0501u /* its argument */
#define COPI_TERMINATE       0xffff0502u /* cop_pid */
#define COPI_TERMINATE_CHILD 0xffff0503u /* and on: an id */
#define COPI_RESTART_CHILD   0xffff0504u
#define COPI_DELETE_CHILD    0xffff0505u
#define COPI_CHILD           0xffff0506u
#define COPI_COUNT           0xffff0507u /* and on: nothing */
#define COPI_CHILDREN        0xffff0508u
#define COPI_INSTANCE        0xffff0509u /* cop_pid */

/* Tags of answers that are what was asked for, to the last four; to others, and for refusals, it is a
 * struct copi_answer. */
#define COPI_IS_CHILD     1u /* cop_child_info */
#define COPI_ARE_CHILDREN 2u /* as many of them as there are */
#define COPI_ARE_COUNTS   3u /* cop_child_counts */

struct copi_answer {
    int code;
    cop_pid pid;
    cop_reason why;
};

/* Answer a request: in the supervisor. */
cop_step copi_requests_handle(struct copi_supervisor *sup, cop_from from, cop_msg request);

#endif
