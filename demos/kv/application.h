/*
 * demos/kv/application.h - the tree.
 *
 * Room: demos/.
 */
#ifndef DEMOS_KV_APPLICATION_H
#define DEMOS_KV_APPLICATION_H

#include <coppice.h>

/*
 * Run the daemon until it is stopped.
 *
 *   listener   it stays the caller's
 *   buckets    names of buckets that are there from the start, besides "0"
 *
 * Returns the program's exit status, as cop_run does.
 */
int application_run(cop_socket listener, const char *const *buckets, size_t count);

#endif
