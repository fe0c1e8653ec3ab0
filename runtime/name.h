/*
 * runtime/name.h - names for processes.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_NAME_H
#define COPI_RUNTIME_NAME_H

#include <coppice/name.h>

struct copi_process;

enum {
    COPI_NAME_SIZE = 64
};

/* Who has the name that a pid of cop_named stands for, or COP_NOBODY. Takes no lock. */
cop_pid copi_name_holder(cop_pid named);

/* 0, or -EINVAL: empty or too long. NULL is no name, and 0. */
int copi_name_check(const char *name);

/* Give a process its name before it runs: -EEXIST, -EINVAL, -ENOMEM. */
int copi_name_claim(struct copi_process *process, const char *name);

/* The process ends: its name is free. */
void copi_name_release(struct copi_process *process);

/* Note a number with a name, for as long as `holder` has it. -ESRCH: it does not. */
int copi_name_note(const char *text, cop_pid holder, uint32_t number);

/* What is noted of the name's holder of now; false: nothing. Takes no lock. */
bool copi_name_noted(const char *text, uint32_t *number);

/* Tell the flight recorder its name, if it has one. */
void copi_name_show(struct copi_process *process);

/* Its name, or "" if it has none. */
void copi_name_of(struct copi_process *process, char out[COPI_NAME_SIZE]);

/* The same without a copy or a lock, for a fault's report; NULL: none. */
const char *copi_name_peek(const struct copi_process *process);

#endif
