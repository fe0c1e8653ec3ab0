/*
 * demos/kv/glob.h - patterns for keys: `*`, `?`, `[a-z]`, `[^a-z]`, and `\` before any of them.
 *
 * Room: demos/. Pure.
 */
#ifndef DEMOS_KV_GLOB_H
#define DEMOS_KV_GLOB_H

#include <coppice.h>

/* Whether all of `text` matches. Both may hold any bytes. */
bool glob_matches(cop_bytes pattern, cop_bytes text);

#endif
