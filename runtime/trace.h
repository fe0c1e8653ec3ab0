/*
 * runtime/trace.h - where in the program a process was when it failed.
 *
 * Room: runtime/.
 */
#ifndef COPI_RUNTIME_TRACE_H
#define COPI_RUNTIME_TRACE_H

#include <coppice/reason.h>

struct copi_process;
struct copi_trace;

enum {
    COPI_FRAME_SIZE = 192,
    COPI_TRACE_SIZE = 480,
};

/* Whether this code is the library's own. */
bool copi_is_runtime(uintptr_t pc);

/* "store+0x12f4 put_key": the module, the place in it, and the function where it is exported. Calls nothing
 * but dladdr, for a signal handler. */
void copi_frame_in_words(uintptr_t pc, char out[COPI_FRAME_SIZE]);

/* The calling process leaves with this reason: note where it is, if a report is going to tell. */
void copi_trace_take(struct copi_process *self, const cop_reason *reason);

/* The application's frames, innermost first, with "; " between them; "" if nothing was noted. */
const char *copi_trace_in_words(const struct copi_trace *trace, char out[COPI_TRACE_SIZE]);

void copi_trace_free(struct copi_process *process);

#endif
