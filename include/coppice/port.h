/*
 * coppice/port.h - a command's input and output as messages; Port, open_port.
 *
 * A port is a program with a process that owns it. What the program writes to its standard output comes to
 * the owner, one message for each request, as a socket's does (coppice/socket.h); what is sent to the port
 * it reads from its standard input. When all that it has said was heard and it has ended, the owner is told
 * how. When the owner ends, or closes the port, the program is killed, and with it its process group.
 *
 * Its standard input and output are one end of a pair of Unix sockets: they are read and written as usual,
 * but cannot be opened anew by a name such as /dev/stdout. Everything else is as for a supervisor's command
 * (cop_child_spec): a group of its own, fresh signals, nothing of ours open, and it does not outlive this
 * program.
 *
 *     cop_port port;
 *     const char *const argv[] = {"sort", "-n", NULL};
 *     cop_port_open(&port, argv, .framing = COP_FRAME_LINE);
 *     cop_port_send(port, COP_TEXT("3\n1\n2\n"), COP_FOREVER);
 *     cop_port_close_input(port);
 *     while (cop_port_active_once(port) == 0 && cop_receive(&msg, COP_FOREVER) == 0
 *            && cop_port_data_of(msg, NULL, &line)) {
 *         ...
 *     }
 *
 * For a program that is only to run, see .command of cop_child_spec: supervised, restarted, stopped gently.
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_PORT_H
#define COPPICE_PORT_H

#include <coppice/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_port {
    uint64_t id;
} cop_port;

typedef struct cop_port_opts {
    size_t size; /* set by the macro */
    cop_framing framing;
    size_t max_frame, send_limit; /* as cop_socket_opts */
    bool merge_stderr; /* its standard error comes with its standard output; else it is ours */
    void *reserved[2];
} cop_port_opts;

/* What an owner gets; `from` is COP_NOBODY. */
#define COP_MSG_PORT_DATA     0xffff0038u /* it has said something: cop_port_data_of */
#define COP_MSG_PORT_END      0xffff0039u /* struct cop_port_end: it says no more */
#define COP_MSG_PORT_WRITABLE 0xffff003au /* cop_port: there is room to send again */

/* The body of COP_MSG_PORT_END. The port stays open until it is closed, or its owner ends. */
struct cop_port_end {
    cop_port port;
    int error;  /* 0: it has ended. -EMSGSIZE, -EBADMSG, -ENOMEM: as cop_closed, and it may run on.
                   -ECHILD: it has ended, but this program has reaped it elsewhere: nobody knows how */
    int status; /* its exit status, 0 to 255 */
    int signal; /* not 0: this ended it, and status says nothing */
};

/* As cop_data_of. */
COP_API bool cop_port_data_of(cop_msg msg, cop_port *port, cop_bytes *bytes);

/*
 * Start a program; open_port with {spawn_executable, ...}, exit_status.
 *
 *   out    the caller's
 *   argv   NULL-terminated; argv[0] is looked up in PATH unless it has a slash. Borrowed
 *   opts   NULL: the defaults
 *
 * -ENOENT, -EACCES, -ENOEXEC, -ENAMETOOLONG, -E2BIG …   as execve
 * -EINVAL              no argv[0], or an option out of range
 * -EMFILE, -ENFILE, -EAGAIN, -ENOMEM   no room, for now
 * -ENOSYS              a kernel before 5.9
 * -ECANCELED           the library is being shut down
 * -EPERM               in the child of a fork
 *
 * Threads: any.  Blocks until the program runs or could not.  Exit point: no.
 */
COP_API int cop_port_open_with(cop_port *out, const char *const argv[], const cop_port_opts *opts);
/* cop_port_open(out, argv, options...) */
#define cop_port_open(out, ...) COP_PORT_OPEN_(out, __VA_ARGS__, .size = sizeof(cop_port_opts))
#define COP_PORT_OPEN_(out, argv, ...) \
 cop_port_open_with((out), (argv), &(cop_port_opts){__VA_ARGS__})

/* Ask for the next message: a COP_MSG_PORT_DATA or COP_MSG_PORT_END. As cop_socket_active_once. */
COP_API int cop_port_active_once(cop_port port);

/* Send to its standard input; Port.command. As cop_send_bytes: -EPIPE when it reads no more. */
COP_API int cop_port_send(cop_port port, cop_bytes bytes, cop_time timeout);

/* Ask to be told of room, once: COP_MSG_PORT_WRITABLE. As cop_socket_writable_once. */
COP_API int cop_port_writable_once(cop_port port);

/* Its standard input ends after what was sent. As cop_socket_shutdown_write. */
COP_API int cop_port_close_input(cop_port port);

/* Make it another process's; Port.connect. As cop_socket_give. */
COP_API int cop_port_give(cop_port port, cop_pid to);

/*
 * Send a signal to the program's group, SIGTERM say. How it ends is told as always.
 *
 * -EINVAL   no such signal
 * -ESRCH    it has ended
 * -EBADF    no such port, or closed
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_port_signal(cop_port port, int signal);

/* The program's number; Port.info's os_pid. -ESRCH, -EBADF as above. */
COP_API int cop_port_os_pid(cop_port port, int *pid);

/*
 * Close a port; Port.close. A program that still runs is killed, and what it has not read is lost: to let it
 * finish, close its input and wait for its end first.
 *
 * -EBADF    no such port, or closed before
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_port_close(cop_port port);

#ifdef __cplusplus
}
#endif
#endif
