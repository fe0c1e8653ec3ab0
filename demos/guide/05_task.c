/*
 * demos/guide/05_task.c - work beside the caller, and its results as futures.
 *
 * Room: demos/. Beside it: 05_task.md, with the original in Elixir.
 */
#include <coppice.h>

#include <stdio.h>

enum {
    CITIES = 4
};
static const char *const cities[CITIES] = {"Oslo", "Lima", "Accra", "Perth"};

struct weather {
    char city[16];
    int degrees;
};

/* A real one would ask somebody; this one takes its time, and does not know every city. */
static int
ask_weather(cop_bytes arg, void *result)
{
    struct weather *weather = result;
    const char *city = arg.data;
    int r = cop_sleep(COP_MS(20));
    if (r < 0) {
        return r;
    }
    (void)snprintf(weather->city, sizeof weather->city, "%s", city);
    weather->degrees = (int)strlen(city) * 3;
    return strcmp(city, "Lima") == 0 ? -ENODATA : 0;
}

static void
one(void)
{
    struct weather weather;
    cop_future *task =
        cop_async(ask_weather, .arg = COP_STR(cities[0]), .result_size = sizeof weather);
    printf("asked; now something else is done\n");
    if (cop_await(task, COP_OUT(weather), COP_SEC(5)) == 0) {
        printf("%s: %d degrees\n", weather.city, weather.degrees);
    }
    cop_future_release(task);
}

/* All at once; one failure is not that of the others. */
static void
all(void)
{
    cop_future *tasks[CITIES];
    struct weather weather[CITIES];
    int status[CITIES];
    for (int i = 0; i < CITIES; i++) {
        tasks[i] =
            cop_async(ask_weather, .arg = COP_STR(cities[i]), .result_size = sizeof *weather);
    }
    (void)cop_await_settled(tasks, CITIES, weather, sizeof *weather, status, COP_SEC(5));
    for (int i = 0; i < CITIES; i++) {
        printf("%s: %s\n", cities[i], cop_strerror(status[i]));
        cop_future_release(tasks[i]);
    }
}

/* Two at a time, in the order of the list, as results are taken. */
static int
stream(void)
{
    cop_bytes items[CITIES];
    for (int i = 0; i < CITIES; i++) {
        items[i] = COP_STR(cities[i]);
    }
    const cop_async_stream_opts opts = {.items = items,
                                        .count = CITIES,
                                        .limit = 2,
                                        .task = {.result_size = sizeof(struct weather)}};
    cop_async_stream *stream;
    cop_async_item item;
    int warm = 0;
    if (cop_async_stream_new(&stream, ask_weather, &opts) < 0) {
        return -1;
    }
    while (cop_async_stream_next(stream, &item) == 0) {
        warm += item.code == 0 && ((const struct weather *)item.value.data)->degrees > 12;
    }
    cop_async_stream_free(stream);
    return warm;
}

int
main(void)
{
    one();
    all();
    printf("warm: %d\n", stream());
    return cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
