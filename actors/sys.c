/*
 * actors/sys.c - what is asked of a server's loop and not of its callbacks: OTP's sys.
 *
 * Room: actors/. Knows the runtime. The public functions run in whoever asks, the rest in the server.
 * Touch freely: nothing is kept between two requests. Ask first: what a suspended server still does;
 * it is OTP's, and genserver.c's loop.
 *
 * A request is a call, so that the server owes an answer whatever becomes of it; its node is marked,
 * which no user's can be, so that the loop finds it by one look at a byte that it has at hand. It
 * takes no place in a bounded mailbox: else a server that was suspended with a full one could not be
 * told to go on.
 */
#include "actors/sys.h"

#include "actors/debug.h"
#include "runtime/memory.h"
#include "runtime/request.h"

#include <coppice/genserver.h>
#include <coppice/inspect.h>

#include <errno.h>

/* Reserved tags, as all of the library's. */
#define GET_STATE     0xffff0201u
#define REPLACE_STATE 0xffff0202u
#define SUSPEND       0xffff0203u
#define RESUME        0xffff0204u
#define TERMINATE     0xffff0205u
#define GET_STATUS    0xffff0206u
#define TRACE         0xffff0207u
#define LOG           0xffff0208u
#define GET_LOG       0xffff0209u
#define COUNT         0xffff020au
#define GET_COUNTS    0xffff020bu
#define INSTALL       0xffff020cu
#define REMOVE        0xffff020du
#define NO_DEBUG      0xffff020eu

/* The body of a request with a function; the argument's bytes follow. */
struct with_function {
    union {
        cop_sys_replace_fn replace;
        cop_sys_fn debug;
    } fn;
};

/* The start of the answer to GET_LOG; the events follow. */
struct log {
    size_t count;
};

/* ---------------------------------------------------------------- what is the state */

void
copi_sys_show_state(void *state, size_t size)
{
    copi_here.process->shown = (struct copi_shown){.data = state, .size = size};
}

void
copi_sys_hide_state(void)
{
    copi_here.process->shown = (struct copi_shown){.hidden = true};
}

void
copi_sys_show_machine(const char *type, void *data, size_t size)
{
    copi_here.process->shown = (struct copi_shown){.data = data, .size = size, .type = type};
}

void
copi_sys_show_state_name(const char *name)
{
    copi_here.process->shown.state_name = name;
}

/* ---------------------------------------------------------------- answers */

static void
give(struct copi_process *self, struct copi_message *reply)
{
    const struct copi_message *request = self->current;
    if (reply) {
        copi_request_answer(self, request->from, request->ref, reply);
    } else {
        copi_request_fail(self, request->from, request->ref, -ENOMEM);
    }
}

static void
answer_with(struct copi_process *self, const void *bytes, size_t size)
{
    void *body;
    struct copi_message *reply = copi_message_blank(COPI_REPLY, 0, size, &body);
    if (reply && size > 0) {
        memcpy(body, bytes, size);
    }
    give(self, reply);
}

static void
refuse(struct copi_process *self, int code, const cop_reason *why)
{
    struct copi_refusal refusal = {.code = code, .reason = *why};
    struct copi_message *reply = copi_message_new(COPI_REFUSAL, 0, sizeof refusal);
    if (reply) {
        memcpy(reply->body, &refusal, sizeof refusal);
    }
    give(self, reply);
}

/* 0 is an answer without bytes. */
static void
answer(struct copi_process *self, int code)
{
    if (code == 0) {
        answer_with(self, NULL, 0);
    } else {
        refuse(self, code, &COP_REASON_NORMAL);
    }
}

/* ---------------------------------------------------------------- the state */

static void
get_state(struct copi_process *self)
{
    if (self->shown.hidden) {
        answer(self, -EOPNOTSUPP);
    } else {
        answer_with(self, self->shown.data, self->shown.size);
    }
}

struct replacement {
    cop_sys_replace_fn fn;
    void *state;
    cop_bytes arg;
    int code;
};

static void
run_replacement(void *arg)
{
    struct replacement *replacement = arg;
    replacement->code = replacement->fn(replacement->state, replacement->arg);
}

static cop_bytes
bytes_behind(const struct with_function *with, size_t size)
{
    size_t rest = size - sizeof *with;
    return (cop_bytes){rest ? with + 1 : NULL, rest};
}

/* In place, so that a state may point into itself; `old` are its bytes, to go back to. */
static void
replace(struct copi_process *self, const void *old, cop_bytes request)
{
    const struct with_function *with = request.data;
    cop_reason why;
    struct replacement replacement = {
        .fn = with->fn.replace,
        .state = self->shown.data,
        .arg = bytes_behind(with, request.size),
    };
    copi_callback_begin(self, "replace_state");
    bool returned = copi_run_caught(self, run_replacement, &replacement, &why);
    copi_callback_end(self);
    if (returned && replacement.code == 0) {
        answer(self, 0);
        return;
    }
    if (returned) {
        int code = replacement.code < 0 ? replacement.code : -EINVAL;
        why = cop_failed(code, NULL);
    }
    if (self->shown.size > 0) {
        memcpy(self->shown.data, old, self->shown.size);
    }
    refuse(self, cop_reason_error(why), &why);
}

static void
replace_state(struct copi_process *self, cop_bytes request)
{
    if (self->shown.hidden) {
        answer(self, -EOPNOTSUPP);
        return;
    }
    void *old = copi_memory_new(self, self->shown.size + 1);
    if (!old) {
        answer(self, -ENOMEM);
        return;
    }
    if (self->shown.size > 0) {
        memcpy(old, self->shown.data, self->shown.size);
    }
    replace(self, old, request);
    cop_free(old);
}

/* ---------------------------------------------------------------- looking */

static const char *
type_of(const struct copi_process *self)
{
    const cop_genserver *server = self->what;
    return self->shown.type ? self->shown.type : server->type;
}

static void
get_status(struct copi_process *self, bool is_suspended)
{
    cop_process_info info = {0};
    cop_inspect(self->pid, &info);
    cop_sys_status status = {
        .pid = self->pid,
        .parent = copi_parent(self),
        .kind = self->behaviour->kind,
        .type = type_of(self),
        .is_suspended = is_suspended,
        .traps_exits = copi_load_relaxed_32(&self->traps) != 0,
        .has_state = !self->shown.hidden,
        .state_size = self->shown.size,
        .state_name = self->shown.state_name,
        .mailbox = info.mailbox,
    };
    memcpy(status.name, info.name, sizeof status.name);
    copi_debug_describe(self, &status);
    answer_with(self, &status, sizeof status);
}

static void
get_log(struct copi_process *self, cop_bytes request)
{
    size_t capacity;
    memcpy(&capacity, request.data, sizeof capacity);
    struct log log = {.count = copi_debug_log_count(self)};
    size_t fit = log.count < capacity ? log.count : capacity;
    void *body;
    struct copi_message *reply =
        copi_message_blank(COPI_REPLY, 0, sizeof log + fit * sizeof(cop_sys_event), &body);
    if (reply) {
        memcpy(body, &log, sizeof log);
        copi_debug_copy_log(self, (cop_sys_event *)(void *)((char *)body + sizeof log), fit);
    }
    give(self, reply);
}

static void
get_counts(struct copi_process *self)
{
    cop_sys_counts counts;
    int r = copi_debug_counts(self, &counts);
    if (r) {
        answer(self, r);
    } else {
        answer_with(self, &counts, sizeof counts);
    }
}

/* ---------------------------------------------------------------- in the server */

static bool
flag_in(cop_bytes request)
{
    return *(const bool *)request.data;
}

static size_t
size_in(cop_bytes request)
{
    return *(const size_t *)request.data;
}

static enum copi_sys_outcome
handle_life(struct copi_process *self, cop_msg request, cop_reason *reason)
{
    answer(self, 0);
    switch (request.tag) {
    case SUSPEND:
        return COPI_SYS_SUSPEND;
    case RESUME:
        return COPI_SYS_RESUME;
    default:
        memcpy(reason, request.body.data, sizeof *reason);
        return COPI_SYS_TERMINATE;
    }
}

static void
handle_debug(struct copi_process *self, cop_msg request)
{
    const struct with_function *with = request.body.data;
    switch (request.tag) {
    case TRACE:
        answer(self, copi_debug_trace(self, flag_in(request.body)));
        break;
    case LOG:
        answer(self, copi_debug_log(self, size_in(request.body)));
        break;
    case COUNT:
        answer(self, copi_debug_count(self, flag_in(request.body)));
        break;
    case INSTALL:
        answer(self,
               copi_debug_install(self, with->fn.debug, bytes_behind(with, request.body.size)));
        break;
    case REMOVE:
        copi_debug_remove(self, with->fn.debug);
        answer(self, 0);
        break;
    case NO_DEBUG:
        copi_debug_remove_all(self);
        answer(self, 0);
        break;
    }
}

enum copi_sys_outcome
copi_sys_handle(struct copi_process *self, bool is_suspended, cop_reason *reason)
{
    cop_msg request = copi_message_view(self->current);
    switch (request.tag) {
    case SUSPEND:
    case RESUME:
    case TERMINATE:
        return handle_life(self, request, reason);
    case GET_STATE:
        get_state(self);
        break;
    case REPLACE_STATE:
        replace_state(self, request.body);
        break;
    case GET_STATUS:
        get_status(self, is_suspended);
        break;
    case GET_LOG:
        get_log(self, request.body);
        break;
    case GET_COUNTS:
        get_counts(self);
        break;
    default:
        handle_debug(self, request);
    }
    return COPI_SYS_AS_BEFORE;
}

/* ---------------------------------------------------------------- who asks */

static int
make_request(struct copi_process **self, uint32_t tag, cop_bytes first, cop_bytes rest,
             struct copi_message **request)
{
    int r = copi_enter_exit_point(self);
    if (r) {
        return r;
    }
    if (rest.size > 0 && !rest.data) {
        return copi_fail(-EINVAL);
    }
    void *body;
    *request = copi_message_blank(COPI_CALL, tag, first.size + rest.size, &body);
    if (!*request) {
        return copi_fail(-ENOMEM);
    }
    (*request)->flags |= COPI_SYSTEM;
    if (first.size > 0) {
        memcpy(body, first.data, first.size);
    }
    if (rest.size > 0) {
        memcpy((char *)body + first.size, rest.data, rest.size);
    }
    return 0;
}

static int
ask(cop_pid server, uint32_t tag, cop_bytes first, cop_bytes rest, cop_time timeout)
{
    struct copi_process *self;
    struct copi_message *request = NULL;
    int r = make_request(&self, tag, first, rest, &request);
    return r ? r : copi_request_bytes(self, server, request, timeout, NULL, 0);
}

static int
ask_for(cop_pid server, uint32_t tag, void *out, size_t size, cop_time timeout)
{
    struct copi_process *self;
    struct copi_message *request = NULL;
    int r = make_request(&self, tag, (cop_bytes){0}, (cop_bytes){0}, &request);
    return r ? r : copi_request_bytes(self, server, request, timeout, out, size);
}

int
cop_sys_get_state(cop_pid server, void *out, size_t size, cop_time timeout)
{
    return ask_for(server, GET_STATE, out, size, timeout);
}

int
cop_sys_replace_state(cop_pid server, cop_sys_replace_fn fn, cop_bytes arg, cop_time timeout)
{
    struct with_function with = {.fn.replace = fn};
    return fn ? ask(server, REPLACE_STATE, COP_BYTES(with), arg, timeout) : copi_fail(-EINVAL);
}

int
cop_sys_suspend(cop_pid server, cop_time timeout)
{
    return ask_for(server, SUSPEND, NULL, 0, timeout);
}

int
cop_sys_resume(cop_pid server, cop_time timeout)
{
    return ask_for(server, RESUME, NULL, 0, timeout);
}

int
cop_sys_terminate(cop_pid server, cop_reason reason, cop_time timeout)
{
    if (reason.kind > COP_FAILED) {
        return copi_fail(-EINVAL);
    }
    return ask(server, TERMINATE, COP_BYTES(reason), (cop_bytes){0}, timeout);
}

int
cop_sys_get_status(cop_pid server, cop_sys_status *out, cop_time timeout)
{
    return ask_for(server, GET_STATUS, out, sizeof *out, timeout);
}

int
cop_sys_trace(cop_pid server, bool on, cop_time timeout)
{
    return ask(server, TRACE, COP_BYTES(on), (cop_bytes){0}, timeout);
}

int
cop_sys_log(cop_pid server, size_t events, cop_time timeout)
{
    enum {
        MOST = 1000000
    };
    return events <= MOST ? ask(server, LOG, COP_BYTES(events), (cop_bytes){0}, timeout)
                          : copi_fail(-EINVAL);
}

int
cop_sys_get_log(cop_pid server, cop_sys_event *out, size_t capacity, size_t *count,
                cop_time timeout)
{
    struct copi_process *self;
    struct copi_message *request = NULL, *reply;
    int r = make_request(&self, GET_LOG, COP_BYTES(capacity), (cop_bytes){0}, &request);
    if (r == 0) {
        r = copi_request(self, server, request, timeout, &reply);
    }
    if (r) {
        return r;
    }
    cop_bytes body = copi_message_view(reply).body;
    const struct log *log = body.data;
    if (body.size > sizeof *log) {
        memcpy(out, log + 1, body.size - sizeof *log);
    }
    *count = log->count;
    copi_message_free(reply);
    return 0;
}

int
cop_sys_statistics(cop_pid server, bool on, cop_time timeout)
{
    return ask(server, COUNT, COP_BYTES(on), (cop_bytes){0}, timeout);
}

int
cop_sys_get_statistics(cop_pid server, cop_sys_counts *out, cop_time timeout)
{
    return ask_for(server, GET_COUNTS, out, sizeof *out, timeout);
}

int
cop_sys_install(cop_pid server, cop_sys_fn fn, cop_bytes own, cop_time timeout)
{
    struct with_function with = {.fn.debug = fn};
    return fn ? ask(server, INSTALL, COP_BYTES(with), own, timeout) : copi_fail(-EINVAL);
}

int
cop_sys_remove(cop_pid server, cop_sys_fn fn, cop_time timeout)
{
    struct with_function with = {.fn.debug = fn};
    return fn ? ask(server, REMOVE, COP_BYTES(with), (cop_bytes){0}, timeout) : copi_fail(-EINVAL);
}

int
cop_sys_no_debug(cop_pid server, cop_time timeout)
{
    return ask_for(server, NO_DEBUG, NULL, 0, timeout);
}
