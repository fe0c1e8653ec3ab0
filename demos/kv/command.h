/*
 * demos/kv/command.h - what clients can ask for.
 *
 * Room: demos/. Runs in the connection's process.
 */
#ifndef DEMOS_KV_COMMAND_H
#define DEMOS_KV_COMMAND_H

#include "demos/kv/resp.h"
#include "demos/kv/session.h"

/* A complete frame: the command's name, and its arguments. Borrowed for one command_run. */
struct request {
    const char *frame;
    const struct resp_arg *args;
    size_t count;
};

/*
 * Run a command. Its reply comes now or, in order, at the next session_flush; one that cannot be
 * run is replied to with an error.
 */
void command_run(struct session *s, const struct request *r);

#endif
