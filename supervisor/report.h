/*
 * supervisor/report.h - what a supervisor says about its children.
 *
 * Room: supervisor/. The supervisor only.
 */
#ifndef COPI_SUPERVISOR_REPORT_H
#define COPI_SUPERVISOR_REPORT_H

#include <coppice/reason.h>
#include <coppice/runtime.h>

/* An event for the observer and a line for people, from the calling supervisor. */
void copi_report_child(cop_event_kind kind, const char *child, cop_pid pid,
                       const cop_reason *reason);
void copi_report_gave_up(const char *child, cop_pid pid);

/* The same of `count` children that ended for one reason; `child` is their template's id. */
void copi_report_stops(const char *child, size_t count, const cop_reason *reason);
void copi_report_unexpected(cop_msg msg);

#endif
