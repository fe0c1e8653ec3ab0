/*
 * tests/conformance/call.c - the requests to a supervisor.
 *
 * Room: tests/. call is main's; the rest runs in the process that asks.
 *
 * The library's codes say how a request went, its reasons say why: both are needed for the original's
 * words.
 */
#include "tests/conformance/call.h"

#include "tests/conformance/reason.h"
#include "tests/conformance/request.h"
#include "tests/conformance/start.h"
#include "tests/conformance/text.h"

#include <stdlib.h>

/* All that a caller needs: it looks nothing up, so that nothing can change meanwhile. */
struct call {
    const struct action *action;
    const struct declaration *supervisor, *child;
    cop_pid target, instance;
    struct request *request;
};

/* ---------------------------------------------------------------- in words */

char *
error_in_words(cop_reason why)
{
    char text[REASON_SIZE];
    return text_format("error %s", reason_text(why, text));
}

/* The supervisor was gone, or went while we waited, with that reason. */
static char *
exit_in_words(cop_reason why)
{
    char text[REASON_SIZE];
    bool was_never_there = why.kind == COP_FAILED && why.code == -ESRCH && !why.text[0];
    return text_format("exit %s", was_never_there ? "noproc" : reason_text(why, text));
}

static char *
failure(int code, cop_pid holder)
{
    cop_reason why = cop_why();
    if (code == -ESRCH || code == -EPIPE) {
        return exit_in_words(why);
    }
    if (code != -EEXIST) {
        return error_in_words(why);
    }
    char *name = shown(holder);
    char *words = text_format("error already_started %s", name);
    free(name);
    return words;
}

static char *
plain(int code)
{
    return code ? failure(code, COP_NOBODY) : text_copy("ok");
}

static char *
started(int code, cop_pid pid)
{
    if (code) {
        return failure(code, pid);
    }
    char *name = shown(pid);
    char *words = text_format("ok %s", name);
    free(name);
    return words;
}

static const char *
type_in_words(bool is_supervisor)
{
    return is_supervisor ? "supervisor" : "worker";
}

static const char *
restart_in_words(cop_restart restart)
{
    return restart == COP_PERMANENT   ? "permanent"
           : restart == COP_TRANSIENT ? "transient"
                                      : "temporary";
}

static char *
shutdown_in_words(cop_time shutdown)
{
    if (shutdown == COP_FOREVER) {
        return text_copy("infinity");
    }
    if (shutdown == COP_BRUTAL_KILL) {
        return text_copy("brutal_kill");
    }
    return text_format("%lld", (long long)(shutdown / COP_MS(1)));
}

/* ---------------------------------------------------------------- the requests */

static char *
start_child(const struct call *it)
{
    cop_pid pid = COP_NOBODY;
    if (it->supervisor->strategy == COP_SIMPLE_ONE_FOR_ONE) {
        return started(cop_supervisor_start_instance(it->target, COP_STR(it->action->object), &pid),
                       pid);
    }
    struct role role;
    cop_child_spec spec = start_spec(it->child, it->supervisor, &role);
    int r = cop_supervisor_start_child(it->target, &spec, &pid);
    if (r == 0 && cop_pid_eq(pid, COP_NOBODY) && it->supervisor->strategy == COP_DYNAMIC) {
        return text_copy("ignore");
    }
    return started(r, pid);
}

static char *
terminate_child(const struct call *it)
{
    return plain(is_dynamic(it->supervisor)
                     ? cop_supervisor_terminate(it->target, it->instance)
                     : cop_supervisor_terminate_child(it->target, it->action->object));
}

static char *
restart_child(const struct call *it)
{
    cop_pid pid = COP_NOBODY;
    int r = cop_supervisor_restart_child(it->target, it->action->object, &pid);
    return started(r, pid);
}

static char *
delete_child(const struct call *it)
{
    return plain(cop_supervisor_delete_child(it->target, it->action->object));
}

static char *
get_childspec(const struct call *it)
{
    cop_child_info child;
    int r = cop_supervisor_child(it->target, it->action->object, &child);
    if (r) {
        return failure(r, COP_NOBODY);
    }
    char *shutdown = shutdown_in_words(child.shutdown);
    char *words =
        text_format("id=%s restart=%s shutdown=%s type=%s significant=%s", child.id,
                    restart_in_words(child.restart), shutdown, type_in_words(child.is_supervisor),
                    child.significant ? "true" : "false");
    free(shutdown);
    return words;
}

static char *
child_in_words(const cop_child_info *child)
{
    char *process = child->restarting ? text_copy("restarting") : shown(child->pid);
    char *words = text_format("%s%s%s:%s", child->id, child->id[0] ? "=" : "", process,
                              type_in_words(child->is_supervisor));
    free(process);
    return words;
}

static int
by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *
list_in_words(const cop_child_info *children, size_t count, bool is_sorted)
{
    char **words = room_for(count, sizeof *words);
    for (size_t i = 0; i < count; i++) {
        words[i] = child_in_words(&children[i]);
    }
    if (is_sorted) {
        qsort(words, count, sizeof *words, by_bytes);
    }
    char *list = text_copy("[");
    for (size_t i = 0; i < count; i++) {
        list = text_append(list, "%s%s", i ? " " : "", words[i]);
        free(words[i]);
    }
    free(words);
    return text_append(list, "]");
}

static char *
which_children(const struct call *it)
{
    enum {
        MOST = 4096
    };
    cop_child_info *children = room_for(MOST, sizeof *children);
    size_t count;
    int r = cop_supervisor_children(it->target, children, MOST, &count);
    char *words = r              ? failure(r, COP_NOBODY)
                  : count > MOST ? text_format("more than %d children", MOST)
                                 : list_in_words(children, count, is_dynamic(it->supervisor));
    free(children);
    return words;
}

static char *
count_children(const struct call *it)
{
    cop_child_counts counts;
    int r = cop_supervisor_count(it->target, &counts);
    return r ? failure(r, COP_NOBODY)
             : text_format("specs=%zu active=%zu supervisors=%zu workers=%zu", counts.specs,
                           counts.active, counts.supervisors, counts.workers);
}

/* A supervisor that ended with another reason than that asked for: its reason. */
static char *
stop(const struct call *it)
{
    int r = cop_stop_process(it->target, reason_of(it->action->reason), COP_FOREVER);
    return r ? exit_in_words(cop_why()) : text_copy("ok");
}

static char *
ask(const struct call *it)
{
    switch (it->action->verb) {
    case DO_START_CHILD:
        return start_child(it);
    case DO_TERMINATE_CHILD:
        return terminate_child(it);
    case DO_RESTART_CHILD:
        return restart_child(it);
    case DO_DELETE_CHILD:
        return delete_child(it);
    case DO_GET_CHILDSPEC:
        return get_childspec(it);
    case DO_WHICH_CHILDREN:
        return which_children(it);
    case DO_COUNT_CHILDREN:
        return count_children(it);
    case DO_STOP:
        return stop(it);
    default:
        return text_copy("no request");
    }
}

static int
run(cop_bytes arg)
{
    struct call it;
    memcpy(&it, arg.data, sizeof it);
    request_answer(it.request, ask(&it));
    return 0;
}

/* ---------------------------------------------------------------- main */

/* A dynamic supervisor of Elixir takes no child without any time to stop in; a static one does. */
static const char *
refusal_to_start(const struct call *it)
{
    bool is_instance = it->supervisor->strategy == COP_SIMPLE_ONE_FOR_ONE;
    if (!it->child && !is_instance) {
        return "no_spec";
    }
    if (!is_dynamic(it->supervisor)) {
        return NULL;
    }
    if (newest(it->action->object)) {
        return "in_use";
    }
    return !is_instance && it->child->shutdown == SHORTEST ? "error {invalid_shutdown,0}" : NULL;
}

/* The language's own answers; they come before the supervisor is asked. */
static const char *
refusal(const struct call *it)
{
    bool names_instance = is_dynamic(it->supervisor);
    switch (it->action->verb) {
    case DO_START_CHILD:
        return refusal_to_start(it);
    case DO_TERMINATE_CHILD:
        return names_instance && cop_pid_eq(it->instance, COP_NOBODY) ? "noproc" : NULL;
    case DO_RESTART_CHILD:
    case DO_DELETE_CHILD:
        return it->supervisor->strategy == COP_DYNAMIC ? "undefined" : NULL;
    case DO_GET_CHILDSPEC:
        return names_instance ? "undefined" : NULL;
    default:
        return NULL;
    }
}

static cop_pid
last_process_of(const char *name)
{
    cast_lock();
    const struct player *last = label_of_locked(name)->last;
    cop_pid pid = last ? last->pid : COP_NOBODY;
    cast_unlock();
    return pid;
}

const char *
call(const struct scenario *scenario, const struct action *action)
{
    struct player *target = newest(action->name);
    if (!target) {
        return "exit noproc";
    }
    struct call it = {
        .action = action,
        .supervisor = declaration_of(scenario, action->name),
        .target = target->pid,
    };
    if (action->object) {
        it.child = declaration_of(scenario, action->object);
        it.instance = last_process_of(action->object);
    }
    const char *refused = refusal(&it);
    if (!refused) {
        it.request = request_open(action, target);
        cop_pid asker;
        if (cop_spawn(&asker, run, .arg = COP_BYTES(it))) {
            request_answer(it.request, text_copy("no process to ask"));
        } else {
            request_asked_by(it.request, asker);
        }
    }
    return refused;
}
