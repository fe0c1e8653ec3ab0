/*
 * demos/chaos/cell.h - the cells: servers that do a little work, and everything that is asked of them.
 *
 * Room: demos/.
 */
#ifndef DEMOS_CHAOS_CELL_H
#define DEMOS_CHAOS_CELL_H

#include <coppice.h>

#define CELLS 5

/* Messages for which a cell has room; what comes on top of that is refused. */
#define CELL_ROOM 1000

/* Casts. */
#define CELL_WORK  1 /* some microseconds of it */
#define CELL_CRASH 2
#define CELL_HANG  3 /* in the callback, for ever */
/* A call: answered with nothing, by who lives and is not busy. */
#define CELL_PING  4

extern const char *const cell_names[CELLS]; /* under which they are registered, in their order */

/* The child that a cell is. */
cop_child_spec cell_child(size_t number);

#endif
