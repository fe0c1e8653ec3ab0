/*
 * demos/stampede/crowd.c - many programs that ask at the same time, and what they say.
 *
 * Room: demos/.
 *
 * Each is a port: its lines are messages, and so is its end.
 */
#include "demos/stampede/crowd.h"

#include <signal.h>
#include <stdio.h>

static int
start(struct crowd *crowd, const char *address, const char *report)
{
    const char *const argv[] = {"/proc/self/exe", "--ask", address, report, NULL};
    cop_port *port = &crowd->programs[crowd->living];
    int r = cop_port_open(port, argv, .framing = COP_FRAME_LINE);
    if (r == 0) {
        crowd->living++;
        r = cop_port_active_once(*port);
    }
    return r;
}

int
crowd_begin(struct crowd *crowd, size_t size, const char *address, const char *report)
{
    *crowd = (struct crowd){.size = size};
    int r = 0;
    while (r == 0 && crowd->living < size) {
        r = start(crowd, address, report);
    }
    return r;
}

static bool
begins_with(cop_bytes line, const char *word)
{
    size_t size = strlen(word);
    return line.size >= size && memcmp(line.data, word, size) == 0;
}

static void
note_answer(struct crowd *crowd, cop_bytes line)
{
    char answer[sizeof crowd->answer];
    (void)snprintf(answer, sizeof answer, "%.*s", (int)line.size - 5, (const char *)line.data + 4);
    if (crowd->got++ == 0) {
        memcpy(crowd->answer, answer, sizeof answer);
    }
    crowd->differ = crowd->differ || strcmp(crowd->answer, answer) != 0;
}

static void
note(struct crowd *crowd, cop_port port, cop_bytes line, unsigned kills)
{
    if (begins_with(line, "got ")) {
        note_answer(crowd, line);
    } else if (begins_with(line, "computing")) {
        crowd->computed++;
        crowd->begun = cop_now();
        if (crowd->killed < kills && cop_port_signal(port, SIGKILL) == 0) {
            crowd->killed++;
        }
    } else {
        crowd->failed++;
        printf("  %.*s", (int)line.size, (const char *)line.data);
    }
}

void
crowd_hear(struct crowd *crowd, unsigned kills)
{
    cop_msg msg;
    cop_port port;
    cop_bytes line;
    while (crowd->living > 0 && cop_receive(&msg, COP_SEC(60)) == 0) {
        if (cop_port_data_of(msg, &port, &line)) {
            note(crowd, port, line, kills);
            (void)cop_port_active_once(port);
        } else if (msg.tag == COP_MSG_PORT_END) {
            (void)cop_port_close(COP_BODY(msg, struct cop_port_end)->port);
            crowd->living--;
        }
    }
}
