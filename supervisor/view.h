/*
 * supervisor/view.h - a specification as a user would have written it, for an init to change.
 *
 * Room: supervisor/. The supervisor only.
 */
#ifndef COPI_SUPERVISOR_VIEW_H
#define COPI_SUPERVISOR_VIEW_H

#include <coppice/supervisor.h>

struct copi_spec;
struct copi_view_block;

struct copi_view {
    cop_supervisor_spec spec;
    struct copi_view_block *blocks; /* what it points to, with the specification itself */
};

/* What it shows must outlive it. The memory is the calling process's. 0 or -ENOMEM: then it is empty. */
int copi_view_make(struct copi_view *view, const struct copi_spec *of);
void copi_view_clear(struct copi_view *view);

#endif
