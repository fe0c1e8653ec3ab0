/*
 * demos/wordfreq/counts.c - what all files together have: an agent.
 *
 * Room: demos/. The functions of the first half run in the agent, those of the second in their
 * caller.
 */
#include "demos/wordfreq/counts.h"

/* ---------------------------------------------------------------- in the agent */

struct state {
    struct words words;
    size_t files;
};

/* Without memory for one more word the counts would be wrong from now on: let them crash. */
static void
merge(void *memory, cop_bytes arg)
{
    struct state *state = memory;
    const struct word *word = arg.data;
    for (size_t n = arg.size / sizeof *word; n > 0; n--) {
        cop_assert(words_add(&state->words, word++) == 0);
    }
    state->files++;
}

static void
totals(const void *memory, cop_bytes arg, void *out)
{
    const struct state *state = memory;
    (void)arg;
    *(struct totals *)out = (struct totals){
        .files = state->files,
        .words = state->words.total,
        .different = state->words.different,
    };
}

static void
top(const void *memory, cop_bytes arg, void *out)
{
    const struct state *state = memory;
    const size_t *room = arg.data;
    (void)words_top(&state->words, out, *room);
}

static void
drop(void *memory)
{
    struct state *state = memory;
    words_clear(&state->words);
}

const cop_agent_spec counts = {.state_size = sizeof(struct state), .drop = drop};

/* ---------------------------------------------------------------- in the caller */

int
counts_merge(const struct word *words, size_t count)
{
    return cop_agent_update(COUNTS, merge, (cop_bytes){words, count * sizeof *words}, COP_FOREVER);
}

int
counts_totals(struct totals *out)
{
    return cop_agent_get_with(COUNTS, totals, (cop_bytes){0}, out, sizeof *out, COP_FOREVER);
}

int
counts_top(struct word *out, size_t room)
{
    return cop_agent_get_with(COUNTS, top, COP_BYTES(room), out, room * sizeof *out, COP_FOREVER);
}
