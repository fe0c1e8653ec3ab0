/*
 * tests/bench/resident.c - how much memory the program has resident.
 *
 * Room: tests/.
 */
#include "tests/bench/resident.h"

#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>

double
resident_bytes(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, "VmRSS:", 6) == 0) {
            kib = strtoul(line + 6, NULL, 10);
        }
    }
    if (status) {
        (void)fclose(status);
    }
    bench_check("whether VmRSS can be read", kib > 0, true);
    return (double)kib * 1024;
}
