/*
 * supervisor/hangup.h - SIGHUP, as a message to whoever wants to hear of it.
 *
 * Room: supervisor/. The thread of cop_run.
 */
#ifndef COPI_SUPERVISOR_HANGUP_H
#define COPI_SUPERVISOR_HANGUP_H

/* It has come: tell all of them. */
void copi_hangup(void);

#endif
