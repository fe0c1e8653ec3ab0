/*
 * runtime/block.c - memory of the library's own that comes and goes by the million.
 *
 * Room: runtime/. Any thread.
 * Touch freely: nothing depends on where a block lies. Ask first: what is made of blocks; who asks the
 * allocator what it has in use does not see them.
 *
 * malloc is quick where a thread frees what it has made. The block of a task is made by who starts it and
 * freed by whoever lets it go last, often on another core; then each of the two takes the slow path, under
 * the lock of an arena, and the lines of its lists go to and fro. Messages have the same habit, and their
 * pools an answer to it: a node goes home, in batches. So a block is the body of a message that nobody ever
 * sends. What is too large for one, or made where there is no pool to be had, is malloc's.
 *
 * The word before a block says which it is, and keeps it aligned: a node's body lies 8 bytes too low.
 */
#include "runtime/block.h"

#include "runtime/alloc.h"
#include "runtime/live.h"
#include "runtime/message.h"
#include "runtime/thread.h"

#include <stdlib.h>

enum {
    IN_POOL = 1,
    IN_HEAP,
};

struct word {
    uint64_t where;
};

/* Of the heap's; the word before the block is the last of it. */
struct heap_head {
    uint64_t unused;
    struct word word;
};
_Static_assert(
    (offsetof(struct copi_message, body) + sizeof(struct word)) % _Alignof(max_align_t) == 0,
    "a node is aligned to 64 bytes, and so the block behind the word to what any type needs");
_Static_assert(sizeof(struct heap_head) % _Alignof(max_align_t) == 0, "and so is the heap's");

static struct word *
before(void *block)
{
    return (struct word *)block - 1;
}

static void *
from_heap(size_t size)
{
    struct heap_head *head = size < SIZE_MAX - sizeof *head ? malloc(sizeof *head + size) : NULL;
    if (!head) {
        return NULL;
    }
    head->word.where = IN_HEAP;
    return head + 1;
}

/* A thread that is no process would leave a pool behind: nobody tells us of its end. */
static bool
may_have_pool(void)
{
    return copi_here.pool || copi_here.process;
}

void *
copi_block_new(size_t size)
{
    if (!copi_alloc_may()) {
        return NULL;
    }
    bool fits = size < SIZE_MAX - sizeof(struct word) && may_have_pool();
    struct copi_message *node =
        fits ? copi_message_new(COPI_SEND, 0, sizeof(struct word) + size) : NULL;
    if (!node) {
        return from_heap(size);
    }
    copi_live_gone(COPI_LIVE_MESSAGE); /* it is none */
    struct word *word = (struct word *)(void *)node->body;
    word->where = IN_POOL;
    return word + 1;
}

void
copi_block_free(void *block)
{
    if (!block) {
        return;
    }
    struct word *word = before(block);
    if (word->where == IN_POOL) {
        copi_live_born(COPI_LIVE_MESSAGE); /* which is counted when it goes */
        copi_message_free(
            (struct copi_message *)(void *)((char *)word - offsetof(struct copi_message, body)));
    } else {
        free((struct heap_head *)block - 1);
    }
}
