/*
 * tests/bench/tasks.c - what a task costs: task, await_all.
 *
 * Room: tests/.
 */
#include "tests/bench/bench.h"

#include <stdlib.h>

static int
one_more(cop_bytes arg, void *result)
{
    *(int *)result = *(const int *)arg.data + 1;
    return 0;
}

static cop_future *
start(int i)
{
    return cop_async(one_more, .arg = COP_BYTES(i), .result_size = sizeof(int));
}

static int
await_and_release(cop_future *task)
{
    int result;
    bench_must_start("a task", cop_await(task, COP_OUT(result), COP_FOREVER));
    cop_future_release(task);
    return result;
}

static void
one_after_another(int64_t n)
{
    int64_t sum = 0;
    for (int64_t i = n; i > 0; i--) {
        sum += await_and_release(start((int)i));
    }
    bench_check("the sum of the results", sum, n * (n + 1) / 2 + n);
}

static void
task(double scale)
{
    int64_t n = bench_count(100000, scale);
    one_after_another(bench_warmup(n));
    cop_time begin = bench_begin();
    one_after_another(n);
    bench_result_per("task", bench_end(begin, n), n);
}

const struct bench bench_task = {
    .name = "task",
    .what = "100,000 tasks, started and awaited one after another",
    .figures = {{"task", "ns/task"}},
    .run = task,
};

static void
all_at_once(cop_future **tasks, int64_t n)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) {
        tasks[i] = start((int)i + 1);
    }
    for (int64_t i = 0; i < n; i++) {
        sum += await_and_release(tasks[i]);
    }
    bench_check("the sum of the results", sum, n * (n + 1) / 2 + n);
}

static void
await_all(double scale)
{
    enum {
        TIMES = 10
    };
    int64_t n = bench_count(10000, scale);
    cop_future **tasks = bench_array((size_t)n, sizeof *tasks);
    bench_must_fit(n);
    all_at_once(tasks, n);
    cop_time begin = bench_begin();
    for (int i = 0; i < TIMES; i++) {
        all_at_once(tasks, n);
    }
    bench_result_per("await_all", bench_end(begin, TIMES * n), TIMES * n);
    free(tasks);
}

const struct bench bench_await_all = {
    .name = "await_all",
    .what = "10,000 tasks are started, then awaited in that order; 10 times over",
    .figures = {{"await_all", "ns/task"}},
    .run = await_all,
};
