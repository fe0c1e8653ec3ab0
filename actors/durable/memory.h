/*
 * actors/durable/memory.h - a store in memory: what the others are compared with.
 *
 * Room: actors/durable/. The store's process.
 */
#ifndef COPI_ACTORS_DURABLE_MEMORY_H
#define COPI_ACTORS_DURABLE_MEMORY_H

#include <coppice/store.h>

extern const cop_store_backend copi_memory_backend;

#endif
