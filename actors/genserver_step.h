/*
 * actors/genserver_step.h - what a step says, to those who take it.
 *
 * Room: actors/. The server's process.
 */
#ifndef COPI_ACTORS_GENSERVER_STEP_H
#define COPI_ACTORS_GENSERVER_STEP_H

#include "runtime/message.h"

#include <coppice/genserver.h>

struct copi_process;

/* cop_step.next. Not small numbers: a step that no function here has made is to be noticed. */
enum copi_next {
    COPI_GO_ON = 0x5e1,
    COPI_GO_ON_TIMED,
    COPI_GO_ON_TIMED_WITH, /* process.token is told then */
    COPI_CONTINUE,         /* with process.token */
    COPI_STOP_SERVER,      /* for process.step_reason */
    COPI_IGNORE,
};

static inline bool
copi_step_goes_on(cop_step step)
{
    return step.next >= COPI_GO_ON && step.next <= COPI_CONTINUE;
}

/* Somebody watches: see debug.c. */
void copi_note_reply(struct copi_process *self, cop_pid to, const struct copi_message *reply);

#endif
