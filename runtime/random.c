/*
 * runtime/random.c - chance, and bytes that nobody can guess, for users.
 *
 * Room: runtime/. Any thread.
 * Ask first: what is answered while the system has no randomness yet. Chance cannot fail, as nobody could do anything
 * about it, and is then made of the clock; a secret made of the clock would be none, so that is refused.
 */
#include "runtime/process.h"
#include "runtime/thread.h"

#include <coppice/random.h>

uint64_t
cop_random(void)
{
    return copi_random();
}

/* As many numbers as are left over when all are dealt out evenly are drawn again. */
uint64_t
cop_random_below(uint64_t limit)
{
    uint64_t left_over = limit > 0 ? (0 - limit) % limit : 0, number = copi_random();
    while (number < left_over) {
        number = copi_random();
    }
    return limit > 0 ? number % limit : number;
}

int
cop_random_bytes(void *to, size_t size)
{
    int error = copi_random_bytes(to, size);
    if (error == -EAGAIN) {
        return copi_fail_why(&(cop_reason){COP_FAILED, -EAGAIN, "low_entropy"}, -EAGAIN);
    }
    return error ? copi_fail(error) : 0;
}
