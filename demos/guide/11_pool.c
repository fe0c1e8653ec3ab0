/*
 * demos/guide/11_pool.c - a pool of connections, ported from Elixir function by function.
 *
 * Room: demos/. Beside it: 11_pool.exs, the original, and 11_pool.md, which holds both side by side.
 *
 * Who has a connection, or waits for one, is monitored: it comes back however he ends. A process has one at a
 * time. Connections are numbers here.
 */
#include <coppice.h>

#include <stdio.h>

enum {
    CHECKOUT = 1, /* a call; its answer is the connection */
    STATUS,       /* a call; its answer is a struct status */
    CHECKIN,      /* a cast; its body is whose */
    HAS,          /* to who tells the story; its body is the connection */
    MOST = 64,    /* a list has no end in Elixir; here somebody decides */
};

struct status {
    size_t free, lent, waiting;
};

struct lease {
    cop_pid pid;
    cop_ref monitor;
    int connection;
};

struct waiter {
    cop_from from;
    cop_ref monitor;
};

struct pool {
    struct status count;
    int free[MOST];
    struct lease lent[MOST];
    struct waiter waiting[MOST];
};

/* --- The interface --- */

static int
checkin(void)
{
    cop_pid self = cop_self();
    return cop_cast(cop_named("pool"), COP_MSG_OF(CHECKIN, self));
}

/* Who gives up waiting says so, or a connection would be lent to him that he does not know of. */
static int
checkout(int *connection, cop_time timeout)
{
    int r = cop_call(cop_named("pool"), COP_TAG(CHECKOUT), connection, sizeof *connection, timeout);
    if (r < 0) {
        (void)checkin();
    }
    return r;
}

static int
status(struct status *out)
{
    return cop_call(cop_named("pool"), COP_TAG(STATUS), out, sizeof *out, COP_SEC(5));
}

/* --- In the pool --- */

static cop_step
init(void *state, cop_bytes arg)
{
    struct pool *pool = state;
    cop_assert(arg.size <= sizeof pool->free);
    memcpy(pool->free, arg.data, arg.size);
    pool->count.free = arg.size / sizeof *pool->free;
    return cop_ok();
}

static void
lend(struct pool *pool, cop_pid pid, cop_ref monitor, int connection)
{
    pool->lent[pool->count.lent++] = (struct lease){pid, monitor, connection};
}

static void
pass_on(struct pool *pool, int connection)
{
    if (pool->count.waiting == 0) {
        pool->free[pool->count.free++] = connection;
        return;
    }
    struct waiter first = pool->waiting[0];
    memmove(pool->waiting, pool->waiting + 1, --pool->count.waiting * sizeof first);
    (void)cop_reply(first.from, COP_MSG_OF(CHECKOUT, connection));
    lend(pool, first.from.pid, first.monitor, connection);
}

/* Whoever it is has no connection any more, and waits for none. */
static void
forget(struct pool *pool, cop_pid pid)
{
    size_t kept = 0;
    for (size_t i = 0; i < pool->count.waiting; i++) {
        if (cop_pid_eq(pool->waiting[i].from.pid, pid)) {
            (void)cop_demonitor(pool->waiting[i].monitor);
        } else {
            pool->waiting[kept++] = pool->waiting[i];
        }
    }
    pool->count.waiting = kept;
    for (size_t i = 0; i < pool->count.lent; i++) {
        struct lease lease = pool->lent[i];
        if (cop_pid_eq(lease.pid, pid)) {
            (void)cop_demonitor(lease.monitor);
            pool->lent[i] = pool->lent[--pool->count.lent];
            pass_on(pool, lease.connection);
            return;
        }
    }
}

static cop_step
handle_checkout(struct pool *pool, cop_from from)
{
    cop_assert(pool->count.lent < MOST && pool->count.waiting < MOST);
    cop_ref monitor = cop_monitor(from.pid);
    if (pool->count.free == 0) {
        pool->waiting[pool->count.waiting++] = (struct waiter){from, monitor};
        return cop_ok(); /* {:noreply, state}: the answer comes later */
    }
    int connection = pool->free[--pool->count.free];
    lend(pool, from.pid, monitor, connection);
    return cop_reply(from, COP_MSG_OF(CHECKOUT, connection));
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct pool *pool = state;
    if (request.tag == CHECKOUT) {
        return handle_checkout(pool, from);
    }
    cop_assert(request.tag == STATUS);
    return cop_reply(from, COP_MSG_OF(STATUS, pool->count));
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    cop_assert(msg.tag == CHECKIN);
    forget(state, *COP_BODY(msg, cop_pid));
    return cop_ok();
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    if (msg.tag == COP_MSG_DOWN) {
        forget(state, COP_BODY(msg, struct cop_down)->pid);
    }
    return cop_ok();
}

static const cop_genserver pool_server = {
    .type = "pool",
    .state_size = sizeof(struct pool),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
};

/* --- The story --- */

static int
borrow(cop_bytes arg)
{
    int connection = 0;
    if (checkout(&connection, COP_SEC(5)) == 0) {
        (void)cop_send(*(const cop_pid *)arg.data, COP_MSG_OF(HAS, connection));
    }
    return cop_sleep(COP_FOREVER);
}

static void
hear(const char *who)
{
    cop_msg msg;
    bool has = cop_receive(&msg, COP_SEC(5)) == 0 && msg.tag == HAS;
    printf("the %s has connection %d\n", who, has ? *COP_BODY(msg, int) : 0);
}

static void
wait_for(size_t free, size_t lent, size_t waiting)
{
    struct status now = {0};
    while (status(&now) == 0 && (now.free != free || now.lent != lent || now.waiting != waiting)) {
        cop_sleep(COP_MS(1));
    }
}

int
main(void)
{
    int connections[] = {2, 1}; /* the last one is taken first */
    int mine = 0;
    cop_pid holder, waiter, self = cop_self();
    if (cop_genserver_start(NULL, &pool_server, .name = "pool", .arg = COP_BYTES(connections)) < 0
        || checkout(&mine, COP_SEC(5)) < 0) {
        return 1;
    }
    printf("I have connection %d\n", mine);
    (void)cop_spawn(&holder, borrow, .arg = COP_BYTES(self));
    hear("holder");
    (void)cop_spawn(&waiter, borrow, .arg = COP_BYTES(self));
    wait_for(0, 2, 1);
    printf("one waits\n");
    (void)cop_exit_signal(holder, COP_REASON_KILLED);
    hear("waiter");
    (void)cop_exit_signal(waiter, COP_REASON_KILLED);
    (void)checkin();
    wait_for(2, 0, 0);
    printf("all are back\n");
    return cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
