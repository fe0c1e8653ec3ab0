/*
 * tests/supervisor/test_offer.c - how a specification reaches the supervisor that is to run by it.
 *
 * Room: tests/.
 */
#include "supervisor/offer.h"
#include "supervisor/spec.h"
#include "tests/support/support.h"

static struct copi_spec *
make_spec(void)
{
    struct copi_spec *spec = NULL;
    ck_assert_int_eq(copi_spec_new(&spec, &(cop_supervisor_spec){0}), 0);
    return spec;
}

TEST(is_taken_once)
{
    struct copi_offer offer;
    struct copi_spec *spec = make_spec();
    copi_offer_make(&offer, spec);
    ck_assert_ptr_eq(copi_offer_take(offer.number), spec);
    ck_assert_ptr_null(copi_offer_take(offer.number));
    copi_offer_withdraw(&offer); /* too late, and harmless */
    copi_spec_release(spec);
}

TEST(is_gone_when_it_was_withdrawn)
{
    struct copi_offer offer;
    copi_offer_make(&offer, make_spec());
    copi_offer_withdraw(&offer);
    ck_assert_ptr_null(copi_offer_take(offer.number));
    copi_offer_withdraw(&offer);
}

TEST(an_offer_that_was_never_made_can_be_withdrawn)
{
    struct copi_offer offer = {0};
    copi_offer_withdraw(&offer);
}

TEST(several_do_not_mix)
{
    struct copi_offer offers[3];
    struct copi_spec *specs[3];
    for (size_t i = 0; i < 3; i++) {
        specs[i] = make_spec();
        copi_offer_make(&offers[i], specs[i]);
    }
    copi_offer_withdraw(&offers[0]);
    ck_assert_ptr_eq(copi_offer_take(offers[1].number), specs[1]);
    ck_assert_ptr_eq(copi_offer_take(offers[2].number), specs[2]);
    copi_spec_release(specs[1]);
    copi_spec_release(specs[2]);
}

static struct copi_offer racing;

static int
take(cop_bytes arg)
{
    (void)arg;
    copi_spec_release(copi_offer_take(racing.number));
    return 0;
}

TEST_TIMES(50, either_side_may_come_first)
{
    cop_ref monitor;
    copi_offer_make(&racing, make_spec());
    ck_assert_int_eq(cop_spawn(NULL, take, .monitor = &monitor), 0);
    copi_offer_withdraw(&racing);
    test_down(monitor);
    ck_assert_ptr_null(copi_offer_take(racing.number));
}

SUITE("offer")
