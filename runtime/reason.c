/*
 * runtime/reason.c - why a process ended, and error numbers in words.
 *
 * Room: runtime/. Any thread.
 */
#include "runtime/process.h"

#include <coppice/reason.h>

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

cop_reason
cop_failed(int code, const char *format, ...)
{
    cop_reason reason = {.kind = COP_FAILED, .code = code};
    if (format) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(reason.text, sizeof reason.text, format, arguments);
        va_end(arguments);
    }
    return reason;
}

bool
cop_is_crash(cop_reason reason)
{
    return reason.kind != COP_NORMAL && reason.kind != COP_SHUTDOWN;
}

int
cop_reason_error(cop_reason reason)
{
    switch (reason.kind) {
    case COP_NORMAL:
        return -EPIPE;
    case COP_SHUTDOWN:
    case COP_KILLED:
        return -ECANCELED;
    case COP_FAILED:
        return reason.code < 0 ? reason.code : -ENOTRECOVERABLE;
    case COP_FAULTED:
        return -EFAULT;
    case COP_NOPROC:
        return -ESRCH;
    }
    return -ENOTRECOVERABLE;
}

static const char *
kind_in_words(cop_reason reason)
{
    switch (reason.kind) {
    case COP_NORMAL:
        return "normal";
    case COP_SHUTDOWN:
        return "shutdown";
    case COP_KILLED:
        return "killed";
    case COP_NOPROC:
        return "noproc";
    case COP_FAULTED:
    case COP_FAILED:
        break;
    }
    return NULL;
}

const char *
cop_reason_string(cop_reason reason, char *out, size_t size)
{
    const char *words = reason.text[0] ? reason.text : kind_in_words(reason);
    if (words) {
        (void)snprintf(out, size, "%s", words);
    } else if (reason.kind == COP_FAULTED) {
        (void)snprintf(out, size, "{fault,%d}", reason.code);
    } else if (reason.code > 0) { /* a number of the application's own */
        (void)snprintf(out, size, "%d", reason.code);
    } else {
        (void)snprintf(out, size, "%s", cop_strerror(reason.code));
    }
    return out;
}

cop_reason
cop_why(void)
{
    struct copi_process *self = copi_here.process;
    return self ? self->reasons->why : COP_REASON_NORMAL;
}

/* What the common ones mean here; the rest is the system's. */
#define ERRORS(X)                                                      \
 X(0, "success")                                                       \
 X(EAGAIN, "no room or no thread is left for it now")                  \
 X(EALREADY, "it is so already")                                       \
 X(EBUSY, "it is running")                                             \
 X(ECANCELED, "cancelled, killed or asked to stop")                    \
 X(EDEADLK, "it waits for the caller: waiting for it would never end") \
 X(EEXIST, "the name or id is taken")                                  \
 X(EINPROGRESS, "it is being restarted")                               \
 X(EINVAL, "invalid argument")                                         \
 X(EMSGSIZE, "an answer or a body of another size")                    \
 X(ENOENT, "no such name, id or file")                                 \
 X(ENOMEM, "out of memory")                                            \
 X(ENOTRECOVERABLE, "it crashed")                                      \
 X(EOPNOTSUPP, "not for this kind of process")                         \
 X(EPERM, "not allowed here")                                          \
 X(EPIPE, "it ended before it answered")                               \
 X(ESRCH, "no such process")                                           \
 X(ETIMEDOUT, "not in time")

const char *
cop_strerror(int error)
{
    int number = error > INT_MIN && error < 0 ? -error : error;
    switch (number) {
#define X(code, words) \
 case code:            \
  return words;
        ERRORS(X)
#undef X
    default: {
        const char *words = strerrordesc_np(number);
        return words ? words : "unknown error";
    }
    }
}
