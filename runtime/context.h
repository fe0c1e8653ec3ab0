/*
 * runtime/context.h - cancellation and deadlines: what waiting needs to know.
 *
 * Room: runtime/.
 */
#ifndef COPI_RUNTIME_CONTEXT_H
#define COPI_RUNTIME_CONTEXT_H

#include <coppice/context.h>

struct copi_process;

/* NULL is the root context, which never ends. */

/* 0, or -ECANCELED with its cause in cop_why(). A deadline is copi_context_deadline's affair. */
int copi_context_check(const cop_context *context);

/* The cause of its cancellation; NULL: it is not cancelled. */
const cop_reason *copi_context_cause(const cop_context *context);

/* The earliest deadline of it and those above it. */
cop_time copi_context_deadline(const cop_context *context);

/* Have it end at this point in time, if it would end later, and all below it; who sleeps in them learns
 * of it. Not of the root. Any thread. */
void copi_context_tighten(cop_context *context, cop_time deadline);

/*
 * The process is about to sleep: a cancellation of its context wakes it from here to _end. false: it
 * is cancelled already, and nothing has to be ended. Its deadline is to be read after this: an earlier one
 * wakes it, too.
 */
bool copi_context_wait_begin(struct copi_process *self);
void copi_context_wait_end(struct copi_process *self);

/* A context below `parent`, as cop_context_new's below the current one; NULL when out of memory. */
cop_context *copi_context_below(cop_context *parent);

/* One more hold on it; NULL stays NULL. */
cop_context *copi_context_retain(cop_context *context);

/*
 * Whoever is not a process that sleeps in it can be told of its cancellation: `cancelled` is called once, on
 * the thread that cancels, with no lock held. _watch: false if it is cancelled already; nothing has to be
 * ended then. _unwatch: whether it will not be called; else it has been, or is about to be. Of the root
 * there is nothing to be told. Who watches holds the context meanwhile. Any thread.
 */
struct copi_context_watch {
    void (*cancelled)(struct copi_context_watch *watch);
    struct copi_context_watch *next, **link; /* link: what points here; NULL: not in a list */
};
bool copi_context_watch(cop_context *context, struct copi_context_watch *watch);
bool copi_context_unwatch(struct copi_context_watch *watch);

/* The process starts in it, and holds it; ends, and lets go of all that it has entered. */
void copi_context_begin(struct copi_process *process, cop_context *context);
void copi_context_end(struct copi_process *process);

/* The calling process's current context, not retained; NULL: the root. */
cop_context *copi_context_current(void);

#endif
