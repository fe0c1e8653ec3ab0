/*
 * demos/wordfreq/reporter.c - says every now and then how far it is: a genserver.
 *
 * Room: demos/. It asks the counts each time and remembers nothing that happened, so it may crash
 * at any time: the next one goes on where it was.
 */
#include "demos/wordfreq/reporter.h"

#include "demos/wordfreq/counts.h"

#include <stdio.h>
#include <unistd.h>

#define INTERVAL COP_MS(100)

enum {
    TICK = 1,
};

struct state {
    size_t files;
};

/* In a terminal the progress is one line, which is written anew. */
static bool
is_terminal(void)
{
    return isatty(STDERR_FILENO) == 1;
}

static void
report_progress(const struct state *state, const char *end)
{
    struct totals now;
    if (counts_totals(&now) == 0) {
        (void)fprintf(stderr, "%s%zu of %zu files, %zu words%s", is_terminal() ? "\r" : "",
                      now.files, state->files, now.words, is_terminal() ? end : "\n");
    }
}

void
report_failure(const char *file, int error)
{
    (void)fprintf(stderr, "%swordfreq: %s: %s\n", is_terminal() ? "\r\033[K" : "", file,
                  strerrordesc_np(-error));
}

static cop_step
init(void *memory, cop_bytes files)
{
    struct state *state = memory;
    memcpy(&state->files, files.data, files.size);
    (void)cop_trap_exits(true); /* so that terminate runs when the tree is stopped */
    cop_ref timer = cop_send_interval(cop_self(), COP_TAG(TICK), INTERVAL);
    return timer.id ? cop_ok() : cop_stop(cop_why());
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    if (msg.tag == TICK) {
        report_progress(state, "");
    }
    return cop_ok();
}

static void
terminate(void *state, cop_reason reason)
{
    if (!cop_is_crash(reason)) {
        report_progress(state, "\n");
    }
}

const cop_genserver reporter = {
    .type = "reporter",
    .state_size = sizeof(struct state),
    .init = init,
    .handle_info = handle_info,
    .terminate = terminate,
};
