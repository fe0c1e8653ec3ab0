/*
 * actors/genserver.h - the genserver, as those know it who stand on it.
 *
 * Room: actors/. Any thread; what a process runs, the process itself.
 */
#ifndef COPI_ACTORS_GENSERVER_H
#define COPI_ACTORS_GENSERVER_H

#include "runtime/process.h"

#include <coppice/genserver.h>

/* What a server's process runs. */
cop_reason copi_genserver_run(struct copi_process *self);
void copi_genserver_finish(struct copi_process *self, cop_reason *reason);

/* The loop, from its first step to the reason of its end; terminate has run then. */
cop_reason copi_genserver_serve(struct copi_process *self, cop_step step);

/* A genserver under another name: that is what reports and cop_sys call it. */
#define COPI_GENSERVER_CALLED(name)                                                              \
 {                                                                                               \
  .kind = (name), .run = copi_genserver_run, .finish = copi_genserver_finish, .is_server = true, \
 }

/*
 * cop_genserver_start_with, for a kind of server whose init has an argument of ours.
 *
 *   arg, size   malloc'd, and taken, also if the caller ends in here; in place of the one in opts
 */
int copi_genserver_start(cop_pid *out, const struct copi_behaviour *kind,
                         const cop_genserver *server, void *arg, size_t size,
                         const cop_start_opts *opts);

#endif
