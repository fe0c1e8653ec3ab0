/*
 * actors/registry_metadata.h - what is to be known of a registry as a whole.
 *
 * Room: actors/.
 */
#ifndef COPI_ACTORS_REGISTRY_METADATA_H
#define COPI_ACTORS_REGISTRY_METADATA_H

#include "runtime/set.h"

/* Forget everything. */
void copi_metadata_clear(struct copi_set *meta);

#endif
