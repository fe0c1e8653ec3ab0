/*
 * supervisor/observe/web_actions.c - what is done to a process because somebody has asked for it.
 *
 * Room: supervisor/observe/, libcoppice-web. The server's thread, but for the action itself.
 * Touch freely: the words, the times. Ask first: that the server itself waits for nobody.
 *
 * Suspending and stopping mean to wait for the one it is about, who may be stuck: that may be why somebody
 * presses the button. So each action is a process of its own, which waits no longer than PATIENCE and then
 * tells the server what came of it; the request is answered before, with "accepted". Few may run at a time.
 * One that ends without a word (it was killed, too) leaves its place by its DOWN.
 */
#include "supervisor/observe/web_actions.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE COP_SEC(5)

struct order {
    cop_pid server, pid;
    size_t action;
    char name[sizeof((struct copi_web_outcome *)0)->name];
};

/* ---------------------------------------------------------------- actions */

/* As a bug would end it. Who traps exits would take it for a message, so he is killed; and so is, a moment later,
 * who does not come by a place where he can end. */
static int
crash(cop_pid pid)
{
    cop_process_info info;
    cop_ref monitor = cop_monitor(pid);
    cop_msg down;
    int r = cop_inspect(pid, &info);
    if (r) {
        return r;
    }
    if (!info.traps_exits) {
        cop_reason why = cop_failed(-ECANCELED, "crashed by hand");
        r = cop_exit_signal(pid, why);
        if (r || cop_receive(&down, COP_SEC(1)) == 0) {
            return r;
        }
    }
    (void)monitor;
    r = cop_exit_signal(pid, COP_REASON_KILLED);
    return r ? r : cop_receive(&down, PATIENCE);
}

static int
suspend(cop_pid pid)
{
    return cop_sys_suspend(pid, PATIENCE);
}

static int
resume(cop_pid pid)
{
    return cop_sys_resume(pid, PATIENCE);
}

static int
stop(cop_pid pid)
{
    return cop_stop_process(pid, COP_REASON_SHUTDOWN, PATIENCE);
}

static const struct {
    const char *word, *done;
    int (*act)(cop_pid pid);
} actions_by_word[] = {
    {"crash", "has crashed", crash},
    {"suspend", "is suspended", suspend},
    {"resume", "goes on", resume},
    {"stop", "has stopped", stop},
};

enum {
    ACTIONS = sizeof actions_by_word / sizeof *actions_by_word
};

static size_t
action_of(const char *word)
{
    size_t i = 0;
    while (i < ACTIONS && strcmp(actions_by_word[i].word, word) != 0) {
        i++;
    }
    return i;
}

bool
copi_web_is_action(const char *word)
{
    return action_of(word) < ACTIONS;
}

/* ---------------------------------------------------------------- the process that acts */

static int
act(cop_bytes arg)
{
    struct order order;
    memcpy(&order, arg.data, sizeof order);
    struct copi_web_outcome outcome = {.pid = order.pid};
    outcome.code = actions_by_word[order.action].act(order.pid);
    outcome.when = cop_now();
    (void)snprintf(outcome.word, sizeof outcome.word, "%s", actions_by_word[order.action].word);
    (void)snprintf(outcome.name, sizeof outcome.name, "%s", order.name);
    (void)snprintf(outcome.text, sizeof outcome.text, "%s",
                   outcome.code ? cop_strerror(outcome.code) : actions_by_word[order.action].done);
    return cop_send(order.server, COP_MSG_OF(COPI_WEB_OUTCOME, outcome));
}

static cop_ref *
free_place(struct copi_web_actions *actions)
{
    for (size_t i = 0; i < COPI_WEB_AT_ONCE; i++) {
        if (actions->running[i].id == 0) {
            return &actions->running[i];
        }
    }
    return NULL;
}

int
copi_web_action_begin(struct copi_web_actions *actions, const char *word, cop_pid pid)
{
    struct order order = {.server = cop_self(), .pid = pid, .action = action_of(word)};
    cop_process_info info;
    int r = cop_inspect(pid, &info);
    if (r) {
        return r;
    }
    (void)snprintf(order.name, sizeof order.name, "%s", info.name[0] ? info.name : info.child_id);
    cop_ref *place = free_place(actions);
    if (!place) {
        return -EBUSY;
    }
    return cop_spawn(NULL, act, .arg = COP_BYTES(order), .monitor = place);
}

/* ---------------------------------------------------------------- outcomes */

static bool
give_place_back(struct copi_web_actions *actions, const struct cop_down *down)
{
    for (size_t i = 0; i < COPI_WEB_AT_ONCE; i++) {
        if (down->ref.id != 0 && actions->running[i].id == down->ref.id) {
            actions->running[i] = (cop_ref){0};
            return true;
        }
    }
    return false;
}

bool
copi_web_action_told(struct copi_web_actions *actions, cop_msg msg)
{
    if (msg.tag == COP_MSG_DOWN) {
        return give_place_back(actions, COP_BODY(msg, struct cop_down));
    }
    if (msg.tag != COPI_WEB_OUTCOME || msg.body.size != sizeof(struct copi_web_outcome)) {
        return false;
    }
    memcpy(&actions->outcomes[actions->count++ % COPI_WEB_OUTCOMES], msg.body.data, msg.body.size);
    return true;
}

static void
put_outcome(struct copi_json *json, const struct copi_web_outcome *outcome, uint64_t number)
{
    char pid[COP_PID_TEXT];
    copi_json_open(json, NULL, '{');
    copi_json_number(json, "number", (int64_t)number);
    copi_json_string(json, "pid", cop_pid_text(outcome->pid, pid));
    copi_json_string(json, "name", outcome->name[0] ? outcome->name : NULL);
    copi_json_string(json, "action", outcome->word);
    copi_json_number(json, "code", outcome->code);
    copi_json_string(json, "text", outcome->text);
    copi_json_number(json, "ago_ms", (cop_now() - outcome->when) / COP_MS(1));
    copi_json_close(json, '}');
}

void
copi_web_outcomes_put(struct copi_json *json, const struct copi_web_actions *actions)
{
    copi_json_open(json, "outcomes", '[');
    for (uint64_t i = actions->count; i > 0 && actions->count - i < COPI_WEB_OUTCOMES; i--) {
        put_outcome(json, &actions->outcomes[(i - 1) % COPI_WEB_OUTCOMES], i);
    }
    copi_json_close(json, ']');
}
