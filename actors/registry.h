/*
 * actors/registry.h - what the rest of the library needs of registries.
 *
 * Room: actors/. Any thread.
 */
#ifndef COPI_ACTORS_REGISTRY_H
#define COPI_ACTORS_REGISTRY_H

/* From now on a process can be started under a key (.via). */
void copi_registry_serve(void);

#endif
