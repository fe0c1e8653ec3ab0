/*
 * supervisor/requests.c - what a supervisor is asked: who asks, and what it answers.
 *
 * Room: supervisor/. The public functions run in whoever calls, the rest in the supervisor.
 * Touch freely: nothing is kept between two requests. Ask first: which state refuses what; it is
 * OTP's.
 *
 * A request is a call. A new child is made by who asks for it, so that what is wrong with its
 * specification, or with the memory for it, is known before the supervisor is troubled; it travels as
 * a moved body, and whoever ends up with it frees it.
 */
#include "supervisor/requests.h"

#include "runtime/alloc.h"
#include "runtime/process.h"
#include "supervisor/report.h"
#include "supervisor/restart.h"

#include <coppice/supervisor.h>

#include <errno.h>
#include <stdlib.h>

#define START_CHILD     0xfffe0010u
#define TERMINATE_CHILD 0xfffe0011u
#define RESTART_CHILD   0xfffe0012u
#define DELETE_CHILD    0xfffe0013u
#define COUNT           0xfffe0014u
#define CHILDREN        0xfffe0015u

/* To all but COUNT and CHILDREN, when they succeed. */
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
start(struct copi_child *child)
{
    struct answer answer = {0};
    answer.code = copi_start_child(child, &answer.pid, &answer.why);
    return answer;
}

static bool
is_known_when_down(const struct copi_child *child)
{
    return child->state == COPI_CHILD_RUNNING || child->spec->restart != COP_TEMPORARY;
}

/* In its place before it starts: if the supervisor does not survive that, it is freed with the rest. */
static struct answer
start_new(struct copi_supervisor *sup, struct copi_child *child)
{
    copi_siblings_append(&sup->children, child);
    struct answer answer = start(child);
    if (answer.code || !is_known_when_down(child)) {
        copi_forget_child(sup, child);
    }
    return answer;
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
    if (copi_child_spec_check_significant(asked->spec, sup->spec->auto_shutdown) != 0) {
        return (struct answer){.code = -EINVAL, .why = cop_why()};
    }
    const struct copi_child *present = copi_siblings_find(&sup->children, asked->spec->id);
    return present ? refuse_new(present) : start_new(sup, cop_msg_take(&request));
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
    (void)sup;
    return start(child);
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
    cop_child_counts counts = copi_siblings_count(&sup->children);
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

cop_step
copi_requests_handle(struct copi_supervisor *sup, cop_from from, cop_msg request)
{
    switch (request.tag) {
    case START_CHILD:
        return give(from, start_child(sup, request));
    case TERMINATE_CHILD:
        return give(from, of_child(sup, request, terminate_child));
    case RESTART_CHILD:
        return give(from, of_child_that_is_down(sup, request, restart_child));
    case DELETE_CHILD:
        return give(from, of_child_that_is_down(sup, request, delete_child));
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
    struct answer answer = {0};
    r = ask(supervisor, COP_MSG_MOVE(START_CHILD, made, sizeof *made, drop_child), &answer);
    if (out && (r == 0 || r == -EEXIST)) {
        *out = answer.pid;
    }
    return r;
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

static int
take_children(const cop_msg *reply, cop_child_info *out, size_t capacity, size_t *count)
{
    if (reply->tag != CHILDREN) {
        return copi_fail(reply->body.size == sizeof(struct answer) ? -ENOMEM : -EMSGSIZE);
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
