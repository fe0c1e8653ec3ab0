/*
 * runtime/spawner.h - programs: processes of the operating system, each with a group of its own.
 *
 * Room: runtime/. Any thread, but for what says otherwise.
 */
#ifndef COPI_RUNTIME_SPAWNER_H
#define COPI_RUNTIME_SPAWNER_H

#include <coppice/base.h>

#include <sys/types.h>

/* A program that was started and has not been buried: until then its number cannot be another's. */
struct copi_program {
    pid_t pid; /* also its group */
    int pidfd; /* readable when it has ended */
};

/* How it ended. */
struct copi_program_end {
    int status; /* 0 to 255 */
    int signal; /* not 0: this ended it, and status says nothing */
};

/* What a program has as its standard input, output and error: descriptors of the caller's, above 2 and
 * closed by exec; 0: /dev/null, and ours. */
struct copi_program_io {
    int input, output, error;
};

/*
 * Start a program. It inherits standard output and standard error, the environment and the working
 * directory; its standard input is /dev/null, signals are as in a fresh process, and everything else
 * that is open is closed. It is killed when the library's thread that made it ends, and so when this
 * program does, however that happens.
 *
 *   argv      NULL-terminated; argv[0] is looked up in PATH unless it has a slash
 *   program   written on 0 only; the caller's, to bury
 *
 * -EINVAL             no argv[0]
 * -ENOENT, -EACCES, -ENOEXEC, -ENAMETOOLONG, -E2BIG …   as execve
 * -EAGAIN, -ENOMEM, -EMFILE, -ENFILE   the machine has no room
 * -ENOSYS             a kernel before 5.9
 * -ECHILD             it has ended already, and somebody else in this program has reaped it
 * -ECANCELED          the library is being shut down
 * -EPERM              in the child of a fork
 *
 * Threads: any.  Blocks until the program runs or could not.  Exit point: no.
 */
int copi_spawner_run(const char *const argv[], struct copi_program *program);

/* The same, with other descriptors. */
int copi_spawner_run_with(const char *const argv[], const struct copi_program_io *io,
                          struct copi_program *program);

/* A signal to the whole group. */
void copi_spawner_signal(const struct copi_program *program, int signal);

/*
 * How it ended; it stays unburied.
 *
 * -EAGAIN   it runs
 * -ECHILD   somebody else in this program has reaped it: nobody will ever know
 */
int copi_spawner_status(const struct copi_program *program, struct copi_program_end *end);

/* Kill what is left of the group, wait until the program has ended, reap it, close the descriptor. */
void copi_spawner_bury(struct copi_program *program);

/*
 * Reap what has ended and was no child of another thread's: in pid 1, and in a subreaper, where the
 * orphans of others arrive at the main thread.
 */
void copi_spawner_reap_orphans(void);

/* End and join the thread; whatever was not buried is killed. The next run starts another. */
void copi_spawner_stop(void);

#endif
