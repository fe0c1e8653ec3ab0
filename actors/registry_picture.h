/*
 * actors/registry_picture.h - what a registry held at one moment, to be looked at without its lock.
 *
 * Room: actors/. The owner thread only.
 */
#ifndef COPI_ACTORS_REGISTRY_PICTURE_H
#define COPI_ACTORS_REGISTRY_PICTURE_H

#include "actors/registrations.h"

#include <coppice/registry.h>

enum {
    COPI_PICTURE_INSIDE = 8
};

/* Entries whose keys and values are held, so that they outlive their removal. */
struct copi_picture {
    cop_registry_entry *entries;
    size_t count, capacity;
    cop_registry_entry inside[COPI_PICTURE_INSIDE];
};

void copi_picture_init(struct copi_picture *picture);

/* Let go of all of a picture. A deferred call: a user's function that looks at it may not come back. */
void copi_picture_release(void *arg);

/* Add those who live, under one key or of one process; `pid`: only its own; COP_NOBODY: everybody's.
 * -ENOMEM: some of them. */
int copi_picture_add_key(struct copi_picture *picture, const struct copi_key *key, cop_pid pid);
int copi_picture_add_holder(struct copi_picture *picture, const struct copi_holder *holder);

#endif
