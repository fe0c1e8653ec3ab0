/*
 * tests/supervisor/kinds.h - a child of each kind that there is.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_KINDS_H
#define COPI_TESTS_KINDS_H

#include "tests/supervisor/tree.h"

static inline int
work(cop_bytes arg)
{
    (void)arg;
    return 0;
}

static const cop_statem machine = {.type = "machine"};

static inline int
start(cop_pid *out, cop_bytes arg, cop_reason *why)
{
    (void)out, (void)arg, (void)why;
    return 0;
}

enum {
    KINDS = 7
};

/* Each bit of `set` is a kind. */
static inline cop_child_spec
child_of_kinds(unsigned set)
{
    static const char *const argv[] = {"true", NULL};
    static const cop_agent_spec agent;
    static const cop_supervisor_spec inner;
    return (cop_child_spec){
        .id = "a",
        .genserver = set & 1 ? &box : NULL,
        .worker = set & 2 ? work : NULL,
        .supervisor = set & 4 ? &inner : NULL,
        .command = set & 8 ? argv : NULL,
        .agent = set & 16 ? &agent : NULL,
        .start = set & 32 ? start : NULL,
        .statem = set & 64 ? &machine : NULL,
    };
}

#endif
