/*
 * supervisor/observe/top_text.h - coppice-top: figures and words, as short as a table wants them.
 *
 * Room: supervisor/observe/, the program coppice-top.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_TOP_TEXT_H
#define COPI_SUPERVISOR_OBSERVE_TOP_TEXT_H

#include "supervisor/observe/top_picture.h"

#include <stdbool.h>

enum {
    TOP_SHORT = 16,
    TOP_CELL = 256,
};

/* "0.3s", "12.0s", "4m05s", "3h07m", "12d04h" */
const char *top_duration(uint64_t ns, char out[TOP_SHORT]);

/* "7", "9999", "12.3k", "4.5M" */
const char *top_count(uint64_t count, char out[TOP_SHORT]);

enum top_mood {
    TOP_IDLE,  /* waits for a message */
    TOP_WAITS, /* waits for something else */
    TOP_BUSY,
    TOP_LONG_BUSY, /* in one callback for more than a second */
    TOP_HELD,      /* suspended */
    TOP_FRESH,     /* was restarted in the last five seconds */
};

/* How it is: in words, and in a word. */
enum top_mood top_state(const struct top_row *row, const struct top_picture *picture,
                        char out[TOP_CELL]);

/* `text` in so many columns of a terminal, cut or filled up with spaces; what is no character in the locale becomes
 * '?'. Returns out. */
const char *top_fit(const char *text, int width, bool to_the_right, char out[TOP_CELL * 4]);

/* ---------------------------------------------------------------- the table */

enum top_field {
    TOP_F_NAME,
    TOP_F_PID,
    TOP_F_KIND,
    TOP_F_STATE,
    TOP_F_MAILBOX,
    TOP_F_RATE,
    TOP_F_RESTARTS,
    TOP_F_AGE,
    TOP_FIELDS,
};

struct top_layout {
    struct top_place {
        enum top_field field;
        int x, width;
    } places[TOP_FIELDS];
    int count;
};

/* What finds room in a line of that width: the least important is left out first. */
void top_lay_out(struct top_layout *layout, int width);

const char *top_title(enum top_field field);
bool top_is_to_the_right(enum top_field field);

/* By which order its title is marked. */
enum top_order top_order_of(enum top_field field);
const char *top_order_name(enum top_order order);

/* What stands there. */
const char *top_cell(enum top_field field, const struct top_row *row,
                     const struct top_picture *picture, bool as_tree, char out[TOP_CELL]);

/* Line by line all that is known of one; false: there is no such line any more. */
bool top_detail(int line, const struct top_row *row, const struct top_picture *picture,
                char out[TOP_CELL]);

/* "kv 1234, up 3h07m: 12 processes, …" */
const char *top_summary(const struct top_picture *picture, const char *program, const char *os_pid,
                        char out[TOP_CELL]);

#endif
