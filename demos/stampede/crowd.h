/*
 * demos/stampede/crowd.h - many programs that ask at the same time, and what they say.
 *
 * Room: demos/. The process that has opened it.
 */
#ifndef DEMOS_STAMPEDE_CROWD_H
#define DEMOS_STAMPEDE_CROWD_H

#include <coppice.h>

enum {
    CROWD_MOST = 500
};

struct crowd {
    size_t size, living;
    cop_port programs[CROWD_MOST];
    unsigned computed, got, failed, killed;
    bool differ;      /* not all have got the same */
    char answer[128]; /* the first */
    cop_time begun;   /* the last time that one began to compute */
};

/* Start them. 0 or a code. */
int crowd_begin(struct crowd *crowd, size_t size, const char *address, const char *report);

/* Hear them out. The first `kills` of those who compute are killed at once. */
void crowd_hear(struct crowd *crowd, unsigned kills);

#endif
