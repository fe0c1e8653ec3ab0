/*
 * demos/kv/attendant.h - who listens to whoever runs the daemon: SIGHUP makes it say more, and less again.
 *
 * Room: demos/.
 */
#ifndef DEMOS_KV_ATTENDANT_H
#define DEMOS_KV_ATTENDANT_H

#include <coppice.h>

extern const cop_genserver attendant;

#endif
