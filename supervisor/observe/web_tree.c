/*
 * supervisor/observe/web_tree.c - the picture of the tree as JSON, for the page to draw.
 *
 * Room: supervisor/observe/, libcoppice-web. Any thread.
 * Touch freely: nothing is final but `version`: it changes when a member goes, or comes to mean something else.
 *
 * Times are in milliseconds, and told as how long ago: the reader's clock is another one.
 */
#include "supervisor/observe/web_tree.h"

#include <string.h>

/* ---------------------------------------------------------------- states */

/* Whose callbacks are to return soon. A task's, or a worker's, may last as long as they like. */
static bool
serves(const cop_process_info *info)
{
    static const char *const servers[] = {"genserver", "state machine", "agent", "supervisor"};
    for (size_t i = 0; info->kind && i < sizeof servers / sizeof *servers; i++) {
        if (strcmp(info->kind, servers[i]) == 0) {
            return true;
        }
    }
    return false;
}

static cop_time
ago(cop_time now, cop_time then)
{
    return then > 0 && now > then ? now - then : 0;
}

const char *
copi_web_state(const cop_process_info *info, cop_time now, cop_time stuck_after)
{
    if (info->is_suspended) {
        return "suspended";
    }
    if (!info->callback) {
        return "waiting";
    }
    if (serves(info)) {
        return ago(now, info->since) >= stuck_after ? "stuck" : "running";
    }
    return info->waits_in ? "waiting" : "running";
}

/* ---------------------------------------------------------------- writing */

static void
put_ms(struct copi_json *json, const char *key, cop_time time)
{
    copi_json_number(json, key, time / COP_MS(1));
}

static void
put_pid(struct copi_json *json, const char *key, cop_pid pid)
{
    char text[COP_PID_TEXT];
    copi_json_string(json, key, pid.id ? cop_pid_text(pid, text) : NULL);
}

static void
put_word(struct copi_json *json, const char *key, const char *word)
{
    copi_json_string(json, key, word && word[0] ? word : NULL);
}

static void
put_node(struct copi_json *json, const cop_picture *picture, size_t index, cop_time stuck_after)
{
    const cop_picture_node *node = &picture->nodes[index];
    const cop_process_info *info = &node->info;
    copi_json_open(json, NULL, '{');
    put_pid(json, "pid", node->pid);
    copi_json_number(json, "parent", node->depth > 0 ? (int64_t)node->parent : -1);
    copi_json_number(json, "depth", node->depth);
    put_word(json, "name", info->name);
    put_word(json, "label", info->label);
    put_word(json, "id", info->child_id);
    put_word(json, "kind", info->kind);
    put_word(json, "strategy", info->strategy);
    copi_json_string(json, "state", copi_web_state(info, picture->taken, stuck_after));
    put_word(json, "callback", info->callback);
    put_word(json, "waits_in", info->waits_in);
    put_pid(json, "waits_for", info->waits_for);
    put_ms(json, "for_ms", ago(picture->taken, info->since));
    put_ms(json, "age_ms", ago(picture->taken, info->started));
    copi_json_number(json, "mailbox", (int64_t)info->mailbox);
    put_ms(json, "oldest_ms", info->oldest);
    copi_json_number(json, "handled", (int64_t)info->messages_handled);
    copi_json_number(json, "dropped", (int64_t)info->dropped);
    copi_json_number(json, "restarts", (int64_t)info->restarts);
    copi_json_number(json, "owned_bytes", (int64_t)info->owned_bytes);
    copi_json_number(json, "links", (int64_t)info->links);
    copi_json_number(json, "monitors", (int64_t)info->monitors);
    copi_json_number(json, "monitored_by", (int64_t)info->monitored_by);
    copi_json_boolean(json, "traps_exits", info->traps_exits);
    copi_json_close(json, '}');
}

void
copi_web_tree_put(struct copi_json *json, const cop_picture *picture, cop_time stuck_after)
{
    copi_json_number(json, "version", 1);
    copi_json_string(json, "program", picture->program);
    copi_json_number(json, "os_pid", picture->os_pid);
    put_ms(json, "uptime_ms", picture->uptime);
    copi_json_number(json, "processes", (int64_t)picture->count);
    copi_json_number(json, "restarts", (int64_t)picture->restarts);
    copi_json_number(json, "disowned", picture->disowned);
    copi_json_number(json, "tainted", picture->tainted);
    copi_json_open(json, "nodes", '[');
    for (size_t i = 0; i < picture->count; i++) {
        put_node(json, picture, i, stuck_after);
    }
    copi_json_close(json, ']');
}
