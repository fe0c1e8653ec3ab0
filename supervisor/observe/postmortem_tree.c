/*
 * supervisor/observe/postmortem_tree.c - the tree as it was when the last record was made.
 *
 * Room: supervisor/observe/, of the program coppice-postmortem. One thread.
 * Touch freely: the words.
 *
 * What a process was doing follows from its last records. A wait that is not over is what it did; else a
 * message that is not over was in its callback; else it had handled its last one, and waited for the next.
 *
 * Who was whose parent may be anything in a damaged file: a line is printed once, and not deeper than
 * DEEPEST.
 */
#include "supervisor/observe/postmortem_tree.h"

#include <errno.h>
#include <stdlib.h>

enum {
    DEEPEST = 64,
};

/* ---------------------------------------------------------------- one */

static const cop_record *
last_record(const struct actor *actor)
{
    return actor->count > 0 ? &actor->records[actor->count - 1] : NULL;
}

bool
actor_lived(const struct actor *actor)
{
    const cop_record *last = last_record(actor);
    bool has_ring = actor->state == COPI_RING_LIVES || actor->state == COPI_RING_DISOWNED;
    return has_ring && !(last && last->kind == COP_RECORD_EXIT);
}

static const char *
callback_of(cop_record_kind kind)
{
    switch (kind) {
    case COP_RECORD_CALL:
        return "in handle_call: ";
    case COP_RECORD_CAST:
        return "in handle_cast: ";
    case COP_RECORD_INFO:
    case COP_RECORD_TIMEOUT:
        return "in handle_info: ";
    case COP_RECORD_CONTINUE:
        return "in handle_continue: ";
    case COP_RECORD_MESSAGE:
    case COP_RECORD_STOP:
    case COP_RECORD_SYSTEM:
        return "handles ";
    default:
        return NULL;
    }
}

/* The newest that it had in hand; NULL: none is left. */
static const cop_record *
last_in_hand(const struct actor *actor)
{
    for (size_t i = actor->count; i > 0; i--) {
        if (callback_of(actor->records[i - 1].kind)) {
            return &actor->records[i - 1];
        }
    }
    return NULL;
}

/* In words, for how long until the last record of all. */
static const char *
until_last(const struct recording *recording, cop_time since, char out[COPI_DURATION_SIZE])
{
    return copi_duration_in_words(recording->last > since ? recording->last - since : 0, out);
}

static void
say_open(const struct recording *recording, const cop_record *record, char *out)
{
    char words[STATE_SIZE / 2], time[COPI_DURATION_SIZE];
    const char *callback = callback_of(record->kind);
    (void)snprintf(out, STATE_SIZE, "%s%s, for %s", callback ? callback : "",
                   recording_string(recording, record, words, sizeof words),
                   until_last(recording, record->when, time));
}

static void
say_idle(const struct recording *recording, const cop_record *last, char *out)
{
    char time[COPI_DURATION_SIZE];
    (void)snprintf(out, STATE_SIZE, "waits for messages, for %s",
                   until_last(recording, last->when + last->took, time));
}

const char *
actor_state(const struct recording *recording, const struct actor *actor, char out[STATE_SIZE])
{
    const cop_record *last = last_record(actor), *in_hand = last_in_hand(actor);
    bool sleeps = last && last->kind == COP_RECORD_WAIT && last->took < 0;
    if (actor->state == COPI_RING_DISOWNED) {
        (void)snprintf(out, STATE_SIZE, "disowned: killed, and its thread has not come back");
    } else if (sleeps) {
        say_open(recording, last, out);
    } else if (in_hand && in_hand->took < 0 && in_hand->code == COP_VERDICT_NONE) {
        say_open(recording, in_hand, out);
    } else if (in_hand && in_hand->took >= 0) {
        say_idle(recording, in_hand, out);
    } else {
        (void)snprintf(out, STATE_SIZE, "runs");
    }
    return out;
}

/* ---------------------------------------------------------------- all */

struct node {
    const struct actor *actor;
    uint64_t parent; /* 0: a root */
    bool is_printed;
};

struct forest {
    const struct recording *recording;
    struct node *nodes; /* by parent, then by pid */
    size_t count;
};

static int
by_parent(const void *a, const void *b)
{
    const struct node *one = a, *other = b;
    if (one->parent != other->parent) {
        return one->parent < other->parent ? -1 : 1;
    }
    uint64_t x = one->actor->pid.id, y = other->actor->pid.id;
    return x < y ? -1 : x > y;
}

static void
plant(struct forest *forest)
{
    const struct recording *recording = forest->recording;
    for (size_t i = 0; i < recording->count; i++) {
        const struct actor *actor = &recording->actors[i];
        const struct actor *parent = recording_find(recording, actor->parent);
        if (actor_lived(actor)) {
            forest->nodes[forest->count++] = (struct node){
                .actor = actor,
                .parent = parent && actor_lived(parent) ? actor->parent.id : 0,
            };
        }
    }
    qsort(forest->nodes, forest->count, sizeof *forest->nodes, by_parent);
}

static size_t
first_child(const struct forest *forest, uint64_t parent)
{
    size_t low = 0, high = forest->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (forest->nodes[middle].parent < parent) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void
print_one(const struct forest *forest, const struct actor *actor, int depth, FILE *out)
{
    char name[ACTOR_NAME_SIZE], state[STATE_SIZE];
    (void)fprintf(out, "  %*s%s %s: %s\n", 2 * depth, "", actor->kind,
                  recording_name(forest->recording, actor->pid, name),
                  actor_state(forest->recording, actor, state));
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as DEEPEST */
static void
print_children(struct forest *forest, uint64_t parent, int depth, FILE *out)
{
    for (size_t i = first_child(forest, parent);
         i < forest->count && forest->nodes[i].parent == parent; i++) {
        struct node *node = &forest->nodes[i];
        if (node->is_printed) {
            continue;
        }
        node->is_printed = true;
        print_one(forest, node->actor, depth, out);
        if (depth < DEEPEST) {
            print_children(forest, node->actor->pid.id, depth + 1, out);
        }
    }
}

int
tree_print(const struct recording *recording, FILE *out)
{
    struct forest forest = {.recording = recording};
    forest.nodes = calloc(recording->count + 1, sizeof *forest.nodes);
    if (!forest.nodes) {
        return -ENOMEM;
    }
    plant(&forest);
    print_children(&forest, 0, 0, out);
    free(forest.nodes);
    return 0;
}
