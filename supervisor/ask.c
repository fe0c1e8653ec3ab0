/*
 * supervisor/ask.c - what a supervisor is asked: who asks.
 *
 * Room: supervisor/. Runs in whoever calls.
 * Touch freely: how a request travels. Ask first: what the errors are; they are the public contract.
 *
 * A request is a call. A new child is made by who asks for it, so that what is wrong with its
 * specification, or with the memory for it, is known before the supervisor is troubled; it travels as
 * a moved body, and whoever ends up with it frees it.
 */
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/request.h"
#include "runtime/table.h"
#include "supervisor/requests.h"
#include "supervisor/siblings.h"
#include "supervisor/spec.h"

#include <coppice/supervisor.h>

#include <errno.h>
#include <stdlib.h>

/* cop_call with a tag that it refuses. A moved body is taken whatever happens. */
static int
make_request(struct copi_process **self, cop_msg request, struct copi_message **message)
{
    uint32_t tag = request.tag;
    request.tag = 0;
    int r = copi_enter_exit_point(self);
    if (r == 0 && (r = copi_message_from(message, COPI_CALL, &request)) == 0) {
        (*message)->tag = tag;
        return 0;
    }
    cop_msg_release(&request);
    return copi_fail(r);
}

static int
ask_for(cop_pid supervisor, cop_msg request, void *out, size_t size)
{
    struct copi_process *self;
    struct copi_message *message = NULL;
    int r = make_request(&self, request, &message);
    return r ? r : copi_request_bytes(self, supervisor, message, COP_FOREVER, out, size);
}

static int
ask_for_any(cop_pid supervisor, cop_msg request, cop_msg *reply)
{
    struct copi_process *self;
    struct copi_message *message = NULL, *answer;
    int r = make_request(&self, request, &message);
    r = r ? r : copi_request(self, supervisor, message, COP_FOREVER, &answer);
    if (r == 0) {
        *reply = copi_message_give(answer);
    }
    return r;
}

static int
ask(cop_pid supervisor, cop_msg request, struct copi_answer *answer)
{
    int r = ask_for(supervisor, request, answer, sizeof *answer);
    return r || answer->code == 0 ? r : copi_fail_why(&answer->why, answer->code);
}

/* For a process; *out, if wanted, is who has the name when that was taken. */
static int
ask_for_pid(cop_pid supervisor, cop_msg request, cop_pid *out)
{
    struct copi_answer answer = {0};
    int r = ask(supervisor, request, &answer);
    if (out && (r == 0 || r == -EEXIST)) {
        *out = answer.pid;
    }
    return r;
}

static int
ask_about(cop_pid supervisor, uint32_t tag, const char *id, cop_pid *out)
{
    if (!id) {
        return copi_fail(-EINVAL);
    }
    struct copi_answer answer;
    cop_msg request = {.tag = tag, .body = COP_STR(id)};
    int r = ask(supervisor, request, &answer);
    if (r == 0 && out) {
        *out = answer.pid;
    }
    return r;
}

static void
drop_child(void *child)
{
    copi_child_free(child);
}

static int
make_child(struct copi_child **out, const cop_child_spec *from)
{
    struct copi_child_spec *spec = from ? copi_alloc(sizeof *spec) : NULL;
    if (!spec) {
        return copi_fail(from ? -ENOMEM : -EINVAL);
    }
    int r = copi_child_spec_copy(spec, from);
    if (r == 0 && !(*out = copi_child_new(spec, spec))) {
        copi_child_spec_clear(spec);
        r = copi_fail(-ENOMEM);
    }
    if (r) {
        free(spec);
    }
    return r;
}

int
cop_supervisor_start_child(cop_pid supervisor, const cop_child_spec *child, cop_pid *out)
{
    struct copi_child *made = NULL;
    int r = make_child(&made, child);
    if (r) {
        return r;
    }
    return ask_for_pid(supervisor, COP_MSG_MOVE(COPI_START_CHILD, made, sizeof *made, drop_child),
                       out);
}

int
cop_supervisor_start_instance(cop_pid supervisor, cop_bytes arg, cop_pid *out)
{
    return ask_for_pid(supervisor, (cop_msg){.tag = COPI_START_INSTANCE, .body = arg}, out);
}

int
cop_supervisor_terminate(cop_pid supervisor, cop_pid child)
{
    struct copi_answer answer;
    cop_pid pid = copi_resolve(child); /* a name's holder of now */
    return ask(supervisor, COP_MSG_OF(COPI_TERMINATE, pid), &answer);
}

int
cop_supervisor_terminate_child(cop_pid supervisor, const char *id)
{
    return ask_about(supervisor, COPI_TERMINATE_CHILD, id, NULL);
}

int
cop_supervisor_restart_child(cop_pid supervisor, const char *id, cop_pid *out)
{
    return ask_about(supervisor, COPI_RESTART_CHILD, id, out);
}

int
cop_supervisor_delete_child(cop_pid supervisor, const char *id)
{
    return ask_about(supervisor, COPI_DELETE_CHILD, id, NULL);
}

int
cop_supervisor_count(cop_pid supervisor, cop_child_counts *out)
{
    return ask_for(supervisor, COP_TAG(COPI_COUNT), out, sizeof *out);
}

/* Not what was asked for, so a refusal. */
static int
take_refusal(const cop_msg *reply)
{
    if (reply->body.size != sizeof(struct copi_answer)) {
        return copi_fail(-EMSGSIZE);
    }
    const struct copi_answer *answer = reply->body.data;
    return copi_fail_why(&answer->why, answer->code);
}

static int
take_children(const cop_msg *reply, cop_child_info *out, size_t capacity, size_t *count)
{
    if (reply->tag != COPI_ARE_CHILDREN) {
        return take_refusal(reply);
    }
    size_t there = reply->body.size / sizeof *out;
    size_t fit = there < capacity ? there : capacity;
    if (fit > 0) {
        memcpy(out, reply->body.data, fit * sizeof *out);
    }
    *count = there;
    return 0;
}

int
cop_supervisor_children(cop_pid supervisor, cop_child_info *out, size_t capacity, size_t *count)
{
    cop_msg reply;
    int r = ask_for_any(supervisor, COP_TAG(COPI_CHILDREN), &reply);
    if (r == 0) {
        r = take_children(&reply, out, capacity, count);
        cop_msg_release(&reply);
    }
    return r;
}

static int
ask_for_info(cop_pid supervisor, cop_msg request, cop_child_info *out)
{
    cop_msg reply;
    int r = ask_for_any(supervisor, request, &reply);
    if (r) {
        return r;
    }
    if (reply.tag == COPI_IS_CHILD && reply.body.size == sizeof *out) {
        memcpy(out, reply.body.data, sizeof *out);
    } else {
        r = take_refusal(&reply);
    }
    cop_msg_release(&reply);
    return r;
}

int
cop_supervisor_child(cop_pid supervisor, const char *id, cop_child_info *out)
{
    if (!id) {
        return copi_fail(-EINVAL);
    }
    cop_msg request = {.tag = COPI_CHILD, .body = COP_STR(id)};
    return ask_for_info(supervisor, request, out);
}

int
cop_supervisor_instance(cop_pid supervisor, cop_pid child, cop_child_info *out)
{
    cop_pid pid = copi_resolve(child); /* a name's holder of now */
    return ask_for_info(supervisor, COP_MSG_OF(COPI_INSTANCE, pid), out);
}
