/*
 * coppice/random.h - chance, and bytes that nobody can guess.
 *
 * All of it is the system's (getrandom): there is no seed to set or to share, and no two processes, threads or
 * children of a fork draw the same. Each call asks the system, which is nothing for a pause or a token, and
 * much for a simulation: that has a generator of its own.
 *
 * Threads: any.  None of them blocks or is an exit point.
 */
#ifndef COPPICE_RANDOM_H
#define COPPICE_RANDOM_H

#include <coppice/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A number by chance, each of the 2^64 as likely as another.
 *
 * For a choice, a sample, a pause that must not be everybody's; not for a secret. It cannot fail: in the first
 * moments of a machine, before the system has any randomness, it is made of the clock.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API uint64_t cop_random(void);

/*
 * A number of 0 to `limit` - 1, each as likely as another; rand:uniform/1, but from 0 on, as arrays are.
 *
 *   limit   0: as cop_random
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API uint64_t cop_random_below(uint64_t limit);

/*
 * Bytes that nobody can guess; crypto:strong_rand_bytes/1. For keys, and for tokens that let somebody in.
 *
 *   to     `size` bytes; on an error what they are is not to be used
 *
 * -EAGAIN   the system has no randomness yet, as it has just been started; cop_why() has OTP's low_entropy
 * -EPERM, -ENOSYS   this program may not ask for it (a filter of system calls)
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_random_bytes(void *to, size_t size);

#ifdef __cplusplus
}
#endif
#endif
