/*
 * supervisor/offer.h - how a specification reaches the supervisor that is to run by it.
 *
 * Room: supervisor/. Any thread.
 */
#ifndef COPI_SUPERVISOR_OFFER_H
#define COPI_SUPERVISOR_OFFER_H

#include <stdint.h>

struct copi_spec;

/* In the starter's frame; see copi_offer_withdraw. */
struct copi_offer {
    uint64_t number; /* what the new supervisor asks for it by */
    struct copi_spec *spec;
    struct copi_offer *next;
};

/* Takes the caller's hold on the specification. */
void copi_offer_make(struct copi_offer *offer, struct copi_spec *spec);

/* The specification, and the hold on it; NULL: it was withdrawn. */
struct copi_spec *copi_offer_take(uint64_t number);

/* A struct copi_offer: whatever has become of it, it may go now. As a deferred call. */
void copi_offer_withdraw(void *arg);

#endif
