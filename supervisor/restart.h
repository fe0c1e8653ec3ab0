/*
 * supervisor/restart.h - what a supervisor does with its children, one and many.
 *
 * Room: supervisor/. The supervisor only.
 */
#ifndef COPI_SUPERVISOR_RESTART_H
#define COPI_SUPERVISOR_RESTART_H

#include "supervisor/supervisor.h"

enum copi_outcome {
    COPI_GO_ON,
    COPI_AUTO_SHUTDOWN, /* the supervisor has done what it was for, and is to end */
    COPI_GIVE_UP,       /* and here it has not */
};

/* What a supervisor says to itself: plain messages, so that they wait behind others. */
#define COPI_TRY_AGAIN  0xfffe0001u /* a cast: the child's ticket, uint64_t */
#define COPI_PAUSE_OVER 0xfffe0002u /* from a timer: the same */

/*
 * Start one that does not run. 0 also when it declines, and then it does not run. Nothing is forgotten.
 *
 * Errors as copi_child_start; *why is the reason. *out, if wanted, as there.
 */
int copi_start_child(struct copi_supervisor *sup, struct copi_child *child, cop_pid *out,
                     cop_reason *why);

/* Whether it stays known when it does not run: neither temporary ones nor dynamic ones do. */
bool copi_is_kept(const struct copi_supervisor *sup, const struct copi_child *child);

/* A start that failed, of whom, and how. */
struct copi_failed_start {
    const char *id; /* the child's own */
    int code;
    cop_reason why;
};

/* Start all, oldest first. One that does not start ends it; those before it run. true: all did. */
bool copi_start_all(struct copi_supervisor *sup, struct copi_failed_start *failed);

/*
 * Stop one, by its rule, whatever its state; one that is not kept is forgotten and freed.
 *
 * -ECANCELED   the supervisor has been killed: let everything be
 */
int copi_stop_child(struct copi_supervisor *sup, struct copi_child *child);

/* Stop all, youngest first, and dynamic ones all at the same time. */
void copi_stop_all(struct copi_supervisor *sup);

/* Forget one that does not run. */
void copi_forget_child(struct copi_supervisor *sup, struct copi_child *child);

/* A process that was linked has ended: a child or somebody else. */
enum copi_outcome copi_process_ended(struct copi_supervisor *sup, cop_pid pid,
                                     const cop_reason *reason);

/* The messages above have come. */
enum copi_outcome copi_try_again(struct copi_supervisor *sup, uint64_t ticket);
enum copi_outcome copi_pause_is_over(struct copi_supervisor *sup, uint64_t ticket);

#endif
