/*
 * coppice/observe.h - the program seen from outside: a picture of its tree, for people and their tools.
 */
#ifndef COPPICE_OBSERVE_H
#define COPPICE_OBSERVE_H

#include <coppice/inspect.h>

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
    const cop_picture_node
        *nodes; /* each above those below it, siblings in the order of their places */
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

#ifdef __cplusplus
}
#endif
#endif
