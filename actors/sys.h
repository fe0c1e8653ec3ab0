/*
 * actors/sys.h - what is asked of a server's loop and not of its callbacks.
 *
 * Room: actors/. The server only.
 */
#ifndef COPI_ACTORS_SYS_H
#define COPI_ACTORS_SYS_H

#include "runtime/process.h"

/*
 * Say what is the calling server's state to those who look at it from outside: for servers whose
 * users know of other bytes than the genserver's block, in init. Hidden: it is not for users at all.
 */
void copi_sys_show_state(void *state, size_t size);
void copi_sys_hide_state(void);

/* The same for a state machine: its data, its own type, and the name of the state that it is in. */
void copi_sys_show_machine(const char *type, void *data, size_t size);
void copi_sys_show_state_name(const char *name);

static inline bool
copi_sys_is_request(const struct copi_message *message)
{
    return (message->flags & COPI_SYSTEM) != 0;
}

enum copi_sys_outcome {
    COPI_SYS_AS_BEFORE,
    COPI_SYS_SUSPEND,
    COPI_SYS_RESUME,
    COPI_SYS_TERMINATE,
};

/* Do what self->current asks, and answer it. *reason: set if it is to terminate. */
enum copi_sys_outcome copi_sys_handle(struct copi_process *self, bool is_suspended,
                                      cop_reason *reason);

#endif
