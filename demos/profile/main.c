/*
 * demos/profile/main.c - a user's page from three services at once: ready with the slowest of them,
 * given up with the first failure or when the time is over.
 *
 * Room: demos/. The services are made up: each takes its time, and then it answers or is down.
 *
 * Look at load_page(). Each fetch is a task, so that all wait side by side, and what it brings is
 * copied: nobody shares memory, and nobody has to outlive anybody. Look at fetch() then: it does
 * nothing to be cancelled. What it waits in returns an error, which it hands on like any other.
 */
#include <coppice.h>

#include <stdio.h>
#include <stdlib.h>

struct part {
    char text[32];
};

struct service {
    const char *name;
    cop_time latency;
    struct part part;
    bool is_down;
};

static const struct service services[] = {
    {.name = "user", .latency = COP_MS(80), .part = {"Ada"}},
    {.name = "orders", .latency = COP_MS(120), .part = {"three orders"}},
    {.name = "recommendations", .latency = COP_MS(200), .part = {"a loom for you"}},
};
enum {
    SERVICES = sizeof services / sizeof *services
};

static long
ms_since(cop_time begun)
{
    return (long)((cop_now() - begun) / COP_MS(1));
}

static int
fetch(cop_bytes arg, void *result)
{
    const struct service *service = arg.data;
    cop_time begun = cop_now();
    int r = cop_sleep(service->latency); /* a real one would wait for its socket */
    if (r) {
        char why[64];
        printf("  %4ld ms  %s: cancelled, because: %s\n", ms_since(begun), service->name,
               cop_reason_string(cop_why(), why, sizeof why));
        return r;
    }
    printf("  %4ld ms  %s: %s\n", ms_since(begun), service->name,
           service->is_down ? "down" : "here");
    memcpy(result, &service->part, sizeof service->part);
    return service->is_down ? -EHOSTDOWN : 0;
}

/* Cancel those that have not ended yet, and wait until they have. */
static void
abandon(cop_future *const fetches[SERVICES], cop_reason why)
{
    struct part late[SERVICES];
    int status[SERVICES];
    for (int i = 0; i < SERVICES; i++) {
        (void)cop_future_cancel(fetches[i], why);
    }
    (void)cop_await_settled(fetches, SERVICES, late, sizeof *late, status, COP_FOREVER);
}

/* All parts, in the order of the services; or the first failure, and then no fetch goes on. */
static int
load_page(struct part parts[SERVICES], const char *down, cop_time timeout)
{
    cop_future *fetches[SERVICES];
    for (int i = 0; i < SERVICES; i++) {
        struct service service = services[i];
        service.is_down = strcmp(service.name, down) == 0;
        fetches[i] = cop_async(fetch, .arg = COP_BYTES(service), .result_size = sizeof *parts);
    }
    int r = cop_await_all(fetches, SERVICES, parts, sizeof *parts, timeout);
    if (r) {
        abandon(fetches, cop_why());
    }
    for (int i = 0; i < SERVICES; i++) {
        cop_future_release(fetches[i]);
    }
    return r;
}

static int
show_page(const char *down, cop_time timeout)
{
    struct part parts[SERVICES];
    cop_time begun = cop_now();
    int r = load_page(parts, down, timeout);
    if (r) {
        printf("  %4ld ms  no page: %s\n", ms_since(begun), cop_strerror(r));
    } else {
        printf("  %4ld ms  %s, %s, %s\n", ms_since(begun), parts[0].text, parts[1].text,
               parts[2].text);
    }
    return r;
}

static void
show_all_three_ways(void)
{
    printf("Three fetches side by side take as long as the slowest:\n");
    (void)show_page("", COP_SEC(1));
    printf("One fails, and the others are cancelled:\n");
    (void)show_page("orders", COP_SEC(1));
    printf("The time is over, and what is not there yet is cancelled:\n");
    (void)show_page("", COP_MS(100));
}

static bool
is_service(const char *name)
{
    bool is = false;
    for (int i = 0; i < SERVICES; i++) {
        is |= strcmp(services[i].name, name) == 0;
    }
    return is;
}

/* A number of milliseconds, up to a minute, or -1. */
static long
parse_timeout(const char *text)
{
    char *end = NULL;
    long n = strtol(text, &end, 10);
    return end != text && *end == '\0' && n >= 0 && n <= 60000 ? n : -1;
}

int
main(int argc, char **argv)
{
    long timeout_ms = argc > 1 ? parse_timeout(argv[1]) : 0;
    const char *down = argc > 2 ? argv[2] : "";
    if (argc > 3 || timeout_ms < 0 || (argc == 3 && !is_service(down))) {
        (void)fprintf(stderr, "usage: profile [TIMEOUT_MS [SERVICE_THAT_IS_DOWN]]\n");
        return 2;
    }
    int r = 0;
    if (argc > 1) {
        r = show_page(down, COP_MS(timeout_ms));
    } else {
        show_all_three_ways();
    }
    return cop_shutdown(COP_SEC(5)) || r ? 1 : 0;
}
