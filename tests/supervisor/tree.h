/*
 * tests/supervisor/tree.h - children that say what becomes of them, and the record of it.
 *
 * Room: tests/.
 *
 * A box is a server with one letter as its id. Each start consumes a letter of its plan; its record is
 * "+a" when it is up, "!a" when it fails, "?a" when it declines, and "-a" when it is asked to stop.
 * Supervisors' reports stand between them as "terminated(a boom)". So a test runs a tree and compares
 * one string.
 */
#ifndef COPI_TESTS_TREE_H
#define COPI_TESTS_TREE_H

#include "tests/support/record.h"
#include "tests/support/support.h"

#include <pthread.h>

/* ---------------------------------------------------------------- the record */

/* What has happened since the last time. Until the next call. */
static inline const char *
happened(void)
{
    static char text[sizeof record.text];
    pthread_mutex_lock(&record.lock);
    memcpy(text, record.text, sizeof text);
    record.text[0] = '\0';
    pthread_mutex_unlock(&record.lock);
    return text;
}

static inline void
observe(const cop_event *event, void *env)
{
    static const char *const words[] = {
        [COP_EVENT_CHILD_TERMINATED] = "terminated",   [COP_EVENT_START_ERROR] = "start_error",
        [COP_EVENT_SHUTDOWN_ERROR] = "shutdown_error", [COP_EVENT_GAVE_UP] = "gave_up",
        [COP_EVENT_UNEXPECTED_MESSAGE] = "unexpected",
    };
    char reason[sizeof event->reason.text], count[24] = "";
    (void)env;
    if (event->count) {
        (void)snprintf(count, sizeof count, "%zu ", event->count);
    }
    if (event->kind >= COP_EVENT_CHILD_TERMINATED) {
        note("%s(%s %s%s)", words[event->kind], event->child ? event->child : "-", count,
             cop_reason_string(event->reason, reason, sizeof reason));
    }
}

/* Before the first process. */
static inline void
record_reports(void)
{
    cop_config config = {.size = sizeof config, .observe = observe};
    ck_assert_int_eq(cop_configure(&config), 0);
}

#define HAPPENED(expected) ck_assert_str_eq(happened(), (expected))

/* ---------------------------------------------------------------- boxes */

enum box_request {
    BOX_COUNT = 1, /* how often it was asked; int */
    BOX_END,       /* a cast: end with the reason */
};

static struct {
    const char *_Atomic plan; /* f: fail with "busy"; i: decline; t: trap no exits; else come up */
    _Atomic unsigned starts;
} boxes[26];

struct box {
    char letter;
    bool ends_by_itself;
    int count;
};

static inline cop_step
box_init(void *state, cop_bytes arg)
{
    struct box *box = state;
    box->letter = *(const char *)arg.data;
    unsigned i = (unsigned)(box->letter - 'a'), n = boxes[i].starts++;
    const char *plan = boxes[i].plan;
    char now = '+';
    if (plan && n < strlen(plan)) {
        now = plan[n];
    }
    cop_trap_exits(now != 't');
    if (now == 'f') {
        note("!%c", box->letter);
        return cop_stop(cop_failed(-EBUSY, "busy"));
    }
    note("%c%c", now == 'i' ? '?' : '+', box->letter);
    return now == 'i' ? cop_ignore() : cop_ok();
}

static inline cop_step
box_call(void *state, cop_from from, cop_msg request)
{
    struct box *box = state;
    (void)request;
    box->count++;
    return cop_reply(from, COP_MSG_OF(BOX_COUNT, box->count));
}

static inline cop_step
box_cast(void *state, cop_msg msg)
{
    ((struct box *)state)->ends_by_itself = true;
    cop_exit(*COP_BODY(msg, cop_reason));
}

static inline void
box_terminate(void *state, cop_reason reason)
{
    const struct box *box = state;
    if (reason.kind == COP_SHUTDOWN && !box->ends_by_itself) {
        note("-%c", box->letter);
    }
}

static const cop_genserver box = {
    .type = "box",
    .state_size = sizeof(struct box),
    .init = box_init,
    .handle_call = box_call,
    .handle_cast = box_cast,
    .terminate = box_terminate,
};

/* A child, registered by its id: BOX("a"), BOX_WITH("b", .restart = COP_TEMPORARY). */
#define BOX_IS(id_) .id = (id_), .name = (id_), .genserver = &box, .arg = {(id_), 1}
#define BOX(id_) \
 {               \
  BOX_IS(id_)    \
 }
#define BOX_WITH(id_, ...) \
 {                         \
  BOX_IS(id_), __VA_ARGS__ \
 }

#define BOOM cop_failed(-EIO, "boom")

/* ---------------------------------------------------------------- what a test does with a tree */

#define TREE(...) (&(const cop_supervisor_spec){__VA_ARGS__})

static inline cop_pid
start_tree(const cop_supervisor_spec *spec)
{
    cop_pid pid;
    ck_assert_int_eq(cop_supervisor_start(&pid, spec), 0);
    return pid;
}

static inline void
stop_tree(cop_pid supervisor)
{
    ck_assert_int_eq(cop_supervisor_stop(supervisor, SOON), 0);
}

/* Requests are answered in order, so after this one everything before it has been handled. */
static inline cop_child_counts
counts(cop_pid supervisor)
{
    cop_child_counts counted;
    ck_assert_int_eq(cop_supervisor_count(supervisor, &counted), 0);
    return counted;
}

/* The box ends; returns when it has. */
static inline void
end_box(const char *id, cop_reason reason)
{
    cop_pid pid = cop_whereis(id);
    ck_assert(!cop_pid_eq(pid, COP_NOBODY));
    cop_ref monitor = cop_monitor(pid);
    if (reason.kind == COP_KILLED) {
        ck_assert_int_eq(cop_exit_signal(pid, reason), 0);
    } else {
        ck_assert_int_eq(cop_cast(pid, COP_MSG_OF(BOX_END, reason)), 0);
    }
    test_down(monitor);
}

static inline cop_child_info *
children(cop_pid supervisor, size_t *count)
{
    static cop_child_info infos[32];
    ck_assert_int_eq(cop_supervisor_children(supervisor, infos, 32, count), 0);
    ck_assert_uint_le(*count, 32);
    return infos;
}

/* No child is between two attempts, and none is still taken for `gone`. */
static inline bool
is_at_rest_without(cop_pid supervisor, cop_pid gone)
{
    size_t count;
    const cop_child_info *infos = children(supervisor, &count);
    for (size_t i = 0; i < count; i++) {
        if (infos[i].restarting || (gone.id && cop_pid_eq(infos[i].pid, gone))) {
            return false;
        }
    }
    return true;
}

static inline bool
is_at_rest(cop_pid supervisor)
{
    return is_at_rest_without(supervisor, COP_NOBODY);
}

/* The same as end_box, and its supervisor has seen to it, further attempts included. */
static inline void
end_box_of(cop_pid supervisor, const char *id, cop_reason reason)
{
    cop_pid pid = cop_whereis(id);
    end_box(id, reason);
    EVENTUALLY(is_at_rest_without(supervisor, pid));
}

/* "c=up b=restarting a=down", youngest first, as which_children lists them. */
static inline const char *
listed(cop_pid supervisor)
{
    static char text[1024];
    size_t count;
    const cop_child_info *infos = children(supervisor, &count);
    text[0] = '\0';
    for (size_t i = 0, used = 0; i < count; i++) {
        const char *state = infos[i].restarting                    ? "restarting"
                            : cop_pid_eq(infos[i].pid, COP_NOBODY) ? "down"
                                                                   : "up";
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s=%s", i ? " " : "",
                                 infos[i].id, state);
    }
    return text;
}

/* Its words, as cop_why() has them. */
static inline const char *
why_text(void)
{
    static _Thread_local char text[sizeof((cop_reason *)0)->text];
    return cop_reason_string(cop_why(), text, sizeof text);
}

#endif
