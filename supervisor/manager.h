/*
 * supervisor/manager.h - what the service manager is told, if there is one: systemd's sd_notify protocol.
 *
 * Room: supervisor/. The thread of cop_run.
 */
#ifndef COPI_SUPERVISOR_MANAGER_H
#define COPI_SUPERVISOR_MANAGER_H

#include <coppice/base.h>

/* Look whether there is one. Without it nothing below does anything. */
void copi_manager_open(void);
void copi_manager_close(void);

/* The tree is up. */
void copi_manager_ready(void);

/* It is being stopped; or has ended, with those words. */
void copi_manager_stopping(void);
void copi_manager_failed(const char *why);

/* What is to be loaded again is being loaded; copi_manager_ready says that it was. */
void copi_manager_reloading(void);

/* Do what is due: the status, the watchdog. Returns how long until something is due again, or
 * COP_FOREVER; news for the status are told of by copi_status_watch. */
cop_time copi_manager_attend(void);

#endif
