/*
 * supervisor/observe/answers.h - what is seen, in the words of the observer's protocol.
 *
 * Room: supervisor/observe/. The observer only.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_ANSWERS_H
#define COPI_SUPERVISOR_OBSERVE_ANSWERS_H

#include "supervisor/observe/words.h"

#include <coppice/message.h>

enum {
    COPI_OBSERVER_VERSION = 1,
    COPI_MOST_EVENTS = 200,
};

/* Whole answers, with the empty line at the end. A picture: whether it is one, and not a refusal. */
bool copi_answer_picture(struct copi_words *words);
/* What a process did last, up to so many records; `count` from 1 to COPI_MOST_EVENTS. */
void copi_answer_events(struct copi_words *words, cop_pid pid, unsigned count);

void copi_answer_ok(struct copi_words *words);
void copi_answer_error(struct copi_words *words, const char *format, ...) COP_PRINTF(2, 3);

/* The line that a connection begins with. */
void copi_answer_greeting(struct copi_words *words, const char *const *actions);

#endif
