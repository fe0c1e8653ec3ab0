/*
 * demos/guide/06_cancel.c - deadlines and cancellation that no call forgets.
 *
 * Room: demos/. Beside it: 06_cancel.md.
 */
#include <coppice.h>

#include <stdio.h>

static int
cook(cop_bytes arg, void *result)
{
    (void)result;
    const char *dish = arg.data;
    char why[64];
    int r = cop_sleep(COP_SEC(30)); /* waits for a clock; others for a socket, a lock, an answer */
    printf("  %s stops: %s\n", dish, cop_reason_string(cop_why(), why, sizeof why));
    return r;
}

/* Nobody hands a deadline down: a task stands in the context in which it is made, and so does what it makes. */
static cop_future *
cook_in(cop_context *evening, const char *dish, int *result)
{
    if (evening == NULL || cop_context_enter(evening) < 0) {
        return NULL;
    }
    cop_future *cooking = cop_async(cook, .arg = COP_STR(dish));
    *result = cop_await(cooking, NULL, 0, COP_FOREVER);
    (void)cop_context_leave(evening);
    return cooking;
}

/* The wait has ended with its context; outside it one can wait for the end of the cooking itself. */
static void
clean_up(cop_context *evening, cop_future *cooking)
{
    (void)cop_await(cooking, NULL, 0, COP_FOREVER);
    cop_future_release(cooking);
    cop_context_free(evening);
}

static void
with_a_deadline(void)
{
    int result = 0;
    cop_context *evening = cop_context_new(COP_MS(50));
    cop_future *cooking = cook_in(evening, "soup", &result);
    if (cooking) {
        clean_up(evening, cooking);
        printf("dinner in 50 ms: %s\n", cop_strerror(result));
    }
}

static int
guest(cop_bytes arg)
{
    cop_context *evening = *(cop_context *const *)arg.data;
    cop_sleep(COP_MS(50));
    cop_context_cancel(evening, cop_failed(-ECANCELED, "the guests are not coming"));
    return 0;
}

static void
cancelled_by_another(void)
{
    int result = 0;
    cop_context *evening = cop_context_new(COP_FOREVER);
    if (evening == NULL || cop_spawn(NULL, guest, .arg = COP_BYTES(evening)) < 0) {
        return;
    }
    cop_future *cooking = cook_in(evening, "roast", &result);
    if (cooking) {
        clean_up(evening, cooking);
        printf("dinner for guests: %s\n", cop_strerror(result));
    }
}

static void
a_task_alone(void)
{
    cop_future *cake = cop_async(cook, .arg = COP_STR("cake"));
    (void)cop_future_cancel(cake, cop_failed(-ECANCELED, "no oven"));
    printf("cake: %s\n", cop_strerror(cop_await(cake, NULL, 0, COP_SEC(5))));
    cop_future_release(cake);
}

int
main(void)
{
    with_a_deadline();
    cancelled_by_another();
    a_task_alone();
    return cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
