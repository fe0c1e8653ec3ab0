/*
 * demos/chaos/lesson.h - what is taught: a strategy, and who falls with whom.
 *
 * Room: demos/. Pure.
 */
#ifndef DEMOS_CHAOS_LESSON_H
#define DEMOS_CHAOS_LESSON_H

#include <coppice.h>

struct lesson {
    const char *name; /* on the command line */
    cop_strategy strategy;
    const char *says; /* in a sentence */
};

#define LESSONS 4
extern const struct lesson lessons[LESSONS];

/* NULL: there is none of that name. */
const struct lesson *lesson_find(const char *name);

/* Whether the cell with that number is started again when the victim has fallen. */
bool lesson_restarts(const struct lesson *lesson, size_t victim, size_t cell);

#endif
