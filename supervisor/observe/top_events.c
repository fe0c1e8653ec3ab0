/*
 * supervisor/observe/top_events.c - coppice-top: what a process did last, as the observer has told it.
 *
 * Room: supervisor/observe/, the program coppice-top.
 */
#include "supervisor/observe/top_events.h"

#include "supervisor/observe/top_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE = 512,
};

/* Before those that are there: the newest comes last. */
static char *
put_before(char *lines, const char *line)
{
    char *more = NULL;
    if (asprintf(&more, "%s\n%s", line, lines) < 0) {
        more = NULL;
    }
    free(lines);
    return more;
}

/* "event\tTIME\tWORDS"; what else there is, is not known. */
static char *
put_event(char *lines, char *line, uint64_t now)
{
    const char *what = strsep(&line, "\t"), *when = strsep(&line, "\t"),
               *words = strsep(&line, "\t");
    char ago[TOP_SHORT], text[LINE];
    if (strcmp(what, "event") != 0 || !when || !words) {
        return lines;
    }
    uint64_t then = strtoull(when, NULL, 10);
    (void)snprintf(text, sizeof text, "%8s ago  %.400s",
                   top_duration(now > then ? now - then : 0, ago), words);
    return put_before(lines, text);
}

char *
top_events(char *answer, uint64_t now)
{
    char *line = strsep(&answer, "\n"), *lines = strdup("");
    if (strncmp(line, "error\t", 6) == 0 && lines) {
        return put_before(lines, line + 6);
    }
    while (lines && answer && (line = strsep(&answer, "\n")) && *line) {
        lines = put_event(lines, line, now);
    }
    return lines;
}
