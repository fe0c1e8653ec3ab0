/*
 * actors/track.c - keeping account of futures.
 *
 * Room: actors/. Any thread.
 * Touch freely: the words. Ask first: what a future pays when nobody asked for accounts.
 *
 * A future that is tracked has an account: where it was made, when, and what has become of it. Accounts
 * hang in a list, in the order of making, under one lock. A future that was made before tracking began,
 * or without memory for an account, has none, and asks nobody.
 *
 * Whether futures are tracked is one word: UNKNOWN until the first future has looked into the environment.
 */
#include "actors/track.h"

#include "runtime/alloc.h"
#include "runtime/report.h"
#include "runtime/thread.h"

#include <coppice/track.h>

#include <stdlib.h>

enum {
    UNKNOWN,
    OFF,
    ON,
};

struct copi_account {
    struct copi_account *next, **link;
    uint64_t id;
    const char *file;
    int line;
    cop_time born;
    bool is_settled, is_observed;
};

static copi_atomic32 tracking;

static struct {
    copi_lock lock;
    /* guarded by it */
    struct copi_account *first, **end;
    uint64_t last_id;
    bool reports_at_exit;
} accounts = {.lock = COPI_LOCK_INIT, .end = &accounts.first};

/* ---------------------------------------------------------------- on or off */

void
cop_track_futures(bool on)
{
    copi_lock_take(&accounts.lock);
    bool is_first = on && !accounts.reports_at_exit;
    accounts.reports_at_exit = accounts.reports_at_exit || on;
    copi_lock_give(&accounts.lock);
    if (is_first) {
        (void)atexit(cop_report_unsettled); /* no memory: there will be no report */
    }
    copi_store_relaxed_32(&tracking, on ? ON : OFF);
}

static bool
is_on(void)
{
    uint32_t is = copi_load_relaxed_32(&tracking);
    if (is == UNKNOWN) {
        const char *wish = getenv("COPPICE_TRACK"); /* NOLINT(concurrency-mt-unsafe): only read */
        cop_track_futures(wish && wish[0] == '1');
        is = copi_load_relaxed_32(&tracking);
    }
    return is == ON;
}

/* ---------------------------------------------------------------- one future */

void
copi_track_begin(cop_future *future)
{
    struct copi_account *account = is_on() ? copi_zalloc(sizeof *account) : NULL;
    future->account = account;
    if (!account) {
        return;
    }
    account->file = future->file ? future->file : "?";
    account->line = future->line;
    account->born = copi_clock();
    copi_lock_take(&accounts.lock);
    account->id = ++accounts.last_id;
    account->link = accounts.end;
    *accounts.end = account;
    accounts.end = &account->next;
    copi_lock_give(&accounts.lock);
}

void
copi_track_settled(cop_future *future)
{
    copi_lock_take(&accounts.lock);
    future->account->is_settled = true;
    copi_lock_give(&accounts.lock);
}

void
copi_track_observed(cop_future *future)
{
    copi_lock_take(&accounts.lock);
    future->account->is_observed = true;
    copi_lock_give(&accounts.lock);
}

static void
take_out(struct copi_account *account)
{
    copi_lock_take(&accounts.lock);
    *account->link = account->next;
    *(account->next ? &account->next->link : &accounts.end) = account->link;
    copi_lock_give(&accounts.lock);
}

void
copi_track_end(cop_future *future)
{
    struct copi_account *account = future->account;
    take_out(account);
    if (!account->is_observed && copi_load_relaxed_32(&future->state) == COPI_REJECTED) {
        char words[sizeof future->why.text];
        copi_report(COPI_WARNING, "nobody looked at the failure of a future from %s:%d: %s",
                    account->file, account->line,
                    cop_reason_string(future->why, words, sizeof words));
    }
    free(account);
}

/* ---------------------------------------------------------------- telling */

size_t
cop_unsettled(cop_leak *out, size_t capacity, cop_time older_than)
{
    cop_time now = copi_clock();
    size_t count = 0;
    copi_lock_take(&accounts.lock);
    for (const struct copi_account *one = accounts.first; one; one = one->next) {
        if (one->is_settled || now - one->born < older_than) {
            continue;
        }
        if (count < capacity) {
            out[count] = (cop_leak){one->id, one->file, one->line, now - one->born};
        }
        count++;
    }
    copi_lock_give(&accounts.lock);
    return count;
}

static bool
is_same_place(const cop_leak *a, const cop_leak *b)
{
    return a->line == b->line && strcmp(a->file, b->file) == 0;
}

/* The oldest of each place comes first, and counts those behind it. */
static void
report_places(const cop_leak *leaks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t before = 0, count = 0;
        while (before < i && !is_same_place(&leaks[before], &leaks[i])) {
            before++;
        }
        for (size_t j = i; before == i && j < n; j++) {
            count += is_same_place(&leaks[j], &leaks[i]);
        }
        if (count > 0) {
            copi_report(COPI_WARNING,
                        "%zu futures from %s:%d are not settled, the oldest for %lld ms", count,
                        leaks[i].file, leaks[i].line, (long long)(leaks[i].age / COP_MS(1)));
        }
    }
}

void
cop_report_unsettled(void)
{
    enum {
        MOST = 4096 /* of which the places are told; the number is right all the same */
    };
    cop_leak *leaks = copi_alloc(MOST * sizeof *leaks);
    size_t count = cop_unsettled(leaks, leaks ? MOST : 0, 0);
    if (leaks) {
        report_places(leaks, count < MOST ? count : MOST);
    }
    if (count > MOST || (!leaks && count > 0)) {
        copi_report(COPI_WARNING, "%zu futures are not settled", count);
    }
    free(leaks);
}
