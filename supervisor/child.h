/*
 * supervisor/child.h - starting and stopping one child, of any kind.
 *
 * Room: supervisor/. The supervisor only.
 */
#ifndef COPI_SUPERVISOR_CHILD_H
#define COPI_SUPERVISOR_CHILD_H

#include <coppice/supervisor.h>

struct copi_child_spec;

/*
 * Start it, linked, in the caller's context. The caller traps exits.
 *
 *   out   the process; COP_NOBODY: it declined. On -EEXIST who has the name, else as it was
 *   why   the reason, when it did not start
 *
 * Blocks. An exit point, as what it starts is.
 */
int copi_child_start(const struct copi_child_spec *spec, cop_pid *out, cop_reason *why);

/*
 * Stop it by its shutdown rule, whatever the caller's own context says, and wait until it has ended.
 *
 *   reason   why it ended
 *
 * -ECANCELED   the caller has been killed and may not wait: nothing is known of the child
 */
int copi_child_stop(const struct copi_child_spec *spec, cop_pid pid, cop_reason *reason);

#endif
