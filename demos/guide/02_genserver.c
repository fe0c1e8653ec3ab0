/*
 * demos/guide/02_genserver.c - a server: a state, and callbacks that own it.
 *
 * Room: demos/. Beside it: 02_genserver.md, with the original in Elixir.
 */
#include <coppice.h>

#include <stdio.h>

enum {
    PUSH = 1, /* a cast */
    POP,      /* a call */
    DEPTH = 8
};

struct stack {
    int depth;
    int items[DEPTH];
};

struct popped {
    bool is_there;
    int item;
};

/* Messages with a type: push_msg(&item) makes one, push_of(msg) reads it. */
COP_MESSAGE(push, PUSH, int)

static cop_step
init(void *state, cop_bytes arg)
{
    struct stack *stack = state;
    stack->items[stack->depth++] = *(const int *)arg.data;
    return cop_ok();
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    struct stack *stack = state;
    cop_assert(stack->depth < DEPTH);
    stack->items[stack->depth++] = *push_of(msg);
    return cop_ok();
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct stack *stack = state;
    struct popped popped = {.is_there = stack->depth > 0};
    if (popped.is_there) {
        popped.item = stack->items[--stack->depth];
    }
    return cop_reply(from, COP_MSG_OF(request.tag, popped));
}

static const cop_genserver stack_server = {
    .type = "stack",
    .state_size = sizeof(struct stack),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
};

static void
pop(void)
{
    struct popped popped;
    int r = cop_call(cop_named("stack"), COP_TAG(POP), COP_OUT(popped), COP_SEC(5));
    if (r < 0) {
        printf("pop: %s\n", cop_strerror(r));
    } else if (popped.is_there) {
        printf("pop: %d\n", popped.item);
    } else {
        printf("pop: empty\n");
    }
}

int
main(void)
{
    int first = 1, second = 2;
    cop_pid pid;
    if (cop_genserver_start(&pid, &stack_server, .name = "stack", .arg = COP_BYTES(first)) < 0) {
        return 1;
    }
    (void)cop_cast(cop_named("stack"), push_msg(&second));
    pop();
    pop();
    pop();
    (void)cop_stop_process(pid, COP_REASON_NORMAL, COP_SEC(5));
    pop();
    return cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
