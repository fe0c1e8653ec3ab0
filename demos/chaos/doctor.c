/*
 * demos/chaos/doctor.c - who finds cells that hang.
 *
 * Room: demos/. Runs in the doctor's process.
 *
 * A supervisor sees who ends. Who hangs does not end, and so somebody has to look: from outside, since who
 * hangs answers nothing. What is in one callback for too long is killed, and then it is the supervisor's
 * affair. A cell that is merely busy, with a full mailbox say, is in none for long, and is left alone: its
 * callbacks take microseconds. Where they may take long, too, look whether messages_handled has moved as well,
 * as `since` may count from some quick callbacks before (coppice/inspect.h).
 */
#include "demos/chaos/doctor.h"

#include "demos/chaos/cell.h"

static bool
hangs(cop_pid pid, cop_time patience)
{
    cop_process_info info;
    return cop_inspect(pid, &info) == 0 && info.callback && info.since > 0
           && cop_now() - info.since > patience;
}

int
doctor_run(cop_bytes arg)
{
    cop_time patience = *(const cop_time *)arg.data;
    int r = 0;
    while (r == 0) {
        for (size_t i = 0; i < CELLS; i++) {
            cop_pid pid = cop_whereis(cell_names[i]);
            if (hangs(pid, patience)) {
                cop_exit_signal(pid, COP_REASON_KILLED);
            }
        }
        r = cop_sleep(patience / 4);
    }
    return r;
}
