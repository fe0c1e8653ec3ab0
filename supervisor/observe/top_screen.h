/*
 * supervisor/observe/top_screen.h - coppice-top: what stands on the terminal.
 *
 * Room: supervisor/observe/, the program coppice-top. One thread.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_TOP_SCREEN_H
#define COPI_SUPERVISOR_OBSERVE_TOP_SCREEN_H

#include "supervisor/observe/top_picture.h"

#include <stdbool.h>

enum {
    TOP_SEARCH_SIZE = 64,
};

/* What is to be seen. */
struct top_view {
    const struct top_picture *picture; /* sorted; empty: none has come yet */
    const char *program, *os_pid;
    const char *status; /* instead of the keys; NULL: the daemon is there, and all is well */
    enum top_order order;
    char selected[32];  /* a pid; it stays on it whatever moves */
    size_t at, first;   /* where that is; the first row that is seen */
    bool is_open;       /* it is shown alone, with all that is known of it */
    const char *events; /* of the open one: lines; NULL: none are known */
    size_t skipped;     /* lines of it that are above the screen */
    bool is_searching;
    char search[TOP_SEARCH_SIZE];
};

/* false: the terminal has no place to move to, and lines are all that it can show. */
bool top_screen_open(void);
void top_screen_close(void);

void top_screen_draw(struct top_view *view);

/* How many rows there are for processes. */
size_t top_screen_rows(void);

#endif
