/*
 * supervisor/siblings.c - a supervisor's children, in the order in which they start.
 *
 * Room: supervisor/. The supervisor only.
 * Touch freely: how one is found. Ask first: the order; strategies and the stop follow it.
 *
 * The list is the truth. Beside it are three indexes, so that a child is found in constant time by its
 * id, by its pid and by the ticket of its next attempt. They need memory when it is least welcome, when
 * a child has just started or ended; so a failure there is none: who did not get into an index is
 * counted, and as long as there is such a one, what the index does not find is searched for in the list.
 * The same serves two ids with one hash.
 */
#include "supervisor/siblings.h"

#include "runtime/alloc.h"

#include <stdlib.h>

/* ---------------------------------------------------------------- one */

struct copi_child *
copi_child_new(const struct copi_child_spec *spec, struct copi_child_spec *own)
{
    struct copi_child *child = copi_zalloc(sizeof *child);
    if (child) {
        child->spec = spec;
        child->own = own;
    }
    return child;
}

void
copi_child_free(struct copi_child *child)
{
    if (child) {
        if (child->own) {
            copi_child_spec_clear(child->own);
            free(child->own);
        }
        free(child->arg.data);
        free(child);
    }
}

cop_bytes
copi_child_arg(const struct copi_child *child)
{
    const struct copi_owned *arg = child->arg.data ? &child->arg : &child->spec->arg;
    return (cop_bytes){arg->data, arg->size};
}

void
copi_child_drop_arg(struct copi_child *child)
{
    free(child->arg.data);
    child->arg = (struct copi_owned){0};
    if (child->own) {
        copi_child_spec_drop_argument(child->own);
    }
}

/* ---------------------------------------------------------------- indexes */

static void
index_put(struct copi_index *index, uint64_t key, struct copi_child *child, bool *is_in)
{
    *is_in = copi_map_put(&index->map, key, child);
    index->left_out += !*is_in;
}

static void
index_remove(struct copi_index *index, uint64_t key, bool *is_in)
{
    if (*is_in) {
        copi_map_remove(&index->map, key);
    } else {
        index->left_out--;
    }
    *is_in = false;
}

static void
index_clear(struct copi_index *index)
{
    copi_map_clear(&index->map);
    index->left_out = 0;
}

static uint64_t
key_of_id(const char *id)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (; *id; id++) {
        hash = (hash ^ (unsigned char)*id) * UINT64_C(1099511628211);
    }
    return hash >> 1 | 1; /* a key is neither 0 nor the greatest number */
}

static void
enter_pid(struct copi_siblings *all, struct copi_child *child, cop_pid pid)
{
    child->pid = pid;
    if (pid.id) {
        index_put(&all->pids, pid.id, child, &child->is_in_pids);
    }
}

static void
leave_pid(struct copi_siblings *all, struct copi_child *child)
{
    if (child->pid.id) {
        index_remove(&all->pids, child->pid.id, &child->is_in_pids);
    }
    child->pid = COP_NOBODY;
}

static void
leave_ticket(struct copi_siblings *all, struct copi_child *child)
{
    if (child->ticket) {
        index_remove(&all->tickets, child->ticket, &child->is_in_tickets);
    }
    child->ticket = 0;
}

/* ---------------------------------------------------------------- all */

void
copi_siblings_append(struct copi_siblings *all, struct copi_child *child)
{
    child->older = all->youngest;
    child->younger = NULL;
    *(all->youngest ? &all->youngest->younger : &all->oldest) = child;
    all->youngest = child;
    all->count++;
    child->number = ++all->last_number;
    if (!all->nameless) {
        index_put(&all->ids, key_of_id(child->spec->id), child, &child->is_in_ids);
    }
}

void
copi_siblings_remove(struct copi_siblings *all, struct copi_child *child)
{
    *(child->older ? &child->older->younger : &all->oldest) = child->younger;
    *(child->younger ? &child->younger->older : &all->youngest) = child->older;
    all->count--;
    leave_pid(all, child);
    leave_ticket(all, child);
    if (!all->nameless) {
        index_remove(&all->ids, key_of_id(child->spec->id), &child->is_in_ids);
    }
}

void
copi_siblings_clear(struct copi_siblings *all)
{
    struct copi_child *younger;
    for (struct copi_child *child = all->oldest; child; child = younger) {
        younger = child->younger;
        copi_child_free(child);
    }
    index_clear(&all->ids);
    index_clear(&all->pids);
    index_clear(&all->tickets);
    *all = (struct copi_siblings){.nameless = all->nameless};
}

void
copi_siblings_set(struct copi_siblings *all, struct copi_child *child, enum copi_child_state state,
                  cop_pid pid)
{
    if (!cop_pid_eq(child->pid, pid)) {
        leave_pid(all, child);
        enter_pid(all, child, pid);
    }
    child->state = state;
    if (state != COPI_CHILD_RESTARTING) {
        leave_ticket(all, child);
    } else if (!child->ticket) {
        child->ticket = ++all->last_ticket;
        index_put(&all->tickets, child->ticket, child, &child->is_in_tickets);
    }
}

/* ---------------------------------------------------------------- who is who */

static bool
has_id(const struct copi_child *child, const char *id)
{
    return strcmp(child->spec->id, id) == 0;
}

struct copi_child *
copi_siblings_find(const struct copi_siblings *all, const char *id)
{
    struct copi_child *child = copi_map_get(&all->ids.map, key_of_id(id));
    if (child && has_id(child, id)) {
        return child;
    }
    child = all->ids.left_out ? all->oldest : NULL;
    while (child && !has_id(child, id)) {
        child = child->younger;
    }
    return child;
}

struct copi_child *
copi_siblings_find_pid(const struct copi_siblings *all, cop_pid pid)
{
    struct copi_child *child = pid.id ? copi_map_get(&all->pids.map, pid.id) : NULL;
    if (child || !pid.id) {
        return child;
    }
    child = all->pids.left_out ? all->oldest : NULL;
    while (child && !cop_pid_eq(child->pid, pid)) {
        child = child->younger;
    }
    return child;
}

struct copi_child *
copi_siblings_find_running(const struct copi_siblings *all, cop_pid pid)
{
    struct copi_child *child = copi_siblings_find_pid(all, pid);
    return child && child->state == COPI_CHILD_RUNNING ? child : NULL;
}

struct copi_child *
copi_siblings_find_ticket(const struct copi_siblings *all, uint64_t ticket)
{
    struct copi_child *child = copi_map_get(&all->tickets.map, ticket);
    if (child) {
        return child;
    }
    child = all->tickets.left_out ? all->oldest : NULL;
    while (child && child->ticket != ticket) {
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
copi_siblings_count(const struct copi_siblings *all, bool believed)
{
    cop_child_counts counts = {.specs = all->count};
    for (const struct copi_child *child = all->oldest; child; child = child->younger) {
        bool is_supervisor = copi_child_spec_is_supervisor(child->spec);
        counts.supervisors += is_supervisor;
        counts.workers += !is_supervisor;
        counts.active += child->state == COPI_CHILD_RUNNING && (believed || cop_alive(child->pid));
    }
    return counts;
}

cop_child_info
copi_siblings_describe(const struct copi_siblings *all, const struct copi_child *child)
{
    cop_child_info info = {
        .pid = child->state == COPI_CHILD_RUNNING ? child->pid : COP_NOBODY,
        .is_supervisor = copi_child_spec_is_supervisor(child->spec),
        .restarting = child->state == COPI_CHILD_RESTARTING,
        .significant = child->spec->significant,
        .restart = child->spec->restart,
        .shutdown = child->spec->shutdown,
        .restarts = child->restarts,
    };
    if (!all->nameless) {
        memcpy(info.id, child->spec->id, sizeof info.id);
    }
    return info;
}

void
copi_siblings_list(const struct copi_siblings *all, cop_child_info *out)
{
    for (const struct copi_child *child = all->youngest; child; child = child->older) {
        *out++ = copi_siblings_describe(all, child);
    }
}
