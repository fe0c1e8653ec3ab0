/*
 * demos/chaos/view.h - the tree, in lines.
 *
 * Room: demos/.
 */
#ifndef DEMOS_CHAOS_VIEW_H
#define DEMOS_CHAOS_VIEW_H

#include <stdio.h>

/* Draw what stands below the process of that name, with it. Nobody is asked for it. */
void view_draw(FILE *to, const char *root);

#endif
