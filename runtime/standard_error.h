/*
 * runtime/standard_error.h - where lines of the log go by themselves.
 *
 * Room: runtime/. Any thread, also in the child of a fork.
 */
#ifndef COPI_RUNTIME_STANDARD_ERROR_H
#define COPI_RUNTIME_STANDARD_ERROR_H

#include "runtime/log_text.h"

/* JOURNAL_STREAM of the environment: "8:1234567", the device and the inode of what the journal reads. NULL:
 * there is none. */
void copi_standard_error_journal(const char *stream);

/* Write an entry; without its time where the journal reads. Leaves errno alone. */
void copi_standard_error_write(const cop_log_entry *entry, struct copi_log_shape shape);

#endif
