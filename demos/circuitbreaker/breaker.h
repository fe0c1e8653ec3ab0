/*
 * demos/circuitbreaker/breaker.h - who asks a service that is down is told at once.
 *
 * Room: demos/.
 *
 *               so many failures in a row
 *     closed ------------------------------> open <---------------------.
 *        ^                                     |                        |
 *        |                                     | somebody asks          | the probe fails
 *        |                                     v after the pause        |
 *        `--------------------------------- half-open ------------------'
 *               the probe succeeds
 *
 * Closed, everybody is let through; open, nobody; half-open, one in each pause: the probe.
 */
#ifndef CIRCUITBREAKER_BREAKER_H
#define CIRCUITBREAKER_BREAKER_H

#include <coppice.h>

/* The argument of its start. */
struct breaker_opts {
    unsigned limit; /* of failures in a row; it trips at this one */
    cop_time pause; /* how long it refuses before it lets a probe through */
};

extern const cop_genserver circuit_breaker;

/*
 * Call fn(env), in the calling process, if the breaker lets it through. Less than 0 is a failure,
 * and so is a crash of the caller in the middle of it.
 *
 *   wait   written when it is refused: how long until a probe may go
 *
 * Returns what fn does, or without calling it:
 * -ECONNREFUSED   the breaker is open
 * others          as cop_call: there is no breaker, say
 */
int breaker_call(cop_pid server, int (*fn)(void *env), void *env, cop_time *wait);

#endif
