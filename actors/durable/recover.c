/*
 * actors/durable/recover.c - durable promises as futures, and all those that are pending.
 *
 * Room: actors/durable/. Whoever recovers.
 * Touch freely: the size of a page. Ask first: nothing.
 *
 * Pages follow one another by the last id, not by a number of rows: what is created or settled between two pages
 * moves nothing.
 */
#include "actors/durable/ask.h"
#include "runtime/alloc.h"
#include "runtime/process.h"

#include <coppice/durable.h>

#include <errno.h>
#include <stdlib.h>

enum {
    PAGE = 1000
};

/* ---------------------------------------------------------------- one */

int
cop_durable_recover_at(cop_pid store, const char *id, cop_future **future, cop_time timeout,
                       const char *file, int line)
{
    struct copi_ask *answer;
    int r = copi_ask_and_wait(&answer, store, &(cop_store_op){.kind = COP_STORE_GET, .id = id},
                              &(struct copi_ask_opts){
                                  .is_recovery = true,
                                  .file = file,
                                  .line = line,
                              },
                              timeout);
    if (r == 0) {
        *future = answer->cell;
        answer->cell = NULL;
    }
    if (answer) {
        cop_future_release(&answer->future);
    }
    return r;
}

/* ---------------------------------------------------------------- all */

struct walk {
    cop_pid store;
    const cop_recover_opts *opts;
    int (*each)(const cop_durable_record *record, void *env);
    void *env;
    struct copi_ask *page; /* NULL: none */
};

static void
turn_page(struct walk *walk, struct copi_ask *next)
{
    if (walk->page) {
        cop_future_release(&walk->page->future);
    }
    walk->page = next;
}

/* The caller may end in `each`, and in a wait. */
static void
close_walk(void *walk)
{
    turn_page(walk, NULL);
}

static int
read_page(struct walk *walk)
{
    const cop_recover_opts *opts = walk->opts;
    const cop_durable_record *last = walk->page ? walk->page->op.last : NULL;
    struct copi_ask *next;
    int r =
        copi_ask_and_wait(&next, walk->store,
                          &(cop_store_op){
                              .kind = COP_STORE_LIST,
                              .id = last ? last->id : NULL,
                              .queue = opts->queue,
                              .tags = opts->tag,
                              .limit = opts->page ? opts->page : PAGE,
                          },
                          &(struct copi_ask_opts){0}, opts->timeout ? opts->timeout : COP_FOREVER);
    if (r == 0 && last && next->op.last && strcmp(next->op.last->id, last->id) <= 0) {
        r = copi_fail(-EBADMSG); /* it ends where it began: by a damaged id there is no way on */
    }
    turn_page(walk, next);
    return r;
}

static int
visit_page(const struct walk *walk)
{
    int r = 0;
    const cop_durable_record *record = walk->page->op.first;
    for (; r == 0 && record; record = record->next) {
        r = record->is_damaged ? 0 : walk->each(record, walk->env);
    }
    return r;
}

static int
walk_all(struct walk *walk)
{
    int r;
    bool is_last;
    do {
        r = read_page(walk);
        if (r) {
            return r;
        }
        is_last = walk->page->op.count < walk->page->op.limit;
        r = visit_page(walk);
    } while (r == 0 && !is_last);
    return r;
}

int
cop_durable_recover_all_with(cop_pid store,
                             int (*each)(const cop_durable_record *record, void *env), void *env,
                             const cop_recover_opts *opts)
{
    static const cop_recover_opts none;
    struct walk walk = {.store = store, .opts = opts ? opts : &none, .each = each, .env = env};
    int r = cop_defer(close_walk, &walk);
    if (r) {
        return r;
    }
    r = walk_all(&walk);
    cop_undefer(close_walk, &walk, true);
    return r;
}
