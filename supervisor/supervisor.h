/*
 * supervisor/supervisor.h - the supervisor, as its own parts know it.
 *
 * Room: supervisor/. The supervisor only, but for copi_supervisor_start.
 */
#ifndef COPI_SUPERVISOR_SUPERVISOR_H
#define COPI_SUPERVISOR_SUPERVISOR_H

#include "supervisor/intensity.h"
#include "supervisor/siblings.h"
#include "supervisor/spec.h"

#include <coppice/supervisor.h>

struct copi_supervisor {
    struct copi_spec *spec; /* held */
    struct copi_siblings children;
    struct copi_intensity intensity; /* owns its times */
    bool ends_program;               /* when it has stopped its children */
};

/*
 * Start one by a specification; takes the caller's hold on it. opts->arg is what its init gets behind
 * the specification's own. Errors as cop_supervisor_start, and declining is none.
 */
int copi_supervisor_start(cop_pid *out, struct copi_spec *spec, const cop_start_opts *opts);

#endif
