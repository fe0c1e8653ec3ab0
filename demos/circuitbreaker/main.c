/*
 * demos/circuitbreaker/main.c - a service that is down for a while, and who keeps asking.
 *
 * Room: demos/. The service is made up.
 *
 * Look at the timeline: three failures, and the breaker trips. From then on whoever asks is refused
 * at once, and told for how long, without the service being bothered. After the pause one call is
 * let through as a probe. It finds the service still down; the next one does not. breaker.h has the
 * picture.
 */
#include "demos/circuitbreaker/breaker.h"

#include <stdio.h>
#include <stdlib.h>

#define INTERVAL COP_MS(50)

enum {
    FIRST_FAILURE = 3, /* the service's third call, */
    LAST_FAILURE = 6,  /* to its sixth */
};

struct service {
    cop_time begun;
    int calls;
};

static long
ms(cop_time time)
{
    return (long)(time / COP_MS(1));
}

static int
service(void *env)
{
    struct service *service = env;
    int call = ++service->calls;
    bool is_down = call >= FIRST_FAILURE && call <= LAST_FAILURE;
    printf("%4ld ms  call %d of the service: %s\n", ms(cop_now() - service->begun), call,
           is_down ? "down" : "answered");
    return is_down ? -EHOSTDOWN : 0;
}

static void
ask(cop_pid pid, struct service *s)
{
    cop_time wait = 0;
    int r = breaker_call(pid, service, s, &wait);
    if (r == -ECONNREFUSED) {
        printf("%4ld ms  refused for another %ld ms\n", ms(cop_now() - s->begun), ms(wait));
    } else if (r && r != -EHOSTDOWN) {
        printf("%4ld ms  %s\n", ms(cop_now() - s->begun), cop_strerror(r));
    }
}

/* A number between 0 and an hour of milliseconds, or -1. */
static long
parse(const char *text)
{
    char *end = NULL;
    long n = strtol(text, &end, 10);
    return end != text && *end == '\0' && n >= 0 && n <= 3600000 ? n : -1;
}

int
main(int argc, char **argv)
{
    long pause_ms = argc > 1 ? parse(argv[1]) : 200, calls = argc > 2 ? parse(argv[2]) : 18;
    if (argc > 3 || pause_ms < 0 || calls < 0) {
        (void)fprintf(stderr, "usage: circuitbreaker [PAUSE_MS [CALLS]]\n");
        return 2;
    }
    struct breaker_opts opts = {.limit = 3, .pause = COP_MS(pause_ms)};
    cop_pid pid;
    int r = cop_genserver_start(&pid, &circuit_breaker, .name = "breaker", .arg = COP_BYTES(opts));
    if (r) {
        (void)fprintf(stderr, "circuitbreaker: %s\n", cop_strerror(r));
        return 1;
    }
    struct service s = {.begun = cop_now()};
    for (; calls > 0; calls--) {
        ask(pid, &s);
        cop_sleep(INTERVAL);
    }
    (void)cop_stop_process(pid, COP_REASON_NORMAL,
                           COP_SEC(5)); /* it still reads what it was told */
    return cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
