/*
 * supervisor/observe/postmortem_tree.h - the tree as it was when the last record was made.
 *
 * Room: supervisor/observe/, of the program coppice-postmortem. One thread.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_POSTMORTEM_TREE_H
#define COPI_SUPERVISOR_OBSERVE_POSTMORTEM_TREE_H

#include "supervisor/observe/postmortem_file.h"

#include <stdio.h>

enum {
    STATE_SIZE = 300
};

/* What it was doing, and for how long: "in handle_call deposit from client<1.1> for 2.1 s". */
const char *actor_state(const struct recording *recording, const struct actor *actor,
                        char out[STATE_SIZE]);

/* Whether it had not ended. */
bool actor_lived(const struct actor *actor);

/* A line for each that lived, below who has started it. -ENOMEM. */
int tree_print(const struct recording *recording, FILE *out);

#endif
