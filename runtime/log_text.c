/*
 * runtime/log_text.c - how an entry of the log reads: as a line, or as JSON.
 *
 * Room: runtime/. Any thread. Takes no memory and no lock but for the names of pids.
 * Touch freely: the words. Ask first: the shape; people's scripts read it.
 *
 *     TIME ACTOR<pid>: LEVEL: MESSAGE[: REASON] key=value …
 *
 * An entry is one line, whatever is in it: a line that does not fit into COP_LOG_LINE would not leave in one
 * piece, and one with a line end in it can be made to look like another entry. So each text is escaped, and has a
 * budget, after which it is cut (log_line.h). Budgets are such that the line's head always fits. Of the fields as
 * many are written as there is room for, and the others are counted: half a field would be a wrong value, and not
 * JSON.
 */
#include "runtime/log_text.h"

#include "runtime/inspect.h"
#include "runtime/log_line.h"
#include "runtime/table.h"
#include "runtime/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    MESSAGE_ROOM = 1536,
    REASON_ROOM = 768,
    ACTOR_ROOM = 256,
    VALUE_ROOM = 512,
    KEY_ROOM = 64,
    TAIL = 40, /* what is said of fields that were left out, and the end of the line */
    SCRATCH = COPI_FIELD_WORDS,
};
_Static_assert(MESSAGE_ROOM + REASON_ROOM + ACTOR_ROOM + 4 * COPI_LINE_CUT + TAIL + 256
                   < COP_LOG_LINE,
               "the head of a line fits");

static const char *const level_words[] = {
    "none", "emergency", "alert", "critical", "error", "warning", "notice", "info", "debug",
};

const char *
copi_log_level_in_words(cop_log_level level)
{
    return (unsigned)level < sizeof level_words / sizeof *level_words ? level_words[level] : "";
}

/* ---------------------------------------------------------------- texts */

/* Whether a reader of key=value could take it for something else. */
static bool
needs_quotes(cop_bytes text)
{
    const unsigned char *bytes = text.data;
    for (size_t i = 0; i < text.size; i++) {
        if (bytes[i] <= ' ' || bytes[i] >= 0x7f || strchr("\"=\\", bytes[i])) {
            return true;
        }
    }
    return text.size == 0;
}

void
copi_log_print(char *out, size_t size, const char *format, va_list arguments)
{
    int wanted = vsnprintf(out, size, format, arguments);
    if (wanted < 0) {
        out[0] = '\0';
    } else if ((size_t)wanted >= size) {
        size_t kept = size - COPI_LINE_CUT;
        while (kept > 0 && copi_utf8_continues((unsigned char)out[kept])) {
            kept--; /* not in the middle of a character */
        }
        (void)snprintf(out + kept, COPI_LINE_CUT, "...(+%zu bytes)", (size_t)wanted - kept);
    }
}

/* ---------------------------------------------------------------- values */

/* The program's locale may have another decimal point, of several bytes even. */
static void
use_point(char *number)
{
    char *to = number;
    bool has_point = false;
    for (const char *from = number; *from; from++) {
        if (strchr("+-0123456789eEinfa", *from)) {
            *to++ = *from;
        } else if (!has_point) {
            *to++ = '.';
            has_point = true;
        }
    }
    *to = '\0';
}

/* As few digits as mean this number and no other. */
static void
real_in_words(double real, char *out, size_t size)
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(out, size, "%.*g", digits, real);
        double again = 0;
        (void)sscanf(out, "%lf", &again); /* NOLINT(cert-err34-c): what printf has written */
        /* Also of zeros and of what is no number. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
        if (memcmp(&again, &real, sizeof real) == 0) {
            break;
        }
    }
    use_point(out);
}

/* A whole number of `unit`, and up to `places` digits behind the point. */
static void
decimal_in_words(uint64_t value, uint64_t unit, int places, char *out, size_t size)
{
    int used = snprintf(out, size, "%" PRIu64 ".%0*" PRIu64, value / unit, places, value % unit);
    while (out[used - 1] == '0') {
        out[--used] = '\0';
    }
    if (out[used - 1] == '.') {
        out[used - 1] = '\0';
    }
}

static void
duration_in_words(cop_time duration, bool is_json, char *out, size_t size)
{
    static const struct {
        uint64_t ns;
        int places;
        const char *name;
    } units[] = {{1000000000, 9, "s"}, {1000000, 6, "ms"}, {1000, 3, "us"}, {1, 0, "ns"}};
    if (duration == COP_FOREVER) {
        (void)snprintf(out, size, is_json ? "null" : "forever");
        return;
    }
    uint64_t ns = duration < 0 ? -(uint64_t)duration : (uint64_t)duration;
    size_t unit = 0;
    while (!is_json && ns > 0 && ns < units[unit].ns) {
        unit++;
    }
    char number[40];
    decimal_in_words(ns, units[unit].ns, units[unit].places, number, sizeof number);
    (void)snprintf(out, size, "%s%s%s", duration < 0 ? "-" : "", number,
                   is_json ? "" : units[unit].name);
}

static void
pid_in_words(cop_pid pid, char *out, size_t size)
{
    (void)snprintf(out, size, "<%u.%u>", copi_pid_index(pid), copi_pid_generation(pid));
}

static const char *
whom(cop_pid pid, char words[COPI_FIELD_WORDS])
{
    _Static_assert((int)COPI_LABEL_SIZE <= (int)COPI_FIELD_WORDS, "a label fits");
    if (copi_is_forked()) { /* where names are, there are locks */
        pid_in_words(pid, words, COPI_FIELD_WORDS);
        return words;
    }
    return copi_label_pid(pid, words);
}

cop_field
copi_log_field_in_words(const cop_field *field, char words[COPI_FIELD_WORDS])
{
    switch (field->kind) {
    case COP_FIELD_PID:
        return cop_field_text(field->key, whom(field->as.pid, words));
    case COP_FIELD_REASON:
        return cop_field_text(field->key,
                              cop_reason_string(field->as.reason, words, COPI_FIELD_WORDS));
    case COP_FIELD_TEXT:
        return field->as.text.data ? *field : cop_field_text(field->key, "(null)");
    case COP_FIELD_END:
    case COP_FIELD_INTEGER:
    case COP_FIELD_UNSIGNED:
    case COP_FIELD_REAL:
    case COP_FIELD_BOOL:
    case COP_FIELD_DURATION:
        break;
    }
    return *field;
}

/* What is no text is a word that needs no quotes; but of JSON's numbers none is infinite. */
static void
put_value(struct copi_line *line, const cop_field *field)
{
    char words[SCRATCH];
    cop_field shown = copi_log_field_in_words(field, words);
    switch (shown.kind) {
    case COP_FIELD_INTEGER:
        (void)snprintf(words, sizeof words, "%" PRId64, shown.as.integer);
        break;
    case COP_FIELD_UNSIGNED:
        (void)snprintf(words, sizeof words, "%" PRIu64, shown.as.number);
        break;
    case COP_FIELD_REAL:
        real_in_words(shown.as.real, words, sizeof words);
        if (line->is_json && !isfinite(shown.as.real)) {
            copi_line_put_string(line, COP_TEXT(words), VALUE_ROOM);
            return;
        }
        break;
    case COP_FIELD_BOOL:
        (void)snprintf(words, sizeof words, shown.as.truth ? "true" : "false");
        break;
    case COP_FIELD_DURATION:
        duration_in_words(shown.as.duration, line->is_json, words, sizeof words);
        break;
    case COP_FIELD_PID: /* these are texts by now, or no value */
    case COP_FIELD_REASON:
    case COP_FIELD_END:
    case COP_FIELD_TEXT:
        if (line->is_json || needs_quotes(shown.as.text)) {
            copi_line_put_string(line, shown.as.text, VALUE_ROOM);
        } else {
            copi_line_put_text(line, COPI_LINE_PLAIN, shown.as.text, VALUE_ROOM);
        }
        return;
    }
    copi_line_put(line, words);
}

/* ---------------------------------------------------------------- fields */

/* A word of letters, digits, '_', '-' and '.', and in JSON none of the members that every entry has. */
static void
put_key(struct copi_line *line, const char *key)
{
    static const char *const taken[] = {
        "time", "level", "actor", "pid", "message", "reason", "fields_left_out",
    };
    char word[KEY_ROOM + 2];
    size_t size = 0;
    for (; key && key[size] && size < KEY_ROOM; size++) {
        unsigned char c = (unsigned char)key[size];
        bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
                       || c == '-' || c == '.';
        word[size] = '_';
        if (is_fine) {
            word[size] = key[size];
        }
    }
    word[size] = '\0';
    for (size_t i = 0; line->is_json && i < sizeof taken / sizeof *taken; i++) {
        if (strcmp(word, taken[i]) == 0) {
            word[size++] = '_';
            word[size] = '\0';
        }
    }
    copi_line_put(line, size ? word : "_");
}

static void
put_field(struct copi_line *line, const cop_field *field)
{
    copi_line_put(line, line->is_json ? ",\"" : " ");
    put_key(line, field->key);
    copi_line_put(line, line->is_json ? "\":" : "=");
    put_value(line, field);
}

/* As many as there is room for. */
static void
put_fields(struct copi_line *line, const cop_field *field)
{
    unsigned left_out = 0;
    for (; field && field->kind != COP_FIELD_END; field++) {
        char *before = line->at;
        put_field(line, field);
        if (line->is_full) {
            line->at = before;
            line->is_full = false;
            left_out++;
        }
    }
    if (left_out > 0) {
        const cop_field count = cop_field_unsigned("fields_left_out", left_out);
        line->end += TAIL - sizeof "}\n";
        copi_line_put(line, line->is_json ? ",\"fields_left_out\":" : " fields_left_out=");
        put_value(line, &count);
    }
}

/* ---------------------------------------------------------------- time */

struct date {
    int64_t year;
    unsigned month, day;
};

/*
 * Days since 1970 as a date. Years are counted from the first of March, which puts the leap day at their
 * end, in eras of 400; gmtime_r would take the lock of the time zone, which a child of a fork may find
 * taken.
 */
static struct date
date_of(int64_t days)
{
    days += 719468; /* since the first of March of the year 0 */
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    unsigned in_era = (unsigned)(days - era * 146097);
    unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * in_year + 2) / 153; /* 0: March */
    return (struct date){
        .year = (int64_t)year + era * 400 + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = in_year - (153 * month + 2) / 5 + 1,
    };
}

static void
put_digits(struct copi_line *line, uint64_t number, size_t count, const char *behind)
{
    char digits[4];
    for (size_t i = count; i-- > 0; number /= 10) {
        digits[i] = (char)('0' + number % 10);
    }
    copi_line_put_bytes(line, digits, count);
    copi_line_put(line, behind);
}

static void
put_time(struct copi_line *line, cop_time time)
{
    int64_t second = time / COP_SEC(1), ns = time % COP_SEC(1);
    if (ns < 0) {
        second--;
        ns += COP_SEC(1);
    }
    int64_t days = (second >= 0 ? second : second - 86399) / 86400;
    int64_t in_day = second - days * 86400;
    struct date date = date_of(days);
    put_digits(line, (uint64_t)date.year, 4, "-"); /* from 1677 to 2262 */
    put_digits(line, date.month, 2, "-");
    put_digits(line, date.day, 2, "T");
    put_digits(line, (uint64_t)in_day / 3600, 2, ":");
    put_digits(line, (uint64_t)in_day / 60 % 60, 2, ":");
    put_digits(line, (uint64_t)in_day % 60, 2, ".");
    put_digits(line, (uint64_t)(ns / COP_MS(1)), 3, "Z");
}

/* ---------------------------------------------------------------- lines */

static cop_bytes
text_of(const char *words)
{
    return words ? COP_TEXT(words) : COP_TEXT("(null)");
}

/* Who speaks: "store<7.1>"; a thread that is no process goes by the program's name. */
static void
put_speaker(struct copi_line *line, const cop_log_entry *entry, const char *pid)
{
    if (entry->is_library) {
        copi_line_put(line, "coppice");
        return;
    }
    bool has_name = entry->actor && entry->actor[0];
    if (has_name || !pid[0]) {
        copi_line_put_text(line, COPI_LINE_PLAIN,
                           text_of(has_name ? entry->actor : program_invocation_short_name),
                           ACTOR_ROOM);
    }
    copi_line_put(line, pid);
}

/* The library's reports are about somebody, and most of their messages name his pid. */
static void
put_line(struct copi_line *line, const cop_log_entry *entry, const char *pid, bool has_time)
{
    if (has_time) {
        put_time(line, entry->time);
        copi_line_put(line, " ");
    }
    put_speaker(line, entry, pid);
    copi_line_put(line, ": ");
    copi_line_put(line, copi_log_level_in_words(entry->level));
    copi_line_put(line, ": ");
    copi_line_put_text(line, COPI_LINE_PLAIN, text_of(entry->message), MESSAGE_ROOM);
    if (entry->reason) {
        copi_line_put(line, ": ");
        copi_line_put_text(line, COPI_LINE_PLAIN, text_of(entry->reason), REASON_ROOM);
    }
    if (entry->is_library && pid[0] && entry->message && !strstr(entry->message, pid)) {
        copi_line_put(line, " pid=");
        copi_line_put(line, pid);
    }
    put_fields(line, entry->fields);
}

static void
put_member(struct copi_line *line, const char *key, cop_bytes text, size_t room)
{
    copi_line_put(line, ",\"");
    copi_line_put(line, key);
    copi_line_put(line, "\":");
    copi_line_put_string(line, text, room);
}

static void
put_object(struct copi_line *line, const cop_log_entry *entry, const char *pid)
{
    copi_line_put(line, "{\"time\":\"");
    put_time(line, entry->time);
    copi_line_put(line, "\"");
    put_member(line, "level", COP_TEXT(copi_log_level_in_words(entry->level)), VALUE_ROOM);
    if (entry->actor && entry->actor[0]) {
        put_member(line, "actor", COP_TEXT(entry->actor), ACTOR_ROOM);
    }
    if (pid[0]) {
        put_member(line, "pid", COP_TEXT(pid), VALUE_ROOM);
    }
    put_member(line, "message", text_of(entry->message), MESSAGE_ROOM);
    if (entry->reason) {
        put_member(line, "reason", COP_TEXT(entry->reason), REASON_ROOM);
    }
    put_fields(line, entry->fields);
}

size_t
copi_log_text(const cop_log_entry *entry, struct copi_log_shape shape, char out[COP_LOG_LINE + 1])
{
    struct copi_line line = {.at = out, .end = out + COP_LOG_LINE - TAIL, .is_json = shape.is_json};
    char pid[COPI_LABEL_SIZE] = "";
    if (entry->pid.id) {
        pid_in_words(entry->pid, pid, sizeof pid);
    }
    if (shape.has_priority) {
        char priority[sizeof "<7>"];
        (void)snprintf(priority, sizeof priority, "<%u>", ((unsigned)entry->level - 1) % 8);
        copi_line_put(&line, priority);
    }
    if (shape.is_json) {
        put_object(&line, entry, pid);
    } else {
        put_line(&line, entry, pid, shape.has_time);
    }
    line.end = out + COP_LOG_LINE;
    copi_line_put(&line, shape.is_json ? "}\n" : "\n");
    *line.at = '\0';
    return (size_t)(line.at - out);
}

size_t
cop_log_line(const cop_log_entry *entry, bool as_json, char *out, size_t size)
{
    char line[COP_LOG_LINE + 1];
    const struct copi_log_shape shape = {.is_json = as_json, .has_time = true};
    size_t length = copi_log_text(entry, shape, line);
    if (size == 0) {
        return 0;
    }
    length = length < size ? length : size - 1;
    memcpy(out, line, length);
    out[length] = '\0';
    return length;
}
