/*
 * actors/debug.h - what is noted of a server's messages.
 *
 * Room: actors/. The server only.
 */
#ifndef COPI_ACTORS_DEBUG_H
#define COPI_ACTORS_DEBUG_H

#include "runtime/process.h"

#include <coppice/sys.h>

/* Something has happened; who calls it has looked whether self->debug is there. */
void copi_debug_note(struct copi_process *self, cop_sys_event_kind kind, cop_pid peer,
                     const cop_msg *msg);

/* Turn on or off. 0 or -ENOMEM, and nothing changed. */
int copi_debug_trace(struct copi_process *self, bool on);
int copi_debug_count(struct copi_process *self, bool on);
int copi_debug_log(struct copi_process *self, size_t places);
int copi_debug_install(struct copi_process *self, cop_sys_fn fn, cop_bytes own);
void copi_debug_remove(struct copi_process *self, cop_sys_fn fn);
void copi_debug_remove_all(struct copi_process *self);

/* What has been noted. -ENODATA: nothing counts. */
int copi_debug_counts(const struct copi_process *self, cop_sys_counts *out);
size_t copi_debug_log_count(const struct copi_process *self);

/* The newest `count` of the log, oldest first; there are as many. */
void copi_debug_copy_log(const struct copi_process *self, cop_sys_event *out, size_t count);

/* What is on. */
void copi_debug_describe(const struct copi_process *self, cop_sys_status *status);

#endif
