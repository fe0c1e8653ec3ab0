/*
 * coppice/reason.h - why a process ended: OTP's exit reason, as a value.
 *
 * Threads: any.  None of them blocks or is an exit point.
 */
#ifndef COPPICE_REASON_H
#define COPPICE_REASON_H

#include <coppice/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cop_exit_kind {
    COP_NORMAL,   /* it finished: not a crash */
    COP_SHUTDOWN, /* it was asked to stop: not a crash; code and text may say more */
    COP_FAILED,   /* it failed: code is a negative errno value, or the application's own number */
    COP_FAULTED,  /* it hit a contained fault: code is the signal number */
    COP_KILLED,   /* it was killed and had no say in it */
    COP_NOPROC,   /* it was not there: the reason in a DOWN for a process already gone */
} cop_exit_kind;

/*
 * A reason is passed by value. The text carries the detail of an Erlang reason as a term, nested
 * ones too: "{shutdown,{failed_to_start_child,db,econnrefused}}". It is always terminated; what
 * does not fit is cut.
 */
typedef struct cop_reason {
    cop_exit_kind kind;
    int code;
    char text[248];
} cop_reason;
#define COP_REASON_NORMAL   ((cop_reason){.kind = COP_NORMAL})
#define COP_REASON_SHUTDOWN ((cop_reason){.kind = COP_SHUTDOWN})
#define COP_REASON_KILLED   ((cop_reason){.kind = COP_KILLED})

/*
 * A failure with a code and a formatted text.
 *
 *   code     a negative errno value, or a number of the application's own
 *   format   as printf; NULL: no text
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_reason cop_failed(int code, const char *format, ...) COP_PRINTF(2, 3);

/* Anything but NORMAL and SHUTDOWN: what a transient child is restarted for. */
COP_API bool cop_is_crash(cop_reason reason);

/*
 * What a function that returns int says of a reason; always negative: a negative code as it is, a
 * positive one -ENOTRECOVERABLE, FAULTED -EFAULT, KILLED and SHUTDOWN -ECANCELED, NOPROC -ESRCH,
 * NORMAL (it ended and gave no result) -EPIPE.
 */
COP_API int cop_reason_error(cop_reason reason);

/*
 * The reason as an Erlang programmer would read it: "normal", "shutdown", "killed", "noproc", the
 * text where there is one, else the code in words.
 *
 *   out, size   where it goes, terminated; what does not fit is cut. Returns `out`.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API const char *cop_reason_string(cop_reason reason, char *out, size_t size);

/*
 * The whole reason of the calling process's last failed call; NORMAL if none failed yet. A call
 * that succeeds leaves it as it was.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_reason cop_why(void);

#ifdef __cplusplus
}
#endif
#endif
