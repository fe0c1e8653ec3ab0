/*
 * runtime/via.h - starting a process under a key, whoever keeps the keys.
 *
 * Room: runtime/. Knows nobody: who keeps the keys announces itself.
 */
#ifndef COPI_RUNTIME_VIA_H
#define COPI_RUNTIME_VIA_H

#include <coppice/process.h>

struct copi_process;

/*
 * Give a process, which does not run yet but can be found, the key. Its end gives it up.
 *
 * -EEXIST     *holder has it
 * another     as the keeper has it; cop_why() is set, here and above
 */
typedef int copi_via_claim_fn(struct copi_process *process, const cop_via *via, cop_pid *holder);

/* From now on keys are this one's. The last one counts. */
void copi_via_serve(copi_via_claim_fn *claim);

/* The same by whoever serves; -ESRCH: nobody does yet. */
int copi_via_claim(struct copi_process *process, const cop_via *via, cop_pid *holder);

#endif
