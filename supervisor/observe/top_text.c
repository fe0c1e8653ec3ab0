/*
 * supervisor/observe/top_text.c - coppice-top: figures and words, as short as a table wants them.
 *
 * Room: supervisor/observe/, the program coppice-top.
 */
#include "supervisor/observe/top_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#define SECOND UINT64_C(1000000000)
enum {
    FRESH_SECONDS = 5,
    NAME_LEAST = 16, /* columns */
    NAME_MOST = 48,
    STATE_MOST = 40, /* more than its least */
};

/* ---------------------------------------------------------------- figures */

const char *
top_duration(uint64_t ns, char out[TOP_SHORT])
{
    uint64_t seconds = ns / SECOND, minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    if (seconds < 60) {
        uint64_t tenths = ns / (SECOND / 10);
        (void)snprintf(out, TOP_SHORT, "%" PRIu64 ".%" PRIu64 "s", tenths / 10, tenths % 10);
    } else if (minutes < 60) {
        (void)snprintf(out, TOP_SHORT, "%" PRIu64 "m%02" PRIu64 "s", minutes, seconds % 60);
    } else if (hours < 24) {
        (void)snprintf(out, TOP_SHORT, "%" PRIu64 "h%02" PRIu64 "m", hours, minutes % 60);
    } else {
        (void)snprintf(out, TOP_SHORT, "%" PRIu64 "d%02" PRIu64 "h", days, hours % 24);
    }
    return out;
}

const char *
top_count(uint64_t count, char out[TOP_SHORT])
{
    static const char units[] = "kMGTPE";
    size_t unit = 0;
    uint64_t tenths = count / 100;
    if (count < 10000) {
        (void)snprintf(out, TOP_SHORT, "%" PRIu64, count);
        return out;
    }
    for (; tenths >= 10000; tenths /= 1000) {
        unit++;
    }
    (void)snprintf(out, TOP_SHORT, "%" PRIu64 ".%" PRIu64 "%c", tenths / 10, tenths % 10,
                   units[unit]);
    return out;
}

/* ---------------------------------------------------------------- states */

static uint64_t
time_since(uint64_t now, uint64_t then)
{
    return then && now > then ? now - then : 0;
}

static bool
is_fresh(const struct top_row *row, uint64_t now)
{
    return top_number(row, TOP_RESTARTS) > 0
           && time_since(now, top_number(row, TOP_STARTED)) < FRESH_SECONDS * SECOND;
}

/* Its name, if it is there. */
static const char *
who(const struct top_picture *picture, const char *pid)
{
    size_t at = pid[0] ? top_picture_find(picture, pid) : picture->count;
    return at < picture->count ? top_name(&picture->rows[at]) : pid;
}

/* "call db, " before whatever it is in. */
static void
say_wait(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    const char *waits_in = row->words[TOP_WAITS_IN], *other = row->words[TOP_WAITS_FOR];
    (void)snprintf(out, TOP_CELL, "%.64s%s%.128s", waits_in, other[0] ? " " : "",
                   who(picture, other));
}

/* "handle_call 2.3s"; "call db, handle_call 2.3s". Of a plain process "run" is its whole life, and no news. */
static enum top_mood
say_busy(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    char wait[TOP_CELL];
    const char *callback = row->words[TOP_CALLBACK];
    uint64_t busy = time_since(picture->taken, top_number(row, TOP_SINCE));
    bool waits = row->words[TOP_WAITS_IN][0], is_life = strcmp(callback, "run") == 0;
    say_wait(row, picture, wait);
    if (waits && is_life) {
        (void)snprintf(out, TOP_CELL, "%.200s", wait);
    } else {
        char duration[TOP_SHORT];
        (void)snprintf(out, TOP_CELL, "%.200s%s%.32s %s", wait, waits ? ", " : "", callback,
                       top_duration(busy, duration));
    }
    return busy >= SECOND && !is_life ? TOP_LONG_BUSY : waits ? TOP_WAITS : TOP_BUSY;
}

static enum top_mood
say_waiting(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    const char *waits_in = row->words[TOP_WAITS_IN];
    if (strcmp(waits_in, "receive") == 0 || strcmp(waits_in, "signals") == 0) {
        (void)snprintf(out, TOP_CELL, "waiting");
        return TOP_IDLE;
    }
    say_wait(row, picture, out);
    return TOP_WAITS;
}

enum top_mood
top_state(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    enum top_mood mood = TOP_BUSY;
    if (top_number(row, TOP_SUSPENDED)) {
        (void)snprintf(out, TOP_CELL, "suspended");
        return TOP_HELD;
    }
    if (row->words[TOP_CALLBACK][0]) {
        mood = say_busy(row, picture, out);
    } else if (row->words[TOP_WAITS_IN][0]) {
        mood = say_waiting(row, picture, out);
    } else {
        (void)snprintf(out, TOP_CELL, "running");
    }
    return mood != TOP_LONG_BUSY && is_fresh(row, picture->taken) ? TOP_FRESH : mood;
}

/* ---------------------------------------------------------------- fitting */

/* The next character of `text` and its width; what is none counts as '?'. */
static size_t
next_character(const char *text, size_t left, mbstate_t *state, int *width)
{
    wchar_t wide;
    size_t n = mbrtowc(&wide, text, left, state); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (n == (size_t)-1 || n == (size_t)-2) {
        memset(state, 0, sizeof *state);
        *width = -1;
        return 1;
    }
    *width = wcwidth(wide);
    return n ? n : 1;
}

const char *
top_fit(const char *text, int width, bool to_the_right, char out[TOP_CELL * 4])
{
    char *at = out, *end = out + (size_t)TOP_CELL * 4 - 8;
    size_t left = strlen(text);
    int used = 0;
    mbstate_t state = {0};
    while (left > 0 && at < end) {
        int columns;
        size_t n = next_character(text, left, &state, &columns);
        bool is_none = columns < 0;
        if (used + (is_none ? 1 : columns) > width) {
            break;
        }
        if (is_none) {
            *at++ = '?';
        } else {
            memcpy(at, text, n);
            at += n;
        }
        used += is_none ? 1 : columns;
        text += n;
        left -= n;
    }
    size_t spaces = used < width ? (size_t)(width - used) : 0;
    size_t room = (size_t)(out + (size_t)TOP_CELL * 4 - 1 - at);
    spaces = spaces < room ? spaces : room;
    if (to_the_right) {
        memmove(out + spaces, out, (size_t)(at - out));
        memset(out, ' ', spaces);
    } else {
        memset(at, ' ', spaces);
    }
    at[spaces] = '\0';
    return out;
}

/* ---------------------------------------------------------------- the table */

static const struct {
    const char *title;
    int width;     /* 0: what is left */
    int important; /* the least goes first */
    enum top_order order;
} fields[TOP_FIELDS] = {
    [TOP_F_NAME] = {"NAME", 0, 9, TOP_BY_TREE},
    [TOP_F_PID] = {"PID", 9, 1, TOP_ORDERS},
    [TOP_F_KIND] = {"KIND", 13, 0, TOP_ORDERS},
    [TOP_F_STATE] = {"STATE", 16, 8, TOP_ORDERS},
    [TOP_F_MAILBOX] = {"MAILBOX", 7, 7, TOP_BY_MAILBOX},
    [TOP_F_RATE] = {"MSG/S", 7, 4, TOP_BY_RATE},
    [TOP_F_RESTARTS] = {"RESTARTS", 8, 6, TOP_BY_RESTARTS},
    [TOP_F_AGE] = {"AGE", 7, 3, TOP_BY_AGE},
};

const char *
top_title(enum top_field field)
{
    return fields[field].title;
}

bool
top_is_to_the_right(enum top_field field)
{
    return field >= TOP_F_MAILBOX;
}

enum top_order
top_order_of(enum top_field field)
{
    return fields[field].order;
}

const char *
top_order_name(enum top_order order)
{
    static const char *const names[] = {"tree", "mailbox", "messages", "restarts", "age", "?"};
    return names[order];
}

static int
least_important(const bool shown[TOP_FIELDS])
{
    int found = TOP_F_NAME;
    for (int i = 0; i < TOP_FIELDS; i++) {
        if (shown[i] && fields[i].important < fields[found].important) {
            found = i;
        }
    }
    return found;
}

void
top_lay_out(struct top_layout *layout, int width)
{
    bool shown[TOP_FIELDS];
    int used = 0;
    for (int i = 0; i < TOP_FIELDS; i++) {
        shown[i] = true;
        used += i == TOP_F_NAME ? NAME_LEAST : fields[i].width + 1;
    }
    while (used > width && least_important(shown) != TOP_F_NAME) {
        int least = least_important(shown);
        shown[least] = false;
        used -= fields[least].width + 1;
    }
    int left = width > used ? width - used : 0, x = 0;
    int more_name = left / 2 < NAME_MOST - NAME_LEAST ? left / 2 : NAME_MOST - NAME_LEAST;
    int name = NAME_LEAST + more_name < width ? NAME_LEAST + more_name : width;
    int more_state = left - more_name < STATE_MOST ? left - more_name : STATE_MOST;
    layout->count = 0;
    for (int i = 0; i < TOP_FIELDS; i++) {
        int columns = i == TOP_F_NAME    ? name
                      : i == TOP_F_STATE ? fields[i].width + more_state
                                         : fields[i].width;
        if (shown[i]) {
            layout->places[layout->count++] = (struct top_place){(enum top_field)i, x, columns};
            x += columns + 1;
        }
    }
}

static const char *
say_name(const struct top_row *row, bool as_tree, char out[TOP_CELL])
{
    uint64_t depth = as_tree ? top_number(row, TOP_DEPTH) : 0;
    (void)snprintf(out, TOP_CELL, "%*s%s", 2 * (int)(depth < 32 ? depth : 32), "", top_name(row));
    return out;
}

const char *
top_cell(enum top_field field, const struct top_row *row, const struct top_picture *picture,
         bool as_tree, char out[TOP_CELL])
{
    switch (field) {
    case TOP_F_NAME:
        return say_name(row, as_tree, out);
    case TOP_F_PID:
        return row->words[TOP_PID];
    case TOP_F_KIND:
        return row->words[row->words[TOP_STRATEGY][0] ? TOP_STRATEGY : TOP_KIND];
    case TOP_F_STATE:
        top_state(row, picture, out);
        return out;
    case TOP_F_MAILBOX:
        return top_count(top_number(row, TOP_MAILBOX), out);
    case TOP_F_RATE:
        return top_count((uint64_t)(row->rate + 0.5), out);
    case TOP_F_RESTARTS:
        return top_count(top_number(row, TOP_RESTARTS), out);
    case TOP_F_AGE:
    case TOP_FIELDS: /* which is none */
        break;
    }
    return top_duration(time_since(picture->taken, top_number(row, TOP_STARTED)), out);
}

/* ---------------------------------------------------------------- one of them */

/* "root <3.1>"; or "nobody" */
static const char *
whom(const struct top_picture *picture, const char *pid, char out[TOP_CELL])
{
    const char *name = who(picture, pid);
    (void)snprintf(out, TOP_CELL, "%.128s%s%s", pid[0] ? name : "nobody", name != pid ? " " : "",
                   name != pid ? pid : "");
    return out;
}

static void
detail_who(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    (void)picture;
    (void)snprintf(out, TOP_CELL, "%s %s", top_name(row), row->words[TOP_PID]);
}

static void
detail_kind(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    const char *strategy = row->words[TOP_STRATEGY];
    (void)picture;
    (void)snprintf(out, TOP_CELL, "kind        %s%s%s", row->words[TOP_KIND],
                   strategy[0] ? ", " : "", strategy);
}

static void
detail_state(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    char state[TOP_CELL];
    top_state(row, picture, state);
    (void)snprintf(out, TOP_CELL, "state       %.200s", state);
}

static void
detail_wait(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    char other[TOP_CELL];
    (void)snprintf(out, TOP_CELL, "waits for   %.200s",
                   whom(picture, row->words[TOP_WAITS_FOR], other));
}

static void
detail_child(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    char supervisor[TOP_CELL];
    const char *id = row->words[TOP_ID];
    (void)snprintf(out, TOP_CELL, "child       %.80s%sof %.150s", id, id[0] ? " " : "",
                   whom(picture, row->words[TOP_SUPERVISOR], supervisor));
}

static void
detail_start(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    char age[TOP_SHORT], count[TOP_SHORT];
    (void)snprintf(out, TOP_CELL, "started     %s ago, restarted %s times",
                   top_duration(time_since(picture->taken, top_number(row, TOP_STARTED)), age),
                   top_count(top_number(row, TOP_RESTARTS), count));
}

static void
detail_mailbox(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    char count[TOP_SHORT], age[TOP_SHORT];
    (void)picture;
    (void)snprintf(out, TOP_CELL, "mailbox     %s messages, the oldest for %s",
                   top_count(top_number(row, TOP_MAILBOX), count),
                   top_duration(top_number(row, TOP_OLDEST), age));
}

static void
detail_messages(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    (void)picture;
    (void)snprintf(out, TOP_CELL, "messages    %s handled, %.1f/s, %s dropped",
                   row->words[TOP_HANDLED], row->rate, row->words[TOP_DROPPED]);
}

static void
detail_memory(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    (void)picture;
    (void)snprintf(out, TOP_CELL, "memory      %s bytes owned", row->words[TOP_OWNED]);
}

static void
detail_ties(const struct top_row *row, const struct top_picture *picture, char out[TOP_CELL])
{
    (void)picture;
    (void)snprintf(out, TOP_CELL, "ties        %s links, %s monitors, monitored by %s",
                   row->words[TOP_LINKS], row->words[TOP_MONITORS], row->words[TOP_MONITORED_BY]);
}

bool
top_detail(int line, const struct top_row *row, const struct top_picture *picture,
           char out[TOP_CELL])
{
    static void (*const details[])(const struct top_row *row, const struct top_picture *picture,
                                   char out[TOP_CELL]) = {
        detail_who,   detail_kind,    detail_state,    detail_wait,   detail_child,
        detail_start, detail_mailbox, detail_messages, detail_memory, detail_ties,
    };
    bool is_line = line >= 0 && (size_t)line < sizeof details / sizeof *details;
    if (is_line) {
        details[line](row, picture, out);
    }
    return is_line;
}

const char *
top_summary(const struct top_picture *picture, const char *program, const char *os_pid,
            char out[TOP_CELL])
{
    char uptime[TOP_SHORT];
    (void)snprintf(out, TOP_CELL,
                   "%.60s %s, up %s: %zu processes, %" PRIu64 " restarts, %" PRIu64 " disowned%s",
                   program, os_pid, top_duration(picture->uptime, uptime), picture->count,
                   picture->restarts, picture->disowned, picture->tainted ? ", tainted" : "");
    return out;
}
