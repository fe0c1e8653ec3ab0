/*
 * tests/web/daemon.c - a daemon to open the page of: a shop with a few servers, and as many cells as one likes.
 *
 *   usage: web-daemon [--port N] [--token WORD] [--cells N] [--patience MS] [--connections N]
 *
 * Room: tests/. It is written as a user would: public headers, no more. It says on standard output where its
 * page is. One of its servers has a name that is markup, one is stuck for good, with messages behind it, and
 * one crashes a few times and is restarted.
 */
#include <coppice.h>
#include <coppice/metrics.h>

#include <coppice-web.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    MOST_CELLS = 1000,
};

enum message {
    HANG = 1,
    ORDER,
    CRASH,
};

/* ---------------------------------------------------------------- servers */

static cop_counter *orders;
static cop_gauge *open_orders;
static cop_histogram *order_seconds;

static cop_step
start_counting(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    cop_counter_new(&orders, .name = "shop_orders_total", .help = "Orders that were taken.",
                    COP_LABELS("till", "one \"big\" till\\"));
    cop_gauge_new(&open_orders, .name = "shop_open_orders", .help = "Orders that are under way.");
    cop_histogram_new(&order_seconds, .name = "shop_order_seconds", .seconds = true,
                      .help = "How long an order takes.");
    return cop_ok();
}

static cop_step
take(void *state, cop_msg msg)
{
    (void)state;
    switch ((enum message)msg.tag) {
    case HANG:
        for (;;) {
            cop_sleep(COP_SEC(3600));
        }
    case ORDER:
        cop_counter_add(orders, 1);
        cop_gauge_set(open_orders, 2);
        cop_histogram_observe(order_seconds, COP_MS(3));
        return cop_ok();
    case CRASH:
        cop_exit(cop_failed(-EIO, "the disk is on fire"));
    }
    return cop_ok();
}

/* Never comes back from its first message; others wait behind it. */
static cop_step
begin_to_hang(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    for (int i = 0; i < 5; i++) {
        cop_cast(cop_self(), COP_TAG(HANG));
    }
    return cop_ok();
}

static const cop_genserver till = {.type = "till", .init = start_counting, .handle_cast = take};
static const cop_genserver stuck = {.type = "stuck", .init = begin_to_hang, .handle_cast = take};
static const cop_genserver cell = {.type = "cell", .handle_cast = take};

/* Order now and then, and bring the clumsy one down a few times. */
static int
customers(cop_bytes arg)
{
    (void)arg;
    for (int i = 0;; i++) {
        cop_cast(cop_named("till"), COP_TAG(ORDER));
        if (i % 40 == 5 && i < 200) {
            cop_cast(cop_named("clumsy"), COP_TAG(CRASH));
        }
        if (cop_sleep(COP_MS(50))) {
            return 0;
        }
    }
}

/* ---------------------------------------------------------------- the tree */

static cop_child_spec cells[MOST_CELLS];
static char ids[MOST_CELLS][32];

static void
name_cells(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "cell_%zu", i + 1);
        cells[i] = (cop_child_spec){.id = ids[i], .genserver = &cell};
    }
}

static size_t
number(const char *text)
{
    return (size_t)strtoul(text, NULL, 10);
}

static cop_web_opts
read_options(int argc, char **argv, size_t *cell_count)
{
    cop_web_opts opts = {.size = sizeof opts, .port = COP_WEB_ANY_PORT, .name = "web"};
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0) {
            opts.port = (unsigned)number(argv[i + 1]);
        } else if (strcmp(argv[i], "--token") == 0) {
            opts.token = argv[i + 1];
        } else if (strcmp(argv[i], "--cells") == 0) {
            *cell_count = number(argv[i + 1]) < MOST_CELLS ? number(argv[i + 1]) : MOST_CELLS;
        } else if (strcmp(argv[i], "--patience") == 0) {
            opts.patience = COP_MS(number(argv[i + 1]));
        } else if (strcmp(argv[i], "--connections") == 0) {
            opts.max_connections = (unsigned)number(argv[i + 1]);
        }
    }
    return opts;
}

/* The last child: when it runs, the page does. */
static int
say_where(cop_bytes arg)
{
    unsigned port;
    (void)arg;
    int r = cop_web_port(cop_named("web"), &port, COP_SEC(5));
    if (r == 0) {
        printf("http://127.0.0.1:%u/\n", port);
        (void)fflush(stdout);
    }
    return r;
}

int
main(int argc, char **argv)
{
    size_t count = 6;
    cop_web_opts opts = read_options(argc, argv, &count);
    name_cells(count);
    const cop_supervisor_spec shop = {
        .strategy = COP_REST_FOR_ONE,
        .max_restarts = 1000,
        COP_CHILDREN({.id = "till", .name = "till", .genserver = &till},
                     {.id = "clumsy", .name = "clumsy", .genserver = &cell},
                     {.id = "stuck", .name = "stuck", .genserver = &stuck, .shutdown = COP_MS(200)},
                     {.id = "script", .name = "<script>alert(1)</script>", .genserver = &cell}),
    };
    const cop_supervisor_spec farm = {
        .max_restarts = 1000,
        .children = cells,
        .child_count = count,
    };
    return cop_run(&(cop_supervisor_spec){
        .name = "daemon",
        .max_restarts = 1000,
        COP_CHILDREN({.id = "shop", .supervisor = &shop}, {.id = "farm", .supervisor = &farm},
                     {.id = "customers", .worker = customers}, cop_web_spec_with(&opts),
                     {.id = "host", .worker = say_where}),
    });
}
