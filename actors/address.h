/*
 * actors/address.h - addresses of sockets, as text and as the system has them.
 *
 * Room: actors/. Any thread.
 */
#ifndef COPI_ACTORS_ADDRESS_H
#define COPI_ACTORS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct addrinfo;

/* What a text stands for: a Unix socket's address, or those that a name has. */
struct copi_addresses {
    struct addrinfo *found; /* NULL: `unix_name` alone */
    struct sockaddr_un unix_name;
    socklen_t unix_size;
};

/*
 * Look them up; cop_why() is set on failure.
 *
 *   to_listen   an empty host is any address, else this machine's own
 *
 * -EINVAL, -ENAMETOOLONG, -EADDRNOTAVAIL, -EAGAIN, -ENOMEM   as cop_listen
 *
 * Blocks while a name is looked up.
 */
int copi_addresses_find(struct copi_addresses *addresses, const char *text, bool to_listen);
void copi_addresses_free(struct copi_addresses *addresses);

/* Call attempt(address, size, env) for each until one says 0 or -ECANCELED; the last result. */
int copi_addresses_try(const struct copi_addresses *addresses,
                       int (*attempt)(const struct sockaddr *address, socklen_t size, void *env),
                       void *env);

/* One as text. -ENOSPC: not enough room, and nothing is written. */
int copi_address_text(const struct sockaddr *address, socklen_t size, char *out, size_t out_size);

#endif
