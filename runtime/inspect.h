/*
 * runtime/inspect.h - how processes and messages are called in reports.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_INSPECT_H
#define COPI_RUNTIME_INSPECT_H

#include "runtime/process.h"

#include <coppice/inspect.h>

enum {
    COPI_LABEL_SIZE = 64 + sizeof "<4294967295.4294967295>",
    COPI_TAG_SIZE = 16,
};

/* Its name, or "label<index.generation>" when it has none: labels need not be unique. NULL: "<nobody>". */
const char *copi_label(struct copi_process *process, char out[COPI_LABEL_SIZE]);
const char *copi_label_pid(cop_pid pid, char out[COPI_LABEL_SIZE]);

/* Its name or its label, without the number; or "". */
void copi_label_itself(struct copi_process *process, char out[COPI_LABEL_ITSELF]);

/* The calling supervisor says how it is called, in a word that is there for good, and where a child of
 * its stands. A child that has ended meanwhile is left alone. */
void copi_show_strategy(const char *strategy);
void copi_show_position(cop_pid child, const struct copi_position *position);

/* "DOWN" and so on; an application's by its name (cop_tag_name), or as a number. */
const char *copi_tag_in_words(uint32_t tag, char out[COPI_TAG_SIZE]);

#endif
