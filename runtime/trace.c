/*
 * runtime/trace.c - where in the program a process was when it failed.
 *
 * Room: runtime/. The owner thread; frames in words, in a signal handler, too.
 * Touch freely: how many frames. Ask first: what it costs: a supervisor waits for the end.
 *
 * A process that leaves by cop_exit or cop_assert is at the place that went wrong; when its report is
 * written its frames are gone. So the addresses are noted when it leaves, in memory of their own, if
 * there is any; they become words in the report, and only there. What is noted is the application: neither the
 * library's frames nor what is below the thread's start.
 */
#include "runtime/trace.h"

#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/report.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOKED_AT = 32,
    KEPT = 12,
};

struct copi_trace {
    unsigned count;
    uintptr_t frames[KEPT];
};

/* The runtime's code: the linker makes these for a section whose name is an identifier. */
extern const char __start_coppice_text[] __attribute__((weak, visibility("hidden")));
extern const char __stop_coppice_text[] __attribute__((weak, visibility("hidden")));

bool
copi_is_runtime(uintptr_t pc)
{
    return pc >= (uintptr_t)__start_coppice_text && pc < (uintptr_t)__stop_coppice_text;
}

/* ---------------------------------------------------------------- words */

static char *
put(char *at, const char *end, const char *words)
{
    while (*words && at < end) {
        *at++ = *words++;
    }
    *at = '\0';
    return at;
}

static char *
put_hex(char *at, const char *end, uintptr_t number)
{
    char digits[2 * sizeof number + 1], *first = digits + sizeof digits;
    *--first = '\0';
    do {
        *--first = "0123456789abcdef"[number % 16];
        number /= 16;
    } while (number);
    return put(put(at, end, "0x"), end, first);
}

void
copi_frame_in_words(uintptr_t pc, char out[COPI_FRAME_SIZE])
{
    const char *end = &out[COPI_FRAME_SIZE - 1];
    Dl_info info = {0};
    if (!dladdr((void *)pc, &info) || !info.dli_fname) {
        put_hex(out, end, pc);
        return;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    char *at = put(put(out, end, slash ? slash + 1 : info.dli_fname), end, "+");
    at = put_hex(at, end, pc - (uintptr_t)info.dli_fbase);
    if (info.dli_sname) {
        put(put(at, end, " "), end, info.dli_sname);
    }
}

const char *
copi_trace_in_words(const struct copi_trace *trace, char out[COPI_TRACE_SIZE])
{
    char *at = out;
    const char *end = out + COPI_TRACE_SIZE - 1;
    *at = '\0';
    for (unsigned i = 0; trace && i < trace->count; i++) {
        char frame[COPI_FRAME_SIZE] = "";
        copi_frame_in_words(trace->frames[i], frame);
        if ((size_t)(end - at) < strlen(frame) + 2) {
            break; /* whole frames only */
        }
        at = put(put(at, end, i > 0 ? "; " : ""), end, frame);
    }
    return out;
}

/* ---------------------------------------------------------------- taking */

/* Below the library's outermost frame is only the thread, if the stack has been looked at so far down. */
static int
above_thread(void *const *frames, int count)
{
    while (count > 0 && !copi_is_runtime((uintptr_t)frames[count - 1])) {
        count--;
    }
    return count;
}

/* Inside the library's innermost frame, this one, is only whoever looks, a sanitizer say. */
static int
below_looking(void *const *frames, int count)
{
    int i = 0;
    while (i < count && !copi_is_runtime((uintptr_t)frames[i])) {
        i++;
    }
    return i;
}

void
copi_trace_take(struct copi_process *self, const cop_reason *reason)
{
    if (self->trace || self->held > 0 || !copi_report_would_tell(self, reason)) {
        return; /* a flood of crashes is not looked at one by one */
    }
    void *frames[LOOKED_AT];
    int count = backtrace(frames, LOOKED_AT);
    count = count < LOOKED_AT ? above_thread(frames, count) : count;
    struct copi_trace *trace = copi_zalloc(sizeof *trace);
    for (int i = below_looking(frames, count); trace && i < count && trace->count < KEPT; i++) {
        if (!copi_is_runtime((uintptr_t)frames[i])) {
            trace->frames[trace->count++] = (uintptr_t)frames[i];
        }
    }
    self->trace = trace;
}

void
copi_trace_free(struct copi_process *process)
{
    free(process->trace);
    process->trace = NULL;
}
