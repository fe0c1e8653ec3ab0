/*
 * supervisor/observe/escape.h - what anybody may have named, inside a text that others parse.
 *
 * Room: supervisor/observe/.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_ESCAPE_H
#define COPI_SUPERVISOR_OBSERVE_ESCAPE_H

#include "supervisor/observe/text.h"

enum copi_escape {
    COPI_ESCAPE_LABEL, /* between quotes: \, " and the end of a line */
    COPI_ESCAPE_HELP,  /* \ and the end of a line */
};

/* What is no UTF-8 becomes U+FFFD, byte by byte. */
void copi_text_escaped(struct copi_text *text, const char *string, enum copi_escape how);

#endif
