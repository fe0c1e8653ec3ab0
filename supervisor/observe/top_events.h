/*
 * supervisor/observe/top_events.h - coppice-top: what a process did last, as the observer has told it.
 *
 * Room: supervisor/observe/, the program coppice-top. One thread.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_TOP_EVENTS_H
#define COPI_SUPERVISOR_OBSERVE_TOP_EVENTS_H

#include <stdint.h>

/*
 * An answer as lines for people, the newest first: "    0.3s ago  call deposit from client: reply"; or why there
 * are none. The caller frees them. NULL: out of memory.
 *
 *   answer   terminated; is cut up
 *   now      by the daemon's clock
 */
char *top_events(char *answer, uint64_t now);

#endif
