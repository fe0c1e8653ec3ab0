/*
 * actors/statem.c - state machines: a server whose callbacks depend on its state.
 *
 * Room: actors/. Knows the runtime, and stands on the genserver.
 * Touch freely: the words of the report. Ask first: the order in which events are handled; it is
 * gen_statem's.
 *
 * A machine is a genserver with a state block of its own, in front of the user's data. A message goes
 * to the state's function in the callback that brought it. What is handled later lies in a record of
 * ours, an event, which is in exactly one of these queues, oldest first:
 *
 *   postponed   waits for a change of state
 *   next        is handled before any message: inserted events, retried ones, a timeout that fired
 *   due         timeouts of 0, which come when `next` is empty
 *   timers      timeouts that run
 *   inserted    what the function that runs has asked for: it joins `next`, or replaces what is in
 *   timeouts    `timers` and `due`, when the transition is done
 *
 * The genserver looks at its mailbox only when `next` and `due` are empty: as long as they are not,
 * each callback asks for handle_continue. So an event of ours is a callback like any other, with
 * deferred calls of its own. Its token carries the body, if that was moved: the body is then the
 * genserver's message in hand, cop_msg_take finds it there, and nobody else drops it. A function that
 * postpones the event takes the body back from the token. So a moved body has one owner at any time:
 * the record, or the message in hand.
 *
 * The message of a timer carries no content, only the number under which its record runs. A number
 * that is in no record is that of a timeout that was ended after its timer had fired: it is dropped.
 *
 * A request that is not answered when its callback returns is a debt of the server in any case
 * (runtime/request.c), so a postponed call needs nothing more than its record.
 */
#include "runtime/alloc.h"
#include "runtime/inspect.h"
#include "runtime/memory.h"
#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/report.h"

#include <coppice/statem.h>
#include <coppice/timer.h>

#include <stdlib.h>

/* Not small numbers: a transition that no function here has made is to be noticed. */
enum next {
    KEEP = 0x57a7e,
    NEXT,
    REPEAT,
    STOP,
    IGNORE,
};

/* Where the process is; decides what may be asked for. */
enum place {
    ELSEWHERE,
    IN_INIT,
    IN_HANDLE,
    IN_ENTER,
};

/* An event that is kept. Its bytes, if they were copied, and its name lie behind it. */
struct event {
    struct event *next;
    cop_statem_event is; /* with a drop function: the body is the record's */
    /* of a timeout */
    cop_time after;
    uint64_t number;
    cop_ref timer;
};

struct queue {
    struct event *first, **end;
};

struct machine {
    const cop_statem *on;
    void *data;
    const cop_state *state;
    struct queue postponed, next, due, timers;
    struct event *current; /* it is handled; NULL: a message is */
    uint64_t last_number;
    /* of the function that runs */
    enum place place;
    struct queue inserted, timeouts;
    bool postpone, has_failed;
    cop_reason failure;
};

/* The body of a timer's message. */
struct tick {
    const struct machine *of;
    uint64_t number;
};

/* Of a timer's message. Anybody else may use it, too: the tick names the machine. */
#define TICK 0x7f0f0f71u

/* The start of the genserver's argument; the machine's follows. */
struct start {
    const cop_statem *on;
    size_t arg_size;
};

/* ---------------------------------------------------------------- queues */

static void
queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
}

static void
append(struct queue *queue, struct event *event)
{
    event->next = NULL;
    *queue->end = event;
    queue->end = &event->next;
}

static struct event *
take_off(struct queue *queue, struct event **link)
{
    struct event *event = *link;
    *link = event->next;
    if (!*link) {
        queue->end = link;
    }
    event->next = NULL;
    return event;
}

/* All of `from`, before all of `queue`. */
static void
put_before(struct queue *queue, struct queue *from)
{
    if (from->first) {
        *from->end = queue->first;
        if (!queue->first) {
            queue->end = from->end;
        }
        queue->first = from->first;
        queue_init(from);
    }
}

static size_t
length(const struct queue *queue)
{
    size_t count = 0;
    for (const struct event *event = queue->first; event; event = event->next) {
        count++;
    }
    return count;
}

/* ---------------------------------------------------------------- events that are kept */

static void
release_body(void *msg)
{
    cop_msg_release(msg);
}

static void
release(struct event *event)
{
    if (event->is.msg.drop) {
        copi_run_held(copi_here.process, release_body, &event->is.msg);
    }
    free(event);
}

static void
release_all(struct queue *queue)
{
    while (queue->first) {
        release(take_off(queue, &queue->first));
    }
}

/* A moved body, also if it is the one that the process has in hand, is the record's from now on. */
static void
take_body(struct event *event, const cop_msg *msg)
{
    cop_msg taken = *msg;
    cop_msg_take(&taken);
    event->is.msg = *msg;
}

/* Whether the body comes with the message; an answer's comes with its node, which is ours, and not to
 * be told from bytes. */
static bool
is_moved(const cop_msg *msg)
{
    return msg->drop && !copi_message_is_copy(msg);
}

/* NULL: no memory, and the body is where it was. */
static struct event *
keep(const cop_statem_event *event)
{
    bool moved = is_moved(&event->msg);
    size_t bytes = moved ? 0 : event->msg.body.size;
    size_t name = event->name ? strlen(event->name) + 1 : 0;
    struct event *kept = copi_zalloc(sizeof *kept + bytes + name);
    if (!kept) {
        return NULL;
    }
    char *behind = (char *)(kept + 1);
    kept->is = *event;
    if (moved) {
        take_body(kept, &event->msg);
    } else {
        kept->is.msg.drop = NULL;
        kept->is.msg.body.data = bytes ? memcpy(behind, event->msg.body.data, bytes) : NULL;
    }
    if (name) {
        kept->is.name = memcpy(behind + bytes, event->name, name);
    }
    return kept;
}

/* ---------------------------------------------------------------- failing */

static const char *
name_of(const cop_state *state)
{
    return state && state->name ? state->name : "state";
}

/* The machine will stop when the function returns; of several failures, with the first. */
static int
fail(struct machine *machine, cop_reason reason)
{
    if (!machine->has_failed) {
        machine->has_failed = true;
        machine->failure = reason;
    }
    return copi_fail_why(&reason, reason.code);
}

static int
fail_action(struct machine *machine, const char *action)
{
    const char *where = machine->place == IN_ENTER ? "state_enter_" : "";
    return fail(machine,
                cop_failed(-EINVAL, "{bad_%saction_from_state_function,%s}", where, action));
}

static cop_step
stop(struct machine *machine)
{
    machine->place = ELSEWHERE;
    return cop_stop(machine->has_failed ? machine->failure : copi_here.process->step_reason);
}

/* ---------------------------------------------------------------- timeouts */

static bool
is_same_timeout(const struct event *event, cop_statem_kind kind, const char *name)
{
    return event->is.kind == kind
           && (kind != COP_STATEM_TIMEOUT || strcmp(event->is.name, name) == 0);
}

static struct event **
find_timeout(struct queue *queue, cop_statem_kind kind, const char *name)
{
    struct event **link = &queue->first;
    while (*link && !is_same_timeout(*link, kind, name)) {
        link = &(*link)->next;
    }
    return link;
}

/* That the timer has fired already is no failure that the user's cop_why() should tell of. */
static void
stop_timer(const struct event *event)
{
    cop_reason why = copi_here.process->why;
    if (cop_cancel_timer(event->timer, NULL)) {
        copi_fail_why(&why, 0);
    }
}

static void
end_timeout(struct machine *machine, cop_statem_kind kind, const char *name)
{
    struct event **running = find_timeout(&machine->timers, kind, name);
    struct event **due = find_timeout(&machine->due, kind, name);
    if (*running) {
        stop_timer(*running);
        release(take_off(&machine->timers, running));
    }
    if (*due) {
        release(take_off(&machine->due, due));
    }
}

static int
start_timer(struct machine *machine, struct event *event)
{
    struct tick tick = {machine, ++machine->last_number};
    event->number = tick.number;
    event->timer = cop_send_after(cop_self(), COP_MSG_OF(TICK, tick), event->after);
    if (event->timer.id == 0) {
        release(event);
        return fail(machine, cop_why());
    }
    append(&machine->timers, event);
    return 0;
}

/* `event` in the place of another, with its timer. */
static void
replace(struct queue *queue, struct event **link, struct event *event)
{
    struct event *old = *link;
    event->number = old->number;
    event->timer = old->timer;
    event->next = old->next;
    *link = event;
    if (!event->next) {
        queue->end = &event->next;
    }
    release(old);
}

static void
update_timeout(struct machine *machine, struct event *event)
{
    struct event **running = find_timeout(&machine->timers, event->is.kind, event->is.name);
    struct event **due = find_timeout(&machine->due, event->is.kind, event->is.name);
    if (*running) {
        replace(&machine->timers, running, event);
    } else if (*due) {
        replace(&machine->due, due, event);
    } else {
        append(&machine->due, event);
    }
}

static int
start_timeout(struct machine *machine, struct event *event)
{
    if (event->after == COP_STATEM_UPDATE) {
        update_timeout(machine, event);
        return 0;
    }
    end_timeout(machine, event->is.kind, event->is.name);
    if (event->after == COP_FOREVER) {
        release(event);
        return 0;
    }
    if (event->after == 0) {
        append(&machine->due, event);
        return 0;
    }
    return start_timer(machine, event);
}

static int
start_timeouts(struct machine *machine)
{
    int r = 0;
    while (r == 0 && machine->timeouts.first) {
        r = start_timeout(machine, take_off(&machine->timeouts, &machine->timeouts.first));
    }
    return r;
}

static bool
is_tick_of(const struct machine *machine, const cop_msg *msg)
{
    struct tick tick;
    if (msg->tag != TICK || msg->body.size != sizeof tick) {
        return false;
    }
    memcpy(&tick, msg->body.data, sizeof tick);
    return tick.of == machine;
}

/* The timeout is the next event, unless it was ended after its timer had fired. */
static void
fire(struct machine *machine, const cop_msg *msg)
{
    struct tick tick;
    memcpy(&tick, msg->body.data, sizeof tick);
    for (struct event **link = &machine->timers.first; *link; link = &(*link)->next) {
        if ((*link)->number == tick.number) {
            append(&machine->next, take_off(&machine->timers, link));
            return;
        }
    }
}

/* ---------------------------------------------------------------- the user's functions */

static void
begin_function(struct machine *machine, enum place place)
{
    machine->place = place;
    copi_callback_begin(copi_here.process, name_of(machine->state));
}

static cop_transition
run_handle(struct machine *machine, const cop_statem_event *event)
{
    if (!machine->state->handle) {
        fail(machine, cop_failed(-ENOSYS, "{undef,%s}", name_of(machine->state)));
        return cop_statem_keep_state();
    }
    begin_function(machine, IN_HANDLE);
    return machine->state->handle(machine->data, event);
}

static cop_transition
run_enter(struct machine *machine, const cop_state *old)
{
    if (!machine->state->enter) {
        return cop_statem_keep_state();
    }
    begin_function(machine, IN_ENTER);
    return machine->state->enter(machine->data, old);
}

static bool
may_be_next(const struct machine *machine, const cop_state *state)
{
    return state && (machine->place != IN_ENTER || state == machine->state);
}

/* Whether the machine goes on after a function has returned this. */
static bool
goes_on(struct machine *machine, cop_transition to)
{
    const char *where = machine->place == IN_ENTER ? "state_enter_" : "";
    if (to.next == STOP) {
        machine->has_failed = false; /* it has a reason of its own */
        return false;
    }
    if (to.next == NEXT && !may_be_next(machine, to.state)) {
        fail(machine, cop_failed(-EINVAL, "{bad_%sreturn_from_state_function,{next_state,%s}}",
                                 where, to.state ? name_of(to.state) : "NULL"));
    } else if (to.next != KEEP && to.next != NEXT && to.next != REPEAT) {
        fail(machine, cop_failed(-EINVAL, "{bad_%sreturn_from_state_function,%d}", where, to.next));
    }
    return !machine->has_failed;
}

/* ---------------------------------------------------------------- one event */

/* The event in hand, for later. A body that its function has taken is gone. */
static int
postpone(struct machine *machine, const cop_statem_event *event)
{
    struct event *kept = machine->current;
    machine->current = NULL;
    if (event->msg.drop && !copi_message_view(copi_here.process->current).drop) {
        machine->current = kept;
        return fail_action(machine, "postpone");
    }
    if (!kept && !(kept = keep(event))) {
        return fail(machine, cop_failed(-ENOMEM, "no memory to postpone"));
    }
    if (event->msg.drop) {
        take_body(kept, &event->msg);
    }
    append(&machine->postponed, kept);
    return 0;
}

static void
discard_current(struct machine *machine)
{
    if (machine->current) {
        release(machine->current);
        machine->current = NULL;
    }
}

/* The record waits in the machine, its moved body in the genserver. */
static cop_step
continue_with(struct machine *machine, struct event *event)
{
    cop_msg token = COP_TAG(0);
    if (event->is.msg.drop) {
        token.body = event->is.msg.body;
        token.drop = event->is.msg.drop;
        event->is.msg.drop = NULL;
    }
    machine->current = event;
    return cop_ok_continue(token);
}

static cop_step
go_on(struct machine *machine)
{
    struct queue *queue = machine->next.first ? &machine->next : &machine->due;
    return queue->first ? continue_with(machine, take_off(queue, &queue->first)) : cop_ok();
}

/* Enter the state that is next, as often as it wants. */
static bool
enter(struct machine *machine, const cop_state *old)
{
    cop_transition to;
    do {
        to = run_enter(machine, old);
        if (!goes_on(machine, to)) {
            return false;
        }
    } while (to.next == REPEAT);
    return true;
}

/* Everything that comes after the functions. */
static cop_step
settle(struct machine *machine, const cop_state *old)
{
    machine->place = ELSEWHERE;
    if (machine->state != old) {
        put_before(&machine->next, &machine->postponed);
        end_timeout(machine, COP_STATEM_STATE_TIMEOUT, NULL);
    }
    end_timeout(machine, COP_STATEM_EVENT_TIMEOUT, NULL);
    if (start_timeouts(machine)) {
        return stop(machine);
    }
    put_before(&machine->next, &machine->inserted);
    return go_on(machine);
}

static bool
is_entered(const struct machine *machine, cop_transition to)
{
    return to.next == REPEAT || (to.next == NEXT && to.state != machine->state);
}

static bool
follow(struct machine *machine, cop_transition to)
{
    const cop_state *old = machine->state;
    if (!goes_on(machine, to)) {
        return false;
    }
    if (!is_entered(machine, to)) {
        return true;
    }
    if (to.next == NEXT) {
        machine->state = to.state;
    }
    return enter(machine, old);
}

static cop_step
handle(struct machine *machine, const cop_statem_event *event)
{
    const cop_state *old = machine->state;
    machine->postpone = false;
    if (!follow(machine, run_handle(machine, event))
        || (machine->postpone && postpone(machine, event))) {
        return stop(machine);
    }
    discard_current(machine);
    return settle(machine, old);
}

/* ---------------------------------------------------------------- the genserver's callbacks */

static void
for_each_queue(struct machine *machine, void (*fn)(struct queue *queue))
{
    fn(&machine->postponed);
    fn(&machine->next);
    fn(&machine->due);
    fn(&machine->timers);
    fn(&machine->inserted);
    fn(&machine->timeouts);
}

static void
forget_all(void *arg)
{
    struct machine *machine = arg;
    machine->place = ELSEWHERE;
    discard_current(machine);
    for_each_queue(machine, release_all);
}

static int
set_up(struct machine *machine, const cop_statem *on)
{
    for_each_queue(machine, queue_init);
    machine->on = on;
    if (on->data_size > 0 && !(machine->data = copi_memory_new(copi_here.process, on->data_size))) {
        return -ENOMEM;
    }
    return cop_at_exit(forget_all, machine);
}

static cop_transition
run_init(struct machine *machine, const struct start *start)
{
    if (!machine->on->init) {
        return cop_statem_keep_state();
    }
    const void *arg = start->arg_size ? start + 1 : NULL;
    machine->place = IN_INIT;
    cop_transition to = machine->on->init(machine->data, (cop_bytes){arg, start->arg_size});
    machine->place = ELSEWHERE;
    return to;
}

static cop_step
init(void *state, cop_bytes arg)
{
    struct machine *machine = state;
    const struct start *start = arg.data;
    int r = set_up(machine, start->on);
    if (r) {
        return cop_stop(cop_failed(r, "no memory for the data"));
    }
    cop_transition to = run_init(machine, start);
    if (to.next == IGNORE) {
        return cop_ignore();
    }
    machine->state = to.next == NEXT ? to.state : to.next == KEEP ? machine->on->initial : NULL;
    if (to.next == STOP) {
        machine->has_failed = false; /* it has a reason of its own */
        return stop(machine);
    }
    if (!machine->state) {
        fail(machine, cop_failed(-EINVAL, "{bad_return_from_init,%d}", to.next));
    }
    return machine->has_failed ? stop(machine) : cop_ok_continue(COP_TAG(0));
}

static cop_step
handle_message(struct machine *machine, cop_statem_kind kind, cop_from from, cop_msg msg)
{
    msg.drop = is_moved(&msg) ? msg.drop : NULL;
    return handle(machine, &(cop_statem_event){.kind = kind, .msg = msg, .from = from});
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    return handle_message(state, COP_STATEM_CALL, from, request);
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    return handle_message(state, COP_STATEM_CAST, (cop_from){0}, msg);
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct machine *machine = state;
    if (is_tick_of(machine, &msg)) {
        fire(machine, &msg);
        return go_on(machine);
    }
    return handle_message(machine, COP_STATEM_INFO, (cop_from){0}, msg);
}

/* The first one is the start: the first state is entered. */
static cop_step
handle_continue(void *state, cop_msg token)
{
    struct machine *machine = state;
    cop_checkpoint(); /* a machine that feeds itself is to be reached by a kill */
    if (!machine->current) {
        return enter(machine, machine->state) ? settle(machine, machine->state) : stop(machine);
    }
    cop_statem_event event = machine->current->is;
    event.msg.drop = token.drop;
    return handle(machine, &event);
}

static void
report_crash(const struct machine *machine)
{
    char name[COPI_LABEL_SIZE];
    copi_report(COPI_ERROR, "state machine %s was in state %s, with %zu events postponed",
                copi_label(copi_here.process, name), name_of(machine->state),
                length(&machine->postponed));
}

static void
terminate(void *state, cop_reason reason)
{
    struct machine *machine = state;
    machine->place = ELSEWHERE;
    if (cop_is_crash(reason)) {
        report_crash(machine);
    }
    if (machine->on->terminate) {
        machine->on->terminate(machine->data, machine->state, reason);
    }
}

static const cop_genserver server = {
    .type = "statem",
    .state_size = sizeof(struct machine),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
    .handle_continue = handle_continue,
    .terminate = terminate,
};

/* ---------------------------------------------------------------- starting */

static int
start_packed(cop_pid *out, struct start *start, size_t size, const cop_start_opts *opts)
{
    cop_start_opts mine = *opts;
    mine.arg = (cop_bytes){start, size};
    /* The start is an exit point: then this goes by the deferred call. */
    int r = cop_defer(free, start);
    if (r) {
        free(start);
        return r;
    }
    r = cop_genserver_start_with(out, &server, &mine);
    cop_undefer(free, start, true);
    return r;
}

int
cop_statem_start_with(cop_pid *out, const cop_statem *machine, const cop_start_opts *opts)
{
    cop_start_opts mine = {0};
    if (opts) {
        memcpy(&mine, opts, opts->size < sizeof mine ? opts->size : sizeof mine);
    }
    if (!machine || (!machine->initial && !machine->init)
        || (mine.arg.size > 0 && !mine.arg.data)) {
        return copi_fail(-EINVAL);
    }
    mine.size = sizeof mine;
    size_t size = sizeof(struct start) + mine.arg.size;
    struct start *start = copi_alloc(size);
    if (!start) {
        return copi_fail(-ENOMEM);
    }
    *start = (struct start){machine, mine.arg.size};
    if (mine.arg.size > 0) {
        memcpy(start + 1, mine.arg.data, mine.arg.size);
    }
    return start_packed(out, start, size, &mine);
}

/* ---------------------------------------------------------------- transitions */

cop_transition
cop_statem_keep_state(void)
{
    return (cop_transition){.next = KEEP};
}

cop_transition
cop_statem_next_state(const cop_state *state)
{
    return (cop_transition){.next = NEXT, .state = state};
}

cop_transition
cop_statem_repeat_state(void)
{
    return (cop_transition){.next = REPEAT};
}

cop_transition
cop_statem_stop(cop_reason reason)
{
    (void)cop_stop(reason); /* which leaves it in the process */
    return (cop_transition){.next = STOP};
}

cop_transition
cop_statem_ignore(void)
{
    return (cop_transition){.next = IGNORE};
}

/* ---------------------------------------------------------------- actions */

/* The machine whose function runs in this process. */
static struct machine *
machine_here(void)
{
    const struct copi_process *self = copi_here.process;
    struct machine *machine = self && self->what == &server ? self->state : NULL;
    return machine && machine->place != ELSEWHERE ? machine : NULL;
}

static bool
has_body(const cop_msg *msg)
{
    return msg->body.data || (msg->body.size == 0 && !msg->drop);
}

/* Of the user's, or in the process's hands. */
static void
let_go(cop_msg *content)
{
    cop_msg gone = *content;
    if (is_moved(&gone)) {
        cop_msg_take(content);
    }
    if (gone.body.data) {
        cop_msg_release(&gone);
    }
}

/* Keep an event that is asked for; its body is taken in any case. */
static struct event *
keep_asked(struct machine *machine, const cop_statem_event *event)
{
    cop_msg content = event->msg;
    struct event *kept = keep(event);
    if (!kept) {
        fail(machine, cop_failed(-ENOMEM, "no memory for an event"));
    }
    if (!kept || !is_moved(&content)) {
        let_go(&content);
    }
    return kept;
}

static int
refuse(struct machine *machine, const cop_statem_event *event, const char *action)
{
    cop_msg content = event->msg;
    let_go(&content);
    return machine ? fail_action(machine, action) : copi_fail(-EPERM);
}

int
cop_statem_postpone(void)
{
    struct machine *machine = machine_here();
    if (!machine) {
        return copi_fail(-EPERM);
    }
    if (machine->place == IN_ENTER) {
        return fail_action(machine, "postpone");
    }
    machine->postpone = true;
    return 0;
}

static bool
is_whole(const cop_statem_event *event)
{
    return event->kind >= COP_STATEM_CALL && event->kind <= COP_STATEM_TIMEOUT
           && (event->kind != COP_STATEM_TIMEOUT || event->name) && has_body(&event->msg);
}

int
cop_statem_next_event_as(const cop_statem_event *event)
{
    struct machine *machine = machine_here();
    if (!machine || machine->place == IN_ENTER || !is_whole(event)) {
        return refuse(machine, event, "next_event");
    }
    struct event *kept = keep_asked(machine, event);
    if (!kept) {
        return -ENOMEM;
    }
    append(&machine->inserted, kept);
    return 0;
}

int
cop_statem_next_event(cop_msg content)
{
    return cop_statem_next_event_as(
        &(cop_statem_event){.kind = COP_STATEM_INTERNAL, .msg = content});
}

static int
ask_for_timeout(const char *action, const cop_statem_event *event, cop_time after)
{
    struct machine *machine = machine_here();
    bool is_time = after >= 0 || after == COP_STATEM_UPDATE;
    if (!machine || !is_time || !is_whole(event)) {
        return refuse(machine, event, action);
    }
    struct event *kept = keep_asked(machine, event);
    if (!kept) {
        return -ENOMEM;
    }
    struct event **earlier = find_timeout(&machine->timeouts, event->kind, event->name);
    if (*earlier) {
        release(take_off(&machine->timeouts, earlier));
    }
    kept->after = after;
    append(&machine->timeouts, kept);
    return 0;
}

int
cop_statem_state_timeout(cop_time after, cop_msg content)
{
    return ask_for_timeout("state_timeout",
                           &(cop_statem_event){.kind = COP_STATEM_STATE_TIMEOUT, .msg = content},
                           after);
}

int
cop_statem_event_timeout(cop_time after, cop_msg content)
{
    return ask_for_timeout(
        "timeout", &(cop_statem_event){.kind = COP_STATEM_EVENT_TIMEOUT, .msg = content}, after);
}

int
cop_statem_timeout(const char *name, cop_time after, cop_msg content)
{
    return ask_for_timeout(
        "timeout", &(cop_statem_event){.kind = COP_STATEM_TIMEOUT, .msg = content, .name = name},
        after);
}
