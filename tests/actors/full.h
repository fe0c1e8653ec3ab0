/*
 * tests/actors/full.h - the numbers that cases state: in full with COPPICE_FULL=1 (make test-full), else at
 * least a tenth of them.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_FULL_H
#define COPI_TESTS_FULL_H

#include <stdlib.h>

static inline int
full_or(int full, int fast)
{
    const char *wish = getenv("COPPICE_FULL"); /* NOLINT(concurrency-mt-unsafe): only read */
    return wish && wish[0] == '1' ? full : fast;
}

#endif
