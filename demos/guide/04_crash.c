/*
 * demos/guide/04_crash.c - let it crash: what a crash takes with it, and what it leaves.
 *
 * Room: demos/. Beside it: 04_crash.md.
 */
#include <coppice.h>

#include <stdio.h>
#include <unistd.h>

/* A record in the format of a device that sometimes lies: "name=number". */
static int
parse(const char *record)
{
    const char *equals = strchr(record, '=');
    cop_assert(equals != NULL); /* no code for what cannot be: it crashes, and the caller is told */
    int number = 0;
    for (const char *digit = equals + 1; *digit; digit++) {
        cop_assert(*digit >= '0' && *digit <= '9');
        number = 10 * number + (*digit - '0');
    }
    return number;
}

static void
close_descriptor(void *arg)
{
    int *fd = arg;
    printf("  descriptor closed: %s\n", close(*fd) == 0 ? "yes" : "no");
}

/* Whatever happens below, the memory is freed and the descriptor closed: nobody has to come back here. */
static int
read_device(cop_bytes arg, void *result)
{
    int fd = dup(STDOUT_FILENO);
    char *copy = cop_alloc(arg.size);
    if (fd < 0 || copy == NULL || cop_defer(close_descriptor, &fd) < 0) {
        return -ENOMEM;
    }
    memcpy(copy, arg.data, arg.size);
    *(int *)result = parse(copy);
    (void)cop_undefer(close_descriptor, &fd, true);
    return 0;
}

static void
try_record(const char *record)
{
    int number = 0;
    printf("\"%s\"\n", record);
    cop_future *task = cop_async(read_device, .arg = COP_STR(record), .result_size = sizeof number);
    int r = cop_await(task, COP_OUT(number), COP_SEC(5));
    if (r == 0) {
        printf("  is %d\n", number);
    } else {
        char why[128];
        printf("  has crashed its task: %s\n", cop_reason_string(cop_why(), why, sizeof why));
    }
    cop_future_release(task);
}

static int
always_fails(cop_bytes arg)
{
    (void)arg;
    return -EIO;
}

int
main(void)
{
    (void)cop_log_set_level(COP_LOG_CRITICAL);
    try_record("temperature=21");
    try_record("temperature");
    try_record("temperature=hot");

    cop_pid tree;
    cop_msg msg;
    const cop_supervisor_spec spec = {.max_restarts = 2,
                                      .link = true, /* no end is too early to be heard of */
                                      COP_CHILDREN({.id = "hopeless", .worker = always_fails})};
    cop_trap_exits(true);
    if (cop_supervisor_start(&tree, &spec) == 0 && cop_receive(&msg, COP_SEC(5)) == 0) {
        char why[128];
        const struct cop_exited *exited = COP_BODY(msg, struct cop_exited);
        printf("what always fails is not restarted for ever\n  its supervisor gave up: %s\n",
               cop_reason_string(exited->reason, why, sizeof why));
    }
    return cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
