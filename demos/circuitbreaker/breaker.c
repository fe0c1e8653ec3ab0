/*
 * demos/circuitbreaker/breaker.c - a genserver that decides, and waits for nobody.
 *
 * Room: demos/. What is called runs in its caller, so that a slow service keeps nobody from being
 * refused at once. A caller asks for a permit, uses it, and reports. The breaker monitors whoever
 * has one: a crash is a report, too. A permit is known by its monitor.
 *
 * A probe that never comes back does not leave the breaker half-open for ever: it has one pause,
 * and then the next one goes. Only the latest is listened to.
 */
#include "demos/circuitbreaker/breaker.h"

#include <stdio.h>

enum {
    ASK = 1,   /* a call; its answer is a struct permit */
    SUCCEEDED, /* casts; their body is the permit's monitor */
    FAILED,
};

struct permit {
    int error;     /* 0: go */
    cop_time wait; /* -ECONNREFUSED: for so long */
    cop_ref monitor;
};

enum state {
    CLOSED,
    OPEN,
    HALF_OPEN,
};

struct breaker {
    struct breaker_opts opts;
    enum state state;
    unsigned failures; /* in a row */
    cop_time retry_at; /* not closed: when the next probe may go */
    cop_ref probe;
};

/* ---------------------------------------------------------------- in the breaker */

static void
move_to(struct breaker *breaker, enum state state)
{
    static const char *const names[] = {"closed", "open", "half-open"};
    printf("         breaker: %s\n", names[state]);
    breaker->state = state;
    breaker->failures = 0;
    breaker->retry_at = cop_now() + breaker->opts.pause;
}

static cop_step
init(void *state, cop_bytes arg)
{
    struct breaker *breaker = state;
    memcpy(&breaker->opts, arg.data, sizeof breaker->opts);
    return cop_ok();
}

static void
let_through(struct breaker *breaker, cop_pid caller, struct permit *permit)
{
    permit->monitor = cop_monitor(caller);
    if (permit->monitor.id == 0) {
        permit->error = -ENOMEM;
    } else if (breaker->state != CLOSED) {
        breaker->probe = permit->monitor;
        move_to(breaker, HALF_OPEN);
    }
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct breaker *breaker = state;
    struct permit permit = {0};
    cop_time wait = breaker->retry_at - cop_now();
    if (breaker->state != CLOSED && wait > 0) {
        permit = (struct permit){.error = -ECONNREFUSED, .wait = wait};
    } else {
        let_through(breaker, from.pid, &permit);
    }
    return cop_reply(from, COP_MSG_OF(request.tag, permit));
}

static void
take_report(struct breaker *breaker, cop_ref permit, bool success)
{
    bool is_probe = breaker->state == HALF_OPEN && permit.id == breaker->probe.id;
    if (breaker->state != CLOSED && !is_probe) {
        return; /* of somebody who was let through long ago */
    }
    if (success) {
        breaker->failures = 0;
    } else {
        breaker->failures++;
    }
    if (is_probe && success) {
        move_to(breaker, CLOSED);
    } else if (is_probe || breaker->failures >= breaker->opts.limit) {
        move_to(breaker, OPEN);
    }
}

static cop_step
handle_cast(void *state, cop_msg report)
{
    cop_ref permit = *COP_BODY(report, cop_ref);
    if (cop_demonitor(permit) == 0) {
        take_report(state, permit, report.tag == SUCCEEDED);
    }
    return cop_ok();
}

/* An orderly end says nothing about the service; a crash does. */
static cop_step
handle_info(void *state, cop_msg msg)
{
    if (msg.tag == COP_MSG_DOWN) {
        const struct cop_down *down = COP_BODY(msg, struct cop_down);
        if (cop_is_crash(down->reason)) {
            take_report(state, down->ref, false);
        }
    }
    return cop_ok();
}

const cop_genserver circuit_breaker = {
    .type = "breaker",
    .state_size = sizeof(struct breaker),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
};

/* ---------------------------------------------------------------- in its callers */

int
breaker_call(cop_pid server, int (*fn)(void *env), void *env, cop_time *wait)
{
    struct permit permit;
    int r = cop_call(server, COP_TAG(ASK), COP_OUT(permit), COP_FOREVER);
    if (r == 0 && permit.error) {
        *wait = permit.wait;
        r = permit.error;
    }
    if (r) {
        return r;
    }
    r = fn(env);
    (void)cop_cast(server, COP_MSG_OF(r < 0 ? FAILED : SUCCEEDED, permit.monitor));
    return r;
}
