/*
 * supervisor/observe/picture.c - all processes, as the tree in which they stand.
 *
 * Room: supervisor/observe/. Any thread.
 * Touch freely: the order of roots. Ask first: that nobody is asked: it is looked at when something is stuck.
 *
 * Who is above whom stands in the processes: a supervisor writes where its child stands, and a process
 * started with .link has its starter's pid. The first goes before the second, because a child's start
 * function may let somebody else start it.
 *
 * Each process is looked at on its own while all of them come and go, so what is found need be no tree:
 * whoever is above may be gone (then it is a root), and in theory there may be a ring of them, since a
 * start function may return whom it likes. So the drawing begins at the roots, draws nobody twice, and
 * begins again at whoever is left.
 */
#include "runtime/alloc.h"
#include "runtime/library.h"
#include "runtime/process.h"
#include "supervisor/status.h"

#include <coppice/observe.h>
#include <coppice/process.h>
#include <coppice/runtime.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SLACK = 16, /* processes that may start between counting and looking */
};
#define NONE SIZE_MAX

/* What is known of the node at the same index, while the tree is being drawn. */
struct branch {
    size_t above;       /* NONE: a root */
    size_t first, next; /* below it, of those not looked at yet; beside it */
    size_t drawn;       /* where in the picture; NONE: not yet */
};

struct sketch {
    cop_picture_node *found;           /* by pid */
    const cop_picture_node **in_order; /* the same, as siblings stand */
    struct branch *branches;
    size_t count;
    cop_picture_node *nodes; /* the picture's */
    size_t drawn;
};

/* ---------------------------------------------------------------- finding them */

static int
compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int
by_pid(const void *a, const void *b)
{
    const cop_picture_node *one = a, *other = b;
    return compare(one->pid.id, other->pid.id);
}

/* A child keeps its place when it is restarted. Others stand as they came. */
static int
by_place(const void *a, const void *b)
{
    const cop_picture_node *one = *(const cop_picture_node *const *)a;
    const cop_picture_node *other = *(const cop_picture_node *const *)b;
    int order = compare(one->info.child_number, other->info.child_number);
    order = order ? order : compare((uint64_t)one->info.started, (uint64_t)other->info.started);
    return order ? order : by_pid(one, other);
}

/* Those that have ended between the two looks are left out. */
static void
look_at_each(struct sketch *sketch, const cop_pid *pids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cop_picture_node *node = &sketch->found[sketch->count];
        node->pid = pids[i];
        sketch->count += cop_inspect(pids[i], &node->info) == 0;
    }
    qsort(sketch->found, sketch->count, sizeof *sketch->found, by_pid);
}

static size_t
index_of(const struct sketch *sketch, cop_pid pid)
{
    const cop_picture_node key = {.pid = pid}, *found = NULL;
    if (pid.id) {
        found = bsearch(&key, sketch->found, sketch->count, sizeof key, by_pid);
    }
    return found ? (size_t)(found - sketch->found) : NONE;
}

static size_t
who_is_above(const struct sketch *sketch, const cop_process_info *info)
{
    size_t supervisor = index_of(sketch, info->supervisor);
    return supervisor != NONE ? supervisor : index_of(sketch, info->parent);
}

/* ---------------------------------------------------------------- who is below whom */

/* From the last to the first, each before those that are there already. */
static void
connect(struct sketch *sketch)
{
    for (size_t i = 0; i < sketch->count; i++) {
        sketch->in_order[i] = &sketch->found[i];
        sketch->branches[i] = (struct branch){NONE, NONE, NONE, NONE};
    }
    qsort(sketch->in_order, sketch->count, sizeof(void *), by_place);
    for (size_t i = sketch->count; i-- > 0;) {
        size_t here = (size_t)(sketch->in_order[i] - sketch->found);
        size_t above = who_is_above(sketch, &sketch->found[here].info);
        sketch->branches[here].above = above;
        if (above != NONE) {
            sketch->branches[here].next = sketch->branches[above].first;
            sketch->branches[above].first = here;
        }
    }
}

/* ---------------------------------------------------------------- drawing */

static void
draw(struct sketch *sketch, size_t here, size_t above)
{
    cop_picture_node *node = &sketch->nodes[sketch->drawn];
    *node = sketch->found[here];
    node->parent = above == NONE ? sketch->drawn : sketch->branches[above].drawn;
    node->depth = above == NONE ? 0 : sketch->nodes[node->parent].depth + 1;
    sketch->branches[here].drawn = sketch->drawn++;
}

/* The next below it that is in the picture nowhere. */
static size_t
next_below(const struct sketch *sketch, size_t here)
{
    struct branch *branch = &sketch->branches[here];
    size_t below = branch->first;
    while (below != NONE && sketch->branches[below].drawn != NONE) {
        below = sketch->branches[below].next;
    }
    branch->first = below == NONE ? NONE : sketch->branches[below].next;
    return below;
}

/* It and all below it: down as long as there is somebody, else up again. */
static void
draw_tree(struct sketch *sketch, size_t root)
{
    size_t here = root;
    draw(sketch, root, NONE);
    while (here != NONE) {
        size_t below = next_below(sketch, here);
        if (below != NONE) {
            draw(sketch, below, here);
            here = below;
        } else {
            here = here == root ? NONE : sketch->branches[here].above;
        }
    }
}

static void
draw_all(struct sketch *sketch)
{
    for (size_t i = 0; i < sketch->count; i++) {
        size_t here = (size_t)(sketch->in_order[i] - sketch->found);
        if (sketch->branches[here].above == NONE) {
            draw_tree(sketch, here);
        }
    }
    for (size_t here = 0; sketch->drawn < sketch->count; here++) { /* rings */
        if (sketch->branches[here].drawn == NONE) {
            draw_tree(sketch, here);
        }
    }
}

/* ---------------------------------------------------------------- the picture */

struct canvas {
    cop_picture picture;
    cop_live_count *live;
    cop_picture_node nodes[];
};

static void
fill_in_totals(struct canvas *canvas, size_t live)
{
    cop_picture *picture = &canvas->picture;
    *picture = (cop_picture){
        .taken = cop_now(),
        .os_pid = getpid(),
        .restarts = copi_status_restarts(),
        .disowned = cop_disowned(),
        .tainted = cop_tainted(),
        .nodes = canvas->nodes,
        .live = canvas->live,
    };
    picture->uptime = picture->taken - copi_library_since();
    strncpy(picture->program, program_invocation_short_name, sizeof picture->program - 1);
    size_t found = cop_live(canvas->live, live);
    picture->live_count = found < live ? found : live;
}

static struct canvas *
new_canvas(size_t capacity)
{
    size_t live = cop_live(NULL, 0);
    struct canvas *canvas = copi_alloc(sizeof *canvas + capacity * sizeof *canvas->nodes);
    cop_live_count *counts = copi_alloc((live + 1) * sizeof *counts);
    if (!canvas || !counts) {
        free(canvas);
        free(counts);
        return NULL;
    }
    canvas->live = counts;
    fill_in_totals(canvas, live);
    return canvas;
}

static void
paint(struct canvas *canvas, struct sketch *sketch, cop_pid *pids, size_t capacity)
{
    size_t found = cop_processes(pids, capacity);
    look_at_each(sketch, pids, found < capacity ? found : capacity);
    connect(sketch);
    sketch->nodes = canvas->nodes;
    draw_all(sketch);
    canvas->picture.count = sketch->drawn;
}

int
cop_picture_take(cop_picture **out)
{
    if (copi_is_forked()) {
        return -EPERM;
    }
    size_t capacity = cop_processes(NULL, 0) + SLACK;
    cop_pid *pids = copi_alloc(capacity * sizeof *pids);
    struct sketch sketch = {
        .found = copi_alloc(capacity * sizeof *sketch.found),
        .in_order = copi_alloc(capacity * sizeof *sketch.in_order),
        .branches = copi_alloc(capacity * sizeof *sketch.branches),
    };
    struct canvas *canvas = new_canvas(capacity);
    int r = pids && sketch.found && sketch.in_order && sketch.branches && canvas ? 0 : -ENOMEM;
    if (r == 0) {
        paint(canvas, &sketch, pids, capacity);
        *out = &canvas->picture;
    } else {
        cop_picture_free(canvas ? &canvas->picture : NULL);
    }
    free(pids);
    free(sketch.found);
    free(sketch.in_order);
    free(sketch.branches);
    return r ? copi_fail(r) : 0;
}

void
cop_picture_free(cop_picture *picture)
{
    struct canvas *canvas = (struct canvas *)picture; /* its first member */
    if (canvas) {
        free(canvas->live);
        free(canvas);
    }
}
