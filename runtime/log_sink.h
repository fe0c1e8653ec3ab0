/*
 * runtime/log_sink.h - a process that takes the log's entries.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_LOG_SINK_H
#define COPI_RUNTIME_LOG_SINK_H

#include <coppice/log.h>

/* Send it to the sink, or drop and count it when the sink is too far behind. false: there is none to take it,
 * so it is for standard error. */
bool copi_log_sink_take(const cop_log_entry *entry);

/* Wait until the sink has handled what it was sent, at most until the deadline. */
void copi_log_sink_flush(cop_time deadline);

#endif
