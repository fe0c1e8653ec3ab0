/*
 * demos/chaos/monkey.h - who does harm, and looks how it heals.
 *
 * Room: demos/.
 */
#ifndef DEMOS_CHAOS_MONKEY_H
#define DEMOS_CHAOS_MONKEY_H

#include "demos/chaos/tally.h"

/* The name of the supervisor of the cells. */
#define CELL_SUPERVISOR "cells"

struct monkey_orders {
    struct tally *tally; /* the monkey's alone while it runs; its lesson is set */
    uint64_t seed;
    size_t deeds;
    cop_time pause; /* between two deeds, for who watches */
    bool draws;     /* the tree, after each */
};

/* The monkey's function; its argument is its orders. It ends when they are carried out. */
int monkey_run(cop_bytes arg);

#endif
