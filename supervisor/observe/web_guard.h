/*
 * supervisor/observe/web_guard.h - who may ask: the parts that are only looking at text.
 *
 * Room: supervisor/observe/, libcoppice-web. Pure functions.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_WEB_GUARD_H
#define COPI_SUPERVISOR_OBSERVE_WEB_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a Host header, with or without a port, is an address, "localhost" or one of `hosts`, which ends
 * with NULL, or is NULL. */
bool copi_web_is_our_host(const char *host, const char *const *hosts);

/* Whether an Origin header is of the page that `host` serves. */
bool copi_web_is_our_origin(const char *origin, const char *host);

/* Whether an Authorization header has the token. How long it takes does not tell what the token is. */
bool copi_web_has_token(const char *authorization, const char *token);

#endif
