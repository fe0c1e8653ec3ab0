/*
 * tests/support/programs.h - programs to be run, and what is left of them.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_PROGRAMS_H
#define COPI_TESTS_PROGRAMS_H

#include <errno.h>
#include <stdbool.h>
#include <sys/wait.h>

#define ARGV(...)  ((const char *const[]){__VA_ARGS__, NULL})
#define SH(script) ARGV("/bin/sh", "-c", (script))

/* Running, or waiting to be reaped. */
static inline bool
has_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

#endif
