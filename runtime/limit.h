/*
 * runtime/limit.h - how many threads the machine has room for.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_LIMIT_H
#define COPI_RUNTIME_LIMIT_H

/* Whether one more process fits besides `used`: 0, or -EAGAIN, and a report that names the limit. */
int copi_limit_admit(unsigned used);

/* A thread was started: the next refusal is news again. */
void copi_limit_started(void);

/* The system refused a thread all the same. */
void copi_limit_refused(unsigned used);

/* The user's own limit; 0: none. */
void copi_limit_configure(unsigned max_processes);

#endif
