/*
 * supervisor/observe/top_picture.c - coppice-top: a picture, as the observer has told it.
 *
 * Room: supervisor/observe/, the program coppice-top.
 *
 * The words stay as they came, cut out of the answer in place: they are escaped already, so none of them can
 * do anything to a terminal. Columns are known by their names; the ones that this program does not know
 * are passed over, and those that the daemon does not know are empty.
 */
#include "supervisor/observe/top_picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[TOP_COLUMNS] = {
    [TOP_DEPTH] = "depth",
    [TOP_PID] = "pid",
    [TOP_NAME] = "name",
    [TOP_LABEL] = "label",
    [TOP_KIND] = "kind",
    [TOP_STRATEGY] = "strategy",
    [TOP_ID] = "id",
    [TOP_SUPERVISOR] = "supervisor",
    [TOP_RESTARTS] = "restarts",
    [TOP_STARTED] = "started",
    [TOP_CALLBACK] = "callback",
    [TOP_SINCE] = "since",
    [TOP_WAITS_IN] = "waits_in",
    [TOP_WAITS_FOR] = "waits_for",
    [TOP_SUSPENDED] = "suspended",
    [TOP_MAILBOX] = "mailbox",
    [TOP_OLDEST] = "oldest",
    [TOP_HANDLED] = "handled",
    [TOP_DROPPED] = "dropped",
    [TOP_OWNED] = "owned",
    [TOP_LINKS] = "links",
    [TOP_MONITORS] = "monitors",
    [TOP_MONITORED_BY] = "monitored_by",
};

/* ---------------------------------------------------------------- reading */

enum {
    WORDS_MOST = 64, /* of a line that are looked at */
};

struct reader {
    struct top_picture *picture;
    enum top_column columns[WORDS_MOST]; /* of the words after the first; TOP_COLUMNS: not known */
    size_t count;
};

static enum top_column
column_of(const char *name)
{
    enum top_column column = TOP_DEPTH;
    while (column < TOP_COLUMNS && strcmp(names[column], name) != 0) {
        column++;
    }
    return column;
}

static void
read_columns(struct reader *reader, char *line)
{
    char *word;
    reader->count = 0;
    while ((word = strsep(&line, "\t")) && reader->count < WORDS_MOST) {
        reader->columns[reader->count++] = column_of(word);
    }
}

static void
read_row(struct reader *reader, char *line)
{
    struct top_row *row = &reader->picture->rows[reader->picture->count];
    *row = (struct top_row){.place = reader->picture->count};
    for (size_t i = 0; i < TOP_COLUMNS; i++) {
        row->words[i] = "";
    }
    char *word;
    for (size_t i = 0; i < reader->count && (word = strsep(&line, "\t")); i++) {
        if (reader->columns[i] < TOP_COLUMNS) {
            row->words[reader->columns[i]] = word;
        }
    }
    reader->picture->count++;
}

static void
read_total(struct top_picture *picture, char *line)
{
    const struct {
        const char *name;
        uint64_t *total;
    } totals[] = {
        {"taken", &picture->taken},       {"uptime", &picture->uptime},
        {"restarts", &picture->restarts}, {"disowned", &picture->disowned},
        {"tainted", &picture->tainted},
    };
    const char *name = strsep(&line, "\t");
    for (size_t i = 0; line && i < sizeof totals / sizeof *totals; i++) {
        if (strcmp(totals[i].name, name) == 0) {
            *totals[i].total = strtoull(line, NULL, 10);
        }
    }
}

static void
read_line(struct reader *reader, char *line)
{
    const char *what = strsep(&line, "\t");
    if (!line) {
        return;
    }
    if (strcmp(what, "columns") == 0) {
        read_columns(reader, line);
    } else if (strcmp(what, "process") == 0) {
        read_row(reader, line);
    } else if (strcmp(what, "total") == 0) {
        read_total(reader->picture, line);
    }
}

static size_t
count_lines(const char *text)
{
    size_t count = 1;
    for (; (text = strchr(text, '\n')); text++) {
        count++;
    }
    return count;
}

int
top_picture_read(struct top_picture *out, char *text)
{
    struct top_picture picture = {.text = text};
    struct reader reader = {.picture = &picture};
    if (strncmp(text, "ok\n", 3) != 0) {
        return -EPROTO;
    }
    picture.rows = calloc(count_lines(text), sizeof *picture.rows);
    if (!picture.rows) {
        return -ENOMEM;
    }
    char *line;
    while ((line = strsep(&text, "\n")) && *line) {
        read_line(&reader, line);
    }
    *out = picture;
    return 0;
}

void
top_picture_free(struct top_picture *picture)
{
    free(picture->text);
    free(picture->rows);
    *picture = (struct top_picture){0};
}

/* ---------------------------------------------------------------- what stands in it */

uint64_t
top_number(const struct top_row *row, enum top_column column)
{
    return strtoull(row->words[column], NULL, 10);
}

const char *
top_name(const struct top_row *row)
{
    static const enum top_column candidates[] = {TOP_NAME, TOP_ID, TOP_LABEL, TOP_KIND};
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        if (row->words[candidates[i]][0]) {
            return row->words[candidates[i]];
        }
    }
    return "?";
}

static int
by_pid(const void *a, const void *b)
{
    const struct top_row *one = a, *other = b;
    return strcmp(one->words[TOP_PID], other->words[TOP_PID]);
}

static int
compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int
by_place(const void *a, const void *b)
{
    const struct top_row *one = a, *other = b;
    return compare(one->place, other->place);
}

/* The greatest first. */
static int
by_number(const void *a, const void *b, enum top_column column)
{
    int order = compare(top_number(b, column), top_number(a, column));
    return order ? order : by_place(a, b);
}

static int
by_mailbox(const void *a, const void *b)
{
    return by_number(a, b, TOP_MAILBOX);
}

static int
by_restarts(const void *a, const void *b)
{
    return by_number(a, b, TOP_RESTARTS);
}

static int
by_start(const void *a, const void *b)
{
    return by_number(a, b, TOP_STARTED);
}

static int
by_rate(const void *a, const void *b)
{
    const struct top_row *one = a, *other = b;
    return one->rate > other->rate ? -1 : one->rate < other->rate ? 1 : by_place(a, b);
}

static void
sort(struct top_picture *picture, int (*compare_rows)(const void *a, const void *b))
{
    qsort(picture->rows, picture->count, sizeof *picture->rows, compare_rows);
}

void
top_picture_sort(struct top_picture *picture, enum top_order order)
{
    switch (order) {
    case TOP_BY_TREE:
    case TOP_ORDERS:
        sort(picture, by_place);
        break;
    case TOP_BY_MAILBOX:
        sort(picture, by_mailbox);
        break;
    case TOP_BY_RATE:
        sort(picture, by_rate);
        break;
    case TOP_BY_RESTARTS:
        sort(picture, by_restarts);
        break;
    case TOP_BY_AGE:
        sort(picture, by_start);
        break;
    }
}

size_t
top_picture_find(const struct top_picture *picture, const char *pid)
{
    size_t i = 0;
    while (i < picture->count && strcmp(picture->rows[i].words[TOP_PID], pid) != 0) {
        i++;
    }
    return i;
}

/* Both are sorted by pid for that, and walked through together; the earlier one has no other use any more. */
void
top_picture_rate(struct top_picture *picture, struct top_picture *before)
{
    if (picture->taken <= before->taken || before->count == 0) {
        return;
    }
    double seconds = (double)(picture->taken - before->taken) / 1e9;
    sort(picture, by_pid);
    sort(before, by_pid);
    for (size_t i = 0, j = 0; i < picture->count && j < before->count;) {
        int order = by_pid(&picture->rows[i], &before->rows[j]);
        if (order == 0) {
            uint64_t now = top_number(&picture->rows[i], TOP_HANDLED);
            uint64_t then = top_number(&before->rows[j], TOP_HANDLED);
            picture->rows[i].rate = now > then ? (double)(now - then) / seconds : 0;
        }
        i += order <= 0;
        j += order >= 0;
    }
}
