/*
 * supervisor/observe/top_picture.h - coppice-top: a picture, as the observer has told it.
 *
 * Room: supervisor/observe/, the program coppice-top. One thread.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_TOP_PICTURE_H
#define COPI_SUPERVISOR_OBSERVE_TOP_PICTURE_H

#include <stddef.h>
#include <stdint.h>

enum top_column {
    TOP_DEPTH,
    TOP_PID,
    TOP_NAME,
    TOP_LABEL,
    TOP_KIND,
    TOP_STRATEGY,
    TOP_ID,
    TOP_SUPERVISOR,
    TOP_RESTARTS,
    TOP_STARTED,
    TOP_CALLBACK,
    TOP_SINCE,
    TOP_WAITS_IN,
    TOP_WAITS_FOR,
    TOP_SUSPENDED,
    TOP_MAILBOX,
    TOP_OLDEST,
    TOP_HANDLED,
    TOP_DROPPED,
    TOP_OWNED,
    TOP_LINKS,
    TOP_MONITORS,
    TOP_MONITORED_BY,
    TOP_COLUMNS,
};

enum top_order {
    TOP_BY_TREE,
    TOP_BY_MAILBOX,
    TOP_BY_RATE,
    TOP_BY_RESTARTS,
    TOP_BY_AGE, /* the youngest first: what was just restarted */
    TOP_ORDERS,
};

struct top_row {
    const char *words[TOP_COLUMNS]; /* as they came, escaped: fit for a terminal. "": not told */
    size_t place;                   /* in the tree */
    double rate;                    /* messages handled in a second */
};

struct top_picture {
    char *text; /* what the words point into */
    struct top_row *rows;
    size_t count;
    uint64_t taken, uptime, restarts, disowned, tainted; /* times in nanoseconds */
};

/*
 * Read an answer, up to its empty line. In the order of the tree.
 *
 *   text   terminated; taken on 0
 *
 * -EPROTO   it is no picture
 * -ENOMEM
 */
int top_picture_read(struct top_picture *out, char *text);
void top_picture_free(struct top_picture *picture);

uint64_t top_number(const struct top_row *row, enum top_column column);

/* What people call it. */
const char *top_name(const struct top_row *row);

/* What was handled since an earlier picture. Neither is in an order afterwards. */
void top_picture_rate(struct top_picture *picture, struct top_picture *before);

void top_picture_sort(struct top_picture *picture, enum top_order order);

/* Where that pid is; or picture->count. */
size_t top_picture_find(const struct top_picture *picture, const char *pid);

#endif
