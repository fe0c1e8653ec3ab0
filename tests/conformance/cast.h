/*
 * tests/conformance/cast.h - who plays: the processes of a scenario, under the names of the trace.
 *
 * A label is a name of the file (or of an instance) with what it has done so far; a player is one
 * process, such as a#2. Players are never forgotten and do not move, so a pointer to one is always
 * good; what is in it changes under the lock.
 *
 * There is one lock. The library's observer takes it, too, so the library must not be called with it
 * held, but for cop_inspect and cop_now.
 */
#ifndef COPI_TESTS_CONFORMANCE_CAST_H
#define COPI_TESTS_CONFORMANCE_CAST_H

#include "tests/conformance/language.h"

struct label {
    const char *name;
    unsigned calls;                   /* of its start function */
    const struct declaration *parent; /* the supervisor that called last; NULL: the root's */
    struct player *last;              /* process made */
};

/* What a supervisor said when it was asked, to see whether it is busy. */
enum answer {
    NOT_ASKED,
    ASKED,
    SETTLED,
    UNSETTLED, /* a child has ended or is between two attempts, and it has not done about it yet */
};

/* What a supervisor has to do about a child that died before it was up itself; see start.c. */
enum early {
    NOTHING_EARLY,
    REPORT_OWED,
    RESTART_OWED, /* and the report made */
};

struct player {
    /* as it was made */
    cop_pid pid;
    struct label *label;
    unsigned number;
    cop_pid parent; /* the process that ran its start function */
    const struct declaration *as;
    /* guarded by the lock */
    bool is_alive;
    bool is_up;          /* its start function has returned it */
    bool is_starting;    /* a child, at this moment */
    bool is_leaving;     /* a worker that is going to end by itself */
    bool is_unlinked;    /* a worker from its supervisor */
    enum early early;    /* a supervisor */
    bool knows_orphaned; /* a worker that has heard of the end of its supervisor, and goes on */
    unsigned starts;     /* start functions that ran in it */
    size_t told;         /* what was sent to it: ends of its parent and children, and by actions */
    enum answer answer;
    /* main's: when everything was at rest */
    struct {
        unsigned starts;
        size_t told, mailbox;
    } rested;
};

void cast_lock(void);
void cast_unlock(void);

/* Until something has happened in the life of a supervisor; the lock is given up meanwhile. */
void cast_wait_locked(void);
void cast_changed_locked(void);

/* ---------------------------------------------------------------- with the lock held */

struct label *label_of_locked(const char *name);

/* NULL: not one of ours. */
struct player *player_of_locked(cop_pid pid);

/* The live process of that name with the highest number; NULL: none lives. */
struct player *newest_locked(const char *name);

/* In the order in which they were made. */
size_t player_count_locked(void);
struct player *player_at_locked(size_t i);

/* It has restarted that child, or cannot now. */
void see_to_it_locked(struct player *supervisor);

/* `parent` has ended; its children are told by their links. */
void tell_children_locked(cop_pid parent);

struct player *player_add_locked(struct player player);

/* ---------------------------------------------------------------- without it */

struct player *newest(const char *name);

/* As the trace shows it: a#2, `undefined` for COP_NOBODY. On the heap. */
char *shown(cop_pid pid);

#endif
