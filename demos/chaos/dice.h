/*
 * demos/chaos/dice.h - chance that a seed repeats.
 *
 * Room: demos/. Pure: splitmix64, whose numbers are the same everywhere.
 */
#ifndef DEMOS_CHAOS_DICE_H
#define DEMOS_CHAOS_DICE_H

#include <stdint.h>

struct dice {
    uint64_t seed;
};

/* One of 0 to sides - 1. */
static inline unsigned
dice_throw(struct dice *dice, unsigned sides)
{
    uint64_t z = dice->seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (unsigned)((z ^ (z >> 31)) % sides);
}

#endif
