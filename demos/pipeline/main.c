/*
 * demos/pipeline/main.c - the same work with a bound and without one, on a disk that is too slow for it.
 *
 *   usage: pipeline [PICTURE.svg [SECONDS]]
 *
 * Room: demos/. Pages are asked for every hundred microseconds; each is fetched, rendered, and stored by a
 * server that takes twice as long. Look at the two functions that bring an item on its way:
 *
 *   submit_one   into a cop_pipeline. Its queues fill up, and then it waits, and so does who asks for pages
 *   chain_one    into futures, each made of the one before. Nothing ever waits: what the disk cannot take
 *                lies in its mailbox
 *
 * Both store as fast as the disk lets them. What they need meanwhile is what the picture shows.
 */
#include "demos/pipeline/chart.h"
#include "demos/pipeline/measure.h"

#include <coppice.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define BETWEEN_PAGES COP_US(100)
#define DISK_TIME     COP_US(200)

struct page {
    char text[4096];
};

enum {
    STORE = 1
};

static atomic_ulong stored;

/* ---------------------------------------------------------------- the work */

static int
fetch(const void *number, void *page, void *env)
{
    (void)env;
    struct page *out = page;
    memset(out->text, 'a' + (int)(*(const uint64_t *)number % 26), sizeof out->text);
    return 0;
}

static int
render(const void *page, void *rendered, void *env)
{
    (void)env;
    const struct page *in = page;
    struct page *out = rendered;
    for (size_t i = 0; i < sizeof in->text; i++) {
        out->text[i] = (char)(in->text[i] ^ ' ');
    }
    return 0;
}

static cop_step
write_page(void *state, cop_from from, cop_msg request)
{
    (void)state, (void)request;
    cop_sleep(DISK_TIME);
    stored++;
    return cop_reply(from, COP_TAG(STORE));
}

static const cop_genserver disk = {.type = "disk", .handle_call = write_page};

/* ---------------------------------------------------------------- with a bound */

static int
fetch_stage(void *number, void *page, void *env)
{
    return fetch(number, page, env);
}

static int
render_stage(void *page, void *rendered, void *env)
{
    return render(page, rendered, env);
}

static int
store_stage(void *page, void *result, void *env)
{
    (void)env;
    return cop_call(cop_named("disk"), COP_MSG_OF(STORE, *(struct page *)page), result, 0,
                    COP_FOREVER);
}

static cop_pipeline *pipeline;

static int
submit_one(uint64_t number)
{
    return cop_pipeline_submit(pipeline, NULL, &number, COP_FOREVER);
}

/* ---------------------------------------------------------------- without */

static cop_future *
store_later(const void *page, void *env)
{
    (void)env;
    return cop_call_async(cop_named("disk"), COP_MSG_OF(STORE, *(const struct page *)page), 0,
                          COP_FOREVER);
}

static int
chain_one(uint64_t number)
{
    cop_future *asked, *page, *rendered;
    cop_resolver *resolver;
    int r = cop_promise_new(&asked, &resolver, sizeof number);
    if (r) {
        return r;
    }
    page = cop_map(asked, fetch, NULL, sizeof(struct page));
    rendered = cop_map(page, render, NULL, sizeof(struct page));
    cop_future_release(cop_then(rendered, store_later, NULL, 0)); /* it goes on without us */
    cop_future_release(rendered);
    cop_future_release(page);
    cop_resolve(resolver, COP_BYTES(number));
    cop_resolver_free(resolver);
    cop_future_release(asked);
    return 0;
}

/* ---------------------------------------------------------------- both, one after the other */

/* With all that is in its mailbox; and until its name is free. */
static void
kill_and_wait(cop_pid server)
{
    cop_msg down;
    cop_monitor(server);
    cop_exit_signal(server, COP_REASON_KILLED);
    cop_receive(&down, COP_SEC(5));
}

/* How many pages a second the disk has stored. */
static int
try_form(struct curve *curve, int (*one)(uint64_t number), cop_time duration, double *throughput)
{
    cop_pid server;
    stored = 0;
    int r = cop_genserver_start(&server, &disk, .name = "disk");
    if (r) {
        return r;
    }
    int64_t asked = measure(curve, one, BETWEEN_PAGES, duration);
    *throughput = (double)stored * 1e9 / (double)duration;
    kill_and_wait(server);
    if (asked < 0) {
        return (int)asked;
    }
    printf("%-10s %6.0f pages/s stored, %6lld asked for, %6.1f MiB at most\n", curve->name,
           *throughput, (long long)asked, curve_highest(curve));
    return 0;
}

static int
run(struct curve curves[2], double throughput[2], cop_time duration)
{
    int r = cop_pipeline_new(
        &pipeline,
        COP_STAGES({.fn = fetch_stage, .name = "fetch", .result_size = sizeof(struct page)},
                   {.fn = render_stage, .name = "render", .result_size = sizeof(struct page)},
                   {.fn = store_stage, .name = "store"}),
        .item_size = sizeof(uint64_t));
    if (r) {
        return r;
    }
    r = try_form(&curves[0], submit_one, duration, &throughput[0]);
    cop_pipeline_free(pipeline);
    return r ? r : try_form(&curves[1], chain_one, duration, &throughput[1]);
}

static int
draw(const struct curve curves[2], const double throughput[2], const char *path)
{
    char subtitle[128];
    (void)snprintf(subtitle, sizeof subtitle, "stored: %.0f pages/s with a bound, %.0f without",
                   throughput[0], throughput[1]);
    return chart_write(&(struct chart){.title = "Memory while the last stage is too slow",
                                       .subtitle = subtitle,
                                       .x_label = "seconds",
                                       .y_label = "MiB more than at the start",
                                       .curves = curves,
                                       .count = 2},
                       path);
}

int
main(int argc, char **argv)
{
    static struct curve curves[2] = {{.name = "bounded"}, {.name = "unbounded"}};
    double throughput[2], seconds = argc > 2 ? strtod(argv[2], NULL) : 3;
    const char *path = argc > 1 ? argv[1] : "pipeline.svg";
    if (argc > 3 || !(seconds > 0 && seconds <= 20)) {
        (void)fprintf(stderr, "usage: pipeline [PICTURE.svg [SECONDS, at most 20]]\n");
        return 2;
    }
    measure_begin();
    int r = run(curves, throughput, COP_SEC(seconds));
    r = r ? r : draw(curves, throughput, path);
    if (r) {
        (void)fprintf(stderr, "pipeline: %s\n", cop_strerror(r));
        return 1;
    }
    printf("%s\n", path);
    return cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
