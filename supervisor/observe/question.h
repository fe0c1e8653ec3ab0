/*
 * supervisor/observe/question.h - what somebody outside asks the observer, in one line.
 *
 * Room: supervisor/observe/. The observer only.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_QUESTION_H
#define COPI_SUPERVISOR_OBSERVE_QUESTION_H

#include <coppice/base.h>
#include <coppice/message.h>

enum {
    COPI_LONGEST_QUESTION = 255 /* with its end */
};

enum copi_asked {
    COPI_ASKED_NONSENSE,
    COPI_ASKED_PICTURE,
    COPI_ASKED_EVENTS,
    COPI_ASKED_DEED,
};

struct copi_question {
    enum copi_asked asked;
    cop_pid whom;     /* of events and deeds; COP_NOBODY: there is none of that name */
    unsigned count;   /* of events, 1 to COPI_MOST_EVENTS */
    const char *deed; /* one of copi_deeds */
};

/* A line of COPI_LONGEST_QUESTION bytes at most. */
struct copi_question copi_question_read(cop_bytes line);

#endif
