/*
 * tests/bench/server.h - the server of the benches, and clients of it.
 *
 * Room: tests/.
 */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <coppice.h>

/* A genserver whose state is a count. */
cop_pid server_start(void);

/* n calls, one at a time: each is of an int, from n down to 1, and the answer is one more. The sum is
 * checked. */
void server_call(cop_pid server, int64_t n);

/* n casts of the int 1, which the server adds to its count. */
void server_cast(cop_pid server, int64_t n);

int64_t server_count(cop_pid server);
void server_reset(cop_pid server);

/* A cast that makes it wait, with its thread, until the semaphore is posted. */
void server_block(cop_pid server, void *semaphore);

/* Four clients, released together, each of which does this; then, on the caller, `finish`. */
enum {
    SERVER_CLIENTS = 4
};
cop_time server_clients(cop_pid server, int64_t each, void (*work)(cop_pid server, int64_t n),
                        void (*finish)(cop_pid server, int64_t all));

#endif
