/*
 * supervisor/init.c - what an init of the user's makes of a specification.
 *
 * Room: supervisor/. The supervisor only.
 *
 * The init is shown a view of the specification and may write over all of it. What it leaves there is
 * checked and copied as any specification is. All memory meanwhile is the process's: an init may end it.
 */
#include "supervisor/init.h"

#include "runtime/process.h"
#include "supervisor/spec.h"
#include "supervisor/view.h"

#include <coppice/memory.h>

#include <errno.h>

/* Both in one, and for as long as the process lives; `more` alone lives as long. */
static int
join(cop_bytes *arg, const struct copi_owned *first, cop_bytes more)
{
    *arg = more;
    if (first->size > 0) {
        char *joined = cop_alloc(first->size + more.size);
        if (!joined) {
            return -ENOMEM;
        }
        memcpy(joined, first->data, first->size);
        if (more.size > 0) {
            memcpy(joined + first->size, more.data, more.size);
        }
        *arg = (cop_bytes){joined, first->size + more.size};
    }
    return 0;
}

/* 0 or COP_IGNORE; else negative, and cop_why() has the reason. */
static int
call(const struct copi_spec *spec, struct copi_view *view, cop_bytes more)
{
    cop_bytes arg;
    int r = join(&arg, &spec->arg, more);
    r = r ? r : spec->init(&view->spec, arg);
    if (r < 0) {
        return copi_fail(r);
    }
    if (r > 0 && r != COP_IGNORE) {
        cop_reason why = cop_failed(-EINVAL, "{bad_return_value,%d}", r);
        return copi_fail_why(&why, -EINVAL);
    }
    return r;
}

static int
adopt(struct copi_spec **spec, cop_supervisor_spec *made)
{
    struct copi_spec *copy;
    made->name = (*spec)->name[0] ? (*spec)->name : NULL; /* it has been registered by now */
    made->via = (*spec)->via;
    made->init = NULL;
    int r = copi_spec_new(&copy, made);
    if (r == 0) {
        copi_spec_release(*spec);
        *spec = copy;
    }
    return r;
}

int
copi_init_ask(struct copi_spec **spec, cop_bytes more, cop_reason *why)
{
    if (!(*spec)->init) {
        return 0;
    }
    struct copi_view view;
    int r = copi_view_make(&view, *spec);
    if (r == 0) {
        r = call(*spec, &view, more);
        r = r ? r : adopt(spec, &view.spec);
        copi_view_clear(&view);
    }
    *why = r < 0 ? cop_why() : COP_REASON_NORMAL;
    return r;
}
