/*
 * runtime/report.h - what the library has to say: events to the observer, lines to standard error.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_REPORT_H
#define COPI_RUNTIME_REPORT_H

#include <coppice/log.h>
#include <coppice/runtime.h>

struct copi_process;

enum copi_severity {
    COPI_ERROR = COP_LOG_ERROR,
    COPI_WARNING = COP_LOG_WARNING,
    COPI_NOTICE = COP_LOG_NOTICE, /* asked for: not limited */
};

/* One line, "coppice: error: …". The arguments are not evaluated when the level is off. */
#define copi_report(severity, ...) \
 (cop_log_is_on((cop_log_level)(severity)) ? copi_report_line((severity), __VA_ARGS__) : (void)0)
void copi_report_line(enum copi_severity severity, const char *format, ...) COP_PRINTF(2, 3);

/* Tell the observer, at once and in order with all other events. */
void copi_report_event(const cop_event *event);

/* An end, for the observer. */
void copi_report_exit(struct copi_process *process, const cop_reason *reason);

/* Whether the calling process's crash, now, would be told as below. */
bool copi_report_would_tell(struct copi_process *process, const cop_reason *reason);

/* An entry for people, if it is a crash, and nobody is told of it otherwise: who, why, with what in hand, and
 * where. By its own thread, while it has all of it. */
void copi_report_crash(struct copi_process *process, const cop_reason *reason);

void copi_report_start(struct copi_process *process);

void copi_report_long_mailbox(struct copi_process *process, uint64_t count);

/* Say so and end the program with status 1. */
void copi_report_fatal(const char *what, const cop_reason *reason) __attribute__((noreturn));

/* The observer that cop_configure was given. */
void copi_report_observer(void (*observe)(const cop_event *event, void *env), void *env);

#endif
