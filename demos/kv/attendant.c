/*
 * demos/kv/attendant.c - who listens to whoever runs the daemon.
 *
 * Room: demos/. Runs in the attendant's process.
 *
 * Each client that comes and goes is a line that nobody wants until something is wrong, and then everybody
 * does: `kill -HUP`, or `systemctl reload`, turns them on, and once more off again.
 */
#include "demos/kv/attendant.h"

#define HANGUP 1

static cop_step
init(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    int error = cop_on_hangup(HANGUP);
    return error < 0 ? cop_stop(cop_why()) : cop_ok();
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    (void)state;
    if (msg.tag == HANGUP) {
        bool says_more = !cop_log_is_on(COP_LOG_DEBUG);
        cop_log_set_level(says_more ? COP_LOG_DEBUG : COP_LOG_INFO);
        cop_log(COP_LOG_NOTICE, "hung up", COP_KV("debug", says_more));
    }
    return cop_ok();
}

const cop_genserver attendant = {
    .type = "attendant",
    .init = init,
    .handle_info = handle_info,
};
