/*
 * demos/statem/main.c - a connection as a state machine: it waits longer after each failure, and who
 * asks meanwhile does not notice.
 *
 * Room: demos/. The peer is made up, and refuses the first two attempts.
 *
 *              a state timeout, and the peer accepts
 *     waiting ---------------------------------------> connected
 *             <---------------------------------------
 *              the line breaks, or nobody has asked for a while
 *
 * Each state says what it does with what comes. `waiting` answers nobody: it postpones the questions,
 * and they are asked again, in order, as soon as the connection is there.
 */
#include <coppice.h>

#include <stdio.h>

enum {
    QUESTION = 1, /* a call; its answer is an int */
    BREAK,        /* a cast: the line is cut */
};

#define FIRST_PAUSE COP_MS(10)
#define IDLE_TIME   COP_MS(50)

struct connection {
    cop_time pause;
    int attempts, answers;
};

static const cop_state waiting, connected;

static bool
peer_accepts(struct connection *connection)
{
    return ++connection->attempts > 2;
}

/* ---------------------------------------------------------------- waiting */

static cop_transition
waiting_enter(void *data, const cop_state *old)
{
    struct connection *connection = data;
    if (old != &waiting) {
        connection->pause = FIRST_PAUSE;
        printf("closed\n");
    }
    cop_statem_state_timeout(connection->pause, COP_TAG(0));
    return cop_statem_keep_state();
}

static cop_transition
waiting_handle(void *data, const cop_statem_event *event)
{
    struct connection *connection = data;
    if (event->kind != COP_STATEM_STATE_TIMEOUT) {
        cop_statem_postpone();
        return cop_statem_keep_state();
    }
    if (peer_accepts(connection)) {
        return cop_statem_next_state(&connected);
    }
    connection->pause *= 2;
    printf("refused\n");
    return cop_statem_repeat_state(); /* its enter sets the next timeout */
}

/* ---------------------------------------------------------------- connected */

static cop_transition
connected_enter(void *data, const cop_state *old)
{
    (void)data, (void)old;
    printf("connected\n");
    return cop_statem_keep_state();
}

static cop_transition
connected_handle(void *data, const cop_statem_event *event)
{
    struct connection *connection = data;
    if (event->kind == COP_STATEM_EVENT_TIMEOUT || event->msg.tag == BREAK) {
        return cop_statem_next_state(&waiting);
    }
    if (event->kind == COP_STATEM_CALL) {
        connection->answers++;
        cop_reply(event->from, COP_MSG_OF(QUESTION, connection->answers));
    }
    cop_statem_event_timeout(IDLE_TIME, COP_TAG(0));
    return cop_statem_keep_state();
}

static const cop_state waiting = {
    .name = "waiting",
    .handle = waiting_handle,
    .enter = waiting_enter,
};
static const cop_state connected = {
    .name = "connected",
    .handle = connected_handle,
    .enter = connected_enter,
};

static cop_transition
init(void *data, cop_bytes arg)
{
    struct connection *connection = data;
    (void)arg;
    connection->pause = FIRST_PAUSE;
    return cop_statem_next_state(&waiting);
}

static const cop_statem machine = {
    .type = "connection",
    .data_size = sizeof(struct connection),
    .init = init,
};

/* ---------------------------------------------------------------- who asks */

static void
ask(cop_pid pid)
{
    int answer = 0;
    int r = cop_call(pid, COP_TAG(QUESTION), COP_OUT(answer), COP_SEC(5));
    printf("answer %d: %s\n", answer, cop_strerror(r));
}

int
main(void)
{
    cop_pid pid;
    int r = cop_statem_start(&pid, &machine, .name = "connection");
    if (r) {
        (void)fprintf(stderr, "statem: %s\n", cop_strerror(r));
        return 1;
    }
    ask(pid); /* waits for the third attempt, and does not know */
    cop_cast(pid, COP_TAG(BREAK));
    ask(pid);
    cop_sleep(4 * IDLE_TIME); /* nobody asks: it closes, and connects again */
    ask(pid);
    return cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
