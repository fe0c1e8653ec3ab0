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
 * A yield that takes a microsecond has led to somebody else. While no more are awake than there are cores, that
 * means that the kernel has two on this core and another core has nobody, and as long as both yield, and
 * neither sleeps, it may stay so for long: each of them then has to be switched to for each answer. So after some
 * of these one parks, and whoever is woken is given the idle core. A task started and awaited was 2.4 to 4.0 us,
 * by the run, with 0.1 to 0.4 switches each; and is 2.1 us with none. An agent's update was up to 0.34 us.
 *
 * Who waits for a thread to begin or to end looks for longer: to make a thread and hear from it takes 60
 * us with bare pthreads when the maker looks (yielding), and 119 when it parks, for the wake-up comes on top. A
 * thread remembers these waits apart from those for messages, which what comes so late would teach to
 * park at once. A start of a server took 109 us before, and 74 since (medians of four runs, in turns).
 *
 * What is remembered is the thread's, and the next process that it runs goes on from there. When each process
 * began with nothing, each of a hundred children that a supervisor starts anew looked for its first messages for
 * as long as it may, all in vain, and whoever was needed next waited for them: such a restart took 11.0 ms
 * instead of 8.5, and 3.8 instead of 3.2 on one core.
 *
 * When more are awake than there are cores, looking takes the core from somebody who is ready to run. But
 * to let him have it costs, too: a switch to another thread takes 1.8 us, and one back as much. So one still
 * glances, for no longer than these two, if that paid the last time: where it does, whoever answers runs on
 * another core, and the answer is there before a switch would have been. Where it does not, because the
 * other waits for a core himself, each glance in vain doubles the number of waits until the next. Four
 * clients of one server, on two cores, need 0.4 us a call that way: one of them and the server have the
 * cores and exchange calls, until the kernel gives a core to another. With yields alone it is 2 us, and 5.9
 * us when they park. To look each time, paid or not, was worse than never: 3.1 us with 32 rounds, 6 us with
 * 128. After 64 waits without a glance some runs did not find back to the exchange, and needed 1.4 us.
 *
 * What remains is to let others go first. A yield is cheaper than a park and a wake-up: whoever yields stays
 * ready to run, so nobody has to wake it, and no core is halted meanwhile. Who yields goes to the end of the
 * queue, though. Where the others compute, it lasts for their time slices, and parking, after which the
 * kernel looks for the best core, would have been better. So a yield pays only if it was short and news was
 * there afterwards, and those that do not are tried less and less often, too.
 *
 * Rounds are not time: a pause is 10 cycles on one processor and 140 on another. So the clock is
 * read, but only after the first moment, for which it would be dear.
 */
#include "runtime/thread.h"

#include <coppice/base.h>

enum {
    MOMENT = 64,  /* rounds: one or two microseconds */
    GLANCE = 128, /* rounds: what two switches cost */
    PROBE = 16,   /* of so many looks one lasts as long as it may */
    YIELDS = 2,
    SHARED_MOST = 16, /* yields that led to somebody else, before one parks */
    /* waits without a try after tries that did not pay */
    REST_FROM_GLANCES = 16,
    REST_FROM_YIELDS = 1024,
};
#define LOOK_MOST  COP_US(20)
#define LOOK_LEAST COP_US(1) /* less is the moment alone */
#define SWITCHED   COP_US(1) /* no yield that leads nowhere takes as long */
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

uint32_t
copi_spin_cores(void)
{
    return copi_load_relaxed_32(&declined) ? 0 : count_cores();
}

bool
copi_spin_allowed(void)
{
    uint32_t n = count_cores();
    return n > 1 && copi_threads_awake() <= n && !copi_load_relaxed_32(&declined);
}

static bool
look_briefly(int rounds, bool (*is_there)(void *arg), void *arg)
{
    for (int i = 0; i < rounds; i++) {
        if (is_there(arg)) {
            return true;
        }
        copi_spin_hint();
    }
    return false;
}

static bool
look_for(struct copi_spin *spin, cop_time duration, bool (*is_there)(void *arg), void *arg)
{
    cop_time now = copi_clock(), until = now + duration;
    bool found;
    do {
        cop_time before = now;
        copi_thread_yield();
        found = is_there(arg);
        now = copi_clock();
        spin->shared += now - before > SWITCHED;
    } while (!found && copi_spin_allowed() && now < until);
    return found;
}

/* To have looked for a moment has not paid, and too often a yield has led to somebody else. */
static bool
shares_core(struct copi_spin *spin)
{
    bool shares = spin->shared >= SHARED_MOST;
    if (shares) {
        spin->shared = 0;
    }
    return shares;
}

static cop_time
most_of(const struct copi_spin *spin)
{
    return spin->most > 0 ? spin->most : LOOK_MOST;
}

static cop_time
time_to_look(struct copi_spin *spin)
{
    if (spin->looks++ == 0 && spin->budget == 0) {
        spin->budget = most_of(spin) / 2;
    }
    return spin->looks % PROBE == 0 ? most_of(spin) : spin->budget;
}

static bool
look(struct copi_spin *spin, bool (*is_there)(void *arg), void *arg)
{
    cop_time duration = time_to_look(spin);
    bool paid = look_briefly(MOMENT, is_there, arg);
    if (paid) {
        spin->shared = 0;
    } else if (shares_core(spin)) {
        return false;
    } else if (duration >= LOOK_LEAST) {
        paid = look_for(spin, duration, is_there, arg);
    }
    spin->budget = paid ? most_of(spin) : spin->budget / 2;
    return paid;
}

/* ---------------------------------------------------------------- while too many are awake */

static bool
rests(struct copi_trial *trial)
{
    if (trial->rest == 0) {
        return false;
    }
    trial->rest--;
    return true;
}

static void
note(struct copi_trial *trial, bool paid, uint32_t most)
{
    if (paid) {
        trial->failed = 0;
        return;
    }
    trial->failed = trial->failed == 0 ? 1 : trial->failed * 2;
    trial->failed = trial->failed < most ? trial->failed : most;
    trial->rest = trial->failed;
}

static bool
glance(struct copi_trial *trial, bool (*is_there)(void *arg), void *arg)
{
    if (count_cores() == 1 || rests(trial)) {
        return false;
    }
    bool found = look_briefly(GLANCE, is_there, arg);
    note(trial, found, REST_FROM_GLANCES);
    return found;
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

static bool
let_others_go(struct copi_trial *trial, bool (*is_there)(void *arg), void *arg)
{
    if (rests(trial)) {
        return false;
    }
    cop_time lasted;
    bool found = yield_twice(is_there, arg, &lasted);
    note(trial, found && lasted < YIELD_LONG, REST_FROM_YIELDS);
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
    return is_crowded()
           && (glance(&spin->glance, is_there, arg) || let_others_go(&spin->yield, is_there, arg));
}
