/*
 * demos/pipeline/measure.c - how a program's memory grows while it is asked for work.
 *
 * Room: demos/. The looking is done by a process of its own, until it is asked to stop.
 */
#include "demos/pipeline/measure.h"

#include <stdio.h>
#include <unistd.h>

#define BETWEEN_LOOKS COP_MS(10)

static double memory_before;

static double
resident_mib(void)
{
    unsigned long size, resident = 0;
    FILE *in = fopen("/proc/self/statm", "re");
    if (in) {
        if (fscanf(in, "%lu %lu", &size, &resident) != 2) { /* NOLINT(cert-err34-c): the kernel's */
            resident = 0;
        }
        (void)fclose(in);
    }
    return (double)resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

void
measure_begin(void)
{
    memory_before = resident_mib();
}

static int
look(cop_bytes arg)
{
    struct curve *curve = *(struct curve *const *)arg.data;
    cop_time begin = cop_now();
    do {
        curve->x[curve->count] = (double)(cop_now() - begin) / 1e9;
        curve->y[curve->count] = resident_mib() - memory_before;
        curve->count++;
    } while (curve->count < CHART_POINTS && cop_sleep(BETWEEN_LOOKS) == 0);
    return 0;
}

static int64_t
ask(int (*one)(uint64_t number), cop_time pause, cop_time duration)
{
    cop_time begin = cop_now(), due = begin;
    int64_t count = 0;
    while (due - begin < duration && cop_now() - begin < duration) {
        int r = one((uint64_t)count);
        r = r ? r : cop_sleep((due += pause) - cop_now());
        if (r) {
            return r;
        }
        count++;
    }
    return count;
}

int64_t
measure(struct curve *curve, int (*one)(uint64_t number), cop_time pause, cop_time duration)
{
    cop_pid looker;
    int r = cop_spawn(&looker, look, .arg = COP_BYTES(curve));
    if (r) {
        return r;
    }
    int64_t count = ask(one, pause, duration);
    cop_stop_process(looker, COP_REASON_SHUTDOWN, COP_FOREVER);
    return count;
}
