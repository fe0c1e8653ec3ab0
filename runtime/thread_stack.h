/*
 * runtime/thread_stack.h - the stacks that threads run on.
 *
 * Room: runtime/, behind the seam. Any thread, but where it says whose.
 */
#ifndef COPI_RUNTIME_THREAD_STACK_H
#define COPI_RUNTIME_THREAD_STACK_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    COPI_STACK_USUAL = 256 * 1024, /* of who does not say how much he needs */
    COPI_STACK_ROOM = 128,         /* for the record of the thread that runs on it */
};

struct copi_stack {
    char *mapping; /* guard, stack, room, alternate stack */
    size_t mapping_size, size;
    bool is_small; /* too small for who does not ask for a small one */
};

/* What libc takes of each. Once, before the first. */
void copi_stack_remember(void);

/* wanted: bytes for who runs there; 0: the usual. -EAGAIN: there is no room; -ENOMEM: runtime/alloc.h refuses. Then
 * nothing has changed. */
int copi_stack_map(struct copi_stack *stack, size_t wanted);
void copi_stack_unmap(const struct copi_stack *stack);

/* Those that were mapped for threads to come go back to the system. */
void copi_stack_unmap_ahead(void);

/* COPI_STACK_ROOM bytes, which are zeroed when the stack is mapped and gone when it is unmapped. They are on the page
 * on which libc has its own record of the thread, so they cost none. */
void *copi_stack_room(const struct copi_stack *stack);

/* For a thread that is about to be made. As pthread_attr_setstack. */
int copi_stack_describe(const struct copi_stack *stack, pthread_attr_t *attributes);

void copi_stack_guard(const struct copi_stack *stack, const void **low, const void **high);

/* By the thread that runs on it. The faults of this thread are looked at on its alternate stack. */
void copi_stack_use_alternate(const struct copi_stack *stack, stack_t *before);

/* By the thread that runs on it, and not from another stack, such as a coroutine's: a deep stack's pages go back
 * to the system, but for a few. */
void copi_stack_trim(const struct copi_stack *stack);

#endif
