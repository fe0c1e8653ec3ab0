/*
 * coppice/observe.h - the program seen from outside: a picture of its tree, for people and their tools.
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_OBSERVE_H
#define COPPICE_OBSERVE_H

#include <coppice/inspect.h>
#include <coppice/supervisor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_picture_node {
    cop_pid pid;
    size_t parent;  /* the index of the node above it, which comes earlier; a root: its own index */
    unsigned depth; /* a root: 0 */
    cop_process_info info;
} cop_picture_node;

typedef struct cop_picture {
    cop_time taken;  /* when, by cop_now */
    cop_time uptime; /* since the library's first use */
    char program[64];
    int os_pid;
    uint64_t restarts; /* by all supervisors, since the library's first use */
    unsigned disowned, tainted;
    /* Each above those below it, siblings in the order of their places */
    const cop_picture_node *nodes;
    size_t count;
    const cop_live_count *live; /* as cop_live */
    size_t live_count;
} cop_picture;

/*
 * Look at all processes, as the tree in which they stand: a supervisor's children below it, others below
 * who started them with .link, and who has nobody above him, or nobody who lives, a root. As with
 * Erlang's observer, but nobody is asked: it works when everybody is stuck, and disturbs nobody.
 *
 * Each is looked at for itself, as by cop_inspect, one after the other while all of them run: who has ended
 * meanwhile is left out, and figures of two processes need not fit.
 *
 *   out   the picture, to be given back by cop_picture_free
 *
 * -ENOMEM
 * -EPERM    in the child of a fork
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_picture_take(cop_picture **out);

/* NULL does nothing.  Threads: any, also another than took it. */
COP_API void cop_picture_free(cop_picture *picture);

/* ---------------------------------------------------------------- over a socket */

typedef struct cop_observer_spec {
    const char *path; /* required: where it listens */
    bool actions;     /* whether it also does what it is asked to do to a process */
    /* How many may look at a time. 0: 16; at most 256. When there are as many, others wait until one leaves,
     * or has asked nothing for as long as: */
    unsigned max_connections;
    /* Who has not read an answer to its end in this time is closed, too. 0: 10 s */
    cop_time patience;
    void *reserved[4];
} cop_observer_spec;

/*
 * A child, with "observer" as id, that lets tools outside look at the program, coppice-top for one. It
 * listens at a Unix socket, for the program's own user only (mode 0600). A socket that its last owner has
 * left behind is replaced; where somebody listens the start fails with -EADDRINUSE.
 *
 * Words that are not known are refused in one line. Nobody in the program waits for who asks or reads slowly.
 *
 *   spec   borrowed for as long as the tree may start it, with what it points to
 *
 * The start also fails with -EINVAL: no path, too many connections, a negative patience; -ENAMETOOLONG: a path
 * of more than 107 bytes; and as bind does: -ENOENT, -EACCES.
 *
 * What is said over the socket, in lines of words with a tab between them. In a word, a tab, a line end, a
 * backslash and what else is no printable character are "\t", "\n", "\\" and "\x" with two digits. There may
 * be more words in a line, and other lines, than are known to a reader: it passes over them.
 *
 *     coppice-observer 1 PROGRAM OSPID [ACTION …]     from the observer, first
 *
 *     picture          cop_picture_take: "columns NAME …", then "process WORD …" for each, in the order of the
 *                      tree, a word for each column; "total NAME NUMBER" and "live KIND NUMBER"
 *     events PID [N]   cop_recorder_read: "event TIME WORDS" for each of the last N records, 20 or up to 200,
 *                      the oldest first. PID may be a name, too, here and below
 *     crash PID        kill it
 *     stop PID         cop_stop_process with SHUTDOWN, which a supervisor undoes
 *     suspend PID, resume PID   cop_sys_suspend, cop_sys_resume
 *
 * The last four only with .actions, and not to threads that the library did not start.
 *
 * An answer begins with "ok" or "error WORDS", and ends with an empty line. Times are nanoseconds by cop_now.
 * The next question may be sent before the answer has come. A question has at most 255 bytes.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_child_spec cop_observer_child(const cop_observer_spec *spec);

#ifdef __cplusplus
}
#endif
#endif
