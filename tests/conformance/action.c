/*
 * tests/conformance/action.c - what is done to the tree.
 *
 * Room: tests/. Main, and the parent of the root: a process that lives as long as the scenario.
 *
 * Each action is done, then everything comes to rest, then what happened is printed. An action that
 * ends a process waits for that end, so that rest cannot be found before it has begun.
 */
#include "tests/conformance/action.h"

#include "tests/conformance/call.h"
#include "tests/conformance/gate.h"
#include "tests/conformance/reason.h"
#include "tests/conformance/record.h"
#include "tests/conformance/request.h"
#include "tests/conformance/rest.h"
#include "tests/conformance/start.h"
#include "tests/conformance/text.h"
#include "tests/conformance/trace.h"
#include "tests/conformance/worker.h"

#include <stdio.h>
#include <stdlib.h>

static const struct scenario *scenario;
static bool is_hung; /* something that is certain has not happened */

/* ---------------------------------------------------------------- the parent of the root */

enum {
    START_ROOT = 910,
    SEND_EXIT,
};

struct exit_to_root {
    struct player *root;
    const char *reason;
};

static cop_pid parent_of_root;

/* A message or signal more for that supervisor. */
static void
count_told(struct player *it)
{
    cast_lock();
    it->told++;
    cast_unlock();
}

static void
start_root(struct request *request)
{
    const struct role role = {.who = scenario->root};
    cop_pid root = COP_NOBODY;
    cop_reason why = COP_REASON_NORMAL;
    int r = start(&root, COP_BYTES(role), &why);
    request_answer(request, r ? error_in_words(why)
                              : text_copy(cop_pid_eq(root, COP_NOBODY) ? "ignore" : "ok"));
}

/* `kill` is sent as what it is: the signal that cannot be trapped. */
static cop_reason
signal_of(const char *reason)
{
    return same(reason, "kill") ? COP_REASON_KILLED : reason_of(reason);
}

static int
be_parent(cop_bytes arg)
{
    (void)arg;
    (void)cop_trap_exits(true);
    cop_msg message;
    int r;
    while ((r = cop_receive(&message, COP_FOREVER)) == 0) {
        if (message.tag == START_ROOT) {
            struct request *request;
            memcpy(&request, message.body.data, sizeof(struct request *));
            start_root(request);
        } else if (message.tag == SEND_EXIT) {
            const struct exit_to_root *exit_to = COP_BODY(message, struct exit_to_root);
            (void)cop_exit_signal(exit_to->root->pid, signal_of(exit_to->reason));
            count_told(exit_to->root);
        }
    }
    return r;
}

/* ---------------------------------------------------------------- waiting for what is certain */

static bool
is_gone(const struct player *it)
{
    cast_lock();
    bool is_alive = it->is_alive;
    cast_unlock();
    return !is_alive;
}

static bool
is_unlinked(const struct player *it)
{
    cast_lock();
    bool is = it->is_unlinked || !it->is_alive;
    cast_unlock();
    return is;
}

/* Main's own signals apart, nothing is told to a tree at rest. */
static bool
has_been_told(const struct player *it)
{
    cast_lock();
    bool is = it->told != it->rested.told;
    cast_unlock();
    return is;
}

static void
wait_until(bool (*holds)(const struct player *it), const struct player *it)
{
    for (cop_time until = cop_now() + COP_SEC(60); !is_hung && !holds(it);) {
        (void)cop_sleep(COP_US(100));
        is_hung = cop_now() >= until;
    }
}

/* ---------------------------------------------------------------- the actions */

static const char *
exit_worker(struct player *it, const struct action *action)
{
    if (it->as->as == DECLARED_SUP) {
        return "is_supervisor";
    }
    worker_exit(it->pid, action->reason);
    wait_until(is_gone, it);
    return "ok";
}

static const char *
unlink_worker(struct player *it, const struct action *action)
{
    (void)action;
    if (it->as->as == DECLARED_SUP) {
        return "is_supervisor";
    }
    worker_unlink(it->pid);
    wait_until(is_unlinked, it);
    return "ok";
}

static const char *
kill_process(struct player *it, const struct action *action)
{
    (void)action;
    (void)cop_exit_signal(it->pid, COP_REASON_KILLED);
    wait_until(is_gone, it);
    return "ok";
}

static const char *
exit_by_parent(struct player *root, const char *reason)
{
    (void)cop_send(parent_of_root,
                   COP_MSG(SEND_EXIT, struct exit_to_root, .root = root, .reason = reason));
    wait_until(has_been_told, root);
    return "ok";
}

struct foreign_exit {
    cop_pid to;
    const char *reason;
};

static int
send_foreign_exit(cop_bytes arg)
{
    struct foreign_exit it;
    memcpy(&it, arg.data, sizeof it);
    return cop_exit_signal(it.to, reason_of(it.reason));
}

static bool
is_down(const cop_msg *msg, void *env)
{
    (void)env;
    return msg->tag == COP_MSG_DOWN;
}

static const char *
exit_by_stranger(struct player *it, const struct action *action)
{
    struct foreign_exit foreign = {.to = it->pid, .reason = action->reason};
    cop_ref stranger;
    if (cop_spawn(NULL, send_foreign_exit, .arg = COP_BYTES(foreign), .monitor = &stranger)) {
        return "no process to send it";
    }
    cop_msg message;
    (void)cop_receive_match(&message, is_down, NULL, COP_FOREVER);
    count_told(it);
    return "ok";
}

static const char *
send_message(struct player *it, const struct action *action)
{
    (void)cop_send(it->pid, COP_TAG(tag_of_word(action->object)));
    count_told(it);
    return "ok";
}

static const char *
to_process(const struct action *action,
           const char *(*act)(struct player *it, const struct action *action))
{
    struct player *it = newest(action->name);
    return it ? act(it, action) : "noproc";
}

static const char *
release(void)
{
    return gate_open() ? "ok" : "none";
}

static const char *
start_tree(const struct action *action)
{
    struct request *request = request_open(action, NULL);
    (void)cop_send(parent_of_root, COP_MSG_OF(START_ROOT, request));
    return "ok";
}

static const char *
signal_root(const char *reason)
{
    struct player *root = newest(scenario->root->name);
    return root ? exit_by_parent(root, reason) : "noproc";
}

static void
come_to_rest(void)
{
    is_hung = is_hung || !rest();
}

static void
open_all_gates(void)
{
    while (!is_hung && gate_open()) {
        come_to_rest();
    }
}

static const char *
end_tree(void)
{
    open_all_gates();
    if (!is_hung) {
        (void)signal_root("shutdown");
        come_to_rest();
        open_all_gates();
    }
    return "ok";
}

static const char *
act(const struct action *action)
{
    switch (action->verb) {
    case DO_START:
        return start_tree(action);
    case DO_EXIT:
        return to_process(action, exit_worker);
    case DO_KILL:
        return to_process(action, kill_process);
    case DO_UNLINK:
        return to_process(action, unlink_worker);
    case DO_FOREIGN_EXIT:
        return to_process(action, exit_by_stranger);
    case DO_MESSAGE:
        return to_process(action, send_message);
    case DO_PARENT_EXIT:
        return signal_root(action->reason);
    case DO_RELEASE:
        return release();
    case DO_SLEEP:
        (void)cop_sleep(action->pause);
        return "ok";
    case DO_END:
        return end_tree();
    case DO_START_CHILD:
    case DO_TERMINATE_CHILD:
    case DO_RESTART_CHILD:
    case DO_DELETE_CHILD:
    case DO_GET_CHILDSPEC:
    case DO_WHICH_CHILDREN:
    case DO_COUNT_CHILDREN:
    case DO_STOP:
        return call(scenario, action);
    }
    return "unknown";
}

/* ---------------------------------------------------------------- one after the other */

static bool
step(const struct action *action)
{
    const char *result = act(action);
    come_to_rest();
    if (is_hung) {
        return false;
    }
    bool is_kill = action->verb == DO_KILL;
    const char *asked_for = is_kill || action->verb == DO_EXIT ? action->name : NULL;
    (void)printf("> %s\n", action->words);
    trace_print(asked_for, is_kill && same(action->name, scenario->root->name));
    char *answer = requests_print(action);
    (void)printf("= %s\n", answer ? answer : result);
    free(answer);
    return true;
}

bool
play(const struct scenario *its_scenario)
{
    static const struct action first = {.verb = DO_START, .words = "start"};
    static const struct action last = {.verb = DO_END, .words = "end"};
    scenario = its_scenario;
    start_from(scenario);
    if (cop_spawn(&parent_of_root, be_parent)) {
        return false;
    }
    bool is_done = step(&first);
    for (size_t i = 0; is_done && i < scenario->action_count; i++) {
        is_done = step(&scenario->actions[i]);
    }
    return is_done && step(&last);
}
