/*
 * tests/support/proxy.c - a line between a program and its server, with the faults that lines have.
 *
 * Room: tests/.
 *
 * One thread, one poll(). A connection is two flows, each with a buffer that is filled only when it is empty; a
 * flow that may not be read (held, or full) leaves the bytes to the kernel. What is asked of the line stands in
 * `rules`, below the lock; the thread holds the lock except while it polls, and is woken when they change.
 */
#include "tests/support/proxy.h"

#include "tests/support/support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS_MOST = 256,
    FLOW_BYTES = 16384
};

#define NEVER SIZE_MAX

struct flow {
    int from, to; /* borrowed from the connection */
    enum proxy_way way;
    unsigned char bytes[FLOW_BYTES];
    size_t begin, end;
    cop_time due; /* when they may go on */
    bool is_over; /* nothing comes any more */
};

struct connection {
    int ends[2]; /* whose requests it is, and the server's */
    struct flow flows[2];
};

struct rules {
    size_t cut_after, passed;
    cop_time delay;
    bool swallow, hold, split;
};

struct proxy {
    pthread_t thread;
    unsigned target, port;
    int listener, waker;
    pthread_mutex_t lock;
    struct rules rules[2];
    bool refuse, cut, end;
    unsigned changes; /* of the rules, so far */
    unsigned accepted, count;
    struct connection *connections[CONNECTIONS_MOST];
};

/* ---------------------------------------------------------------- one flow */

static bool
has_bytes(const struct flow *flow)
{
    return flow->begin < flow->end;
}

/* Whether the connection goes on. */
static bool
read_flow(struct proxy *proxy, struct flow *flow)
{
    const struct rules *rules = &proxy->rules[flow->way];
    ssize_t got = recv(flow->from, flow->bytes, sizeof flow->bytes, MSG_DONTWAIT);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    flow->is_over = got == 0;
    flow->begin = 0;
    flow->end = rules->swallow ? 0 : (size_t)got;
    flow->due = cop_now() + rules->delay;
    return !flow->is_over || rules->swallow;
}

static bool
write_flow(struct proxy *proxy, struct flow *flow)
{
    struct rules *rules = &proxy->rules[flow->way];
    size_t length = rules->split ? 1 : flow->end - flow->begin;
    length = length < rules->cut_after ? length : rules->cut_after;
    ssize_t sent =
        length ? send(flow->to, flow->bytes + flow->begin, length, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    if (sent < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    flow->begin += (size_t)sent;
    rules->passed += (size_t)sent;
    if (rules->cut_after != NEVER) {
        rules->cut_after -= (size_t)sent;
        proxy->cut = rules->cut_after == 0;
    }
    return true;
}

/* ---------------------------------------------------------------- connections */

static int
connect_to(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void
drop(struct proxy *proxy, unsigned index)
{
    struct connection *connection = proxy->connections[index];
    close(connection->ends[0]);
    close(connection->ends[1]);
    free(connection);
    proxy->connections[index] = proxy->connections[--proxy->count];
}

static void
accept_one(struct proxy *proxy)
{
    int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) {
        return;
    }
    int server = proxy->refuse || proxy->count == CONNECTIONS_MOST ? -1 : connect_to(proxy->target);
    struct connection *connection = server < 0 ? NULL : calloc(1, sizeof *connection);
    proxy->accepted++;
    if (!connection) {
        close(client);
        return;
    }
    *connection = (struct connection){
        .ends = {client, server},
        .flows = {{.from = client, .to = server, .way = PROXY_REQUESTS},
                  {.from = server, .to = client, .way = PROXY_ANSWERS}},
    };
    for (int i = 0; i < 2; i++) {
        setsockopt(connection->ends[i], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    }
    proxy->connections[proxy->count++] = connection;
}

/* ---------------------------------------------------------------- the thread */

/* What of this flow is waited for, and for how long at most. */
static short
wanted_of(const struct proxy *proxy, const struct flow *flow, cop_time now, cop_time *wait)
{
    if (proxy->rules[flow->way].hold) {
        return 0;
    }
    if (!has_bytes(flow)) {
        return flow->is_over ? 0 : POLLIN;
    }
    if (flow->due <= now) {
        return POLLOUT;
    }
    *wait = flow->due - now < *wait ? flow->due - now : *wait;
    return 0;
}

/* The flow's own descriptor: where it is read from, or written to. */
static struct pollfd
poll_of(const struct proxy *proxy, const struct flow *flow, cop_time now, cop_time *wait)
{
    short wanted = wanted_of(proxy, flow, now, wait);
    int fd = wanted == POLLOUT ? flow->to : flow->from;
    return (struct pollfd){.fd = wanted ? fd : -1, .events = wanted};
}

static bool
pass_on(struct proxy *proxy, struct connection *connection, const struct pollfd polled[2])
{
    bool goes_on = true;
    for (int i = 0; goes_on && i < 2; i++) {
        struct flow *flow = &connection->flows[i];
        if (polled[i].revents && polled[i].events == POLLIN) {
            goes_on = read_flow(proxy, flow);
        } else if (polled[i].revents) {
            goes_on = write_flow(proxy, flow);
        }
    }
    return goes_on;
}

static void
turn(struct proxy *proxy)
{
    static const unsigned ours = 2; /* before the flows' */
    struct pollfd polled[2 + 2 * CONNECTIONS_MOST];
    cop_time now = cop_now(), wait = COP_SEC(60);
    polled[0] = (struct pollfd){.fd = proxy->waker, .events = POLLIN};
    polled[1] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
    for (unsigned i = 0; i < 2 * proxy->count; i++) {
        polled[ours + i] = poll_of(proxy, &proxy->connections[i / 2]->flows[i % 2], now, &wait);
    }
    unsigned count = proxy->count, changes = proxy->changes;
    pthread_mutex_unlock(&proxy->lock);
    poll(polled, ours + 2 * count, (int)(wait / COP_MS(1)) + 1);
    pthread_mutex_lock(&proxy->lock);
    if (polled[0].revents) {
        eventfd_read(proxy->waker, &(eventfd_t){0});
    }
    if (proxy->changes != changes) {
        return; /* what was waited for is perhaps not wanted any more */
    }
    for (unsigned i = count;
         i-- > 0;) { /* backwards, as the last one moves to where one is dropped */
        if (!pass_on(proxy, proxy->connections[i], &polled[ours + 2 * i])) {
            drop(proxy, i);
        }
    }
    if (polled[1].revents) {
        accept_one(proxy);
    }
}

static void *
run(void *arg)
{
    struct proxy *proxy = arg;
    pthread_mutex_lock(&proxy->lock);
    while (!proxy->end) {
        turn(proxy);
        if (proxy->cut || proxy->end) {
            while (proxy->count > 0) {
                drop(proxy, proxy->count - 1);
            }
            proxy->cut = false;
            proxy->rules[PROXY_REQUESTS].cut_after = proxy->rules[PROXY_ANSWERS].cut_after = NEVER;
        }
    }
    pthread_mutex_unlock(&proxy->lock);
    return NULL;
}

/* ---------------------------------------------------------------- the line */

static void
listen_somewhere(struct proxy *proxy)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(proxy->listener, 0);
    ck_assert_int_eq(bind(proxy->listener, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(proxy->listener, CONNECTIONS_MOST), 0);
    ck_assert_int_eq(getsockname(proxy->listener, (struct sockaddr *)&address, &length), 0);
    proxy->port = ntohs(address.sin_port);
}

struct proxy *
proxy_new(unsigned port)
{
    struct proxy *proxy = calloc(1, sizeof *proxy);
    ck_assert_ptr_nonnull(proxy);
    proxy->target = port;
    proxy->rules[PROXY_REQUESTS].cut_after = proxy->rules[PROXY_ANSWERS].cut_after = NEVER;
    proxy->waker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ck_assert_int_ge(proxy->waker, 0);
    listen_somewhere(proxy);
    pthread_mutex_init(&proxy->lock, NULL);
    ck_assert_int_eq(pthread_create(&proxy->thread, NULL, run, proxy), 0);
    return proxy;
}

/* Every change is made between these two. */
static struct rules *
begin(struct proxy *proxy, enum proxy_way way)
{
    pthread_mutex_lock(&proxy->lock);
    proxy->changes++;
    return &proxy->rules[way];
}

static void
end(struct proxy *proxy)
{
    pthread_mutex_unlock(&proxy->lock);
    eventfd_write(proxy->waker, 1);
}

void
proxy_free(struct proxy *proxy)
{
    if (!proxy) {
        return;
    }
    begin(proxy, PROXY_REQUESTS);
    proxy->end = true;
    end(proxy);
    pthread_join(proxy->thread, NULL);
    pthread_mutex_destroy(&proxy->lock);
    close(proxy->listener);
    close(proxy->waker);
    free(proxy);
}

unsigned
proxy_port(struct proxy *proxy)
{
    return proxy->port;
}

unsigned
proxy_connections(struct proxy *proxy)
{
    begin(proxy, PROXY_REQUESTS);
    unsigned count = proxy->accepted;
    end(proxy);
    return count;
}

size_t
proxy_passed(struct proxy *proxy, enum proxy_way way)
{
    size_t passed = begin(proxy, way)->passed;
    end(proxy);
    return passed;
}

void
proxy_cut(struct proxy *proxy)
{
    begin(proxy, PROXY_REQUESTS);
    proxy->cut = true;
    end(proxy);
}

void
proxy_cut_after(struct proxy *proxy, enum proxy_way way, size_t bytes)
{
    begin(proxy, way)->cut_after = bytes;
    end(proxy);
}

void
proxy_refuse(struct proxy *proxy, bool refuse)
{
    begin(proxy, PROXY_REQUESTS);
    proxy->refuse = refuse;
    end(proxy);
}

void
proxy_swallow(struct proxy *proxy, enum proxy_way way, bool swallow)
{
    begin(proxy, way)->swallow = swallow;
    end(proxy);
}

void
proxy_hold(struct proxy *proxy, enum proxy_way way, bool hold)
{
    begin(proxy, way)->hold = hold;
    end(proxy);
}

void
proxy_delay(struct proxy *proxy, enum proxy_way way, cop_time delay)
{
    begin(proxy, way)->delay = delay;
    end(proxy);
}

void
proxy_split(struct proxy *proxy, enum proxy_way way, bool split)
{
    begin(proxy, way)->split = split;
    end(proxy);
}
