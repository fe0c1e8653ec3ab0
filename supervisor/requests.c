/*
 * supervisor/requests.c - what a supervisor is asked: what it does, and what it answers.
 *
 * Room: supervisor/. The supervisor only.
 * Touch freely: nothing is kept between two requests. Ask first: which state refuses what, and which
 * strategy has which request; it is OTP's, and Elixir's.
 */
#include "supervisor/requests.h"

#include "runtime/alloc.h"
#include "supervisor/check.h"
#include "supervisor/report.h"
#include "supervisor/restart.h"

#include <coppice/supervisor.h>

#include <errno.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- starting */

static struct copi_answer
refusal(int code, const char *in_words)
{
    return (struct copi_answer){.code = code, .why = cop_failed(code, "%s", in_words)};
}

static struct copi_answer
start(struct copi_supervisor *sup, struct copi_child *child)
{
    struct copi_answer answer = {0};
    answer.code = copi_start_child(sup, child, &answer.pid, &answer.why);
    return answer;
}

/* In its place before it starts: if the supervisor does not survive that, it is freed with the rest. */
static struct copi_answer
start_new(struct copi_supervisor *sup, struct copi_child *child)
{
    copi_siblings_append(&sup->children, child);
    struct copi_answer answer = start(sup, child);
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

static struct copi_answer
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

static struct copi_answer
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

static struct copi_answer
refuse_new(const struct copi_child *present)
{
    if (present->state != COPI_CHILD_RUNNING) {
        return refusal(-EALREADY, "already_present");
    }
    struct copi_answer answer = refusal(-EEXIST, "already_started");
    answer.pid = present->pid;
    return answer;
}

static struct copi_answer
start_child(struct copi_supervisor *sup, cop_msg request)
{
    const struct copi_child *asked = request.body.data;
    if (copi_check_child_of(sup->spec, asked->spec) != 0) {
        return (struct copi_answer){.code = -EINVAL, .why = cop_why()};
    }
    if (sup->spec->strategy == COP_DYNAMIC) {
        return start_dynamic(sup, request);
    }
    const struct copi_child *present = copi_siblings_find(&sup->children, asked->spec->id);
    return present ? refuse_new(present) : start_new(sup, cop_msg_take(&request));
}

/* ---------------------------------------------------------------- children that are known */

/* To OTP, but not to Elixir, an instance that is dead is one that it has stopped. */
static struct copi_answer
terminate(struct copi_supervisor *sup, cop_pid pid)
{
    struct copi_child *child = copi_siblings_find_pid(&sup->children, pid);
    if (child) {
        copi_stop_child(sup, child);
    } else if (sup->spec->strategy == COP_DYNAMIC || cop_alive(pid)) {
        return refusal(-ENOENT, "not_found");
    }
    return (struct copi_answer){0};
}

static struct copi_answer
terminate_child(struct copi_supervisor *sup, struct copi_child *child)
{
    copi_stop_child(sup, child);
    return (struct copi_answer){0};
}

static struct copi_answer
restart_child(struct copi_supervisor *sup, struct copi_child *child)
{
    return start(sup, child);
}

static struct copi_answer
delete_child(struct copi_supervisor *sup, struct copi_child *child)
{
    copi_forget_child(sup, child);
    return (struct copi_answer){0};
}

typedef struct copi_answer (*request_fn)(struct copi_supervisor *sup, struct copi_child *child);

static struct copi_answer
of_child(struct copi_supervisor *sup, cop_msg request, request_fn fn)
{
    struct copi_child *child = copi_siblings_find(&sup->children, request.body.data);
    return child ? fn(sup, child) : refusal(-ENOENT, "not_found");
}

static struct copi_answer
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

/* ---------------------------------------------------------------- answering */

static cop_step
give(cop_from from, struct copi_answer answer)
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
    return cop_reply(from, COP_MSG_OF(COPI_ARE_COUNTS, counts));
}

static cop_step
reply_children(const struct copi_supervisor *sup, cop_from from)
{
    size_t size = sup->children.count * sizeof(cop_child_info);
    if (size == 0) {
        return cop_reply(from, COP_TAG(COPI_ARE_CHILDREN));
    }
    cop_child_info *children = copi_alloc(size);
    if (!children) {
        return give(from, refusal(-ENOMEM, "out of memory"));
    }
    copi_siblings_list(&sup->children, children);
    return cop_reply(from, COP_MSG_MOVE(COPI_ARE_CHILDREN, children, size, free));
}

static cop_step
describe(const struct copi_supervisor *sup, cop_from from, const struct copi_child *child)
{
    if (!child) {
        return give(from, refusal(-ENOENT, "not_found"));
    }
    cop_child_info info = copi_siblings_describe(&sup->children, child);
    memcpy(info.id, child->spec->id, sizeof info.id);
    return cop_reply(from, COP_MSG_OF(COPI_IS_CHILD, info));
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
    return describe(sup, from, child);
}

static cop_step
reply_instance(const struct copi_supervisor *sup, cop_from from, cop_pid pid)
{
    return describe(sup, from, copi_siblings_find_running(&sup->children, pid));
}

/* ---------------------------------------------------------------- which strategy has which request */

static bool
has_request(cop_strategy strategy, uint32_t request)
{
    bool is_dynamic = copi_strategy_is_dynamic(strategy);
    switch (request) {
    case COPI_START_CHILD:
        return strategy != COP_SIMPLE_ONE_FOR_ONE;
    case COPI_START_INSTANCE:
        return strategy == COP_SIMPLE_ONE_FOR_ONE;
    case COPI_TERMINATE:
    case COPI_INSTANCE:
        return is_dynamic;
    case COPI_TERMINATE_CHILD:
    case COPI_RESTART_CHILD:
    case COPI_DELETE_CHILD:
        return !is_dynamic;
    case COPI_CHILD:
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
    case COPI_START_CHILD:
        return give(from, start_child(sup, request));
    case COPI_START_INSTANCE:
        return give(from, start_instance(sup, request));
    case COPI_TERMINATE:
        return give(from, terminate(sup, *COP_BODY(request, cop_pid)));
    case COPI_TERMINATE_CHILD:
        return give(from, of_child(sup, request, terminate_child));
    case COPI_RESTART_CHILD:
        return give(from, of_child_that_is_down(sup, request, restart_child));
    case COPI_DELETE_CHILD:
        return give(from, of_child_that_is_down(sup, request, delete_child));
    case COPI_CHILD:
        return reply_child(sup, from, request.body.data);
    case COPI_INSTANCE:
        return reply_instance(sup, from, *COP_BODY(request, cop_pid));
    case COPI_COUNT:
        return reply_counts(sup, from);
    case COPI_CHILDREN:
        return reply_children(sup, from);
    default:
        copi_report_unexpected(request);
        return give(from, refusal(-EOPNOTSUPP, "a supervisor does not know this request"));
    }
}
