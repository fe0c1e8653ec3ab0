/*
 * runtime/via.c - starting a process under a key, whoever keeps the keys.
 *
 * Room: runtime/. Any thread.
 *
 * The runtime knows no registry, and a registry needs the runtime's spawn to claim a key before the
 * process runs. So the first registry says who claims.
 */
#include "runtime/via.h"

#include "runtime/process.h"

#include <errno.h>

static copi_atomic_ptr keeper; /* of copi_via_claim_fn */

/* C has no conversion between pointers to functions and to data; the machines that this runs on have. */
union claim {
    copi_via_claim_fn *fn;
    void *pointer;
};

void
copi_via_serve(copi_via_claim_fn *claim)
{
    copi_store_release_ptr(&keeper, (union claim){.fn = claim}.pointer); /* pairs with _claim */
}

int
copi_via_claim(struct copi_process *process, const cop_via *via, cop_pid *holder)
{
    union claim claim = {.pointer = copi_load_acquire_ptr(&keeper)}; /* pairs with _serve */
    if (!claim.pointer) {
        cop_reason why =
            cop_failed(-ESRCH, "unknown registry: %s", via->registry ? via->registry : "(none)");
        return copi_fail_why(&why, -ESRCH);
    }
    return claim.fn(process, via, holder);
}
