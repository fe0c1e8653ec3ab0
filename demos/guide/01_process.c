/*
 * demos/guide/01_process.c - a process, a message, and the news of an end.
 *
 * Room: demos/. Beside it: 01_process.md.
 */
#include <coppice.h>

#include <stdio.h>

enum {
    PING = 1,
    PONG,
};

/* Answers pings until nobody has asked for a while; then it ends, and that is no crash. */
static int
answer(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    while (cop_receive(&msg, COP_MS(200)) == 0) {
        int number = *COP_BODY(msg, int);
        (void)cop_send(msg.from, COP_MSG(PONG, int, number + 1));
    }
    return 0;
}

static void
ping(cop_pid to, int number)
{
    cop_msg msg;
    (void)cop_send(to, COP_MSG_OF(PING, number));
    if (cop_receive(&msg, COP_SEC(5)) == 0 && msg.tag == PONG) {
        printf("%d came back as %d\n", number, *COP_BODY(msg, int));
    }
}

int
main(void)
{
    cop_pid other;
    cop_ref monitor;
    int r = cop_spawn(&other, answer, .monitor = &monitor);
    if (r < 0) {
        printf("no process: %s\n", cop_strerror(r));
        return 1;
    }
    ping(other, 1);
    ping(other, 41);

    cop_msg msg;
    if (cop_receive(&msg, COP_SEC(5)) == 0 && msg.tag == COP_MSG_DOWN) {
        char why[64];
        const struct cop_down *down = COP_BODY(msg, struct cop_down);
        printf("it has ended: %s\n", cop_reason_string(down->reason, why, sizeof why));
    }
    r = cop_send(other, COP_TAG(PING));
    printf("to send to the dead is no error: %s\n", cop_strerror(r));
    return cop_shutdown(COP_SEC(5)) ? 1 : 0;
}
