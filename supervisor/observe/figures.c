/*
 * supervisor/observe/figures.c - the library's own metrics.
 *
 * Room: supervisor/observe/. Any thread.
 * Touch freely: the words of help. Ask first: names and labels, which others have built their alarms on.
 *
 * All of it is read off one picture, so nobody is asked and nobody waits. The lines of a name have to
 * stand together; so the picture is gone through once for each name.
 *
 * A series for each process would be a new one at each start. So only processes with a name have any, under
 * that name, the first COP_METRICS_NAMED in the order of the tree; how many were left out is said. What
 * they count begins anew with each incarnation, which Prometheus knows how to read.
 */
#include "supervisor/observe/figures.h"

#include "runtime/set.h"
#include "supervisor/observe/escape.h"
#include "supervisor/observe/metrics_text.h"

#include <coppice/metrics.h>
#include <coppice/observe.h>

#include <stdio.h>

/* ---------------------------------------------------------------- of the whole */

static void
put_one(struct copi_text *text, const char *name, const char *type, const char *help, int64_t value)
{
    copi_metrics_head(text, name, help, type);
    copi_metrics_line(text, name, "", value);
}

static void
put_seconds(struct copi_text *text, const char *name, const char *help, cop_time value)
{
    copi_metrics_head(text, name, help, "gauge");
    copi_metrics_seconds(text, name, "", value);
}

static void
put_mailboxes(struct copi_text *text, const cop_picture *picture)
{
    size_t sum = 0, most = 0;
    cop_time longest = 0;
    for (size_t i = 0; i < picture->count; i++) {
        const cop_process_info *info = &picture->nodes[i].info;
        sum += info->mailbox;
        most = info->mailbox > most ? info->mailbox : most;
        longest = info->oldest > longest ? info->oldest : longest;
    }
    put_one(text, "coppice_mailbox_messages", "gauge", "Messages that wait, in all mailboxes.",
            (int64_t)sum);
    put_one(text, "coppice_mailbox_longest_messages", "gauge",
            "Messages that wait in the longest mailbox.", (int64_t)most);
    put_seconds(text, "coppice_mailbox_oldest_message_seconds",
                "How long the oldest message of all has waited.", longest);
}

static void
put_totals(struct copi_text *text, const cop_picture *picture)
{
    put_one(text, "coppice_processes", "gauge", "Processes that live.", (int64_t)picture->count);
    put_one(text, "coppice_restarts_total", "counter", "Restarts by supervisors.",
            (int64_t)picture->restarts);
    put_one(text, "coppice_disowned_threads", "gauge",
            "Threads that could not be stopped, and go on without a process.", picture->disowned);
    put_one(text, "coppice_contained_faults_total", "counter",
            "Faults after which the program went on, tainted.", picture->tainted);
    put_seconds(text, "coppice_uptime_seconds", "Time since the library was first used.",
                picture->uptime);
    put_mailboxes(text, picture);
}

static void
put_live(struct copi_text *text, const cop_picture *picture)
{
    char label[64];
    copi_metrics_head(text, "coppice_live_objects",
                      "Objects that the library keeps or has given out, by kind.", "gauge");
    for (size_t i = 0; i < picture->live_count; i++) {
        (void)snprintf(label, sizeof label, "kind=\"%s\"", picture->live[i].kind);
        copi_metrics_line(text, "coppice_live_objects", label, (int64_t)picture->live[i].count);
    }
}

/* ---------------------------------------------------------------- of each */

/*
 * What has a line already, by its labels. A process that was restarted while the picture was taken may be
 * in it twice, and a series that is there twice is refused as a whole.
 */
struct seen {
    uint64_t hashes[COP_METRICS_NAMED];
    size_t count;
};

static bool
is_new(struct seen *seen, cop_bytes labels)
{
    uint64_t hash = copi_hash(labels, 0);
    for (size_t i = 0; i < seen->count; i++) {
        if (seen->hashes[i] == hash) {
            return false;
        }
    }
    if (seen->count == COP_METRICS_NAMED) {
        return false;
    }
    seen->hashes[seen->count++] = hash;
    return true;
}

struct named {
    const cop_process_info *infos[COP_METRICS_NAMED];
    size_t count, left_out;
};

static void
find_named(struct named *named, const cop_picture *picture)
{
    struct seen seen = {0};
    for (size_t i = 0; i < picture->count; i++) {
        const cop_process_info *info = &picture->nodes[i].info;
        if (info->name[0] && is_new(&seen, COP_TEXT(info->name))) {
            named->infos[named->count++] = info;
        } else if (info->name[0]) {
            named->left_out++;
        }
    }
}

static int64_t
mailbox(const cop_process_info *info)
{
    return (int64_t)info->mailbox;
}

static int64_t
oldest(const cop_process_info *info)
{
    return info->oldest;
}

static int64_t
busy(const cop_process_info *info)
{
    cop_time now = cop_now();
    return info->callback && info->since && now > info->since ? now - info->since : 0;
}

static int64_t
handled(const cop_process_info *info)
{
    return (int64_t)info->messages_handled;
}

static int64_t
dropped(const cop_process_info *info)
{
    return (int64_t)info->dropped;
}

static int64_t
owned(const cop_process_info *info)
{
    return (int64_t)info->owned_bytes;
}

static const struct figure {
    int64_t (*read)(const cop_process_info *info);
    bool seconds;
    const char *name, *type, *help;
} figures[] = {
    {mailbox, false, "coppice_actor_mailbox_messages", "gauge",
     "Messages that wait for this process."},
    {oldest, true, "coppice_actor_oldest_message_seconds", "gauge",
     "How long its oldest message has waited."},
    {busy, true, "coppice_actor_callback_seconds", "gauge",
     "How long it has been in a callback; 0: in none."},
    {handled, false, "coppice_actor_messages_handled_total", "counter",
     "Messages that this incarnation has handled."},
    {dropped, false, "coppice_actor_messages_dropped_total", "counter",
     "Messages that its full mailbox has dropped."},
    {owned, false, "coppice_actor_owned_bytes", "gauge", "Memory of cop_alloc that it owns."},
};

static void
put_label(struct copi_text *text, const char *name, const char *value)
{
    copi_text_format(text, "%s=\"", name);
    copi_text_escaped(text, value, COPI_ESCAPE_LABEL);
    copi_text_char(text, '"');
}

static void
put_figure(struct copi_text *text, const struct figure *figure, const struct named *named)
{
    copi_metrics_head(text, figure->name, figure->help, figure->type);
    for (size_t i = 0; i < named->count; i++) {
        copi_text_format(text, "%s{", figure->name);
        put_label(text, "actor", named->infos[i]->name);
        copi_text_string(text, "} ");
        copi_metrics_value(text, figure->seconds, figure->read(named->infos[i]));
        copi_text_char(text, '\n');
    }
}

static void
put_named(struct copi_text *text, const cop_picture *picture)
{
    struct named named = {.count = 0};
    find_named(&named, picture);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        put_figure(text, &figures[i], &named);
    }
    put_one(text, "coppice_actors_left_out", "gauge",
            "Processes with a name that have no series of their own, for there are too many.",
            (int64_t)named.left_out);
}

/* ---------------------------------------------------------------- of each child */

/* "app/cells": where a node stands, by the ids that last longer than processes do. */
static void
put_place(struct copi_text *text, const cop_picture *picture, size_t index)
{
    enum {
        DEEPEST = 16 /* what is deeper is told by its lower end */
    };
    size_t path[DEEPEST], depth = 0;
    for (;; index = picture->nodes[index].parent) {
        path[depth++] = index;
        if (depth == DEEPEST || picture->nodes[index].parent == index) {
            break;
        }
    }
    while (depth > 0) {
        const cop_process_info *info = &picture->nodes[path[--depth]].info;
        const char *word = info->child_id[0] ? info->child_id
                           : info->name[0]   ? info->name
                           : info->label[0]  ? info->label
                                             : info->kind;
        copi_text_escaped(text, word, COPI_ESCAPE_LABEL);
        copi_text_string(text, depth > 0 ? "/" : "");
    }
}

static void
put_child(struct copi_text *text, const cop_picture *picture, size_t index, struct seen *seen)
{
    const cop_picture_node *node = &picture->nodes[index];
    size_t begin = text->size;
    copi_text_string(text, "coppice_child_restarts_total{supervisor=\"");
    put_place(text, picture, node->parent);
    copi_text_string(text, "\",");
    put_label(text, "child", node->info.child_id);
    if (text->failed || !is_new(seen, (cop_bytes){text->data + begin, text->size - begin})) {
        text->size = begin;
        return;
    }
    copi_text_format(text, "} %zu\n", node->info.restarts);
}

static void
put_children(struct copi_text *text, const cop_picture *picture)
{
    struct seen seen = {0};
    copi_metrics_head(text, "coppice_child_restarts_total",
                      "Restarts of this child since its supervisor was started.", "counter");
    for (size_t i = 0; i < picture->count; i++) {
        const cop_picture_node *node = &picture->nodes[i];
        if (node->info.child_id[0] && node->parent != i) {
            put_child(text, picture, i, &seen);
        }
    }
}

/* ---------------------------------------------------------------- all */

int
copi_figures_put(struct copi_text *text)
{
    cop_picture *picture;
    int r = cop_picture_take(&picture);
    if (r) {
        return r;
    }
    put_totals(text, picture);
    put_live(text, picture);
    put_named(text, picture);
    put_children(text, picture);
    cop_picture_free(picture);
    copi_program_figures_put(text);
    return 0;
}
