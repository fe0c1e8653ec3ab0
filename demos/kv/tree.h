/*
 * demos/kv/tree.h - the supervision tree, as text.
 *
 * Room: demos/. Knows <coppice.h> only: it prints any tree.
 */
#ifndef DEMOS_KV_TREE_H
#define DEMOS_KV_TREE_H

#include "demos/kv/buffer.h"

#include <coppice.h>

/* The name of the supervisor at the top. */
#define TREE_ROOT "kv"

/*
 * Append the tree to `out`, a line for each process, each with a zero byte behind it.
 *
 * The lines are true one by one; the tree may change between two of them.
 * Errors as cop_supervisor_children, and -ENOMEM.
 */
int tree_print(struct buffer *out, size_t *lines);

#endif
