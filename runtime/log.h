/*
 * runtime/log.h - entries of the log on their way.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_LOG_H
#define COPI_RUNTIME_LOG_H

#include <coppice/log.h>
#include <coppice/runtime.h>

/*
 * An entry whose level is on, to wherever entries go; its time is set here.
 *
 *   like   what it is one of, for the limit; NULL: somebody has asked for it, and there is no limit
 */
void copi_log(cop_log_entry *entry, const char *like);

/* The first half of it: whether it passes the limit. Its fields may be made afterwards, for copi_log_pass_on. */
bool copi_log_begin(cop_log_entry *entry, const char *like);

/* The same past the limit, and with its time. */
void copi_log_pass_on(const cop_log_entry *entry);

/* The same past any sink. */
void copi_log_to_standard_error(const cop_log_entry *entry);

/* Say what was withheld, and let the sink handle what it was sent: a second, at most until the deadline. */
void copi_log_flush(cop_time deadline);

/* What cop_configure was given; the environment goes before it. */
void copi_log_configure(const cop_config *config);

/* Whether a line of that level is written, once the environment has been looked at. */
bool copi_log_settled_is_on(cop_log_level level);

#endif
