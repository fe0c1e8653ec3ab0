/*
 * supervisor/report.h - what a supervisor says about its children.
 *
 * Room: supervisor/. The supervisor only.
 */
#ifndef COPI_SUPERVISOR_REPORT_H
#define COPI_SUPERVISOR_REPORT_H

#include "supervisor/supervisor.h"

#include <coppice/log.h>
#include <coppice/reason.h>
#include <coppice/runtime.h>

/* An event for the observer and a line for people, from the calling supervisor. */
void copi_report_child(cop_event_kind kind, const char *child, cop_pid pid,
                       const cop_reason *reason);
void copi_report_gave_up(const char *child, cop_pid pid);

/* A child has ended, and is restarted or not, by its rule: how often it was in the period, and whom that takes
 * along. Before anything of it is done. */
void copi_report_ended(const struct copi_supervisor *sup, const struct copi_child *child,
                       const cop_reason *reason);

/* One has started: an entry for people, if somebody wants it. */
void copi_report_progress(const struct copi_child *child);

/* The same of `count` children that ended for one reason; `child` is their template's id. */
void copi_report_stops(const char *child, size_t count, const cop_reason *reason);
void copi_report_unexpected(cop_msg msg);

#endif
