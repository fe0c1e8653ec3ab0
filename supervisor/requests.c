/*
 * supervisor/requests.c - what a supervisor is asked: who asks, and what it answers.
 *
 * Room: supervisor/. The public functions run in whoever calls, the rest in the supervisor.
 * Touch freely: nothing is kept between two requests. Ask first: which state refuses what, and which
 * strategy has which request; it is OTP's, and Elixir's.
 *
 * A request is a call. A new child is made by who asks for it, so that what is wrong with its
 * specification, or with the memory for it, is known before the supervisor is troubled; it travels as
 * a moved body, and whoever ends up with it frees it.
 */
#include "supervisor/requests.h"

#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/table.h"
#include "supervisor/check.h"
#include "supervisor/report.h"
#include "supervisor/restart.h"

#include <coppice/supervisor.h>

#include <errno.h>
#include <stdlib.h>

#define START_CHILD     0xfffe0010u /* struct copi_child, moved */
#define START_INSTANCE  0xfffe0011u /* its argument */
#define TERMINATE       0xfffe0012u /* cop_pid */
#define TERMINATE_CHILD 0xfffe0013u /* and on: an id */
#define RESTART_CHILD   0xfffe0014u
#define DELETE_CHILD    0xfffe0015u
#define CHILD           0xfffe0016u
#define COUNT           0xfffe0017u /* and on: nothing */
#define CHILDREN        0xfffe0018u

/* To all but the last three, when they succeed, and to refusals. */
struct answer {
    int code;
    cop_pid pid;
    cop_reason why;
};

/* ---------------------------------------------------------------- in the supervisor */

static struct answer
refusal(int code, const char *in_words)
{
    return (struct answer){.code = code, .why = cop_failed(code, "%s", in_words)};
}

static struct answer
start(struct copi_supervisor *sup, struct copi_child *child)
{
    struct answer answer = {0};
    answer.code = copi_start_child(sup, child, &answer.pid, &answer.why);
    return answer;
}

/* In its place before it starts: if the supervisor does not survive that, it is freed with the rest. */
static struct answer
start_new(struct copi_supervisor *sup, struct copi_child *child)
{
    copi_siblings_append(&sup->children, child);
    struct answer answer = start(sup, child);
    if (answer.code || (child->state != COPI_CHILD_RUNNING && !copi_is_kept(sup, child))) {
        copi_forget_child(sup, child);
    }
    return answer;
}

static bool
is_full(const struct copi_supervisor *sup)
{
    return sup->children.count >= sup->spec->max_children;
}

/* Put what all get before the child's own argument. */
static int
add_extra(const struct copi_supervisor *sup, struct copi_child *child)
{
    const struct copi_owned *extra = &sup->spec->extra;
    return extra->size ? copi_owned_join(&child->arg, (cop_bytes){extra->data, extra->size},
                                         copi_child_arg(child))
                       : 0;
}

static struct answer
start_dynamic(struct copi_supervisor *sup, cop_msg request)
{
    if (is_full(sup)) {
        return refusal(-EAGAIN, "max_children");
    }
    struct copi_child *child = cop_msg_take(&request);
    if (add_extra(sup, child) != 0) {
        copi_child_free(child);
        return refusal(-ENOMEM, "out of memory");
    }
    return start_new(sup, child);
}

static struct answer
start_instance(struct copi_supervisor *sup, cop_msg request)
{
    if (is_full(sup)) {
        return refusal(-EAGAIN, "max_children");
    }
    const struct copi_child_spec *template = sup->spec->children;
    cop_bytes first = {template->arg.data, template->arg.size};
    struct copi_child *child = copi_child_new(template, NULL);
    if (!child || copi_owned_join(&child->arg, first, request.body) != 0) {
        copi_child_free(child);
        return refusal(-ENOMEM, "out of memory");
    }
    return start_new(sup, child);
}

static struct answer
refuse_new(const struct copi_child *present)
{
    if (present->state != COPI_CHILD_RUNNING) {
        return refusal(-EALREADY, "already_present");
    }
    struct answer answer = refusal(-EEXIST, "already_started");
    answer.pid = present->pid;
    return answer;
}

static struct answer
start_child(struct copi_supervisor *sup, cop_msg request)
{
    const struct copi_child *asked = request.body.data;
    if (copi_check_child_of(sup->spec, asked->spec) != 0) {
        return (struct answer){.code = -EINVAL, .why = cop_why()};
    }
    if (sup->spec->strategy == COP_DYNAMIC) {
        return start_dynamic(sup, request);
    }
    const struct copi_child *present = copi_siblings_find(&sup->children, asked->spec->id);
    return present ? refuse_new(present) : start_new(sup, cop_msg_take(&request));
}

/* To OTP, but not to Elixir, an instance that is dead is one that it has stopped. */
static struct answer
terminate(struct copi_supervisor *sup, cop_pid pid)
{
    struct copi_child *child = copi_siblings_find_pid(&sup->children, pid);
    if (child) {
        copi_stop_child(sup, child);
    } else if (sup->spec->strategy == COP_DYNAMIC || cop_alive(pid)) {
        return refusal(-ENOENT, "not_found");
    }
    return (struct answer){0};
}

static struct answer
terminate_child(struct copi_supervisor *sup, struct copi_child *child)
{
    copi_stop_child(sup, child);
    return (struct answer){0};
}

static struct answer
restart_child(struct copi_supervisor *sup, struct copi_child *child)
{
    return start(sup, child);
}

static struct answer
delete_child(struct copi_supervisor *sup, struct copi_child *child)
{
    copi_forget_child(sup, child);
    return (struct answer){0};
}

typedef struct answer (*request_fn)(struct copi_supervisor *sup, struct copi_child *child);

static struct answer
of_child(struct copi_supervisor *sup, cop_msg request, request_fn fn)
{
    struct copi_child *child = copi_siblings_find(&sup->children, request.body.data);
    return child ? fn(sup, child) : refusal(-ENOENT, "not_found");
}

static struct answer
of_child_that_is_down(struct copi_supervisor *sup, cop_msg request, request_fn fn)
{
    struct copi_child *child = copi_siblings_find(&sup->children, request.body.data);
    if (!child) {
        return refusal(-ENOENT, "not_found");
    }
    switch (child->state) {
    case COPI_CHILD_RUNNING:
        return refusal(-EBUSY, "running");
    case COPI_CHILD_RESTARTING:
        return refusal(-EINPROGRESS, "restarting");
    case COPI_CHILD_DOWN:
        break;
    }
    return fn(sup, child);
}

static cop_step
give(cop_from from, struct answer answer)
{
    return cop_reply(from, COP_MSG_OF(0, answer));
}

static cop_step
reply_counts(const struct copi_supervisor *sup, cop_from from)
{
    cop_child_counts counts =
        copi_siblings_count(&sup->children, sup->spec->strategy == COP_DYNAMIC);
    if (sup->spec->strategy == COP_SIMPLE_ONE_FOR_ONE) {
        counts.specs = 1;
    }
    return cop_reply(from, COP_MSG_OF(COUNT, counts));
}

static cop_step
reply_children(const struct copi_supervisor *sup, cop_from from)
{
    size_t size = sup->children.count * sizeof(cop_child_info);
    if (size == 0) {
        return cop_reply(from, COP_TAG(CHILDREN));
    }
    cop_child_info *children = copi_alloc(size);
    if (!children) {
        return give(from, refusal(-ENOMEM, "out of memory"));
    }
    copi_siblings_list(&sup->children, children);
    return cop_reply(from, COP_MSG_MOVE(CHILDREN, children, size, free));
}

/* A template is known, but no child. */
static cop_step
reply_child(const struct copi_supervisor *sup, cop_from from, const char *id)
{
    const struct copi_child *child = copi_siblings_find(&sup->children, id);
    struct copi_child template = {.spec = sup->spec->children};
    if (sup->spec->strategy == COP_SIMPLE_ONE_FOR_ONE && strcmp(template.spec->id, id) == 0) {
        child = &template;
    }
    if (!child) {
        return give(from, refusal(-ENOENT, "not_found"));
    }
    cop_child_info info = copi_siblings_describe(&sup->children, child);
    memcpy(info.id, child->spec->id, sizeof info.id);
    return cop_reply(from, COP_MSG_OF(CHILD, info));
}

/* ---------------------------------------------------------------- which strategy has which request */

static bool
has_request(cop_strategy strategy, uint32_t request)
{
    bool is_dynamic = copi_strategy_is_dynamic(strategy);
    switch (request) {
    case START_CHILD:
        return strategy != COP_SIMPLE_ONE_FOR_ONE;
    case START_INSTANCE:
        return strategy == COP_SIMPLE_ONE_FOR_ONE;
    case TERMINATE:
        return is_dynamic;
    case TERMINATE_CHILD:
    case RESTART_CHILD:
    case DELETE_CHILD:
        return !is_dynamic;
    case CHILD:
        return strategy != COP_DYNAMIC;
    default:
        return true;
    }
}

cop_step
copi_requests_handle(struct copi_supervisor *sup, cop_from from, cop_msg request)
{
    if (!has_request(sup->spec->strategy, request.tag)) {
        return give(from, refusal(-EOPNOTSUPP, copi_strategy_name(sup->spec->strategy)));
    }
    switch (request.tag) {
    case START_CHILD:
        return give(from, start_child(sup, request));
    case START_INSTANCE:
        return give(from, start_instance(sup, request));
    case TERMINATE:
        return give(from, terminate(sup, *COP_BODY(request, cop_pid)));
    case TERMINATE_CHILD:
        return give(from, of_child(sup, request, terminate_child));
    case RESTART_CHILD:
        return give(from, of_child_that_is_down(sup, request, restart_child));
    case DELETE_CHILD:
        return give(from, of_child_that_is_down(sup, request, delete_child));
    case CHILD:
        return reply_child(sup, from, request.body.data);
    case COUNT:
        return reply_counts(sup, from);
    case CHILDREN:
        return reply_children(sup, from);
    default:
        copi_report_unexpected(request);
        return give(from, refusal(-EOPNOTSUPP, "a supervisor does not know this request"));
    }
}

/* ---------------------------------------------------------------- who asks */

static int
ask(cop_pid supervisor, cop_msg request, struct answer *answer)
{
    int r = cop_call(supervisor, request, answer, sizeof *answer, COP_FOREVER);
    return r || answer->code == 0 ? r : copi_fail_why(&answer->why, answer->code);
}

/* For a process; *out, if wanted, is who has the name when that was taken. */
static int
ask_for_pid(cop_pid supervisor, cop_msg request, cop_pid *out)
{
    struct answer answer = {0};
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
    struct answer answer;
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
    return ask_for_pid(supervisor, COP_MSG_MOVE(START_CHILD, made, sizeof *made, drop_child), out);
}

int
cop_supervisor_start_instance(cop_pid supervisor, cop_bytes arg, cop_pid *out)
{
    return ask_for_pid(supervisor, (cop_msg){.tag = START_INSTANCE, .body = arg}, out);
}

int
cop_supervisor_terminate(cop_pid supervisor, cop_pid child)
{
    struct answer answer;
    cop_pid pid = copi_resolve(child); /* a name's holder of now */
    return ask(supervisor, COP_MSG_OF(TERMINATE, pid), &answer);
}

int
cop_supervisor_terminate_child(cop_pid supervisor, const char *id)
{
    return ask_about(supervisor, TERMINATE_CHILD, id, NULL);
}

int
cop_supervisor_restart_child(cop_pid supervisor, const char *id, cop_pid *out)
{
    return ask_about(supervisor, RESTART_CHILD, id, out);
}

int
cop_supervisor_delete_child(cop_pid supervisor, const char *id)
{
    return ask_about(supervisor, DELETE_CHILD, id, NULL);
}

int
cop_supervisor_count(cop_pid supervisor, cop_child_counts *out)
{
    return cop_call(supervisor, COP_TAG(COUNT), out, sizeof *out, COP_FOREVER);
}

/* Not what was asked for, so a refusal. */
static int
take_refusal(const cop_msg *reply)
{
    if (reply->body.size != sizeof(struct answer)) {
        return copi_fail(-EMSGSIZE);
    }
    const struct answer *answer = reply->body.data;
    return copi_fail_why(&answer->why, answer->code);
}

static int
take_children(const cop_msg *reply, cop_child_info *out, size_t capacity, size_t *count)
{
    if (reply->tag != CHILDREN) {
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
    int r = cop_call_any(supervisor, COP_TAG(CHILDREN), &reply, COP_FOREVER);
    if (r == 0) {
        r = take_children(&reply, out, capacity, count);
        cop_msg_release(&reply);
    }
    return r;
}

int
cop_supervisor_child(cop_pid supervisor, const char *id, cop_child_info *out)
{
    if (!id) {
        return copi_fail(-EINVAL);
    }
    cop_msg reply, request = {.tag = CHILD, .body = COP_STR(id)};
    int r = cop_call_any(supervisor, request, &reply, COP_FOREVER);
    if (r) {
        return r;
    }
    if (reply.tag == CHILD && reply.body.size == sizeof *out) {
        memcpy(out, reply.body.data, sizeof *out);
    } else {
        r = take_refusal(&reply);
    }
    cop_msg_release(&reply);
    return r;
}
