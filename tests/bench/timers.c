/*
 * tests/bench/timers.c - what it costs to set a timer, and how late it comes: timers.
 *
 * Room: tests/.
 */
#include "tests/bench/bench.h"

#include <stdlib.h>

enum {
    TICK = 1, /* cop_time: when it is due */
    ALL_CAME,
};

struct receiver {
    cop_pid boss;
    cop_time *late; /* the boss's, who looks when all have come */
    int64_t n;
};

static int
receive_all(cop_bytes arg)
{
    const struct receiver *self = arg.data;
    for (int64_t i = 0; i < self->n; i++) {
        cop_msg msg;
        bench_must("waiting for a timer", cop_receive(&msg, COP_FOREVER));
        self->late[i] = cop_now() - *COP_BODY(msg, cop_time);
    }
    bench_must("telling of the end", cop_send(self->boss, COP_TAG(ALL_CAME)));
    return 0;
}

static void
arm(cop_pid receiver, int64_t n)
{
    for (int64_t i = n; i > 0; i--) {
        cop_time delay = COP_MS(1 + i % 50), due = cop_now() + delay;
        cop_ref timer = cop_send_after(receiver, COP_MSG_OF(TICK, due), delay);
        bench_must("setting a timer", timer.id ? 0 : cop_reason_error(cop_why()));
    }
}

/* How long it took to arm n; *late: the 99th percentile of how late they came. */
static cop_time
run_timers(int64_t n, cop_time *late)
{
    struct receiver receiver = {cop_self(), bench_array((size_t)n, sizeof(cop_time)), n};
    cop_pid pid;
    cop_msg msg;
    bench_must_start("starting the receiver",
                     cop_spawn(&pid, receive_all, .arg = COP_BYTES(receiver)));
    cop_time begin = bench_begin();
    arm(pid, n);
    cop_time wall = bench_end(begin, n);
    bench_must("waiting for the receiver", cop_receive(&msg, COP_FOREVER));
    bench_check("the tag of the receiver's message", msg.tag, ALL_CAME);
    *late = bench_percentile(receiver.late, n, 99);
    bench_check("whether a timer came early", receiver.late[0] < 0, false);
    free(receiver.late);
    return wall;
}

static void
timers(double scale)
{
    int64_t n = bench_count(100000, scale);
    cop_time late, late_of_few;
    run_timers(bench_warmup(n), &late);
    run_timers(n >= 100 ? n / 100 : 1, &late_of_few);
    cop_time wall = run_timers(n, &late);
    bench_result_per("timers", wall, n);
    bench_result("timer_late", (double)late / 1e3);
    bench_result("timer_late_1k", (double)late_of_few / 1e3);
}

const struct bench bench_timers = {
    .name = "timers",
    .what = "100,000 timers within 50 ms: time to set each, and how late they come",
    .figures = {{"timers", "ns/timer"}, {"timer_late", "us"}, {"timer_late_1k", "us"}},
    .run = timers,
};
