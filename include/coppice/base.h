/*
 * coppice/base.h - time, bytes and error numbers: what every other header uses.
 */
#ifndef COPPICE_BASE_H
#define COPPICE_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COP_API          __attribute__((visibility("default")))
#define COP_PRINTF(f, a) __attribute__((format(printf, f, a)))

#ifdef __cplusplus
extern "C" {
#endif

/* Nanoseconds, of CLOCK_MONOTONIC where it is a point in time and nothing else is said. Sums saturate at
 * COP_FOREVER. */
typedef int64_t cop_time;
#define COP_US(n)   ((cop_time)((n)*INT64_C(1000))) /* COP_SEC(1.5) is right, too */
#define COP_MS(n)   ((cop_time)((n)*INT64_C(1000000)))
#define COP_SEC(n)  ((cop_time)((n)*INT64_C(1000000000)))
#define COP_FOREVER INT64_MAX

/*
 * The current time of CLOCK_MONOTONIC.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_time cop_now(void);

/*
 * The time of day: nanoseconds since the beginning of 1970, in UTC, of CLOCK_REALTIME; erlang:system_time/0.
 *
 * For what is shown, stored or told to others. It jumps when somebody sets the clock: what is waited for, or
 * measured, is a matter of cop_now.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_time cop_system_time(void);

/*
 * Wait for `duration`; Process.sleep. Messages stay in the mailbox.
 *
 *   duration   0 or less: only an exit point; COP_FOREVER: until the context ends
 *
 * -ECANCELED   the current context was cancelled, or the process was asked to stop
 * -ETIMEDOUT   the current context's deadline passed
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_sleep(cop_time duration);

/* Borrowed bytes. */
typedef struct cop_bytes {
    const void *data;
    size_t size;
} cop_bytes;
#define COP_BYTES(lvalue) ((cop_bytes){&(lvalue), sizeof(lvalue)})
#define COP_BYTES_INIT(lvalue) \
 {                             \
  &(lvalue), sizeof(lvalue)    \
 } /* at file scope */
#define COP_STR(s)      ((cop_bytes){(s), strlen(s) + 1})
#define COP_TEXT(s)     ((cop_bytes){(s), strlen(s)}) /* without the 0: for sockets and files */
#define COP_OUT(lvalue) &(lvalue), sizeof(lvalue) /* two arguments: where a result goes, its size */

/*
 * What an error number of this library means, in words.
 *
 *   error   0, a negative errno value, or a positive one
 *
 * Never NULL; the string is constant.
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API const char *cop_strerror(int error);

#ifdef __cplusplus
}
#endif
#endif
