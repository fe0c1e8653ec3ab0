/*
 * demos/guide/14_together.c - several futures: tried again, raced, limited, and failing together.
 *
 * Room: demos/. Beside it: 14_together.md.
 */
#include <coppice.h>

#include <stdio.h>

static int
fetch(cop_bytes arg, void *result)
{
    (void)arg;
    static unsigned asked = 0; /* of one task after the other */
    *(int *)result = 42;
    return ++asked < 3 ? -EHOSTDOWN : 0;
}

static bool
is_worth_it(cop_reason why, uint32_t attempt, void *env)
{
    (void)env;
    printf("attempt %u: %s\n", attempt, cop_strerror(cop_reason_error(why)));
    return true;
}

static void
again(void)
{
    int value = 0;
    cop_future *fetched = cop_retry(fetch, .task = {.result_size = sizeof value}, .attempts = 5,
                                    .backoff_min = COP_MS(1), .again = is_worth_it);
    int r = cop_await(fetched, COP_OUT(value), COP_SEC(5));
    printf("attempt %u: %s, %d\n", cop_retry_attempts(fetched), cop_strerror(r), value);
    cop_future_release(fetched);
}

static int
answer(cop_bytes arg, void *result)
{
    (void)arg;
    *(int *)result = 7;
    return 0;
}

/* Its mirror is gone. It waits until it is told that nobody wants it any more. */
static int
never(cop_bytes arg, void *result)
{
    (void)arg;
    (void)result;
    return cop_sleep(COP_FOREVER);
}

static void
race(void)
{
    cop_future *mirrors[] = {cop_async(never, .result_size = sizeof(int)),
                             cop_async(answer, .result_size = sizeof(int))};
    size_t winner;
    int value;
    if (cop_race(mirrors, 2, &value, sizeof value, &winner, COP_SEC(5)) == 0) {
        printf("mirror %zu says %d\n", winner, value);
        int r = cop_await(mirrors[1 - winner], COP_OUT(value), COP_SEC(5));
        printf("the other: %s\n", cop_strerror(r));
    }
    cop_future_release(mirrors[0]);
    cop_future_release(mirrors[1]);
}

static void
in_time(void)
{
    cop_future *page = cop_async(never);
    cop_future *limited = cop_within(page, COP_MS(20));
    printf("in 20 ms: %s\n", cop_strerror(cop_await(limited, NULL, 0, COP_FOREVER)));
    cop_future_release(limited);
    cop_future_release(page);
}

static int
fail(cop_bytes arg, void *result)
{
    (void)arg;
    (void)result;
    cop_exit(cop_failed(-EIO, "the disk is gone"));
}

static void
all_or_none(void)
{
    cop_reason first;
    cop_group *group = cop_group_new(0);
    if (!group) {
        return;
    }
    int r = cop_group_go(group, never, (cop_bytes){0});
    r = r ? r : cop_group_go(group, fail, (cop_bytes){0});
    /* When all have ended, also who would have waited for ever. */
    if (r == 0 && cop_group_wait(group, &first) < 0) {
        char why[64];
        printf("the group: %s\n", cop_reason_string(first, why, sizeof why));
    }
    cop_group_free(group);
}

int
main(void)
{
    (void)cop_log_set_level(COP_LOG_CRITICAL);
    again();
    race();
    in_time();
    all_or_none();
    return cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
