/*
 * coppice/agent.h - agents: state that one process owns, and functions that visit it. Elixir's
 * Agent.
 *
 * The functions run in the agent, one at a time; they get the state and a copy of `arg`. One that
 * crashes takes the agent with it. When not to use one: when the state has rules of its own, write
 * a genserver.
 *
 * Errors of all calls: as cop_call's.
 *
 * Threads: any.  Blocks.  Exit point: yes; cop_agent_cast is as cop_cast.
 */
#ifndef COPPICE_AGENT_H
#define COPPICE_AGENT_H

#include <coppice/process.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*cop_agent_update_fn)(void *state, cop_bytes arg);
typedef void (*cop_agent_get_fn)(const void *state, cop_bytes arg, void *out);
typedef void (*cop_agent_swap_fn)(void *state, cop_bytes arg, void *out);

typedef struct cop_agent_spec {
    cop_bytes initial; /* copied: the state's first bytes */
    /* Instead of, or after, initial; not 0: the start fails */
    int (*init)(void *state, cop_bytes arg);
    size_t state_size;         /* 0: initial.size. Larger: the rest is zeroed */
    void (*drop)(void *state); /* when the agent ends, however it ends */
} cop_agent_spec;

/*
 * Start an agent; Agent.start, and start_link with .link = true. Returns when its state is there.
 *
 *   initial   copied: the state
 *   drop      run on the state when the agent ends, however it ends; NULL: the state owns nothing
 *   opts      NULL: the defaults
 *
 * -EINVAL   an initial size without data
 * Other errors as cop_genserver_start_with, and then drop does not run.
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_agent_start_with(cop_pid *out, cop_bytes initial, void (*drop)(void *state),
                                 const cop_start_opts *opts);
/* cop_agent_start(out, initial, options...) */
#define cop_agent_start(out, ...) COP_AGENT_START_(out, __VA_ARGS__, .size = sizeof(cop_start_opts))
#define COP_AGENT_START_(out, initial, ...) \
 cop_agent_start_with((out), (initial), NULL, &(cop_start_opts){__VA_ARGS__})

/* The same from a specification: with an init function, as a supervisor does. */
COP_API int cop_agent_start_spec(cop_pid *out, const cop_agent_spec *spec,
                                 const cop_start_opts *opts);

/* A copy of the whole state; Agent.get with the identity. -EMSGSIZE: the state has another size. */
COP_API int cop_agent_get(cop_pid agent, void *out, size_t size, cop_time timeout);

/* What fn makes of the state; Agent.get. fn writes `size` bytes, zeroed before. */
COP_API int cop_agent_get_with(cop_pid agent, cop_agent_get_fn fn, cop_bytes arg, void *out,
                               size_t size, cop_time timeout);

/* Change the state and wait until it is done; Agent.update. */
COP_API int cop_agent_update(cop_pid agent, cop_agent_update_fn fn, cop_bytes arg,
                             cop_time timeout);

/* Both in one step; Agent.get_and_update. */
COP_API int cop_agent_get_and_update(cop_pid agent, cop_agent_swap_fn fn, cop_bytes arg, void *out,
                                     size_t size, cop_time timeout);

/* Change the state without waiting; Agent.cast. Errors as cop_cast. */
COP_API int cop_agent_cast(cop_pid agent, cop_agent_update_fn fn, cop_bytes arg);

/* Stop it with NORMAL and wait; Agent.stop. Twice is safe. Errors as cop_stop_process. */
COP_API int cop_agent_stop(cop_pid agent, cop_time timeout);

#ifdef __cplusplus
}
#endif
#endif
