/*
 * demos/guide/12_idioms.c - Elixir's idioms, one after the other.
 *
 * Room: demos/. Beside it: porting.md, which holds each against its original.
 */
#include <coppice.h>

#include <stdio.h>

/* --- handle_info, Process.send_after, pattern matching --- */

enum {
    ADD = 1,
    TICK,
    NEWS,
    GET,
    READY,
    HEARD,
};

struct add {
    int a, b;
};

COP_MESSAGE(add, ADD, struct add)

struct clock {
    int ticks;
    cop_pid told;
};

static cop_step
init(void *state, cop_bytes arg)
{
    struct clock *clock = state;
    clock->told = *(const cop_pid *)arg.data;
    return cop_send_after(cop_self(), COP_TAG(TICK), COP_MS(5)).id ? cop_ok() : cop_stop(cop_why());
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct clock *clock = state;
    switch (msg.tag) {
    case TICK:
        if (++clock->ticks == 3) {
            (void)cop_send(clock->told, COP_MSG_OF(TICK, clock->ticks));
            return cop_stop(COP_REASON_NORMAL);
        }
        (void)cop_send_after(cop_self(), COP_TAG(TICK), COP_MS(5));
        return cop_ok();
    case COP_MSG_DOWN: /* and so on for what the library sends */
    default:
        return cop_ok();
    }
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    const struct clock *clock = state;
    const struct add *add = add_of(request);
    if (add) {
        int sum = add->a + add->b;
        return cop_reply(from, COP_MSG_OF(ADD, sum));
    }
    cop_assert(request.tag == GET); /* no clause matches: FunctionClauseError */
    return cop_reply(from, COP_MSG_OF(GET, clock->ticks));
}

static const cop_genserver clock_server = {
    .type = "clock",
    .state_size = sizeof(struct clock),
    .init = init,
    .handle_info = handle_info,
    .handle_call = handle_call,
};

/* --- start_link --- */

static int
start_link(cop_pid *out)
{
    cop_pid self = cop_self();
    return cop_genserver_start(out, &clock_server, .name = "clock", .link = true,
                               .arg = COP_BYTES(self));
}

/* --- receive --- */

static bool
has_tag(const cop_msg *msg, void *env)
{
    return msg->tag == *(const uint32_t *)env;
}

/* What else has come stays in the mailbox, in order. */
static int
hear(uint32_t tag, cop_msg *msg)
{
    return cop_receive_match(msg, has_tag, &tag, COP_SEC(5));
}

static void
hear_the_clock(void)
{
    cop_pid pid;
    cop_msg msg;
    int sum = 0;
    if (start_link(&pid) == 0
        && cop_call(cop_named("clock"), add_msg(&(struct add){2, 3}), COP_OUT(sum), COP_SEC(5))
               == 0) {
        printf("2 and 3 are %d\n", sum);
    }
    if (hear(TICK, &msg) == 0) {
        printf("%d ticks\n", *COP_BODY(msg, int));
    }
}

/* --- Registry: names by key, and a table that others read; PubSub --- */

static int
worker(cop_bytes arg)
{
    int load = 7;
    const char *key = arg.data;
    int r = cop_registry_register("table", COP_STR(key), COP_BYTES(load));
    r = r ? r : cop_registry_register("pubsub", COP_STR("news"), (cop_bytes){0});
    r = r ? r : cop_send(cop_named("main"), COP_TAG(READY));

    cop_msg msg;
    while (r == 0 && (r = cop_receive(&msg, COP_FOREVER)) == 0 && msg.tag != NEWS) {
    }
    return r ? r : cop_send(cop_named("main"), COP_TAG(HEARD));
}

static int
publish(void)
{
    return cop_registry_broadcast("pubsub", COP_STR("news"), COP_TAG(NEWS));
}

/* --- DynamicSupervisor --- */

static int
start_worker(const char *key)
{
    const cop_child_spec child = {
        .id = "worker", .worker = worker, .arg = COP_STR(key), .restart = COP_TEMPORARY};
    return cop_supervisor_start_child(cop_named("workers"), &child, NULL);
}

/* --- with --- */

static int
talk_to_workers(void)
{
    int load = 0, r = 0;
    cop_msg msg;
    if ((r = start_worker("a")) == 0 && (r = hear(READY, &msg)) == 0
        && (r = cop_registry_value("table", COP_STR("a"), COP_OUT(load))) == 0
        && (r = publish()) == 0 && (r = hear(HEARD, &msg)) == 0) {
        printf("the load of a is %d, and it has heard the news\n", load);
        return 0;
    }
    printf("no: %s\n", cop_strerror(r)); /* else */
    return r;
}

int
main(void)
{
    static const cop_registry_spec table = {.name = "table"};
    static const cop_registry_spec pubsub = {.name = "pubsub", .kind = COP_REGISTRY_DUPLICATE};
    static const cop_supervisor_spec workers = {.name = "workers", .strategy = COP_DYNAMIC};
    const cop_supervisor_spec tree = {COP_CHILDREN(cop_registry_child(&table),
                                                   cop_registry_child(&pubsub),
                                                   {.id = "workers", .supervisor = &workers})};
    if (cop_register("main", cop_self()) < 0 || cop_supervisor_start(NULL, &tree) < 0) {
        return 1;
    }
    hear_the_clock();
    (void)talk_to_workers();
    return cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
