/*
 * tests/stress/ledger.h - servers that count what they are told, and clients that hold them to it.
 *
 * Room: tests/. Uses the library as anybody would.
 */
#ifndef COPI_TESTS_STRESS_LEDGER_H
#define COPI_TESTS_STRESS_LEDGER_H

#include <coppice.h>

#include <stdatomic.h>

enum {
    LEDGERS = 176,
    CLIENTS = 12,
    LEDGER_ROOM = 64, /* of a ledger's mailbox */
};

/* What a ledger can be told; the body is a struct ledger_entry. */
enum {
    LEDGER_ADD = 1, /* a call, answered with a struct ledger_state */
    LEDGER_NOTE,    /* a cast */
    LEDGER_PING,    /* a call */
    LEDGER_CRASH,   /* casts, without a body */
    LEDGER_HANG,
    LEDGER_STICK,
    LEDGER_FAULT,
    LEDGER_NOTHING,
};

struct ledger_entry {
    uint32_t client, amount;
    uint64_t number; /* of all, in the order in which a client says them */
};

struct ledger_state {
    uint64_t incarnation, number; /* number: that of the entry that is answered */
    uint64_t sum;                 /* of this client's amounts */
};

/* What has been seen by all of them, and must be 0 in the second half. */
struct ledger_tally {
    atomic_ulong calls, answered, refused, unknown, notes;
    atomic_ulong lost, strangers, out_of_order, unexpected;
    atomic_bool stop;
};
extern struct ledger_tally ledger_tally;

extern const cop_genserver ledger;

void ledger_name(size_t number, char out[16]);

/* A client's life: the body is its number, a uint32_t. Until ledger_tally.stop. */
int ledger_client(cop_bytes arg);

#endif
