/*
 * coppice/statem.h - state machines: a server whose callbacks depend on its state. OTP's gen_statem.
 *
 * A state is a constant with a function that handles events, and one that runs on entering it. What
 * arrives by cop_call, cop_cast and cop_send are events; so are timeouts, and what the machine inserts
 * for itself. The function calls what it wants done (cop_reply, cop_statem_postpone,
 * cop_statem_state_timeout ...), and returns where to go next. When not to use one: if every state
 * handles every message the same way, write a genserver.
 *
 * The order of things is gen_statem's. For each event:
 *
 *   1. the state's handle runs
 *   2. enter, if the state changed or is repeated; before anything else
 *   3. a change of state ends the state timeout, and the postponed events become the next ones, in
 *      order of arrival; any event ends the event timeout
 *   4. the timeouts that were asked for start, in the new state
 *   5. inserted events come first, in the order given, then those that were postponed
 *   6. when none of them is left, timeouts of 0; and only then what has arrived meanwhile
 *
 * A change of state is one to another state: cop_statem_next_state with the same one is keep_state.
 *
 * A machine is a genserver: it is called, cast to, stopped, linked and supervised like one. A call
 * whose event is postponed waits, and gets -EPIPE if the machine ends. A body that was moved to it
 * stays with a postponed event and is dropped once; cop_msg_take works each time that it is handled.
 * cop_defer: to the end of the event, its enter calls included.
 *
 *     static cop_transition
 *     locked_handle(void *data, const cop_statem_event *event)
 *     {
 *         if (event->msg.tag != COIN) {
 *             return cop_statem_keep_state();
 *         }
 *         cop_statem_state_timeout(COP_SEC(10), COP_TAG(0));
 *         return cop_statem_next_state(&open);
 *     }
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_STATEM_H
#define COPPICE_STATEM_H

#include <coppice/genserver.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cop_statem_kind {
    COP_STATEM_CALL = 1,      /* cop_call: to be answered with cop_reply, now or later */
    COP_STATEM_CAST,          /* cop_cast */
    COP_STATEM_INFO,          /* plain sends, DOWN, EXIT, IO */
    COP_STATEM_INTERNAL,      /* cop_statem_next_event */
    COP_STATEM_STATE_TIMEOUT, /* the state lasted too long */
    COP_STATEM_EVENT_TIMEOUT, /* no event came in time */
    COP_STATEM_TIMEOUT,       /* one with a name */
} cop_statem_kind;

/* What a state handles. It, and the message's body, live until the state's function returns. */
typedef struct cop_statem_event {
    cop_statem_kind kind;
    cop_msg msg;      /* as it was sent or inserted; a timeout's content */
    cop_from from;    /* CALL: whom to answer; may be kept */
    const char *name; /* TIMEOUT: which one */
} cop_statem_event;

typedef struct cop_state cop_state;

/* Where to go next. Made by the functions below; its members are private. */
typedef struct cop_transition {
    int next;
    const cop_state *state;
} cop_transition;

struct cop_state {
    const char *name; /* for people: reports, cop_inspect while one of its functions runs. Static */
    cop_transition (*handle)(void *data, const cop_statem_event *event);
    /* NULL: nothing is to be done. `old` is where it comes from: itself at the start, and when it is
     * repeated. It may answer, set timeouts and stop; not postpone, insert or change the state. */
    cop_transition (*enter)(void *data, const cop_state *old);
    void *reserved[2];
};

typedef struct cop_statem {
    const char *type;         /* for people. Static */
    size_t data_size;         /* a zeroed block of this size is each incarnation's data */
    const cop_state *initial; /* where it starts, unless init says otherwise */
    /* NULL: the zeroed data and .initial will do. cop_statem_next_state says where to start, keep_state
     * that it is .initial. Timeouts and events of it come after the first state's enter, and that when
     * the start has returned, as in OTP. */
    cop_transition (*init)(void *data, cop_bytes arg);
    /* `state` is the one whose function ran last. When it runs: see coppice/genserver.h. */
    void (*terminate)(void *data, const cop_state *state, cop_reason reason);
    void *reserved[4];
} cop_statem;

/*
 * Start a state machine, and return when init has; gen_statem:start, and start_link with .link = true.
 *
 *   machine   borrowed, with its states, for as long as it lives
 *   opts      NULL: the defaults
 *
 * -EINVAL   no machine; or neither .initial nor init names a state
 * Other errors, and `out`, as cop_genserver_start_with.
 *
 * Threads: any.  Blocks until init returns.  Exit point: yes.
 */
COP_API int cop_statem_start_with(cop_pid *out, const cop_statem *machine,
                                  const cop_start_opts *opts);
/* cop_statem_start(out, machine, options...) */
#define cop_statem_start(out, ...) \
 COP_STATEM_START_(out, __VA_ARGS__, .size = sizeof(cop_start_opts))
#define COP_STATEM_START_(out, machine, ...) \
 cop_statem_start_with((out), (machine), &(cop_start_opts){__VA_ARGS__})

/* ---------------------------------------------------------------- transitions */

/* The event is done, and the state stays; keep_state. Postponed events go on waiting. */
COP_API cop_transition cop_statem_keep_state(void);

/* Another state is next; next_state. NULL fails the machine with -EINVAL. */
COP_API cop_transition cop_statem_next_state(const cop_state *state);

/* The state stays, and is entered again; repeat_state. */
COP_API cop_transition cop_statem_repeat_state(void);

/*
 * Stop with a reason. In init: the start fails with it. Answers that were given before, with cop_reply,
 * have been sent: cop_reply and then this is OTP's stop_and_reply.
 */
COP_API cop_transition cop_statem_stop(cop_reason reason);

/* init only: not an error, but do not start. */
COP_API cop_transition cop_statem_ignore(void);

/* ---------------------------------------------------------------- what else is to be done
 *
 * To be called from a state's functions and from init. What they ask for happens after the transition,
 * in the order above. Their results need not be looked at: but for -EPERM, what fails here fails the
 * machine with the same code when the function returns, as a bad action does in OTP.
 *
 * A content is copied, or its body taken, whatever comes of it. It may be the event's own message.
 *
 * -EPERM    not in a state's function or init, or in another process
 * -EINVAL   not allowed there, or a bad argument
 * -ENOMEM
 *
 * Threads: the machine's own.  Does not block.  Exit point: no.
 */

/*
 * Keep this event for later; postpone. It is handled again after the next change of state. A call is
 * not answered until then. Not in an enter function; in init, where there is no event, it does nothing.
 * An event whose body was taken with cop_msg_take cannot be postponed.
 */
COP_API int cop_statem_postpone(void);

/* Handle this event next, before what waits, as COP_STATEM_INTERNAL; next_event. Those of one function
 * are handled in the order given. Not in an enter function. */
COP_API int cop_statem_next_event(cop_msg content);

/* The same for an event of any kind, as if it had come from outside. The struct is copied. */
COP_API int cop_statem_next_event_as(const cop_statem_event *event);

/* In place of the time: the timeout that runs goes on with another content; {state_timeout, update, C}.
 * One that does not run fires at once, as with 0. */
#define COP_STATEM_UPDATE ((cop_time)-1)

/*
 * An event if the machine is still in this state after a time; {state_timeout, T, C}. Set with the
 * transition to a state, or in its enter, it belongs to that one. A change of state ends it.
 *
 *   after     0: as soon as no inserted or retried event is left; COP_FOREVER: never, which ends the
 *             one that runs; COP_STATEM_UPDATE
 *   content   the event's message; COP_TAG(0) where none is needed
 *
 * Set again, it starts anew. Of several in one transition the last counts. One that was ended or set
 * anew does not come any more, however late that was.
 */
COP_API int cop_statem_state_timeout(cop_time after, cop_msg content);

/* The same, ended by any event, inserted ones included; {timeout, T, C}. */
COP_API int cop_statem_event_timeout(cop_time after, cop_msg content);

/* The same, ended by nothing but COP_FOREVER; {{timeout, Name}, T, C}. Any number of them run, each
 * under a name of its own, which is copied. */
COP_API int cop_statem_timeout(const char *name, cop_time after, cop_msg content);

#ifdef __cplusplus
}
#endif
#endif
