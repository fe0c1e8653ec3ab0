/*
 * actors/pipeline_flow.c - where the items of a pipeline are, and where they may go.
 *
 * Room: actors/. Decisions only: no lock, no thread, no memory, so that a test can play through whatever
 * order of events it likes.
 * Touch freely: nothing. Ask first: what counts as inside.
 *
 * A stage has a queue and a window. An item is put into the queue, taken out of it by a worker, done, and
 * goes on into the next queue when that has room. From the taking until then it is inside, and of those
 * there are never more than the stage is wide: one that is done and cannot go on keeps its worker's place,
 * and that is how a full queue slows down who fills it.
 *
 * The window has those inside in the order in which they go on; only its first one may, and only when it is
 * done. In an ordered stage an item joins the window when it is taken, in an unordered one when it is
 * done. So order is a matter of when one joins, and nothing else knows of it.
 *
 * Between two events as much has gone on as can: copi_flow_advance, from the last stage to the first,
 * so that a place that becomes free at the end is felt at the beginning at once.
 */
#include "actors/pipeline_flow.h"

#include <assert.h>

/* ---------------------------------------------------------------- a list */

static void
list_init(struct copi_flow_list *list)
{
    *list = (struct copi_flow_list){.end = &list->first};
}

static void
append(struct copi_flow_list *list, struct copi_flow_item *item)
{
    item->next = NULL;
    *list->end = item;
    list->end = &item->next;
    list->count++;
}

static struct copi_flow_item *
remove_at(struct copi_flow_list *list, struct copi_flow_item **link)
{
    struct copi_flow_item *item = *link;
    *link = item->next;
    if (list->end == &item->next) {
        list->end = link;
    }
    list->count--;
    return item;
}

static struct copi_flow_item *
remove_first(struct copi_flow_list *list)
{
    return remove_at(list, &list->first);
}

/* ---------------------------------------------------------------- a queue */

static bool
has_room(const struct copi_flow_stage *stage)
{
    return stage->queue.count < stage->bound;
}

static void
enqueue(struct copi_flow_stage *stage, struct copi_flow_item *item)
{
    assert(has_room(stage));
    append(&stage->queue, item);
    if (stage->queue.count > stage->most_queued) {
        stage->most_queued = stage->queue.count;
    }
}

void
copi_flow_init(struct copi_flow *flow, struct copi_flow_stage *stages, size_t count)
{
    *flow = (struct copi_flow){.stages = stages, .count = count};
    for (size_t i = 0; i < count; i++) {
        list_init(&stages[i].queue);
        list_init(&stages[i].window);
    }
}

bool
copi_flow_has_room(const struct copi_flow *flow)
{
    return has_room(&flow->stages[0]);
}

void
copi_flow_put(struct copi_flow *flow, struct copi_flow_item *item)
{
    enqueue(&flow->stages[0], item);
}

struct copi_flow_item *
copi_flow_evict(struct copi_flow *flow)
{
    return remove_first(&flow->stages[0].queue);
}

/* ---------------------------------------------------------------- inside a stage */

size_t
copi_flow_takeable(const struct copi_flow *flow, size_t stage)
{
    const struct copi_flow_stage *at = &flow->stages[stage];
    size_t places = at->width - at->inside;
    return at->queue.count < places ? at->queue.count : places;
}

struct copi_flow_item *
copi_flow_take(struct copi_flow *flow, size_t stage)
{
    struct copi_flow_stage *at = &flow->stages[stage];
    if (copi_flow_takeable(flow, stage) == 0) {
        return NULL;
    }
    struct copi_flow_item *item = remove_first(&at->queue);
    item->is_done = false;
    at->inside++;
    if (!at->is_unordered) {
        append(&at->window, item);
    }
    return item;
}

void
copi_flow_done(struct copi_flow *flow, size_t stage, struct copi_flow_item *item)
{
    struct copi_flow_stage *at = &flow->stages[stage];
    item->is_done = true;
    if (at->is_unordered) {
        append(&at->window, item);
    }
}

void
copi_flow_out(struct copi_flow *flow, size_t stage, const struct copi_flow_item *item)
{
    struct copi_flow_stage *at = &flow->stages[stage];
    struct copi_flow_item **link = &at->window.first;
    while (*link && *link != item) {
        link = &(*link)->next;
    }
    if (*link) {
        remove_at(&at->window, link);
    }
    at->inside--;
}

/* ---------------------------------------------------------------- going on */

static bool
has_next_to_go(const struct copi_flow_stage *stage)
{
    return stage->window.first && stage->window.first->is_done;
}

void
copi_flow_advance(struct copi_flow *flow)
{
    for (size_t i = flow->count - 1; i-- > 0;) {
        struct copi_flow_stage *from = &flow->stages[i], *to = &flow->stages[i + 1];
        while (has_next_to_go(from) && has_room(to)) {
            enqueue(to, remove_first(&from->window));
            from->inside--;
        }
    }
}

static struct copi_flow_stage *
last(const struct copi_flow *flow)
{
    return &flow->stages[flow->count - 1];
}

struct copi_flow_item *
copi_flow_next_to_leave(struct copi_flow *flow)
{
    struct copi_flow_stage *stage = last(flow);
    return has_next_to_go(stage) ? remove_first(&stage->window) : NULL;
}

void
copi_flow_left(struct copi_flow *flow)
{
    last(flow)->inside--;
}

struct copi_flow_item *
copi_flow_empty(struct copi_flow *flow)
{
    struct copi_flow_list out;
    list_init(&out);
    for (size_t i = 0; i < flow->count; i++) {
        struct copi_flow_stage *stage = &flow->stages[i];
        while (stage->queue.count > 0) {
            append(&out, remove_first(&stage->queue));
        }
        struct copi_flow_item **link = &stage->window.first;
        while (*link) {
            if ((*link)->is_done) {
                stage->inside--;
                append(&out, remove_at(&stage->window, link));
            } else {
                link = &(*link)->next;
            }
        }
    }
    return out.first;
}
