/*
 * runtime/thread_clock.c - clocks, randomness, and how many cores there are.
 *
 * Room: runtime/, behind the seam. Any thread.
 */
#include "runtime/thread.h"

#include <coppice/base.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static cop_time
read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now); /* cannot fail with these clocks */
    return now.tv_sec * COP_SEC(1) + now.tv_nsec;
}

cop_time
copi_clock(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

cop_time
copi_clock_coarse(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

cop_time
copi_clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

/* Where it does not, the counter may stand still, change its pace, or differ from core to core. */
bool
copi_ticks_are_time(void)
{
    char source[32] = "";
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                  O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t length = read(fd, source, sizeof source - 1);
        /* cppcheck-suppress unreadVariable ; it is read below */
        source[length > 0 ? length : 0] = '\0';
        close(fd);
    }
#if defined(__x86_64__)
    return strcmp(source, "tsc\n") == 0;
#elif defined(__aarch64__)
    return strcmp(source, "arch_sys_counter\n") == 0;
#else
    return false;
#endif
}

cop_time
cop_now(void)
{
    return copi_clock();
}

cop_time
cop_system_time(void)
{
    return copi_clock_wall();
}

cop_time
copi_deadline(cop_time timeout)
{
    if (timeout == COP_FOREVER) {
        return COP_FOREVER;
    }
    cop_time now = copi_clock();
    if (timeout <= 0) {
        return now;
    }
    return timeout > COP_FOREVER - now ? COP_FOREVER : now + timeout;
}

uint64_t
copi_random(void)
{
    uint64_t value = 0;
    if (getrandom(&value, sizeof value, GRND_NONBLOCK) != sizeof value) {
        value =
            (uint64_t)copi_clock() * UINT64_C(0x9e3779b97f4a7c15); /* early boot: still spread */
    }
    return value;
}

int
copi_random_bytes(void *to, size_t size)
{
    for (size_t drawn = 0; drawn < size;) {
        ssize_t more = getrandom((char *)to + drawn, size - drawn, GRND_NONBLOCK);
        if (more < 0 && errno != EINTR) {
            return -errno;
        }
        drawn += more > 0 ? (size_t)more : 0;
    }
    return 0;
}

unsigned
copi_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return (unsigned)CPU_COUNT(&set);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}
