/*
 * tests/stress/ledger.c - servers that count what they are told, and clients that hold them to it.
 *
 * Room: tests/. Uses the library as anybody would.
 *
 * A client knows of each ledger which incarnation it has last heard of and what that has acknowledged. If an
 * answer comes from the same one, everything that was acknowledged is in it, and nothing that cannot be:
 * calls that ended with an error that leaves it open may be in it or not. Another incarnation starts from
 * nothing.
 */
#include "tests/stress/ledger.h"

#include "demos/chaos/dice.h"

#include <stdio.h>
#include <unistd.h>

#define CALL_TIME COP_MS(300)

struct ledger_tally ledger_tally;

void
ledger_name(size_t number, char out[16])
{
    (void)snprintf(out, 16, "ledger.%zu", number);
}

/* ---------------------------------------------------------------- a ledger */

struct ledger {
    uint64_t incarnation, sums[CLIENTS], last[CLIENTS];
};

static atomic_ulong incarnations;

static cop_step
init(void *state, cop_bytes arg)
{
    struct ledger *self = state;
    (void)arg;
    self->incarnation = atomic_fetch_add(&incarnations, 1) + 1;
    return cop_ok();
}

/* What one client says comes in its order, calls and casts together. */
static void
enter(struct ledger *self, const struct ledger_entry *entry)
{
    if (entry->number <= self->last[entry->client]) {
        atomic_fetch_add(&ledger_tally.out_of_order, 1);
    }
    self->last[entry->client] = entry->number;
    self->sums[entry->client] += entry->amount;
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct ledger *self = state;
    if (request.tag == LEDGER_PING) {
        return cop_reply(from, (cop_msg){0});
    }
    const struct ledger_entry *entry = COP_BODY(request, struct ledger_entry);
    enter(self, entry);
    if (entry->number % 251 == 0) {
        cop_exit(cop_failed(-EIO, "with a request in hand"));
    }
    struct ledger_state answer = {self->incarnation, entry->number, self->sums[entry->client]};
    return cop_reply(from, COP_MSG_OF(0, answer));
}

static void
stick(void)
{
    for (;;) {
        pause(); /* nothing of the library's wakes it */
        cop_checkpoint();
    }
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    volatile int *nowhere = NULL;
    switch (msg.tag) {
    case LEDGER_CRASH:
        cop_exit(cop_failed(-EIO, "chaos"));
    case LEDGER_HANG:
        return cop_sleep(COP_FOREVER) == 0 ? cop_ok() : cop_stop(COP_REASON_SHUTDOWN);
    case LEDGER_STICK:
        stick();
        break;
    case LEDGER_FAULT:
        *nowhere = 1; /* NOLINT(clang-analyzer-core.NullDereference): as asked */
        break;
    case LEDGER_NOTHING:
        break;
    default:
        enter(state, COP_BODY(msg, struct ledger_entry));
        break;
    }
    return cop_ok();
}

const cop_genserver ledger = {
    .type = "ledger",
    .state_size = sizeof(struct ledger),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
};

/* ---------------------------------------------------------------- a client */

struct account {
    uint64_t incarnation, sum; /* acknowledged */
    uint64_t open;             /* what may be in it besides */
};

struct client {
    uint32_t number;
    uint64_t said;
    struct dice dice;
    struct account accounts[LEDGERS];
};

static void
compare(struct account *account, const struct ledger_state *state, uint64_t amount)
{
    uint64_t least = amount, most = amount + account->open;
    if (account->incarnation == state->incarnation) {
        least += account->sum;
        most += account->sum;
    }
    if (state->sum < least || state->sum > most) {
        atomic_fetch_add(&ledger_tally.lost, 1);
    }
    *account = (struct account){state->incarnation, state->sum, 0};
}

static void
note_outcome(struct account *account, int r, uint64_t amount)
{
    switch (r) {
    case -ESRCH: /* it was not begun, and is safe to repeat */
    case -EAGAIN:
        atomic_fetch_add(&ledger_tally.refused, 1);
        break;
    case -EPIPE: /* whether it was done is not known */
    case -ETIMEDOUT:
    case -ECANCELED:
        account->open += amount;
        atomic_fetch_add(&ledger_tally.unknown, 1);
        break;
    default:
        account->open += amount;
        atomic_fetch_add(&ledger_tally.unexpected, 1);
        break;
    }
}

static void
add(struct client *self, size_t which, cop_pid to)
{
    struct ledger_entry entry = {self->number, 1 + dice_throw(&self->dice, 9), ++self->said};
    struct ledger_state state;
    atomic_fetch_add(&ledger_tally.calls, 1);
    int r = cop_call(to, COP_MSG_OF(LEDGER_ADD, entry), COP_OUT(state), CALL_TIME);
    if (r) {
        note_outcome(&self->accounts[which], r, entry.amount);
        return;
    }
    atomic_fetch_add(&ledger_tally.answered, 1);
    if (state.number != entry.number) {
        atomic_fetch_add(&ledger_tally.strangers, 1); /* another call's answer */
    }
    compare(&self->accounts[which], &state, entry.amount);
}

static void
note(struct client *self, size_t which, cop_pid to)
{
    struct ledger_entry entry = {self->number, 1, ++self->said};
    if (cop_cast(to, COP_MSG_OF(LEDGER_NOTE, entry)) == 0) {
        self->accounts[which].open += entry.amount; /* to whom it went is not known */
        atomic_fetch_add(&ledger_tally.notes, 1);
    }
}

int
ledger_client(cop_bytes arg)
{
    struct client *self = cop_alloc(sizeof *self);
    if (!self) {
        return -ENOMEM;
    }
    *self = (struct client){.number = *(const uint32_t *)arg.data};
    self->dice.seed = self->number;
    int r = 0;
    while (r == 0 && !atomic_load(&ledger_tally.stop)) {
        char name[16];
        size_t which = dice_throw(&self->dice, LEDGERS);
        ledger_name(which, name);
        cop_pid to = cop_whereis(name);
        if (to.id != 0) {
            note(self, which, to);
            add(self, which, to);
        }
        r = cop_sleep(COP_US(500)); /* the machine is not to be full */
    }
    return r;
}
