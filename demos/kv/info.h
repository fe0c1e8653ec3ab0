/*
 * demos/kv/info.h - what INFO says.
 *
 * Room: demos/. Runs in the connection's process.
 */
#ifndef DEMOS_KV_INFO_H
#define DEMOS_KV_INFO_H

#include "demos/kv/session.h"

/* Append one section, or with "" all, in Redis's format. */
void info_print(struct session *s, struct buffer *out, const char *section);

#endif
