/*
 * demos/chaos/lesson.c - what is taught: a strategy, and who falls with whom.
 *
 * Room: demos/. Pure.
 */
#include "demos/chaos/lesson.h"

const struct lesson lessons[LESSONS] = {
    {"one-for-one", COP_ONE_FOR_ONE, "Who falls is grown again, and nobody else notices."},
    {"one-for-all", COP_ONE_FOR_ALL,
     "When one falls, all are started again: they cannot do without each other."},
    {"rest-for-one", COP_REST_FOR_ONE,
     "Who was started after the one that falls stands on it, and is started again with it."},
    {"dynamic", COP_DYNAMIC, "Children that come and go; who falls is grown again for itself."},
};

const struct lesson *
lesson_find(const char *name)
{
    for (size_t i = 0; i < LESSONS; i++) {
        if (strcmp(lessons[i].name, name) == 0) {
            return &lessons[i];
        }
    }
    return NULL;
}

bool
lesson_restarts(const struct lesson *lesson, size_t victim, size_t cell)
{
    switch (lesson->strategy) {
    case COP_ONE_FOR_ALL:
        return true;
    case COP_REST_FOR_ONE:
        return cell >= victim;
    case COP_ONE_FOR_ONE:
    case COP_SIMPLE_ONE_FOR_ONE:
    case COP_DYNAMIC:
        break;
    }
    return cell == victim;
}
