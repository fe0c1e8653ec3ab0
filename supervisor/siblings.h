/*
 * supervisor/siblings.h - a supervisor's children, in the order in which they start.
 *
 * Room: supervisor/. The supervisor only.
 */
#ifndef COPI_SUPERVISOR_SIBLINGS_H
#define COPI_SUPERVISOR_SIBLINGS_H

#include "runtime/map.h"
#include "supervisor/spec.h"

#include <coppice/supervisor.h>

enum copi_child_state {
    COPI_CHILD_DOWN, /* known, and not running */
    COPI_CHILD_RUNNING,
    COPI_CHILD_RESTARTING, /* between two attempts */
};

struct copi_child {
    struct copi_child *older, *younger;
    const struct copi_child_spec *spec;
    /* The same, if it is the child's to free; NULL: its supervisor's */
    struct copi_child_spec *own;
    struct copi_owned arg; /* an instance's, whole; NULL: the specification's will do */
    enum copi_child_state state;
    cop_pid pid; /* while it runs; between two attempts: what it was, or COP_NOBODY */
    size_t restarts;
    uint64_t number; /* of those that were added, itself included: siblings.c's */
    /* Between two attempts: what the message for the next one comes with; else 0 */
    uint64_t ticket;
    /* with a backoff */
    cop_time started;  /* when */
    unsigned attempts; /* pauses in a row, without a healthy life in between */
    cop_ref timer;     /* of the pause; {0}: none */
    /* while all are stopped together */
    cop_ref monitor; /* {0}: not asked, or ended */
    cop_time deadline;
    bool is_judged;
    /* siblings.c's: in which table it is */
    bool is_in_ids, is_in_pids, is_in_tickets;
};

/* Children by a number of theirs. Who is left out, for want of memory, has to be searched for. */
struct copi_index {
    struct copi_map map;
    size_t left_out;
};

struct copi_siblings {
    struct copi_child *oldest, *youngest;
    size_t count;
    bool nameless; /* ids need not be unique, and are not told */
    uint64_t last_ticket, last_number;
    struct copi_index ids, pids, tickets;
};

/*
 * A child that is not running, and in no list. NULL: out of memory. `own` is taken on success, and
 * afterwards `arg` may be given to it.
 */
struct copi_child *copi_child_new(const struct copi_child_spec *spec, struct copi_child_spec *own);
void copi_child_free(struct copi_child *child); /* and what is its own; NULL does nothing */

/* What it is to be started with. */
cop_bytes copi_child_arg(const struct copi_child *child);
void copi_child_drop_arg(struct copi_child *child); /* it will not be started again */

void copi_siblings_append(struct copi_siblings *all, struct copi_child *child);
void copi_siblings_remove(struct copi_siblings *all, struct copi_child *child);
void copi_siblings_clear(struct copi_siblings *all);

/*
 * It is down, running as `pid`, or between two attempts, and was `pid`. One that stays between two
 * attempts keeps its ticket.
 */
void copi_siblings_set(struct copi_siblings *all, struct copi_child *child,
                       enum copi_child_state state, cop_pid pid);

/* NULL: there is none. In constant time, while there is memory for it. */
struct copi_child *copi_siblings_find(const struct copi_siblings *all, const char *id);
struct copi_child *copi_siblings_find_pid(const struct copi_siblings *all, cop_pid pid);
struct copi_child *copi_siblings_find_running(const struct copi_siblings *all, cop_pid pid);
struct copi_child *copi_siblings_find_ticket(const struct copi_siblings *all, uint64_t ticket);

/* Whether a significant child runs or is being restarted. */
bool copi_siblings_any_significant(const struct copi_siblings *all);

/* `believed`: one that has removed its link and ended counts as running until somebody tells, as in
 * Elixir; Erlang looks whether it lives. */
cop_child_counts copi_siblings_count(const struct copi_siblings *all, bool believed);

/* What is told of one, and of all->count of them, youngest first. */
cop_child_info copi_siblings_describe(const struct copi_siblings *all,
                                      const struct copi_child *child);
void copi_siblings_list(const struct copi_siblings *all, cop_child_info *out);

#endif
