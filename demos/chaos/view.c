/*
 * demos/chaos/view.c - the tree, in lines.
 *
 * Room: demos/. Any process.
 */
#include "demos/chaos/view.h"

#include <coppice.h>

static void
draw_node(FILE *to, const cop_picture_node *node, unsigned depth)
{
    const cop_process_info *info = &node->info;
    const char *name = info->name[0] ? info->name : info->child_id;
    (void)fprintf(to, "       %*s%-*s", (int)(2 * depth), "", 12 - (int)(2 * depth), name);
    if (info->strategy) {
        (void)fprintf(to, "  %s\n", info->strategy);
    } else {
        (void)fprintf(to, "  %-12s  mailbox %4zu  restarts %3zu\n",
                      info->callback ? info->callback : "waits", info->mailbox, info->restarts);
    }
}

/* Whether the node is below the one with that number, or is it. */
static bool
is_below(const cop_picture *picture, size_t node, size_t root)
{
    while (node > root && picture->nodes[node].parent != node) {
        node = picture->nodes[node].parent;
    }
    return node == root;
}

void
view_draw(FILE *to, const char *root)
{
    cop_picture *picture;
    if (cop_picture_take(&picture) < 0) {
        return;
    }
    size_t top = 0;
    while (top < picture->count && strcmp(picture->nodes[top].info.name, root) != 0) {
        top++;
    }
    for (size_t i = top; i < picture->count; i++) {
        if (is_below(picture, i, top)) {
            draw_node(to, &picture->nodes[i], picture->nodes[i].depth - picture->nodes[top].depth);
        }
    }
    cop_picture_free(picture);
}
