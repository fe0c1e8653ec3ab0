/*
 * runtime/ladder.h - the stop that always finishes.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_LADDER_H
#define COPI_RUNTIME_LADDER_H

#include <coppice/message.h>

/* It has been asked to stop, or been killed: see that it does. */
void copi_ladder_begin(cop_pid pid, bool killed);

/* An exit signal is in its mailbox that ends it, if it does not trap exits: see that it takes it in. */
void copi_ladder_tell(cop_pid pid);

/* How it goes about it: 0 is the default. */
void copi_ladder_configure(cop_time kill_grace, unsigned max_disowned);

/* One more is disowned: how many are now. And one has come back and ended. */
unsigned copi_ladder_left(void);
void copi_ladder_returned(void);

#endif
