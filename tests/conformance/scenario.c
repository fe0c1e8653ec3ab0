/*
 * tests/conformance/scenario.c - runs a supervision scenario and prints its trace.
 *
 *   usage: scenario FILE
 *
 * Room: tests/. Only <coppice.h>: what a user of the library could write. The language is told in
 * README.md; the trace is, byte for byte, what Erlang's own supervisors leave.
 *
 * Exit status: 0, 1 (no scenario: standard error says why and where), 2 (it did not come to rest within
 * a minute).
 */
#include "tests/conformance/action.h"
#include "tests/conformance/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    HUNG = 2
};

int
main(int argc, char *argv[])
{
    if (argc != 2) {
        (void)fputs("usage: scenario FILE\n", stderr);
        return EXIT_FAILURE;
    }
    static struct scenario scenario;
    scenario_read(&scenario, argv[1]);
    cop_config config = {.size = sizeof config, .observe = record_observed};
    int r = cop_configure(&config);
    if (r) {
        (void)fprintf(stderr, "scenario: %s\n", cop_strerror(r));
        return EXIT_FAILURE;
    }
    if (!play(&scenario)) {
        (void)fflush(stdout);
        (void)fprintf(stderr, "%s: hung\n", argv[1]);
        _exit(HUNG);
    }
    (void)cop_shutdown(COP_MS(1)); /* workers that nobody stopped are left to be killed */
    return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
