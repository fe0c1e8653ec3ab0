/*
 * demos/wordfreq/counts.h - what all files together have: an agent.
 *
 * Room: demos/. All functions are calls to the agent, with cop_call's errors.
 */
#ifndef WORDFREQ_COUNTS_H
#define WORDFREQ_COUNTS_H

#include "demos/wordfreq/words.h"

#include <coppice.h>

#define COUNTS cop_named("counts")

extern const cop_agent_spec counts;

struct totals {
    size_t files, words, different;
};

/* Add one file's words, as a whole or not at all. */
int counts_merge(const struct word *words, size_t count);

int counts_totals(struct totals *out);

/* The most frequent words, the first one first. Unused places are zeroed. */
int counts_top(struct word *out, size_t room);

#endif
