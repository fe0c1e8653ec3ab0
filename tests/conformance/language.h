/*
 * tests/conformance/language.h - a supervision scenario as data, and how its text becomes that.
 *
 * Room: tests/. Knows the public API's types only.
 *
 * A scenario is a tree of declarations and a list of actions (README.md tells the language). Everything
 * here lives as long as the program and does not change once it is read.
 */
#ifndef COPI_TESTS_CONFORMANCE_LANGUAGE_H
#define COPI_TESTS_CONFORMANCE_LANGUAGE_H

#include <coppice.h>

#include <stdio.h>

/* What the n-th call of a start function does; the last one stands for all later calls. */
struct outcome {
    unsigned gates; /* to be passed before */
    enum {
        START_OK,
        START_IGNORE,
        START_FAIL,
        START_DIE,
    } kind;
    const char *reason; /* of START_FAIL and START_DIE */
};

/* What a worker does that is asked to stop. */
struct stop_mode {
    enum {
        STOP_OK,
        STOP_SLOW,
        STOP_EXIT,
        STOP_NEVER,
    } kind;
    cop_time slow;
    const char *reason;
};

/* A shutdown of no time at all; the library takes zero for its default. */
#define SHORTEST ((cop_time)1)

enum declared {
    DECLARED_SUP,
    DECLARED_CHILD,
    DECLARED_SPEC,
};

struct declaration {
    enum declared as;
    const char *name;
    const char *in; /* NULL: the root, or a spec */
    unsigned line;
    cop_restart restart;
    cop_time shutdown; /* as in a cop_child_spec, but never 0 */
    bool significant;
    bool supervises; /* its type, as it is reported */
    struct outcome *outcomes;
    size_t outcome_count;
    struct stop_mode stop;
    /* of supervisors */
    cop_strategy strategy;
    unsigned intensity, period;
    cop_auto_shutdown auto_shutdown;
    size_t max_children; /* as in a cop_supervisor_spec */
};

enum verb {
    DO_START, /* what comes before the first action */
    DO_EXIT,
    DO_KILL,
    DO_UNLINK,
    DO_START_CHILD,
    DO_TERMINATE_CHILD,
    DO_RESTART_CHILD,
    DO_DELETE_CHILD,
    DO_GET_CHILDSPEC,
    DO_WHICH_CHILDREN,
    DO_COUNT_CHILDREN,
    DO_STOP,
    DO_PARENT_EXIT,
    DO_FOREIGN_EXIT,
    DO_MESSAGE,
    DO_RELEASE,
    DO_SLEEP,
    DO_END, /* what comes after the last one */
};

struct action {
    enum verb verb;
    const char *words;  /* as the trace shows it */
    const char *name;   /* the process or supervisor that it is about */
    const char *object; /* a child's name, or a word */
    const char *reason;
    cop_time pause;
};

/* A supervisor whose children come by request only; they have no identifiers. NULL is none. */
bool is_dynamic(const struct declaration *supervisor);

struct scenario {
    struct declaration *declarations;
    size_t declaration_count;
    struct action *actions;
    size_t action_count;
    const struct declaration *root;
};

/* Reads the file. One that is no scenario is told on standard error, with the line, and ends the
 * program with status 1. */
void scenario_read(struct scenario *scenario, const char *path);

/* The same from what is open already. */
void scenario_read_from(struct scenario *scenario, FILE *stream, const char *path);

/* What the name stands for; NULL: nothing. Of a name that was written twice, the last. */
const struct declaration *declaration_of(const struct scenario *scenario, const char *name);

/* What call number `call` of its start function does; they count from 1. */
const struct outcome *outcome_of(const struct declaration *declaration, unsigned call);

#endif
