/*
 * tests/conformance/trace.c - what happened, in order, and how it is printed.
 *
 * Room: tests/. Events are added by any thread, under the lock of cast.h; printing is main's.
 * Ask first: the normalisations. They are those of the original's runner, no more and no fewer: one
 * more would hide a difference.
 *
 * Neighbouring events of a group, the exits of the children of one dynamic supervisor, say, are sorted
 * by bytes. Two never take part: the end that the action itself asked for, where it comes first, and
 * an end right after the start of the same process, which died in its start function.
 */
#include "tests/conformance/trace.h"

#include "tests/conformance/text.h"

#include <stdio.h>
#include <stdlib.h>

static struct event *events;
static size_t event_count;
static size_t events_before; /* that were printed */

void
trace_add(struct event event)
{
    events = room_for_one_more(events, event_count, sizeof *events);
    events[event_count++] = event;
}

size_t
trace_count(void)
{
    return events_before + event_count;
}

static int
by_bytes(const void *a, const void *b)
{
    return strcmp(((const struct event *)a)->line, ((const struct event *)b)->line);
}

static bool
is_end_of_new(const struct event *start, const struct event *end)
{
    return start->kind == EVENT_START_OK && end->kind == EVENT_EXIT && start->number == end->number
           && same(start->name, end->name);
}

/* How many from here on, at least one, have no order between them. */
static size_t
run_length(const struct event *from, size_t most)
{
    size_t length = 1;
    while (from->together && length < most && from[length].together == from->together
           && from[length].kind == from->kind) {
        length++;
    }
    return length;
}

static void
sort_runs(size_t from)
{
    while (from < event_count) {
        size_t left = event_count - from;
        if (left > 1 && is_end_of_new(&events[from], &events[from + 1])) {
            from += 2;
            continue;
        }
        size_t length = run_length(&events[from], left);
        qsort(&events[from], length, sizeof *events, by_bytes);
        from += length;
    }
}

static bool
begins_with_end_of(const char *name)
{
    return name && event_count > 0 && events[0].kind == EVENT_EXIT && same(events[0].name, name);
}

void
trace_print(const char *first, bool by_name)
{
    if (by_name) {
        if (event_count > 0) {
            qsort(events, event_count, sizeof *events, by_bytes);
        }
    } else {
        sort_runs(begins_with_end_of(first) ? 1 : 0);
    }
    for (size_t i = 0; i < event_count; i++) {
        (void)printf("  %s\n", events[i].line);
        free(events[i].line);
    }
    events_before += event_count;
    event_count = 0;
}
