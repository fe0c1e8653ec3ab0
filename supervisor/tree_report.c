/*
 * supervisor/tree_report.c - a picture of all processes, as a tree, in lines of a log.
 *
 * Room: supervisor/. Any thread.
 * Touch freely: the words.
 *
 * It is asked for when something is stuck. So it asks nobody: all of it is what cop_inspect sees from
 * outside. Who has started whom stands in the processes; the lines are sorted by that, and then printed
 * from the roots down.
 */
#include "runtime/alloc.h"
#include "runtime/inspect.h"
#include "runtime/report.h"
#include "supervisor/status.h"

#include <coppice/daemon.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DEEPEST = 64, /* a tree is not that deep; what was started by a longer chain is not shown */
};

struct node {
    cop_pid pid;
    cop_process_info info;
};

struct forest {
    struct node *nodes; /* by parent, then by pid */
    size_t count;
};

static int
compare_ids(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int
by_pid(const void *a, const void *b)
{
    const struct node *one = a, *other = b;
    return compare_ids(one->pid.id, other->pid.id);
}

static int
by_parent(const void *a, const void *b)
{
    const struct node *one = a, *other = b;
    int parents = compare_ids(one->info.parent.id, other->info.parent.id);
    return parents ? parents : by_pid(a, b);
}

/* ---------------------------------------------------------------- looking */

/* Those that have ended between the two looks are left out. */
static void
look_at_each(struct forest *forest, const cop_pid *pids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct node *node = &forest->nodes[forest->count];
        node->pid = pids[i];
        forest->count += cop_inspect(pids[i], &node->info) == 0;
    }
}

/* Whose parent has ended is a root. */
static void
find_roots(struct forest *forest)
{
    qsort(forest->nodes, forest->count, sizeof *forest->nodes, by_pid);
    for (size_t i = 0; i < forest->count; i++) {
        const struct node parent = {.pid = forest->nodes[i].info.parent};
        if (!bsearch(&parent, forest->nodes, forest->count, sizeof parent, by_pid)) {
            forest->nodes[i].info.parent = COP_NOBODY;
        }
    }
    qsort(forest->nodes, forest->count, sizeof *forest->nodes, by_parent);
}

static int
look(struct forest *forest)
{
    size_t there = cop_processes(NULL, 0);
    cop_pid *pids = copi_alloc((there + 1) * sizeof *pids);
    forest->nodes = copi_alloc((there + 1) * sizeof *forest->nodes);
    if (pids && forest->nodes) {
        size_t found = cop_processes(pids, there);
        look_at_each(forest, pids, found < there ? found : there);
        find_roots(forest);
    }
    free(pids);
    return pids && forest->nodes ? 0 : -ENOMEM;
}

/* ---------------------------------------------------------------- saying */

static double
seconds(cop_time time)
{
    return (double)time / (double)COP_SEC(1);
}

static void
say(const struct node *node, int depth)
{
    enum {
        PART = 96
    };
    const cop_process_info *info = &node->info;
    char name[COPI_LABEL_SIZE], doing[PART] = "waiting";
    char whom[PART + COPI_LABEL_SIZE] = "", mail[PART] = "";
    if (info->callback) {
        (void)snprintf(doing, sizeof doing, "in %s for %.1f s", info->callback,
                       info->since ? seconds(cop_now() - info->since) : 0.0);
    }
    if (info->mailbox > 0) {
        (void)snprintf(mail, sizeof mail, ", %zu messages, the oldest for %.1f s", info->mailbox,
                       seconds(info->oldest));
    }
    if (info->waits_for.id) {
        char other[COPI_LABEL_SIZE];
        (void)snprintf(whom, sizeof whom, ", for %s", copi_label_pid(info->waits_for, other));
    }
    copi_report(COPI_NOTICE, "%*s%s: %s%s%s", 2 * depth, "", copi_label_pid(node->pid, name), doing,
                whom, mail);
}

static size_t
first_child(const struct forest *forest, cop_pid parent)
{
    size_t low = 0, high = forest->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (forest->nodes[middle].info.parent.id < parent.id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as DEEPEST */
static void
say_children(const struct forest *forest, cop_pid parent, int depth)
{
    for (size_t i = first_child(forest, parent);
         i < forest->count && forest->nodes[i].info.parent.id == parent.id; i++) {
        say(&forest->nodes[i], depth);
        if (depth < DEEPEST) {
            say_children(forest, forest->nodes[i].pid, depth + 1);
        }
    }
}

void
cop_report_tree(void)
{
    struct forest forest = {0};
    char status[COPI_STATUS_SIZE];
    copi_status_line(status);
    copi_report(COPI_NOTICE, "%s", status);
    if (look(&forest) == 0) {
        say_children(&forest, COP_NOBODY, 1);
    } else {
        copi_report(COPI_ERROR, "no memory for a picture of the tree");
    }
    free(forest.nodes);
}
