/*
 * demos/kv/tree.c - the supervision tree, as text.
 *
 * Room: demos/. Runs in whatever process wants to see it, and asks one supervisor after the other.
 * Plain ASCII: clients escape what is not.
 */
#include "demos/kv/tree.h"

#include <stdarg.h>
#include <stdio.h>

#define DEPTH_MAX    16
#define CHILDREN_MAX 40 /* of one supervisor that are shown; the rest is a number */

struct printer {
    struct buffer *out;
    size_t lines;
    char indent[4 * DEPTH_MAX + 1];
    size_t depth;
};

static void print(struct printer *p, const char *format, ...) COP_PRINTF(2, 3);

static void
print(struct printer *p, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n >= 0) {
        buffer_append(p->out, line, strlen(line) + 1);
        p->lines++;
    }
}

static const char *
state_of(const cop_child_info *child)
{
    if (child->restarting) {
        return "restarting";
    }
    return cop_pid_eq(child->pid, COP_NOBODY) ? "stopped" : "running";
}

static void
print_child(struct printer *p, const cop_child_info *child, bool last)
{
    int width = 40 - (int)(4 * p->depth);
    print(p, "%s%s%-*s %-10s %-10s restarts %zu", p->indent, last ? "`-- " : "|-- ",
          width > 0 ? width : 1, child->id, child->is_supervisor ? "supervisor" : "worker",
          state_of(child), child->restarts);
}

struct children {
    cop_child_info *list;
    size_t capacity, count;
};

/* All children of a supervisor: the list grows until they fit. Given: cop_free. */
static int
list_children(cop_pid supervisor, struct children *c)
{
    int error = 0;
    do {
        cop_free(c->list);
        c->capacity = c->count + 16;
        c->list = cop_alloc(c->capacity * sizeof *c->list);
        if (c->list == NULL) {
            return -ENOMEM;
        }
        error = cop_supervisor_children(supervisor, c->list, c->capacity, &c->count);
    } while (error == 0 && c->count > c->capacity);
    return error;
}

static int print_children(struct printer *p, cop_pid supervisor);

/* A supervisor that went away in between has no children to show. */
static int
print_below(struct printer *p, const cop_child_info *child, bool last)
{
    char *indent = p->indent + 4 * p->depth;
    memcpy(indent, last ? "    " : "|   ", 5);
    p->depth++;
    int error = print_children(p, child->pid);
    p->depth--;
    *indent = '\0';
    return error == -ESRCH || error == -EPIPE ? 0 : error;
}

static int
print_children(struct printer *p, cop_pid supervisor)
{
    struct children c = {0};
    int error = p->depth < DEPTH_MAX ? list_children(supervisor, &c) : 0;
    size_t shown = error < 0 ? 0 : c.count <= CHILDREN_MAX ? c.count : CHILDREN_MAX;

    for (size_t i = 0; error == 0 && i < shown; i++) {
        const cop_child_info *child = &c.list[c.count - 1 - i]; /* the list is newest first */
        bool last = i + 1 == c.count;
        print_child(p, child, last);
        if (child->is_supervisor && !cop_pid_eq(child->pid, COP_NOBODY)) {
            error = print_below(p, child, last);
        }
    }
    if (error == 0 && shown < c.count) {
        print(p, "%s`-- and %zu more", p->indent, c.count - shown);
    }
    cop_free(c.list);
    return error;
}

int
tree_print(struct buffer *out, size_t *lines)
{
    struct printer p = {.out = out};
    print(&p, "%s", TREE_ROOT);
    int error = print_children(&p, cop_named(TREE_ROOT));
    *lines = p.lines;
    return out->failed ? -ENOMEM : error;
}
