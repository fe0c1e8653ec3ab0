/*
 * supervisor/siblings.c - a supervisor's children, in the order in which they start.
 *
 * Room: supervisor/. The supervisor only.
 * Touch freely: how one is found. Ask first: the order; strategies and the stop follow it.
 */
#include "supervisor/siblings.h"

#include "runtime/alloc.h"
#include "supervisor/spec.h"

#include <stdlib.h>

static uint32_t
hash(const char *id)
{
    uint32_t h = 2166136261u; /* FNV-1a: a search looks at ids only where it agrees */
    for (; *id; id++) {
        h = (h ^ (unsigned char)*id) * 16777619u;
    }
    return h;
}

struct copi_child *
copi_child_new(const struct copi_child_spec *spec, struct copi_child_spec *own)
{
    struct copi_child *child = copi_zalloc(sizeof *child);
    if (child) {
        child->spec = spec;
        child->own = own;
        child->id_hash = hash(spec->id);
    }
    return child;
}

void
copi_child_free(struct copi_child *child)
{
    if (child && child->own) {
        copi_child_spec_clear(child->own);
        free(child->own);
    }
    free(child);
}

void
copi_siblings_append(struct copi_siblings *all, struct copi_child *child)
{
    child->older = all->youngest;
    child->younger = NULL;
    *(all->youngest ? &all->youngest->younger : &all->oldest) = child;
    all->youngest = child;
    all->count++;
}

void
copi_siblings_remove(struct copi_siblings *all, struct copi_child *child)
{
    *(child->older ? &child->older->younger : &all->oldest) = child->younger;
    *(child->younger ? &child->younger->older : &all->youngest) = child->older;
    all->count--;
}

void
copi_siblings_clear(struct copi_siblings *all)
{
    struct copi_child *younger;
    for (struct copi_child *child = all->oldest; child; child = younger) {
        younger = child->younger;
        copi_child_free(child);
    }
    *all = (struct copi_siblings){0};
}

struct copi_child *
copi_siblings_find(const struct copi_siblings *all, const char *id)
{
    uint32_t wanted = hash(id);
    struct copi_child *child = all->oldest;
    while (child && (child->id_hash != wanted || strcmp(child->spec->id, id) != 0)) {
        child = child->younger;
    }
    return child;
}

struct copi_child *
copi_siblings_find_running(const struct copi_siblings *all, cop_pid pid)
{
    struct copi_child *child = all->oldest;
    while (child && (child->state != COPI_CHILD_RUNNING || !cop_pid_eq(child->pid, pid))) {
        child = child->younger;
    }
    return child;
}

bool
copi_siblings_any_significant(const struct copi_siblings *all)
{
    const struct copi_child *child = all->oldest;
    while (child && (child->state == COPI_CHILD_DOWN || !child->spec->significant)) {
        child = child->younger;
    }
    return child != NULL;
}

cop_child_counts
copi_siblings_count(const struct copi_siblings *all)
{
    cop_child_counts counts = {.specs = all->count};
    for (const struct copi_child *child = all->oldest; child; child = child->younger) {
        bool is_supervisor = copi_child_spec_is_supervisor(child->spec);
        counts.supervisors += is_supervisor;
        counts.workers += !is_supervisor;
        /* One that has removed its link and ended is not known to have. */
        counts.active += child->state == COPI_CHILD_RUNNING && cop_alive(child->pid);
    }
    return counts;
}

static cop_child_info
describe(const struct copi_child *child)
{
    cop_child_info info = {
        .pid = child->state == COPI_CHILD_RUNNING ? child->pid : COP_NOBODY,
        .is_supervisor = copi_child_spec_is_supervisor(child->spec),
        .restarting = child->state == COPI_CHILD_RESTARTING,
        .restarts = child->restarts,
    };
    memcpy(info.id, child->spec->id, sizeof info.id);
    return info;
}

void
copi_siblings_list(const struct copi_siblings *all, cop_child_info *out)
{
    for (const struct copi_child *child = all->youngest; child; child = child->older) {
        *out++ = describe(child);
    }
}
