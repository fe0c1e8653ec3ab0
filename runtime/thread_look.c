/*
 * runtime/thread_look.c - looking for a moment before parking.
 *
 * Room: runtime/, behind the seam. Any thread.
 * Touch freely: the figures. Ask first: who may look while others want the core.
 *
 * Parking and being woken costs some 12 us on a virtual machine whose cores are halted when they are
 * idle, an answer that is on its way costs less than one. So whoever waits looks first; how, depends
 * on who else is awake.
 *
 * While no more are awake than there are cores, a core is free, and it may look as long as a wake-up
 * would take. The first moment it does nothing else: this is where a pair that ask and answer find each
 * other, within a few hundred nanoseconds. After that it yields between two looks, because the kernel
 * may have put somebody on this core, who would wait for a whole time slice otherwise (measured with a
 * ring of threads on two cores: 34 us a hop with one that only looks, 9 us with one that yields).
 *
 * What paid is worth all of the time next time; what did not, half of it. So a receiver that is woken
 * rarely soon parks almost at once. But two that wait for each other would never get out of parking
 * that way: a wake-up takes longer than they then look. So now and then one looks as long as it may,
 * and finds out.
 *
 * When more are awake than there are cores, looking would be theft. But then there is somebody to let
 * go first, and a yield is cheaper than a park and a wake-up: whoever yields stays ready to run, so
 * nobody has to wake it, and no core is halted meanwhile. Four clients of one server, on two cores,
 * need 2.1 us a call that way and 5.9 us when they park (looking for 32 rounds between two yields makes
 * that 3.1 us, and 128 rounds 6 us: hence none). Who yields goes to the end of the queue, though. Where
 * the others compute, it lasts for their time slices, and parking, after which the kernel looks for the
 * best core, would have been better. So a yield pays only if it was short and news was there
 * afterwards, and each that did not doubles the number of waits until the next.
 *
 * Rounds are not time: a pause is 10 cycles on one processor and 140 on another. So the clock is
 * read, but only after the first moment, for which it would be dear.
 */
#include "runtime/thread.h"

#include <coppice/base.h>

enum {
    MOMENT = 64, /* rounds: one or two microseconds */
    PROBE = 16,  /* of so many looks one lasts as long as it may */
    YIELDS = 2,
    REST_MOST = 1024, /* waits without a yield after yields that did not pay */
};
#define LOOK_MOST  COP_US(20)
#define LOOK_FIRST COP_US(10)
#define LOOK_LEAST COP_US(1) /* less is the moment alone */
#define YIELD_LONG COP_US(200)

static copi_atomic32 declined;

void
copi_spin_decline(void)
{
    copi_store_relaxed_32(&declined, 1);
}

/* As many as there were at the first look. */
static uint32_t
count_cores(void)
{
    static copi_atomic32 cores;
    uint32_t n = copi_load_relaxed_32(&cores);
    if (n == 0) {
        n = copi_cores();
        copi_store_relaxed_32(&cores, n);
    }
    return n;
}

bool
copi_spin_allowed(void)
{
    uint32_t n = count_cores();
    return n > 1 && copi_threads_awake() <= n && !copi_load_relaxed_32(&declined);
}

static bool
look_a_moment(bool (*is_there)(void *arg), void *arg)
{
    for (int i = 0; i < MOMENT; i++) {
        if (is_there(arg)) {
            return true;
        }
        copi_spin_hint();
    }
    return false;
}

static bool
look_for(cop_time duration, bool (*is_there)(void *arg), void *arg)
{
    cop_time until = copi_deadline(duration);
    bool found;
    do {
        copi_thread_yield();
        found = is_there(arg);
    } while (!found && copi_spin_allowed() && copi_clock() < until);
    return found;
}

static cop_time
time_to_look(struct copi_spin *spin)
{
    if (spin->looks++ == 0 && spin->budget == 0) {
        spin->budget = LOOK_FIRST;
    }
    return spin->looks % PROBE == 0 ? LOOK_MOST : spin->budget;
}

static bool
look(struct copi_spin *spin, bool (*is_there)(void *arg), void *arg)
{
    cop_time duration = time_to_look(spin);
    bool paid = look_a_moment(is_there, arg)
                || (duration >= LOOK_LEAST && look_for(duration, is_there, arg));
    spin->budget = paid ? LOOK_MOST : spin->budget / 2;
    return paid;
}

static bool
yield_twice(bool (*is_there)(void *arg), void *arg, cop_time *lasted)
{
    cop_time begin = copi_clock();
    bool found = false;
    for (int i = 0; i < YIELDS && !found; i++) {
        copi_thread_yield();
        found = is_there(arg);
    }
    *lasted = copi_clock() - begin;
    return found;
}

static void
note_yields(struct copi_spin *spin, bool paid)
{
    if (paid) {
        spin->failed = 0;
        return;
    }
    spin->failed = spin->failed == 0 ? 1 : spin->failed * 2;
    spin->failed = spin->failed < REST_MOST ? spin->failed : REST_MOST;
    spin->rest = spin->failed;
}

static bool
let_others_go(struct copi_spin *spin, bool (*is_there)(void *arg), void *arg)
{
    if (spin->rest > 0) {
        spin->rest--;
        return false;
    }
    cop_time lasted;
    bool found = yield_twice(is_there, arg, &lasted);
    note_yields(spin, found && lasted < YIELD_LONG);
    return found;
}

static bool
is_crowded(void)
{
    return copi_threads_awake() > count_cores() && !copi_load_relaxed_32(&declined);
}

bool
copi_spin_for(struct copi_spin *spin, bool (*is_there)(void *arg), void *arg)
{
    if (is_there(arg)) {
        return true;
    }
    if (copi_spin_allowed()) {
        return look(spin, is_there, arg);
    }
    return is_crowded() && let_others_go(spin, is_there, arg);
}
