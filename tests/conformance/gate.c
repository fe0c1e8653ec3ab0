/*
 * tests/conformance/gate.c - where a start function waits until it is let go on.
 *
 * Room: tests/. gate_wait is for the process that runs the start function, the rest for main.
 *
 * Who waits, waits for a message, so that it can be killed. One that was killed is let go like any
 * other, as in the original's runner: nobody notices.
 */
#include "tests/conformance/gate.h"

#include "tests/conformance/record.h"
#include "tests/conformance/text.h"

enum {
    GO_ON = 900
};

static cop_pid *waiting;
static size_t waiting_count, gone_on;

static bool
is_go_on(const cop_msg *msg, void *env)
{
    (void)env;
    return msg->tag == GO_ON;
}

void
gate_wait(const struct label *label, unsigned number)
{
    cop_pid self = cop_self();
    cast_lock();
    waiting = room_for_one_more(waiting, waiting_count, sizeof *waiting);
    waiting[waiting_count++] = self;
    record_start_locked(label, number, "gate");
    struct player *starter = player_of_locked(self);
    if (starter) {
        see_to_it_locked(starter);
    }
    cast_unlock();
    cop_msg message;
    (void)cop_receive_match(&message, is_go_on, NULL, COP_FOREVER);
}

bool
gate_open(void)
{
    cop_pid next = COP_NOBODY;
    cast_lock();
    bool is_closed = gate_is_closed_locked();
    if (is_closed) {
        next = waiting[gone_on++];
    }
    cast_unlock();
    if (is_closed) {
        (void)cop_send(next, COP_TAG(GO_ON));
    }
    return is_closed;
}

bool
gate_is_closed_locked(void)
{
    return gone_on < waiting_count;
}
