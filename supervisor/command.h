/*
 * supervisor/command.h - children that are programs.
 *
 * Room: supervisor/.
 */
#ifndef COPI_SUPERVISOR_COMMAND_H
#define COPI_SUPERVISOR_COMMAND_H

#include <coppice/base.h>

struct copi_command {
    const char *const *argv; /* borrowed for as long as the process lives */
    cop_time shutdown;       /* of its cop_child_spec, as it stands there */
};

/*
 * The process that a command is to everybody else, a cop_process_fn: its argument is a
 * struct copi_command, and it ends when the program does, as cop_child_spec promises.
 *
 * When it is asked to stop it sends SIGTERM to the program's group and waits for the shutdown time;
 * a program that has not ended by then is killed, and the reason is KILLED, as if the supervisor had
 * been first. However this process ends, nothing is left of the program's group.
 */
int copi_command_run(cop_bytes arg);

#endif
