/*
 * coppice/log.h - what a program has to say to whoever runs it: one line for one thing.
 *
 *     cop_log(COP_LOG_WARNING, "disk is almost full", COP_KV("path", path), COP_KV("free", bytes));
 *
 *     2026-11-21T20:05:01.123Z store<7.1>: warning: disk is almost full path=/var/lib/kv free=4096
 *
 * Lines go to standard error, each in one write. The program's own begin with the actor that speaks, the
 * library's with "coppice". The time is left out where the reader adds one: under systemd's journal, which gets
 * the level by its prefix "<4>" instead. Values are quoted where they need to be, line ends and control
 * characters are escaped, so that one entry is one line; what is very long is cut, and says so. A line
 * holds at most COP_LOG_LINE bytes.
 *
 * As JSON, an entry is an object with the members time, level, actor, pid, message and its fields.
 *
 * The environment has the last word on how it begins, for whoever runs the program and did not write it:
 * COPPICE_LOG holds words with commas between them: a level (COPPICE_LOG=debug), "json" or "text", "notime",
 * and "all", which lifts the limit below. A word that is none of these is named on standard error, once, and
 * the others are used.
 *
 * The same message of the same actor is written 100 times in five seconds at most, or as cop_config says. What
 * is withheld is counted, and the count is said when the five seconds are over.
 *
 * Logging never fails, never ends the calling process, waits for no actor, and leaves errno and cop_why
 * alone. It works from any thread, from deferred calls, drop functions and terminate. A standard error
 * that is closed costs the line; one that is full is waited for, a tenth of a second; then lines are lost until
 * there is room again, and their number is said.
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_LOG_H
#define COPPICE_LOG_H

#include <coppice/message.h>
#include <coppice/reason.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    COP_LOG_LINE = 4096
};
#define COP_LOG_NO_LIMIT ((unsigned)-1) /* cop_config.log_limit */

/* Those of syslog, from the most serious; Logger's levels. A syslog number is one less. */
typedef enum cop_log_level {
    COP_LOG_EMERGENCY = 1,
    COP_LOG_ALERT,
    COP_LOG_CRITICAL,
    COP_LOG_ERROR,   /* crash reports, and most of a supervisor's */
    COP_LOG_WARNING, /* what the library could not do as it should */
    COP_LOG_NOTICE,  /* what somebody has asked to see */
    COP_LOG_INFO,
    COP_LOG_DEBUG, /* and progress reports: each child of a supervisor that has started */
} cop_log_level;

/* Whether a line of that level is written. A nanosecond: one relaxed load. */
extern COP_API uint32_t cop_log_threshold_; /* not for use */
static inline bool
cop_log_is_on(cop_log_level level)
{
    return (uint32_t)level <= __atomic_load_n(&cop_log_threshold_, __ATOMIC_RELAXED);
}

/*
 * Write lines of this level and of more serious ones from now on; Logger.configure(level: ...). What is less
 * serious costs a nanosecond, and its arguments are not evaluated. With COP_LOG_CRITICAL there are no
 * reports of crashes. Returns what it was.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API cop_log_level cop_log_set_level(cop_log_level level);

/* ---------------------------------------------------------------- fields */

typedef enum cop_field_kind {
    COP_FIELD_END, /* the last of an array */
    COP_FIELD_INTEGER,
    COP_FIELD_UNSIGNED,
    COP_FIELD_REAL,
    COP_FIELD_BOOL,
    COP_FIELD_TEXT,
    COP_FIELD_DURATION, /* "1.5ms"; as JSON a number, of seconds */
    COP_FIELD_PID,      /* by its name, or "label<7.1>" */
    COP_FIELD_REASON,   /* as cop_reason_string */
} cop_field_kind;

/* Text is borrowed; text.data NULL is "(null)". */
typedef struct cop_field {
    const char *key;
    cop_field_kind kind;
    union {
        int64_t integer;
        uint64_t number;
        double real;
        bool truth;
        cop_bytes text;
        cop_time duration;
        cop_pid pid;
        cop_reason reason;
    } as;
} cop_field;

#define COP_FIELD_(name, type, kind_, member)              \
 static inline cop_field name(const char *key, type value) \
 {                                                         \
  cop_field field;                                         \
  field.key = key;                                         \
  field.kind = kind_;                                      \
  field.as.member = value;                                 \
  return field;                                            \
 }
COP_FIELD_(cop_field_integer, int64_t, COP_FIELD_INTEGER, integer)
COP_FIELD_(cop_field_unsigned, uint64_t, COP_FIELD_UNSIGNED, number)
COP_FIELD_(cop_field_real, double, COP_FIELD_REAL, real)
COP_FIELD_(cop_field_bool, bool, COP_FIELD_BOOL, truth)
COP_FIELD_(cop_field_bytes, cop_bytes, COP_FIELD_TEXT, text)
COP_FIELD_(cop_field_duration, cop_time, COP_FIELD_DURATION, duration)
COP_FIELD_(cop_field_pid, cop_pid, COP_FIELD_PID, pid)
COP_FIELD_(cop_field_reason, cop_reason, COP_FIELD_REASON, reason)
#undef COP_FIELD_
static inline cop_field
cop_field_float(const char *key, float value)
{
    return cop_field_real(key, (double)value);
}
static inline cop_field
cop_field_text(const char *key, const char *value)
{
    cop_bytes text = {value, value ? strlen(value) : 0};
    return cop_field_bytes(key, text);
}
static inline cop_field
cop_field_reason_at(const char *key, const cop_reason *value)
{
    return cop_field_reason(key, *value);
}
static inline cop_field
cop_field_end_(void)
{
    cop_field field;
    field.key = NULL;
    field.kind = COP_FIELD_END;
    return field;
}

/*
 * A field of an entry: numbers of any type, bool, strings, cop_bytes (as text), cop_pid, cop_reason or a
 * pointer to one. A key is a word; what would not do as one is replaced by '_'. Durations are numbers in C, so
 * they have a macro of their own.
 */
#define COP_KV(key, ...) \
 _Generic((__VA_ARGS__),                             \
     bool: cop_field_bool,                       \
     char: cop_field_integer,                    \
     signed char: cop_field_integer,             \
     short: cop_field_integer,                   \
     int: cop_field_integer,                     \
     long: cop_field_integer,                    \
     long long: cop_field_integer,               \
     unsigned char: cop_field_unsigned,          \
     unsigned short: cop_field_unsigned,         \
     unsigned: cop_field_unsigned,               \
     unsigned long: cop_field_unsigned,          \
     unsigned long long: cop_field_unsigned,     \
     float: cop_field_float,                     \
     double: cop_field_real,                     \
     char *: cop_field_text,                     \
     const char *: cop_field_text,               \
     cop_bytes: cop_field_bytes,                 \
     cop_pid: cop_field_pid,                     \
     cop_reason: cop_field_reason,               \
     cop_reason *: cop_field_reason_at,          \
     const cop_reason *: cop_field_reason_at)((key), (__VA_ARGS__))
#define COP_KV_TIME(key, duration) cop_field_duration((key), (duration))

/* ---------------------------------------------------------------- writing */

/*
 * cop_log(level, message, fields...): say it, if the level is on; Logger.log. Nothing else is evaluated if it
 * is not; the level is, twice.
 *
 *   message   what happened, always in the same words: what varies belongs into fields
 *
 * Threads: any.  Does not block, but for a full standard error.  Exit point: no.
 */
#define cop_log(level, ...) COP_LOG_(level, __VA_ARGS__, cop_field_end_())
#define COP_LOG_(level, message, ...)                                                        \
 (cop_log_is_on(level) ? cop_log_write((level), (message), (const cop_field[]){__VA_ARGS__}) \
                       : (void)0)

/* The same with a formatted message and no fields. The format, not the text, is what is limited. */
#define cop_logf(level, ...) (cop_log_is_on(level) ? cop_log_format((level), __VA_ARGS__) : (void)0)

/* What the macros call, with all that holds for them. `fields` ends with a COP_FIELD_END; NULL: none. */
COP_API void cop_log_write(cop_log_level level, const char *message, const cop_field *fields);
COP_API void cop_log_format(cop_log_level level, const char *format, ...) COP_PRINTF(2, 3);

/* ---------------------------------------------------------------- another place for lines */

/* An entry, as a sink gets it. All of it is borrowed from the message. */
typedef struct cop_log_entry {
    cop_log_level level;
    cop_time time;     /* since 1970, UTC */
    cop_pid pid;       /* who speaks; of a report, who it is about; COP_NOBODY: no process */
    const char *actor; /* its name, or else its label; may be empty */
    const char *message;
    const char *reason;      /* of a report; NULL: none */
    const cop_field *fields; /* ends with a COP_FIELD_END; pids and reasons have become text */
    bool is_library;         /* the library speaks, and not the program */
} cop_log_entry;
#define COP_MSG_LOG 0xffff0005u /* cop_log_entry */

/*
 * Send entries to a process from now on, as messages with the tag COP_MSG_LOG; a handler of :logger.
 * Usually a server that is the first child of the tree, so that it is stopped last, and that says so in its
 * init: cop_log_to(cop_self()). It may be restarted; a name is looked up for each entry.
 *
 * Nothing is lost with the sink: entries go to standard error while it is not there, and so does what it has
 * not handled when it ends, what it logs itself, and what no memory is left to send. It may be 4,000
 * entries behind; more are dropped, and their number is said. cop_shutdown gives it a second for what was
 * logged before.
 *
 *   sink   COP_NOBODY: standard error again
 *
 * -ESRCH   it has ended (a name that nobody has yet: 0)
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_log_to(cop_pid sink);

/*
 * An entry as a line, with its '\n', as standard error would get it, with the time.
 *
 *   out, size   where it goes, terminated; COP_LOG_LINE + 1 bytes are enough. What does not fit is cut.
 *
 * Returns the line's length.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API size_t cop_log_line(const cop_log_entry *entry, bool as_json, char *out, size_t size);

#ifdef __cplusplus
}
#endif
#endif
