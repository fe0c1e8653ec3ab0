/*
 * runtime/thread_clean.c - what every thread of ours starts from, and comes back to between two jobs.
 *
 * Room: runtime/, behind the seam. The calling thread only.
 * Touch freely: nothing. Ask first: what is not looked at.
 *
 * A process may set its thread's niceness, policy and processors by the system's own calls, of which we
 * hear nothing; only the kernel knows. To ask it costs less than to tell it: setting an affinity or a
 * policy takes the lock of a run queue and tells the scheduler, whether or not it changes anything.
 * Measured, in nanoseconds: sched_setaffinity 935, sched_getaffinity 286; sched_setscheduler 1364 and
 * setpriority 225, which one sched_getattr of 236 answers. So we look, and set what is not as it was.
 * For a signal mask (140) and an alternate stack (160) looking is the same call as setting, and a
 * name (360) is another one for each process, or costs as much to be read (300): these are set.
 */
#include "runtime/thread_clean.h"

#include <errno.h>
#include <locale.h>
#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The first version of the kernel's struct sched_attr, which not every libc declares. */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t niceness;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};
_Static_assert(sizeof(struct scheduling) == 48, "as the kernel has it");

/* Written once, before the first thread. */
static cpu_set_t affinity;
static struct scheduling scheduling;

/* It may be refused, by a filter of system calls, say. */
static bool
look(struct scheduling *now)
{
    return syscall(SYS_sched_getattr, 0, now, sizeof *now, 0) == 0;
}

void
copi_clean_remember(void)
{
    sched_getaffinity(0, sizeof affinity, &affinity);
    if (!look(&scheduling)) {
        scheduling.niceness = getpriority(PRIO_PROCESS, 0);
    }
}

/* ---------------------------------------------------------------- scheduling */

static void
reset_affinity(void)
{
    cpu_set_t now;
    if (sched_getaffinity(0, sizeof now, &now) != 0 || !CPU_EQUAL(&now, &affinity)) {
        sched_setaffinity(0, sizeof affinity, &affinity);
    }
}

/* No flags: one says that what it starts does not inherit the rest. The runtime is the slice that it has asked
 * for, or the usual one. */
static bool
is_scheduled_as_before(void)
{
    struct scheduling now;
    return look(&now) && now.policy == SCHED_OTHER && now.flags == 0
           && now.niceness == scheduling.niceness && now.runtime == scheduling.runtime;
}

bool
copi_clean_scheduling(void)
{
    reset_affinity();
    if (is_scheduled_as_before()) {
        return true;
    }
    struct sched_param normal = {0};
    return sched_setscheduler(0, SCHED_OTHER, &normal) == 0
           && setpriority(PRIO_PROCESS, 0, scheduling.niceness) == 0; /* of this thread, on Linux */
}

/* ---------------------------------------------------------------- the rest */

/* The floating-point environment of a new thread. fesetenv would need libm for four instructions. */
static void
reset_floating_point(void)
{
#if defined(__x86_64__)
    __asm__ __volatile__("fninit");
    __builtin_ia32_ldmxcsr(0x1f80);
#elif defined(__aarch64__)
    __asm__ __volatile__("msr fpcr, xzr\n\tmsr fpsr, xzr");
#endif
}

void
copi_clean_rest(void)
{
    uselocale(LC_GLOBAL_LOCALE);
    reset_floating_point();
    errno = 0;
}
