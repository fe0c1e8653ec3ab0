/*
 * actors/lazy.h - a lazy task that is tried again after a failure.
 *
 * Room: actors/. Any thread.
 */
#ifndef COPI_ACTORS_LAZY_H
#define COPI_ACTORS_LAZY_H

#include <coppice/task.h>

/* With options that were checked. The future that stands for "no memory" when there is none; `env` is
 * dropped then. */
cop_future *copi_lazy_new(cop_task_fn fn, const cop_task_opts *opts);

#endif
