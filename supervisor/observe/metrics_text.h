/*
 * supervisor/observe/metrics_text.h - lines of Prometheus' text format.
 *
 * Room: supervisor/observe/.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_METRICS_TEXT_H
#define COPI_SUPERVISOR_OBSERVE_METRICS_TEXT_H

#include "supervisor/observe/text.h"

/* # HELP and # TYPE; `type` is "counter", "gauge" or "histogram". Once before the lines of a name. */
void copi_metrics_head(struct copi_text *text, const char *name, const char *help,
                       const char *type);

/* One line. `labels`: as they stand between the braces; empty: none. */
void copi_metrics_line(struct copi_text *text, const char *name, const char *labels, int64_t value);

/* The same of a time, in seconds. */
void copi_metrics_seconds(struct copi_text *text, const char *name, const char *labels,
                          cop_time value);

/* A number as it stands behind its name; a time in seconds. */
void copi_metrics_value(struct copi_text *text, bool seconds, int64_t value);

#endif
