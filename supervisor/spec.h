/*
 * supervisor/spec.h - specifications, copied so that nothing of the user's is needed.
 *
 * Room: supervisor/. Any thread.
 */
#ifndef COPI_SUPERVISOR_SPEC_H
#define COPI_SUPERVISOR_SPEC_H

#include "runtime/atomic.h"
#include "runtime/backoff.h"

#include <coppice/supervisor.h>

struct copi_spec;

enum {
    COPI_ID_SIZE = 64,
    COPI_MAX_RESTARTS = 1000000, /* each has a place to be remembered in */
    COPI_DEEPEST_SPEC = 64,      /* supervisors in supervisors: one in itself has no end */
};

enum copi_child_kind {
    COPI_CHILD_GENSERVER,
    COPI_CHILD_STATEM,
    COPI_CHILD_WORKER,
    COPI_CHILD_SUPERVISOR,
    COPI_CHILD_COMMAND,
    COPI_CHILD_AGENT,
    COPI_CHILD_START,
};

struct copi_owned {
    void *data; /* NULL: none */
    size_t size;
};

/* A child's specification, complete: no default is left to be thought of. */
struct copi_child_spec {
    char id[COPI_ID_SIZE], name[COPI_ID_SIZE]; /* empty: none; an id only below COP_DYNAMIC */
    cop_via *via; /* one block with all that it points to; NULL: none */
    enum copi_child_kind kind;
    /* what it is, by kind */
    const cop_genserver *genserver;
    const cop_statem *statem;
    cop_process_fn worker;
    struct copi_spec *supervisor; /* held */
    struct copi_owned words;      /* of a command, each with its terminator */
    cop_agent_spec agent;         /* but for its initial bytes: */
    struct copi_owned initial;
    int (*start)(cop_pid *out, cop_bytes arg, cop_reason *why);
    struct copi_owned arg;
    /* as in cop_child_spec */
    cop_restart restart;
    cop_time shutdown;
    bool significant, supervises, contain_faults;
    cop_mailbox_opts mailbox;
    cop_time init_timeout;
    size_t stack_size;
};

/*
 * A supervisor's. Counted: a nested one is held by the specification around it and by the supervisor
 * that runs by it, and a killed supervisor may be gone before those below it.
 */
struct copi_spec {
    copi_atomic32 holds;
    char name[COPI_ID_SIZE]; /* empty: none */
    cop_via *via;            /* as a child's */
    cop_strategy strategy;
    cop_auto_shutdown auto_shutdown;
    unsigned max_restarts;
    cop_time period;
    struct copi_backoff backoff;
    cop_give_up give_up;
    size_t max_children; /* SIZE_MAX: no limit */
    struct copi_owned extra;
    int (*init)(cop_supervisor_spec *spec, cop_bytes arg);
    struct copi_owned arg;
    struct copi_child_spec *children;
    size_t child_count;
};

/* Its children are started by request, known by pid, and concern nobody else. */
static inline bool
copi_strategy_is_dynamic(cop_strategy strategy)
{
    return strategy == COP_SIMPLE_ONE_FOR_ONE || strategy == COP_DYNAMIC;
}

/* OTP's word. */
const char *copi_strategy_name(cop_strategy strategy);

/* One after the other, in new memory: 0 or -ENOMEM. Nothing and nothing is nothing. */
int copi_owned_join(struct copi_owned *out, cop_bytes first, cop_bytes second);

/*
 * A copy, all the way down. The caller holds it.
 *
 * -EINVAL   it is none; cop_why() names the field
 * -ENOMEM
 */
int copi_spec_new(struct copi_spec **out, const cop_supervisor_spec *from);
struct copi_spec *copi_spec_hold(struct copi_spec *spec);
void copi_spec_release(struct copi_spec *spec); /* NULL does nothing */

/* A copy of one child's, which may have no id. Errors as above, and then *out is empty. */
int copi_child_spec_copy(struct copi_child_spec *out, const cop_child_spec *from);
void copi_child_spec_clear(struct copi_child_spec *spec);

/* Its argument is not needed any more: it will not be started again. */
void copi_child_spec_drop_argument(struct copi_child_spec *spec);

/* What it says, or its kind's default. */
cop_restart copi_restart_of(const cop_child_spec *from);

static inline bool
copi_child_spec_is_supervisor(const struct copi_child_spec *spec)
{
    return spec->kind == COPI_CHILD_SUPERVISOR || spec->supervises;
}

#endif
