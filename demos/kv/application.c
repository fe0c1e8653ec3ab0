/*
 * demos/kv/application.c - the tree.
 *
 * Room: demos/.
 *
 * This is the key-value application of Elixir's getting-started guide. What is what:
 *
 *   KV.Bucket           bucket.c      an agent; table.c has the map that Elixir has built in
 *   KV.Registry         registry.c    a genserver: names to pids, and monitors
 *   KV.BucketSupervisor below         a supervisor whose children come and stay
 *   KV.Supervisor       below
 *   KVServer            server.c      accepts
 *     serve/1           connection.c  one process per client; session.c is its memory
 *   KVServer.Command    command.c     the commands; resp.c parses them
 *   Task.Supervisor     below         a supervisor of temporary children
 *   KVServer.Supervisor below
 *
 *     kv                              one for one: two applications that do not share their fate
 *     |-- watchers                    if asked for, what shows the tree to tools and on a page; a mistake
 *     |   `-- observer, web           of theirs is no reason to end the daemon
 *     |-- attendant                   hears SIGHUP
 *     |-- kv.supervisor               rest for one
 *     |   |-- bucket_supervisor
 *     |   |   |-- 0, ...              agents, permanent
 *     |   `-- registry
 *     `-- kv_server.supervisor        one for one
 *         |-- connection_supervisor
 *         |   `-- client-1, ...       workers, temporary
 *         `-- acceptor
 *
 * It differs from the guide in one decision. There a bucket is temporary: the registry forgets one
 * that crashed, and its name is free again. Here a bucket is permanent, so that a client can
 * rely on the name: a crash costs the data of that bucket and a moment. The registry can find
 * all buckets again, too (registry.c), so its own crash costs nobody anything; only when the
 * bucket supervisor gives up does the registry start anew with it, which is what rest-for-one says.
 *
 * The whole tree stops backwards: first nobody gets in, then the clients leave, then the data goes.
 *
 * Touch freely: the limits. Ask first: the strategies.
 */
#include "demos/kv/application.h"

#include "demos/kv/attendant.h"
#include "demos/kv/bucket.h"
#include "demos/kv/registry.h"
#include "demos/kv/server.h"
#include "demos/kv/tree.h"

#include <stdlib.h>

/* Any client may crash a bucket, to see what happens. Beyond this it is not curiosity, and the
 * bucket supervisor gives up: all buckets start over. */
#define BUCKET_RESTARTS 100
#define BUCKET_PERIOD   5

static int
run_tree(const struct application *a, const cop_child_spec *buckets)
{
    const cop_supervisor_spec bucket_supervisor = {
        .name = BUCKET_SUPERVISOR,
        .children = buckets,
        .child_count = a->bucket_count + 1,
        .max_restarts = BUCKET_RESTARTS,
        .max_seconds = BUCKET_PERIOD,
    };
    const cop_supervisor_spec supervisor = {
        .strategy = COP_REST_FOR_ONE,
        COP_CHILDREN({.id = "bucket_supervisor", .supervisor = &bucket_supervisor},
                     {.id = "registry", .name = REGISTRY, .genserver = &registry}),
    };
    const cop_supervisor_spec connection_supervisor = {.name = CONNECTION_SUPERVISOR};
    const cop_supervisor_spec server = {
        COP_CHILDREN({.id = "connection_supervisor", .supervisor = &connection_supervisor},
                     {.id = "acceptor",
                      .worker = server_accept,
                      .arg = COP_BYTES(a->listener),
                      .restart = COP_PERMANENT}),
    };
    const cop_supervisor_spec watchers = {
        .children = a->watchers,
        .child_count = a->watcher_count,
        .give_up = COP_GIVE_UP_CHILD,
    };
    return cop_run(&(cop_supervisor_spec){
        .name = TREE_ROOT,
        COP_CHILDREN({.id = "watchers", .supervisor = &watchers},
                     {.id = "attendant", .genserver = &attendant},
                     {.id = "kv.supervisor", .supervisor = &supervisor},
                     {.id = "kv_server.supervisor", .supervisor = &server}),
    });
}

int
application_run(const struct application *a)
{
    cop_child_spec *buckets = calloc(a->bucket_count + 1, sizeof *buckets);
    if (buckets == NULL) {
        return EXIT_FAILURE;
    }
    buckets[0] = bucket_child("0");
    for (size_t i = 0; i < a->bucket_count; i++) {
        buckets[i + 1] = bucket_child(a->buckets[i]);
    }
    int status = run_tree(a, buckets);
    free(buckets);
    return status;
}
