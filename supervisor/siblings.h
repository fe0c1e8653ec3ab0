/*
 * supervisor/siblings.h - a supervisor's children, in the order in which they start.
 *
 * Room: supervisor/. The supervisor only.
 */
#ifndef COPI_SUPERVISOR_SIBLINGS_H
#define COPI_SUPERVISOR_SIBLINGS_H

#include <coppice/supervisor.h>

struct copi_child_spec;

enum copi_child_state {
    COPI_CHILD_DOWN, /* known, and not running */
    COPI_CHILD_RUNNING,
    COPI_CHILD_RESTARTING, /* between two attempts */
};

struct copi_child {
    struct copi_child *older, *younger;
    const struct copi_child_spec *spec;
    struct copi_child_spec
        *own; /* the same, if it is the child's to free; NULL: its supervisor's */
    uint32_t id_hash;
    enum copi_child_state state;
    cop_pid pid; /* while it runs */
    size_t restarts;
    /* with a backoff */
    cop_time started;  /* when */
    unsigned attempts; /* pauses in a row, without a healthy life in between */
    cop_ref timer;     /* of the pause; {0}: none */
    uint64_t pause;    /* which pause it is: a timer that was too late to cancel is told by it */
};

struct copi_siblings {
    struct copi_child *oldest, *youngest;
    size_t count;
};

/* A child that is not running, and in no list. NULL: out of memory. `own` is taken on success. */
struct copi_child *copi_child_new(const struct copi_child_spec *spec, struct copi_child_spec *own);
void copi_child_free(struct copi_child *child); /* and its own specification; NULL does nothing */

void copi_siblings_append(struct copi_siblings *all, struct copi_child *child);
void copi_siblings_remove(struct copi_siblings *all, struct copi_child *child);
void copi_siblings_clear(struct copi_siblings *all);

/* NULL: there is none. Linear. */
struct copi_child *copi_siblings_find(const struct copi_siblings *all, const char *id);
struct copi_child *copi_siblings_find_running(const struct copi_siblings *all, cop_pid pid);

/* Whether a significant child runs or is being restarted. */
bool copi_siblings_any_significant(const struct copi_siblings *all);

cop_child_counts copi_siblings_count(const struct copi_siblings *all);

/* all->count of them, youngest first. */
void copi_siblings_list(const struct copi_siblings *all, cop_child_info *out);

#endif
