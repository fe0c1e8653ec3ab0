/*
 * demos/guide/13_stream.c - many values, at the pace of who consumes them.
 *
 * Room: demos/. Beside it: 13_stream.md.
 */
#include <coppice.h>

#include <stdio.h>

enum {
    READINGS = 10,
    TOGETHER = 4
};

/* --- a source that is asked --- */

static int
next_number(void *element, void *env)
{
    int *last = env;
    *(int *)element = ++*last;
    return 0; /* -ENODATA would be the end; this one has none */
}

static bool
is_even(const void *element, void *env)
{
    (void)env;
    return *(const int *)element % 2 == 0;
}

static int
show(void *element, void *env)
{
    (void)env;
    printf(" %d", *(const int *)element);
    return 0;
}

static void
ask(void)
{
    int last = 0;
    cop_stream *numbers = cop_stream_generate(next_number, &last, sizeof(int));
    cop_stream *even = cop_stream_filter(numbers, is_even, NULL);
    printf("even:");
    int r = cop_stream_for_each(cop_stream_take(even, 5), show, NULL, COP_SEC(5));
    printf(": %s, and nobody has counted beyond %d\n", cop_strerror(r), last);
}

/* --- a source that sends --- */

static int
measure(cop_bytes arg, void *result)
{
    (void)result;
    cop_sender *sender = *(cop_sender *const *)arg.data;
    int r = 0;
    for (int i = 0; i < READINGS && r == 0; i++) {
        int celsius = 20 + i;
        r = cop_stream_send(sender, COP_BYTES(celsius), COP_FOREVER); /* waits for room */
    }
    r = r ? r : cop_stream_fail(sender, cop_failed(-EIO, "the cable is cut"));
    cop_sender_free(sender);
    return r;
}

static int
to_fahrenheit(void *element, void *result, void *env)
{
    (void)env;
    *(int *)result = *(const int *)element * 9 / 5 + 32;
    return 0;
}

static int
store(void *element, void *env)
{
    (void)env;
    const struct cop_batch *batch = element;
    const int *fahrenheit = batch->items;
    printf("stored %zu together, from %d on\n", batch->count, fahrenheit[0]);
    return 0;
}

static void
hear(void)
{
    cop_stream *readings;
    cop_sender *sender;
    char why[64];
    if (cop_stream_new(&readings, &sender, .size = sizeof(int), .bound = TOGETHER) < 0) {
        return;
    }
    cop_future *sensor = cop_async(measure, .arg = COP_BYTES(sender));
    cop_stream *converted = cop_stream_map(readings, to_fahrenheit, NULL, sizeof(int));
    int r = cop_stream_for_each(cop_stream_batch(converted, TOGETHER), store, NULL, COP_SEC(5));
    printf("%s: %s\n", r == -EIO ? "no more" : cop_strerror(r),
           cop_reason_string(cop_why(), why, sizeof why));
    (void)cop_await(sensor, NULL, 0, COP_SEC(5));
    cop_future_release(sensor);
}

int
main(void)
{
    ask();
    hear();
    return cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
