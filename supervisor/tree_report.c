/*
 * supervisor/tree_report.c - a picture of all processes, as a tree, in lines of a log.
 *
 * Room: supervisor/. Any thread.
 * Touch freely: the words.
 *
 * It is asked for when something is stuck. So it asks nobody: observe/picture.c looks from outside.
 */
#include "runtime/inspect.h"
#include "runtime/report.h"
#include "supervisor/status.h"

#include <coppice/daemon.h>
#include <coppice/observe.h>

#include <stdio.h>

enum {
    DEEPEST = 64, /* a tree is not that deep; what was started by a longer chain is not shown */
    PART = 96,
};

static double
seconds(cop_time time)
{
    return (double)time / (double)COP_SEC(1);
}

static void
say_deed(char out[PART], const cop_process_info *info, cop_time now)
{
    if (info->callback) {
        (void)snprintf(out, PART, "in %s for %.1f s", info->callback,
                       info->since ? seconds(now - info->since) : 0.0);
    } else {
        (void)snprintf(out, PART, "%s", info->is_suspended ? "suspended" : "waiting");
    }
}

static void
say(const cop_picture_node *node, cop_time now)
{
    const cop_process_info *info = &node->info;
    char name[COPI_LABEL_SIZE], doing[PART], mail[PART] = "", again[PART] = "";
    char whom[PART + COPI_LABEL_SIZE] = "";
    say_deed(doing, info, now);
    if (info->waits_for.id) {
        char other[COPI_LABEL_SIZE];
        (void)snprintf(whom, sizeof whom, ", for %s", copi_label_pid(info->waits_for, other));
    }
    if (info->mailbox > 0) {
        (void)snprintf(mail, sizeof mail, ", %zu messages, the oldest for %.1f s", info->mailbox,
                       seconds(info->oldest));
    }
    if (info->restarts > 0) {
        (void)snprintf(again, sizeof again, ", restarted %zu times", info->restarts);
    }
    copi_report(COPI_NOTICE, "%*s%s: %s%s%s%s", 2 * (int)node->depth + 2, "",
                copi_label_pid(node->pid, name), doing, whom, mail, again);
}

void
cop_report_tree(void)
{
    cop_picture *picture;
    char status[COPI_STATUS_SIZE];
    copi_status_line(status);
    copi_report(COPI_NOTICE, "%s", status);
    if (cop_picture_take(&picture) != 0) {
        copi_report(COPI_ERROR, "no memory for a picture of the tree");
        return;
    }
    for (size_t i = 0; i < picture->count; i++) {
        if (picture->nodes[i].depth < DEEPEST) {
            say(&picture->nodes[i], picture->taken);
        }
    }
    cop_picture_free(picture);
}
