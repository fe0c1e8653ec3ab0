/*
 * tests/conformance/trace.h - what happened, in order, and how it is printed.
 */
#ifndef COPI_TESTS_CONFORMANCE_TRACE_H
#define COPI_TESTS_CONFORMANCE_TRACE_H

#include <stdbool.h>
#include <stddef.h>

enum event_kind {
    EVENT_START_OK,
    EVENT_START_OTHER,
    EVENT_EXIT,
    EVENT_REPORT,
};

struct event {
    enum event_kind kind;
    const char *name; /* of the process; NULL for a report */
    unsigned number;
    const void *together; /* with the others of this group the order is open; NULL: it is not */
    char *line;           /* on the heap; the trace takes it */
};

/* Any thread, one at a time: the callers hold the lock of cast.h. */
void trace_add(struct event event);

/* How many there were since the program began. */
size_t trace_count(void);

/*
 * Print the events since the last call. Two orders that the original leaves open are made one: see
 * trace.c.
 *
 *   first    the process whose end, if it is the first event, is what the action asked for; or NULL
 *   by_name  all of them are sorted: the root was killed
 */
void trace_print(const char *first, bool by_name);

#endif
