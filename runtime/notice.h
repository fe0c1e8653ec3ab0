/*
 * runtime/notice.h - waiting for things that are no process: notices under a reference.
 *
 * Room: runtime/.
 */
#ifndef COPI_RUNTIME_NOTICE_H
#define COPI_RUNTIME_NOTICE_H

#include "runtime/process.h"
#include "runtime/wait.h"

/* The caller waits for notices under `ref` from here to copi_notices_end; before it, others' are let
 * go. */
void copi_notices_begin(struct copi_process *self, cop_ref ref);
void copi_notices_end(struct copi_process *self);

/*
 * The notice that came after *notice (NULL: the first): waits for it, and sets *notice. It stays the
 * process's, until copi_notices_end. Errors as copi_pause. An exit point; who ends here has nothing
 * to give back.
 */
int copi_notices_next(struct copi_process *self, struct copi_wait *wait,
                      struct copi_message **notice);

/* The owner has taken in a COPI_NOTE. */
void copi_notice_arrived(struct copi_process *self, struct copi_message *notice);

/* The process ends: nobody will look at what has come. */
void copi_notices_drop(struct copi_process *self);

/* Any thread: whether a notice for `to` under `ref` would still be looked at. It may be over by the
 * time that the caller knows. */
bool copi_notice_is_wanted(cop_pid to, cop_ref ref);

/* Any thread: send it, to whom and under the reference that stand in it. */
void copi_notice_post(cop_pid to, struct copi_message *notice);

#endif
