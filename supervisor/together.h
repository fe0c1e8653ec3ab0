/*
 * supervisor/together.h - stopping all children at the same time.
 *
 * Room: supervisor/. The supervisor only.
 */
#ifndef COPI_SUPERVISOR_TOGETHER_H
#define COPI_SUPERVISOR_TOGETHER_H

struct copi_supervisor;

/*
 * Ask all to stop, or kill them, each by its own rule, and wait until the last has ended. Then report
 * those that did not end as asked. It is the supervisor's last act: they stay in its list. If it is
 * killed meanwhile, everything is let be.
 */
void copi_stop_together(struct copi_supervisor *sup);

#endif
