/*
 * demos/guide/08_durable.c - work that outlives the program: a promise on the disk, and who computes it.
 *
 * Room: demos/. Beside it: 08_durable.md. Run it three times with the same file: the first time the power fails.
 */
#include <coppice-sqlite.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define ORDER "order-17"

/* What is to be done. It may be begun several times, and is settled once. */
static int
pack(const cop_lease *lease, cop_bytes *value, void *env)
{
    (void)env;
    printf("packing %s, attempt %u\n", lease->id, lease->attempts);
    if (lease->attempts == 1) {
        (void)fflush(stdout);
        (void)kill(getpid(), SIGKILL); /* the power fails */
    }
    size_t size = lease->param.size + sizeof ", packed";
    char *text = cop_alloc(size);
    if (text == NULL) {
        return -ENOMEM;
    }
    (void)snprintf(text, size, "%s, packed", (const char *)lease->param.data);
    *value = COP_STR(text);
    return 0;
}

/* Who says the same twice has said it once: after a crash one need not know how far one had come. */
static int
order(cop_bytes arg)
{
    (void)arg;
    cop_pid orders = cop_named("orders");
    cop_durable_record record = {0};
    cop_future *packed = NULL;
    cop_bytes value = {0};
    int r = cop_durable_create(orders, ORDER, .param = COP_STR("3 apples"), .queue = "packing",
                               .record = &record);
    r = r ? r : cop_durable_recover(orders, ORDER, &packed, COP_SEC(10));
    r = r ? r : cop_await_bytes(packed, &value, COP_SEC(30));
    printf("%s, %s: %s\n", ORDER, record.is_duplicate ? "ordered before" : "ordered now",
           r ? cop_strerror(r) : (const char *)value.data);
    cop_future_release(packed);
    cop_durable_release(&record);
    return 0;
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: 08_durable FILE\n");
        return 2;
    }
    return cop_run(&(cop_supervisor_spec){
        .auto_shutdown = COP_ANY_SIGNIFICANT,
        COP_CHILDREN(cop_sqlite_spec(argv[1], .name = "orders"),
                     cop_worker_spec("packer", .store = "orders", .queue = "packing", .work = pack,
                                     .ttl = COP_SEC(1), .poll = COP_MS(100)),
                     {.id = "customer", .worker = order, .significant = true}),
    });
}
