/*
 * tests/support/last_words.c - what a program has reached is kept also when it dies on purpose.
 *
 * Room: tests/. Only `make coverage` links it, into everything, with --wrap for what stands in WRAP.
 *
 * gcc's counters are written by exit(); who ends by _exit or of a fault would be as if it had never run. A
 * fault's default action is put off by one step: the instruction runs, or the signal comes, a second time,
 * when the handler that asked for it has returned; then the counters are written, and the signal kills.
 */
#include "tests/support/wrap.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

void __gcov_dump(void);  /* NOLINT(bugprone-reserved-identifier): the compiler's */
void __gcov_reset(void); /* NOLINT(bugprone-reserved-identifier) */

_Noreturn void real_exit(int status) REAL(_exit);
_Noreturn void words_exit(int status) WRAP(_exit);
int real_sigaction(int signal, const struct sigaction *act, struct sigaction *old) REAL(sigaction);
int words_sigaction(int signal, const struct sigaction *act, struct sigaction *old) WRAP(sigaction);

static void
write_counters(void)
{
    __gcov_dump();
    __gcov_reset(); /* in a child of vfork they are its parent's, which goes on */
}

_Noreturn void
words_exit(int status)
{
    write_counters();
    real_exit(status);
}

static void
say_last_words(int signal, siginfo_t *info, void *context)
{
    (void)context;
    write_counters();
    if (info->si_code <= 0) {
        (void)raise(signal); /* nobody repeats it */
    }
}

static bool
is_fault(int signal)
{
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL;
}

int
words_sigaction(int signal, const struct sigaction *act, struct sigaction *old)
{
    const struct sigaction last = {
        .sa_sigaction = say_last_words,
        .sa_flags = SA_SIGINFO | (int)SA_RESETHAND | SA_NODEFER | SA_ONSTACK,
    };
    bool is_the_end = is_fault(signal) && act && !old && !(act->sa_flags & SA_SIGINFO)
                      && act->sa_handler == SIG_DFL;
    return real_sigaction(signal, is_the_end ? &last : act, old);
}
