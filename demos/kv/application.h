/*
 * demos/kv/application.h - the tree.
 *
 * Room: demos/.
 */
#ifndef DEMOS_KV_APPLICATION_H
#define DEMOS_KV_APPLICATION_H

#include <coppice.h>

struct application {
    cop_socket listener;
    const char *const *buckets; /* names of those that are there from the start, besides "0" */
    size_t bucket_count;
    /* What shows the tree to people: started first, and stopped last */
    const cop_child_spec *watchers;
    size_t watcher_count;
};

/* Run the daemon until it is stopped. Returns the program's exit status, as cop_run does. */
int application_run(const struct application *application);

#endif
