/*
 * supervisor/observe/answers.c - what is seen, in the words of the observer's protocol.
 *
 * Room: supervisor/observe/. The observer only.
 * Touch freely: more columns, totals and lines: readers pass over what they do not know. Ask first:
 * what is there; programs of other versions read it.
 */
#include "supervisor/observe/answers.h"

#include <coppice/memory.h>
#include <coppice/observe.h>
#include <coppice/reason.h>
#include <coppice/recorder.h>

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------- columns */

enum form {
    TEXT,  /* an array of char */
    WORD,  /* a const char *, or NULL */
    SIZE,  /* size_t */
    TIME,  /* cop_time */
    TRUTH, /* bool */
    PID,
};

static const struct column {
    const char *name;
    enum form form;
    size_t offset;
} columns[] = {
#define COLUMN(name, form, member)               \
 {                                               \
  name, form, offsetof(cop_process_info, member) \
 }
    COLUMN("name", TEXT, name),
    COLUMN("label", TEXT, label),
    COLUMN("kind", WORD, kind),
    COLUMN("strategy", WORD, strategy),
    COLUMN("id", TEXT, child_id),
    COLUMN("supervisor", PID, supervisor),
    COLUMN("parent", PID, parent),
    COLUMN("restarts", SIZE, restarts),
    COLUMN("started", TIME, started),
    COLUMN("callback", WORD, callback),
    COLUMN("since", TIME, since),
    COLUMN("waits_in", WORD, waits_in),
    COLUMN("waits_for", PID, waits_for),
    COLUMN("suspended", TRUTH, is_suspended),
    COLUMN("mailbox", SIZE, mailbox),
    COLUMN("oldest", TIME, oldest),
    COLUMN("handled", SIZE, messages_handled),
    COLUMN("dropped", SIZE, dropped),
    COLUMN("owned", SIZE, owned_bytes),
    COLUMN("traps_exits", TRUTH, traps_exits),
    COLUMN("links", SIZE, links),
    COLUMN("monitors", SIZE, monitors),
    COLUMN("monitored_by", SIZE, monitored_by),
#undef COLUMN
};
enum {
    COLUMNS = sizeof columns / sizeof *columns
};

static void
put_pid(struct copi_words *words, cop_pid pid)
{
    char text[COP_PID_TEXT];
    copi_words_put(words, pid.id ? cop_pid_text(pid, text) : "");
}

static void
put_member(struct copi_words *words, const struct column *column, const cop_process_info *info)
{
    const void *member = (const char *)info + column->offset;
    switch (column->form) {
    case TEXT:
        copi_words_put(words, member);
        break;
    case WORD:
        copi_words_put(words, *(const char *const *)member);
        break;
    case SIZE:
        copi_words_put_number(words, *(const size_t *)member);
        break;
    case TIME:
        copi_words_put_number(words, (uint64_t) * (const cop_time *)member);
        break;
    case TRUTH:
        copi_words_put_number(words, *(const bool *)member);
        break;
    case PID:
        put_pid(words, *(const cop_pid *)member);
        break;
    }
}

static void
put_columns(struct copi_words *words)
{
    copi_words_put(words, "columns");
    copi_words_put(words, "depth");
    copi_words_put(words, "pid");
    for (size_t i = 0; i < COLUMNS; i++) {
        copi_words_put(words, columns[i].name);
    }
    copi_words_end_line(words);
}

static void
put_node(struct copi_words *words, const cop_picture_node *node)
{
    copi_words_put(words, "process");
    copi_words_put_number(words, node->depth);
    put_pid(words, node->pid);
    for (size_t i = 0; i < COLUMNS; i++) {
        put_member(words, &columns[i], &node->info);
    }
    copi_words_end_line(words);
}

/* ---------------------------------------------------------------- the whole */

static void
put_count(struct copi_words *words, const char *line, const char *name, uint64_t number)
{
    copi_words_put(words, line);
    copi_words_put(words, name);
    copi_words_put_number(words, number);
    copi_words_end_line(words);
}

static void
put_totals(struct copi_words *words, const cop_picture *picture)
{
    put_count(words, "total", "taken", (uint64_t)picture->taken);
    put_count(words, "total", "uptime", (uint64_t)picture->uptime);
    put_count(words, "total", "processes", picture->count);
    put_count(words, "total", "restarts", picture->restarts);
    put_count(words, "total", "disowned", picture->disowned);
    put_count(words, "total", "tainted", picture->tainted);
    for (size_t i = 0; i < picture->live_count; i++) {
        put_count(words, "live", picture->live[i].kind, picture->live[i].count);
    }
}

static void
say(struct copi_words *words, const char *word)
{
    copi_words_put(words, word);
    copi_words_end_line(words);
}

void
copi_answer_ok(struct copi_words *words)
{
    say(words, "ok");
    copi_words_end_line(words);
}

void
copi_answer_error(struct copi_words *words, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    copi_words_put(words, "error");
    say(words, text);
    copi_words_end_line(words);
}

bool
copi_answer_picture(struct copi_words *words)
{
    cop_picture *picture;
    int r = cop_picture_take(&picture);
    if (r) {
        copi_answer_error(words, "no picture: %s", cop_strerror(r));
        return false;
    }
    say(words, "ok");
    put_columns(words);
    for (size_t i = 0; i < picture->count; i++) {
        put_node(words, &picture->nodes[i]);
    }
    put_totals(words, picture);
    copi_words_end_line(words);
    cop_picture_free(picture);
    return !words->failed;
}

/* ---------------------------------------------------------------- what was */

static void
put_events(struct copi_words *words, const cop_record *records, int count)
{
    char text[256];
    say(words, "ok");
    for (int i = 0; i < count; i++) {
        copi_words_put(words, "event");
        copi_words_put_number(words, (uint64_t)records[i].when);
        say(words, cop_record_string(&records[i], text, sizeof text));
    }
    copi_words_end_line(words);
}

void
copi_answer_events(struct copi_words *words, cop_pid pid, unsigned count)
{
    cop_record *records = cop_alloc(count * sizeof *records);
    int r = records ? cop_recorder_read(pid, records, count) : -ENOMEM;
    if (r >= 0) {
        put_events(words, records, r);
    } else {
        copi_answer_error(words, "%s",
                          r == -EOPNOTSUPP ? "nothing is recorded"
                          : r == -ESRCH    ? "of that process nothing is recorded"
                                           : cop_strerror(r));
    }
    cop_free(records);
}

/* ---------------------------------------------------------------- who answers */

void
copi_answer_greeting(struct copi_words *words, const char *const *actions)
{
    copi_words_put(words, "coppice-observer");
    copi_words_put_number(words, COPI_OBSERVER_VERSION);
    copi_words_put(words, program_invocation_short_name);
    copi_words_put_number(words, (uint64_t)getpid());
    for (; *actions; actions++) {
        copi_words_put(words, *actions);
    }
    copi_words_end_line(words);
}
