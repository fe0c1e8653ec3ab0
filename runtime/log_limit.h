/*
 * runtime/log_limit.h - how many lines of one kind are too many.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_LOG_LIMIT_H
#define COPI_RUNTIME_LOG_LIMIT_H

#include <coppice/log.h>

/* So many lines of a kind in a span; 0: 100, COP_LOG_NO_LIMIT; and of five seconds. */
void copi_log_limit_configure(unsigned lines, cop_time span);

/* Whether the entry may be written; if not, it is counted, and the count is said when the span is over. What it is
 * one of is `like`, said by its actor at its level. */
bool copi_log_admit(const cop_log_entry *entry, const char *like);

/* Whether an entry of that kind would pass now. */
bool copi_log_would_admit(const cop_log_entry *entry, const char *like);

/* Say now what has been withheld. */
void copi_log_limit_tell(void);

#endif
