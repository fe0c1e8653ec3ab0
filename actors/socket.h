/*
 * actors/socket.h - what listeners and connections have in common.
 *
 * Room: actors/. Any thread.
 */
#ifndef COPI_ACTORS_SOCKET_H
#define COPI_ACTORS_SOCKET_H

#include "actors/wire.h"

/* The options as this library knows them, checked. NULL: the defaults. -EINVAL. */
int copi_socket_options(struct copi_wire_options *options, const cop_socket_opts *given);

/* A new descriptor: non-blocking, closed by exec. Or a negative errno value. */
int copi_socket_new(int family);

/* What every connection is set to, of whatever kind it is. */
void copi_socket_tune(int fd, const struct copi_wire_options *options);

/* What a listener looks for, and its end: accept.c. */
int copi_accept_look(struct copi_wire *wire);
void copi_accept_tell_broken(struct copi_wire *wire);

#endif
