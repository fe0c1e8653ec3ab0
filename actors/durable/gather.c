/*
 * actors/durable/gather.c - whether a store waits a moment for those whom it has just answered.
 *
 * Room: actors/durable/. Arithmetic only: time is an argument.
 * Touch freely: the numbers, with the bench of durable promises. Ask first: what makes it pause.
 *
 * When a batch has been answered, a hundred threads are woken at once, and they are likely to ask again. Each needs a
 * few microseconds of a core for that, and the store, which looks at its mailbox meanwhile, finds it empty long before the
 * last of them has asked. Begun then, a batch has two thirds of them, never the same ones: so there are half as many
 * syncs again, and those who began side by side drift apart, until each changes another page of the file.
 *
 * So the store pauses, as PostgreSQL's commit_delay does, and more cautiously than that:
 *
 *   - only for company: at least eight waited for the answers of a batch, blocked in a call. One process that asks without
 *     waiting is none, however much it has outstanding: its next operations are in the mailbox already
 *   - until the company is there, and no longer than each pause brings somebody. How large it is said to be rises at once, with
 *     a batch that more have waited for, and falls by an eighth of the difference
 *   - for an eighth of the time that the last batch took. Where that is less than a pause there is nothing to be gained,
 *     and none: so never in memory, and never for one at a time
 *
 * The store sleeps meanwhile: its core is theirs.
 */
#include "actors/durable/gather.h"

enum {
    COMPANY = 8,
    FALL = 8,
    SHARE = 8
};

void
copi_gather_answered(struct copi_gather *gather, size_t waited, cop_time lasted, cop_time now)
{
    size_t missing = gather->company > waited ? gather->company - waited : 0;
    gather->company = missing ? gather->company - (missing + FALL - 1) / FALL : waited;
    gather->seen = 0;
    gather->until = lasted / SHARE >= COPI_GATHER_PAUSE ? now + lasted / SHARE : now;
}

bool
copi_gather_pauses(struct copi_gather *gather, size_t count, cop_time now)
{
    bool has_brought = count > gather->seen;
    gather->seen = count;
    return has_brought && gather->company >= COMPANY && count < gather->company
           && now < gather->until;
}
