/*
 * supervisor/status.h - how the program as a whole is doing, in a line.
 *
 * Room: supervisor/. Any thread.
 */
#ifndef COPI_SUPERVISOR_STATUS_H
#define COPI_SUPERVISOR_STATUS_H

#include <coppice/base.h>

enum {
    COPI_STATUS_SIZE = 128
};

/* A supervisor restarts a child. */
void copi_status_restarted(void);

uint64_t copi_status_restarts(void);

/* "12 processes, 3 restarts, 0 disowned" */
void copi_status_line(char out[COPI_STATUS_SIZE]);

/* Have an eventfd written to when there is news for the line; -1: no more. Of cop_run only. */
void copi_status_watch(int fd);

#endif
