/*
 * actors/statem.h - the state machine that the calling process is.
 *
 * Room: actors/. State machines only.
 */
#ifndef COPI_ACTORS_STATEM_H
#define COPI_ACTORS_STATEM_H

struct copi_machine;

/* NULL: no machine, or none of whose functions runs. */
struct copi_machine *copi_machine_here(void);

#endif
