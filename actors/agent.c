/*
 * actors/agent.c - agents: state that one process owns, and functions that visit it.
 *
 * Room: actors/. Knows the runtime, and stands on the genserver.
 *
 * An agent is a genserver. A visit is a request whose body is the function, the size of what it
 * writes, and its argument; the function writes straight into the answer's body, so a result of any
 * size is copied once, by the caller.
 */
#include "actors/debug.h"
#include "actors/genserver.h"
#include "actors/sys.h"
#include "runtime/alloc.h"
#include "runtime/memory.h"
#include "runtime/request.h"
#include "runtime/send.h"

#include <coppice/agent.h>

#include <errno.h>
#include <stdlib.h>

/* Reserved tags, so that nobody else's request is taken for a visit. */
#define GET_WHOLE      0xffff0101u
#define GET            0xffff0102u
#define UPDATE         0xffff0103u
#define GET_AND_UPDATE 0xffff0104u
#define FIRST_TAG      GET_WHOLE
#define LAST_TAG       GET_AND_UPDATE

struct agent {
    void *state;
    size_t size;
    void (*drop)(void *state);
};

/* The start of a visit's body; the argument follows. */
struct visit {
    union {
        cop_agent_get_fn get;
        cop_agent_update_fn update;
        cop_agent_swap_fn swap;
    } fn;
    size_t out_size;
};

/* The start of the genserver's argument; the initial bytes and the argument of init follow. */
struct start {
    int (*init)(void *state, cop_bytes arg);
    void (*drop)(void *state);
    size_t state_size, initial_size, arg_size;
};

/* ---------------------------------------------------------------- in the agent */

static void
drop_state(void *arg)
{
    struct agent *agent = arg;
    agent->drop(agent->state);
}

static size_t
rounded(size_t size)
{
    return (size + 7) & ~(size_t)7; /* what follows stays 8-aligned */
}

static int
set_up(struct agent *agent, const struct start *start)
{
    const char *initial = (const char *)(start + 1), *arg = initial + rounded(start->initial_size);
    agent->size = start->state_size;
    agent->state = copi_memory_new(copi_here.process, start->state_size);
    if (!agent->state) {
        return -ENOMEM;
    }
    copi_sys_show_state(agent->state, agent->size);
    memcpy(agent->state, initial, start->initial_size);
    if (start->init) {
        int r =
            start->init(agent->state, (cop_bytes){start->arg_size ? arg : NULL, start->arg_size});
        if (r) {
            return r < 0 ? r : -EINVAL;
        }
    }
    agent->drop = start->drop;
    return agent->drop ? cop_at_exit(drop_state, agent) : 0;
}

static cop_step
init(void *state, cop_bytes arg)
{
    int r = set_up(state, arg.data);
    return r ? cop_stop(cop_failed(r, NULL)) : cop_ok();
}

static cop_bytes
arg_of(cop_msg msg)
{
    const char *arg = (const char *)msg.body.data + sizeof(struct visit);
    size_t size = msg.body.size - sizeof(struct visit);
    return (cop_bytes){size ? arg : NULL, size};
}

static void
run_visit(struct agent *agent, cop_msg request, void *out)
{
    const struct visit *visit = request.body.data;
    cop_bytes arg = arg_of(request);
    switch (request.tag) {
    case GET_WHOLE:
        memcpy(out, agent->state, agent->size);
        break;
    case GET:
        visit->fn.get(agent->state, arg, out);
        break;
    case UPDATE:
        visit->fn.update(agent->state, arg);
        break;
    case GET_AND_UPDATE:
        visit->fn.swap(agent->state, arg, out);
        break;
    }
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct agent *agent = state;
    struct copi_process *self = copi_here.process;
    if (request.tag < FIRST_TAG || request.tag > LAST_TAG) { /* a call that is no visit */
        copi_request_fail(self, from.pid, from.ref, -EOPNOTSUPP);
        return cop_ok();
    }
    const struct visit *visit = request.body.data;
    size_t size = request.tag == GET_WHOLE ? agent->size : visit->out_size;
    void *out;
    struct copi_message *reply = copi_message_blank(COPI_REPLY, 0, size, &out);
    if (!reply) {
        copi_request_fail(self, from.pid, from.ref, -ENOMEM);
        return cop_ok();
    }
    if (size > 0) {
        memset(out, 0, size);
    }
    self->outgoing = reply; /* found there if the function does not come back */
    run_visit(agent, request, out);
    self->outgoing = NULL;
    if (self->debug) {
        cop_msg view = copi_message_view(reply);
        copi_debug_note(self, COP_SYS_REPLY, from.pid, &view);
    }
    copi_request_answer(self, from.pid, from.ref, reply);
    return cop_ok();
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    struct agent *agent = state;
    if (msg.tag == UPDATE) {
        const struct visit *visit = msg.body.data;
        visit->fn.update(agent->state, arg_of(msg));
    }
    return cop_ok();
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    (void)state, (void)msg; /* Elixir's agents ignore what is not theirs, too */
    return cop_ok();
}

static const cop_genserver agent_server = {
    .state_size = sizeof(struct agent),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
};

static const struct copi_behaviour agent_behaviour = COPI_GENSERVER_CALLED("agent");

/* ---------------------------------------------------------------- starting */

static struct start *
pack(const cop_agent_spec *spec, cop_bytes arg, size_t *size)
{
    size_t initial = rounded(spec->initial.size);
    *size = sizeof(struct start) + initial + arg.size;
    struct start *start = copi_zalloc(*size);
    if (start) {
        *start = (struct start){
            .init = spec->init,
            .drop = spec->drop,
            .state_size =
                spec->state_size > spec->initial.size ? spec->state_size : spec->initial.size,
            .initial_size = spec->initial.size,
            .arg_size = arg.size,
        };
        char *bytes = (char *)(start + 1);
        if (spec->initial.size > 0) {
            memcpy(bytes, spec->initial.data, spec->initial.size);
        }
        if (arg.size > 0) {
            memcpy(bytes + initial, arg.data, arg.size);
        }
    }
    return start;
}

int
cop_agent_start_spec(cop_pid *out, const cop_agent_spec *spec, const cop_start_opts *opts)
{
    cop_bytes arg = copi_start_opts(opts).arg;
    if (!spec || (spec->initial.size > 0 && !spec->initial.data) || (arg.size > 0 && !arg.data)) {
        return copi_fail(-EINVAL);
    }
    size_t size;
    struct start *start = pack(spec, arg, &size);
    return start ? copi_genserver_start(out, &agent_behaviour, &agent_server, start, size, opts)
                 : copi_fail(-ENOMEM);
}

int
cop_agent_start_with(cop_pid *out, cop_bytes initial, void (*drop)(void *state),
                     const cop_start_opts *opts)
{
    return cop_agent_start_spec(out, &(cop_agent_spec){.initial = initial, .drop = drop}, opts);
}

/* ---------------------------------------------------------------- visiting */

static struct copi_message *
make_visit(enum copi_kind kind, uint32_t tag, const struct visit *visit, cop_bytes arg)
{
    void *body;
    struct copi_message *message = copi_message_blank(kind, tag, sizeof *visit + arg.size, &body);
    if (message) {
        memcpy(body, visit, sizeof *visit);
        if (arg.size > 0) {
            memcpy((char *)body + sizeof *visit, arg.data, arg.size);
        }
    }
    return message;
}

static int
visit_and_wait(cop_pid agent, uint32_t tag, struct visit visit, cop_bytes arg, void *out,
               cop_time timeout)
{
    struct copi_process *self;
    int r = copi_enter_exit_point(&self);
    if (r) {
        return r;
    }
    if (arg.size > 0 && !arg.data) {
        return copi_fail(-EINVAL);
    }
    struct copi_message *request = make_visit(COPI_CALL, tag, &visit, arg);
    return request ? copi_request_bytes(self, agent, request, timeout, out, visit.out_size)
                   : copi_fail(-ENOMEM);
}

int
cop_agent_get(cop_pid agent, void *out, size_t size, cop_time timeout)
{
    return visit_and_wait(agent, GET_WHOLE, (struct visit){.out_size = size}, (cop_bytes){0}, out,
                          timeout);
}

int
cop_agent_get_with(cop_pid agent, cop_agent_get_fn fn, cop_bytes arg, void *out, size_t size,
                   cop_time timeout)
{
    return visit_and_wait(agent, GET, (struct visit){.fn.get = fn, .out_size = size}, arg, out,
                          timeout);
}

int
cop_agent_update(cop_pid agent, cop_agent_update_fn fn, cop_bytes arg, cop_time timeout)
{
    return visit_and_wait(agent, UPDATE, (struct visit){.fn.update = fn}, arg, NULL, timeout);
}

int
cop_agent_get_and_update(cop_pid agent, cop_agent_swap_fn fn, cop_bytes arg, void *out, size_t size,
                         cop_time timeout)
{
    return visit_and_wait(agent, GET_AND_UPDATE, (struct visit){.fn.swap = fn, .out_size = size},
                          arg, out, timeout);
}

int
cop_agent_cast(cop_pid agent, cop_agent_update_fn fn, cop_bytes arg)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    if (r) {
        return r;
    }
    if (arg.size > 0 && !arg.data) {
        return copi_fail(-EINVAL);
    }
    struct visit visit = {.fn.update = fn};
    struct copi_message *message = make_visit(COPI_CAST, UPDATE, &visit, arg);
    r = message ? copi_send_message(self, agent, message) : copi_fail(-ENOMEM);
    return r; /* 0 also where there is nobody: as in OTP, not an error */
}

int
cop_agent_stop(cop_pid agent, cop_time timeout)
{
    return cop_stop_process(agent, COP_REASON_NORMAL, timeout);
}
