/*
 * demos/chaos/cell.c - the cells.
 *
 * Room: demos/. Runs in each cell's process.
 */
#include "demos/chaos/cell.h"

#define SOME_WORK 2000

const char *const cell_names[CELLS] = {"cell.a", "cell.b", "cell.c", "cell.d", "cell.e"};

struct cell {
    unsigned long done; /* it starts from nothing each time: what falls loses what it knew */
};

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    return cop_reply(from, (cop_msg){0});
}

static void
work(struct cell *cell)
{
    for (volatile unsigned i = 0; i < SOME_WORK; i++) {
        cell->done += i & 1;
    }
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    switch (msg.tag) {
    case CELL_WORK:
        work(state);
        break;
    case CELL_CRASH:
        cop_exit(cop_failed(-EIO, "chaos"));
    case CELL_HANG:
        return cop_sleep(COP_FOREVER) == 0 ? cop_ok() : cop_stop(COP_REASON_SHUTDOWN);
    default:
        break;
    }
    return cop_ok();
}

static const cop_genserver cell = {
    .type = "cell",
    .state_size = sizeof(struct cell),
    .handle_call = handle_call,
    .handle_cast = handle_cast,
};

cop_child_spec
cell_child(size_t number)
{
    return (cop_child_spec){
        .id = cell_names[number],
        .name = cell_names[number],
        .genserver = &cell,
        .mailbox.limit = CELL_ROOM,
    };
}
