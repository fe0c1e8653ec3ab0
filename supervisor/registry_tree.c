/*
 * supervisor/registry_tree.c - how registries and scopes of groups start.
 *
 * Room: supervisor/. Runs in whoever starts one.
 *
 * A registry is a supervisor with its partitions as children, one for all: a process may be registered
 * in several, and none of them knows what another has lost.
 */
#include "actors/registry.h"
#include "actors/registry_partition.h"
#include "runtime/alloc.h"
#include "runtime/name.h"
#include "runtime/process.h"

#include <coppice/pg.h>
#include <coppice/supervisor.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ID_SIZE = 16
};

/* ---------------------------------------------------------------- the parts */

static size_t
size_of_names(const char *const *names)
{
    size_t size = 0;
    for (; names && *names; names++) {
        size += strlen(*names) + 1;
    }
    return size;
}

/* What its process is started with; the names follow. All of them are made in one block. */
static void
fill_in_start(struct copi_partition_start *start, struct copi_registry *registry,
              const cop_registry_spec *spec, unsigned i, unsigned count)
{
    *start = (struct copi_partition_start){
        .registry = registry,
        .index = i,
        .count = count,
        .kind = spec->kind,
    };
    char *to = (char *)(start + 1);
    for (const char *const *name = spec->listeners; name && *name; name++) {
        size_t size = strlen(*name) + 1;
        memcpy(to, *name, size);
        to += size;
    }
}

/* The children, then their ids, then their arguments. */
static cop_child_spec *
make_children(struct copi_registry *registry, const cop_registry_spec *spec, unsigned count)
{
    size_t size = sizeof(struct copi_partition_start) + size_of_names(spec->listeners);
    size_t step = (size + 7) & ~(size_t)7;
    cop_child_spec *children = copi_zalloc(count * (sizeof *children + ID_SIZE + step));
    if (!children) {
        return NULL;
    }
    char *ids = (char *)(children + count), *args = ids + (size_t)count * ID_SIZE;
    for (unsigned i = 0; i < count; i++) {
        char *id = ids + (size_t)i * ID_SIZE, *arg = args + i * step;
        (void)snprintf(id, ID_SIZE, "%u", i);
        fill_in_start((struct copi_partition_start *)(void *)arg, registry, spec, i, count);
        children[i] = (cop_child_spec){
            .id = id,
            .genserver = &copi_partition_server,
            .arg = {arg, size},
        };
    }
    return children;
}

/* ---------------------------------------------------------------- a registry */

static int
refuse(const char *what)
{
    cop_reason why = cop_failed(-EINVAL, "%s", what);
    return copi_fail_why(&why, -EINVAL);
}

static int
check(const cop_registry_spec *spec)
{
    if (!spec || !spec->name || copi_name_check(spec->name)) {
        return refuse("a registry needs a name of 1 to 63 bytes");
    }
    if (spec->kind != COP_REGISTRY_UNIQUE && spec->kind != COP_REGISTRY_DUPLICATE) {
        return refuse("a registry is unique or duplicate");
    }
    if (spec->partitions > COP_REGISTRY_PARTITIONS_MAX) {
        return refuse("a registry has at most 256 partitions");
    }
    return 0;
}

static int
start(cop_pid *out, const cop_registry_spec *spec, struct copi_registry *registry, unsigned count)
{
    cop_child_spec *children = make_children(registry, spec, count);
    if (!children) {
        return copi_fail(-ENOMEM);
    }
    int r = cop_defer(free, children); /* the start below is an exit point */
    if (r) {
        free(children);
        return r;
    }
    r = cop_supervisor_start(out, &(cop_supervisor_spec){
                                      .name = spec->name,
                                      .strategy = COP_ONE_FOR_ALL,
                                      .children = children,
                                      .child_count = count,
                                      .link = spec->link,
                                  });
    cop_undefer(free, children, true);
    return r;
}

int
cop_registry_start(cop_pid *out, const cop_registry_spec *spec)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r == 0) {
        r = check(spec);
    }
    if (r) {
        return r;
    }
    unsigned count = spec->partitions ? (unsigned)spec->partitions : 1;
    struct copi_registry *registry = copi_registry_make(spec->name, count);
    if (!registry) {
        return copi_fail(-ENOMEM);
    }
    copi_registry_serve();
    return start(out, spec, registry, count);
}

static int
start_child(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    cop_registry_spec spec = *(const cop_registry_spec *)arg.data;
    spec.link = true;
    int r = cop_registry_start(out, &spec);
    if (r) {
        *why = cop_why();
    }
    return r;
}

cop_child_spec
cop_registry_child(const cop_registry_spec *spec)
{
    return (cop_child_spec){
        .id = spec->name,
        .start = start_child,
        .arg = {spec, sizeof *spec},
        .shutdown = COP_FOREVER,
    };
}

/* ---------------------------------------------------------------- a scope of groups */

static cop_registry_spec
as_registry(const cop_pg_spec *spec)
{
    return (cop_registry_spec){
        .name = spec->scope ? spec->scope : "pg",
        .kind = COP_REGISTRY_DUPLICATE,
        .partitions = spec->partitions,
        .link = spec->link,
    };
}

int
cop_pg_start(cop_pid *out, const cop_pg_spec *spec)
{
    cop_registry_spec registry = as_registry(spec ? spec : &(cop_pg_spec){0});
    return cop_registry_start(out, &registry);
}

static int
start_pg_child(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    cop_registry_spec spec = as_registry(arg.data);
    return start_child(out, COP_BYTES(spec), why);
}

cop_child_spec
cop_pg_child(const cop_pg_spec *spec)
{
    return (cop_child_spec){
        .id = spec->scope ? spec->scope : "pg",
        .start = start_pg_child,
        .arg = {spec, sizeof *spec},
        .shutdown = COP_FOREVER,
    };
}
