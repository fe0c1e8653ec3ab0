/*
 * supervisor/offer.c - how a specification reaches the supervisor that is to run by it.
 *
 * Room: supervisor/. Any thread.
 * Touch freely: how an offer is found. Ask first: nothing else.
 *
 * The starter has a hold on the specification, and a new supervisor takes it over. But either may be
 * ended by others at any moment: the supervisor before it has run a line, the starter while it waits.
 * So the hold is passed through a list that both go to: whoever comes first takes it, and the number
 * that the supervisor comes with is never used again, so it cannot take another's.
 */
#include "supervisor/offer.h"

#include "runtime/thread.h"
#include "supervisor/spec.h"

static struct {
    copi_lock lock;
    struct copi_offer *first;
    uint64_t last_number;
} offers = {.lock = COPI_LOCK_INIT};

void
copi_offer_make(struct copi_offer *offer, struct copi_spec *spec)
{
    copi_lock_take(&offers.lock);
    *offer = (struct copi_offer){
        .number = ++offers.last_number,
        .spec = spec,
        .next = offers.first,
    };
    offers.first = offer;
    copi_lock_give(&offers.lock);
}

struct copi_spec *
copi_offer_take(uint64_t number)
{
    struct copi_spec *spec = NULL;
    copi_lock_take(&offers.lock);
    for (struct copi_offer **link = &offers.first; *link; link = &(*link)->next) {
        if ((*link)->number == number) {
            spec = (*link)->spec;
            *link = (*link)->next;
            break;
        }
    }
    copi_lock_give(&offers.lock);
    return spec;
}

void
copi_offer_withdraw(void *arg)
{
    const struct copi_offer *offer = arg;
    copi_spec_release(copi_offer_take(offer->number));
}
