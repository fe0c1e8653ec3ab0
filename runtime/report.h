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

enum {
    COPI_IN_HAND_SIZE = 160
};

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

/* The same, and a line for people when it is a crash. `label` and `in_hand` were taken while it had its
 * name. */
void copi_report_exit(struct copi_process *process, const char *label, const char *in_hand,
                      const cop_reason *reason);

/* " (message 7 from client in hand, 24 bytes of state)", of a process that crashes in the callback of a
 * message; else "". By its own thread. */
void copi_report_in_hand(const struct copi_process *process, const cop_reason *reason,
                         char out[COPI_IN_HAND_SIZE]);

void copi_report_start(struct copi_process *process);

void copi_report_long_mailbox(struct copi_process *process, uint64_t count);

/* Say so and end the program with status 1. */
void copi_report_fatal(const char *what, const cop_reason *reason) __attribute__((noreturn));

/* The observer that cop_configure was given. */
void copi_report_observer(void (*observe)(const cop_event *event, void *env), void *env);

#endif
