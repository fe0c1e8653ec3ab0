/*
 * supervisor/init.h - what an init of the user's makes of a specification.
 *
 * Room: supervisor/. The supervisor only.
 */
#ifndef COPI_SUPERVISOR_INIT_H
#define COPI_SUPERVISOR_INIT_H

#include <coppice/reason.h>

struct copi_spec;

/*
 * Let the init of *spec, if it has one, decide: *spec is then what it has made, in place of what it was,
 * and the caller's hold is on that. `more` is what the init gets behind the specification's arg.
 *
 * COP_IGNORE   it declines
 * negative     it fails, or has made no specification; *why is the reason
 *
 * An exit point, as the init is.
 */
int copi_init_ask(struct copi_spec **spec, cop_bytes more, cop_reason *why);

#endif
