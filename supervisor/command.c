/*
 * supervisor/command.c - children that are programs.
 *
 * Room: supervisor/. Knows the runtime. Runs in the process that stands for the program.
 * Touch freely: the texts of reasons. Ask first: which end is a crash.
 *
 * The program is its leader: when that has ended, the command has, and what it leaves behind in its
 * group is killed, so that the next incarnation does not meet the last one. All of that is one
 * deferred call, which a kill, an exit and a return pass alike.
 */
#include "supervisor/command.h"

#include "runtime/process.h"
#include "runtime/spawner.h"

#include <coppice/memory.h>
#include <coppice/process.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>

enum {
    STATUS_OF_SIGNAL = 128, /* and above: how shells tell of a signal */
};
#define DEFAULT_SHUTDOWN COP_SEC(5)

static void
bury(void *arg)
{
    struct copi_program *program = arg;
    if (program->pidfd >= 0) {
        copi_spawner_bury(program);
    }
}

/* In the process's own memory: when deferred calls run, its frames may be gone. */
static struct copi_program *
prepare(void)
{
    struct copi_program *program = cop_alloc(sizeof *program);
    if (program) {
        program->pidfd = -1;
    }
    return program && cop_at_exit(bury, program) == 0 ? program : NULL;
}

/* In the system's words: they are about the program, not about a call of this library. */
static void
fail_to_start(const struct copi_command *command, int error)
{
    char space[64];
    const char *name = command->argv && command->argv[0] ? command->argv[0] : "";
    const char *why = strerror_r(-error, space, sizeof space);
    cop_exit(cop_failed(error, "{spawn,\"%s\",\"%s\"}", name, why));
}

static int
start(const struct copi_command *command, struct copi_program *program)
{
    int r = cop_cancelled();
    if (r == 0 && (r = copi_spawner_run(command->argv, program))) {
        fail_to_start(command, r);
    }
    return r;
}

/* Once asked, blocking calls are refused, but this one wait is what the request is for. */
static int
stop(const struct copi_command *command, const struct copi_program *program)
{
    copi_store_relaxed_32(&copi_here.process->uncancelled, 1);
    copi_spawner_signal(program, SIGTERM);
    int r = cop_wait_fd(program->pidfd, POLLIN,
                        command->shutdown ? command->shutdown : DEFAULT_SHUTDOWN);
    if (r == -ETIMEDOUT) {
        cop_exit(COP_REASON_KILLED);
    }
    return r;
}

/* `asked`: 0, or why it was to stop. */
static int
tell(const struct copi_program *program, int asked)
{
    struct copi_program_end end;
    int r = copi_spawner_status(program, &end);
    if (r) {
        cop_exit(cop_failed(r, "{exit_status,unknown}"));
    }
    if (asked && end.signal == SIGTERM) {
        return asked;
    }
    if (end.signal) {
        cop_exit(cop_failed(STATUS_OF_SIGNAL + end.signal, "{signal,%d}", end.signal));
    }
    if (end.status) {
        cop_exit(cop_failed(end.status, "{exit_status,%d}", end.status));
    }
    return asked;
}

static int
watch(const struct copi_command *command, const struct copi_program *program)
{
    int asked = cop_wait_fd(program->pidfd, POLLIN, COP_FOREVER);
    int r = asked;
    if (asked == -ECANCELED || asked == -ETIMEDOUT) { /* the process, or its context, is to end */
        r = stop(command, program);
    }
    return r ? r : tell(program, asked);
}

int
copi_command_run(cop_bytes arg)
{
    const struct copi_command *command = arg.data;
    struct copi_program *program = prepare();
    if (!program) {
        return -ENOMEM;
    }
    int r = start(command, program);
    return r ? r : watch(command, program);
}
