/*
 * tests/stress/left.h - whether anything is left behind that was not there before.
 *
 * Room: tests/. A thread that the library did not start.
 */
#ifndef COPI_TESTS_STRESS_LEFT_H
#define COPI_TESTS_STRESS_LEFT_H

#include <coppice.h>

enum {
    LEFT_KINDS = 64
};

struct left {
    unsigned threads, descriptors;
    size_t kinds;
    cop_live_count live[LEFT_KINDS];
};

/* How things are, before anything is done. */
void left_look_first(struct left *out);

/*
 * Wait until everything is as it was, at most `patience`. What the calling thread itself is and has is no
 * leaving.
 *
 *   kept   so many messages may be left: what contained faults had in hand
 *
 * true, or false, and `words` says what is left.
 */
bool left_nothing(const struct left *before, size_t kept, cop_time patience, char *words,
                  size_t size);

#endif
