/*
 * runtime/thread_keep.c - keeping a core awake while a chain of wake-ups is on.
 *
 * Room: runtime/, behind the seam. Any thread.
 * Touch freely: the figures. Ask first: on how many cores, and who keeps.
 *
 * In a chain one thread wakes the next and parks. The kernel leads whoever is woken to an idle core, and on a
 * virtual machine an idle core is halted: each step waits until the host has got it going, 12 us or several
 * times that, where a switch on a core that runs takes 2 to 4. On two cores the remedy is that neither is idle.
 * So while a chain is on, who would park goes on yielding for a while, as a keeper. Whoever is woken next is put
 * on the core of who wakes him, which is about to park, or on the keeper's, and has it by the next yield.
 *
 *   a chain is on   four sleepers have been woken, within 100 us each
 *   who keeps       who is about to park; no more than three at a time, while no more than three others are
 *                   awake, and where there are two cores: of more the kernel finds another that is idle
 *   for how long    50 us; each further wake-up adds 25, up to 50 from then
 *   or until        it is woken itself, for which no system call is needed; a yield has taken so long that
 *                   somebody computes here, and the core needs no keeper; too many have been awake for some time
 *
 * A keeper does not count among those awake (thread_park.c): its core is free for whoever is ready to run. Nobody
 * waits for a keeper and a keeper tells nobody anything, so there is no protocol: the words below are hints, read
 * and written relaxed, and one that is lost makes a keeper more or less. That it has been woken it sees in its
 * parker, and the park that follows uses it.
 *
 * To keep has paid if the keeper itself was woken, or many others were. If not, chances are left out, each time
 * about twice as many. A program in which something happens each millisecond would else keep each time: 20
 * processes that wake one another once a millisecond took 29 % of a core, 40 with keepers that did not rest, and 29
 * with those that do. A single one, and five, are no chain.
 *
 * Medians of four to eight runs in turns on two cores, without and with keepers:
 *
 *   ring of 100, of 1,000         10.6 and 5.8 us a hop, 15.9 and 9.1; the processor time is the same
 *   restart of a hundred children 8.1 and 4.7 ms; the processor time is the same
 *   restart of one                44 and 33 us
 *
 * Beside another program that computes on one core, which keeps it awake as well, a ring takes 5 us with keepers and
 * without, and a hundred children 4.7 ms instead of 3.3. The other gets as much done.
 *
 * Three, where one would seem to do: for a thread that last ran on the other core the kernel weighs the two, and
 * with more than one keeper on that one it leaves the whole chain on this. One keeper in a ring took 8.1 us a hop,
 * two 7.2, three 6.1.
 *
 * A thread that does nothing but keep, and moves to the core where the chain is not, took 5.4 us a hop. It would be a
 * thread more in each program, started from within a wake-up; and while it had the other core, two that call each
 * other went on waking each other on this one. Two threads of SCHED_IDLE that yield, one on each core, took 15 us in
 * an hour in which a hop without took 15.
 */
#include "runtime/thread_keep.h"

#include <coppice/base.h>

enum {
    CORES = 2,
    KEEPERS_MOST = 3,
    AWAKE_MOST = 3,          /* who wakes, who is woken, one more */
    CROWDED_MOST = 50,       /* yields in a row */
    CHAIN = 4,               /* wake-ups */
    PAID = 16,               /* wake-ups */
    REST_MOST = 64,          /* chances */
    REST_FROM_OTHERS = 1024, /* after somebody has computed here */
};
#define STEP_MOST    COP_US(100) /* of a chain that is to be kept */
#define KEEP_MOST    COP_US(50)
#define KEEP_STEP    COP_US(25)
#define YIELD_LONG   COP_US(500)
#define BEFORE_ALARM COP_MS(1) /* a yield may take a time slice */

static struct {
    copi_atomic32 wakes, keepers, keeps;
    struct copi_chain chain;
    copi_atomic32 failed, rest; /* as struct copi_trial */
} kept;

/* ---------------------------------------------------------------- wake-ups */

void
copi_keep_count(void)
{
    copi_fetch_add_32(&kept.wakes, 1);
}

static uint32_t
wakes(void)
{
    return copi_load_relaxed_32(&kept.wakes);
}

uint32_t
copi_keepers(void)
{
    return copi_load_relaxed_32(&kept.keepers);
}

uint32_t
copi_keeps(void)
{
    return copi_load_relaxed_32(&kept.keeps);
}

/* Counts anew when there have been enough, or for too long. */
bool
copi_chain_is_on(struct copi_chain *chain, uint32_t wakes, cop_time now)
{
    /* Less than none, if somebody has begun anew since `wakes` was read. */
    int32_t count = (int32_t)(wakes - copi_load_relaxed_32(&chain->counted));
    cop_time passed = now - (cop_time)copi_load_relaxed_64(&chain->since);
    if (count >= CHAIN || passed > CHAIN * STEP_MOST) {
        copi_store_relaxed_64(&chain->since, (uint64_t)now);
        copi_store_relaxed_32(&chain->counted, wakes);
    }
    return count >= CHAIN && passed <= count * STEP_MOST;
}

void
copi_keep_begin(struct copi_keep *keep, uint32_t wakes, cop_time now)
{
    *keep = (struct copi_keep){.until = now + KEEP_MOST, .wakes = wakes};
}

bool
copi_keep_goes_on(struct copi_keep *keep, uint32_t wakes, cop_time now)
{
    cop_time longer = keep->until + (wakes - keep->wakes) * KEEP_STEP, most = now + KEEP_MOST;
    keep->until = longer < most ? longer : most;
    keep->wakes = wakes;
    return now < keep->until;
}

/* ---------------------------------------------------------------- who may */

static bool
is_crowded(void)
{
    return copi_threads_awake() > AWAKE_MOST;
}

static bool
rests(void)
{
    uint32_t rest = copi_load_relaxed_32(&kept.rest);
    if (rest > 0) {
        copi_store_relaxed_32(&kept.rest, rest - 1);
    }
    return rest > 0;
}

/* What did not pay is tried less and less often. Who kept beside may have more to say: that somebody computes. */
static void
note(bool paid, bool computes)
{
    uint32_t failed = paid ? 0 : copi_load_relaxed_32(&kept.failed) * 2 + 1;
    failed = failed < REST_MOST ? failed : REST_MOST;
    copi_store_relaxed_32(&kept.failed, failed);
    if (computes || copi_load_relaxed_32(&kept.rest) == 0) {
        copi_store_relaxed_32(&kept.rest, computes ? REST_FROM_OTHERS : failed);
    }
}

static bool
is_one_of_few(void)
{
    bool is = copi_fetch_add_32(&kept.keepers, 1) < KEEPERS_MOST;
    copi_fetch_add_32(is ? &kept.keeps : &kept.keepers, is ? 1 : (uint32_t)-1);
    return is;
}

static bool
may_keep(cop_time now, cop_time deadline)
{
    return now + BEFORE_ALARM < deadline && copi_chain_is_on(&kept.chain, wakes(), now) && !rests()
           && is_one_of_few();
}

/* ---------------------------------------------------------------- keeping */

static void
keep(const struct copi_parker *parker, cop_time now, cop_time deadline)
{
    uint32_t first = wakes();
    struct copi_keep time;
    copi_keep_begin(&time, first, now);
    bool woken, computes = false;
    int crowded = 0;
    do {
        cop_time before = now;
        copi_thread_yield();
        now = copi_clock();
        computes = now - before > YIELD_LONG;
        crowded = is_crowded() ? crowded + 1 : 0;
        woken = copi_parker_notified(parker);
    } while (!woken && !computes && crowded <= CROWDED_MOST && now + BEFORE_ALARM < deadline
             && copi_keep_goes_on(&time, wakes(), now));

    note(woken || time.wakes - first >= PAID, computes);
}

void
copi_keep_core(const struct copi_parker *parker, cop_time deadline)
{
    if (copi_spin_cores() != CORES || is_crowded() || copi_keepers() >= KEEPERS_MOST) {
        return;
    }
    cop_time now = copi_clock();
    if (may_keep(now, deadline)) {
        copi_blocking_begin();
        keep(parker, now, deadline);
        copi_blocking_end();
        copi_fetch_add_32(&kept.keepers, (uint32_t)-1);
    }
}
