/*
 * supervisor/child.h - starting and stopping one child, of any kind.
 *
 * Room: supervisor/. The supervisor only, but for copi_child_signal, by which a daemon's main() asks the root, too.
 */
#ifndef COPI_SUPERVISOR_CHILD_H
#define COPI_SUPERVISOR_CHILD_H

#include <coppice/supervisor.h>

struct copi_child_spec;

/*
 * Start it, linked, in the caller's context, with `arg` in place of the specification's. The caller
 * traps exits.
 *
 *   out   the process; COP_NOBODY: it declined. On -EEXIST who has the name, else as it was
 *   why   the reason, when it did not start
 *
 * Blocks. An exit point, as what it starts is.
 */
int copi_child_start(const struct copi_child_spec *spec, cop_bytes arg, cop_pid *out,
                     cop_reason *why);

/*
 * Stop it by its shutdown rule, whatever the caller's own context says, and wait until it has ended.
 *
 *   reason   why it ended
 *
 * -ECANCELED   the caller has been killed and may not wait: nothing is known of the child
 */
int copi_child_stop(const struct copi_child_spec *spec, cop_pid pid, cop_reason *reason);

/*
 * The parts of a stop, for stopping many: they wait for memory, if there is none. -ECANCELED as above.
 */
int copi_child_watch(cop_pid pid, cop_ref *monitor);
int copi_child_signal(cop_pid pid, cop_reason reason);

/* Its EXIT is there, and is taken: why it ended. */
bool copi_child_take_exit(cop_pid pid, cop_reason *reason);

#endif
