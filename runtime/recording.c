/*
 * runtime/recording.c - how the records of a flight recorder's file are read, and what they say.
 *
 * Room: runtime/. Arithmetic and words only: no clock, no file, no lock. Any thread.
 * Touch freely: the words. Ask first: the layout (recording.h).
 *
 * It believes nothing: the words of a record may come from a file that something has damaged. A number that
 * does not fit makes the record no record.
 */
#include "runtime/recording.h"

#include "runtime/fault.h"

#include <coppice/base.h>

#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct copi_recording_record) == 32, "four words");
_Static_assert(sizeof(struct copi_ring) == 256, "a multiple of a line of the cache");

/* ---------------------------------------------------------------- time */

static double
guess(const struct copi_recording_head *head)
{
    return head->ticks_in_a_second ? 1e9 / (double)head->ticks_in_a_second : 1.0;
}

/* From the beginning to then; 0: that cannot be told. */
static double
pace(const struct copi_recording_head *head, uint64_t ticks, int64_t time)
{
    return ticks > head->ticks && time > head->time
               ? (double)(time - head->time) / (double)(ticks - head->ticks)
               : 0.0;
}

bool
copi_recording_is_anchor(const struct copi_recording_head *head, uint64_t ticks, int64_t time)
{
    double measured = pace(head, ticks, time);
    return measured > 0.9 * guess(head) && measured < 1.1 * guess(head);
}

struct copi_recording_clock
copi_recording_clock_of(const struct copi_recording_head *head, uint64_t ticks, int64_t time)
{
    bool is_anchor = copi_recording_is_anchor(head, ticks, time);
    return (struct copi_recording_clock){
        .ticks = head->ticks,
        .time = head->time,
        .nanoseconds = is_anchor ? pace(head, ticks, time) : guess(head),
    };
}

/* A record may have been made a moment before the clock was read first. */
int64_t
copi_recording_time(const struct copi_recording_clock *clock, uint64_t ticks)
{
    double past =
        ticks >= clock->ticks ? (double)(ticks - clock->ticks) : -(double)(clock->ticks - ticks);
    double time = (double)clock->time + past * clock->nanoseconds;
    return time >= (double)COPI_RECORDING_LATEST ? COPI_RECORDING_LATEST
           : time < 0                            ? 0
                      : clock->time + (int64_t)(past * clock->nanoseconds);
}

static cop_time
duration(const struct copi_recording_clock *clock, uint32_t took)
{
    const double unit = (double)(1 << COPI_RECORD_TOOK_SHIFT);
    return took == COPI_RECORD_OPEN ? -1
                                    : (cop_time)((double)(took - 1) * unit * clock->nanoseconds);
}

/* ---------------------------------------------------------------- one record */

static unsigned
kind_of(const uint64_t words[4])
{
    return (unsigned)(words[2] >> 56);
}

static bool
fetch(const struct copi_recording_source *source, uint64_t number, uint64_t words[4])
{
    return source->fetch(source->env, number, words)
           && (words[2] >> 32 & 0xffffff) == (number & 0xffffff);
}

static void
add_text(cop_record *record, const uint64_t words[4])
{
    const uint64_t parts[] = {words[0], words[1], words[3]};
    char text[COPI_RECORD_TEXT_BYTES];
    memcpy(text, parts, sizeof text);
    size_t used = strnlen(record->text, sizeof record->text);
    size_t room = sizeof record->text - 1 - used;
    size_t length = strnlen(text, sizeof text);
    memcpy(record->text + used, text, length < room ? length : room);
}

static void
set_word(const struct copi_recording_source *source, cop_record *record)
{
    if (record->kind == COP_RECORD_WAIT) {
        size_t at = (size_t)record->tag * COPI_RECORDING_WORD_SIZE;
        const char *word = record->tag < COPI_RECORDING_WORDS ? source->words + at : "";
        memcpy(record->text, word, strnlen(word, COPI_RECORDING_WORD_SIZE));
        record->tag = 0;
    }
}

static void
decode(const struct copi_recording_source *source, const uint64_t words[4], cop_record *out)
{
    memset(out, 0, sizeof *out);
    out->kind = (cop_record_kind)kind_of(words);
    out->when = copi_recording_time(&source->clock, words[0]);
    out->other = (cop_pid){words[1]};
    out->tag = (uint32_t)words[2];
    out->took = duration(&source->clock, (uint32_t)words[3]);
    out->code = (int32_t)(words[3] >> 32);
    set_word(source, out);
}

static bool
is_record(const uint64_t words[4])
{
    return kind_of(words) >= COP_RECORD_STARTED && kind_of(words) <= COP_RECORD_LOGGED;
}

/* ---------------------------------------------------------------- many */

static uint64_t
oldest(const struct copi_recording_source *source)
{
    uint64_t whole = source->records - 1;
    return source->written > whole ? source->written - whole : 0;
}

/* The number from which on there are `capacity` records, or fewer if there are no more. */
static uint64_t
first_of(const struct copi_recording_source *source, size_t capacity)
{
    uint64_t words[4], number = source->written;
    for (size_t found = 0; number > oldest(source) && found < capacity; number--) {
        found += fetch(source, number - 1, words) && is_record(words);
    }
    return number;
}

static bool
is_in_hand(const cop_record *record)
{
    return record->kind >= COP_RECORD_MESSAGE && record->kind <= COP_RECORD_SYSTEM;
}

/* Of two that it had in hand one after the other, the first was over when the second began. */
static void
infer_durations(cop_record *records, size_t count)
{
    cop_record *last = NULL;
    for (size_t i = 0; i < count; i++) {
        if (is_in_hand(&records[i])) {
            if (last && last->took < 0 && records[i].when >= last->when) {
                last->took = records[i].when - last->when;
            }
            last = &records[i];
        }
    }
}

size_t
copi_recording_read(const struct copi_recording_source *source, cop_record *out, size_t capacity)
{
    if (source->records < 2) {
        return 0;
    }
    size_t count = 0;
    bool goes_on = false; /* the one before was whole, so a text is its */
    for (uint64_t number = first_of(source, capacity); number < source->written; number++) {
        uint64_t words[4];
        if (!fetch(source, number, words)) {
            goes_on = false;
        } else if (kind_of(words) == COPI_RECORD_TEXT && goes_on) {
            add_text(&out[count - 1], words);
        } else if ((goes_on = is_record(words) && count < capacity)) {
            decode(source, words, &out[count++]);
        }
    }
    infer_durations(out, count);
    return count;
}

/* ---------------------------------------------------------------- words */

const char *
copi_duration_in_words(cop_time time, char out[COPI_DURATION_SIZE])
{
    double seconds = (double)time / (double)COP_SEC(1);
    if (time < COP_MS(1)) {
        (void)snprintf(out, COPI_DURATION_SIZE, "%.0f us", seconds * 1e6);
    } else if (time < COP_SEC(1)) {
        (void)snprintf(out, COPI_DURATION_SIZE, "%.1f ms", seconds * 1e3);
    } else {
        (void)snprintf(out, COPI_DURATION_SIZE, "%.1f s", seconds);
    }
    return out;
}

static const char *
verdict_in_words(int verdict)
{
    switch ((cop_verdict)verdict) {
    case COP_VERDICT_NONE:
        return "";
    case COP_VERDICT_NOREPLY:
        return ": noreply";
    case COP_VERDICT_REPLY:
        return ": reply";
    case COP_VERDICT_CONTINUE:
        return ": continue";
    case COP_VERDICT_STOP:
        return ": stop";
    }
    return "";
}

static const char *
reason_in_words(const cop_record *record, char *out, size_t size)
{
    cop_reason reason = {.kind = (cop_exit_kind)record->tag, .code = record->code};
    memcpy(reason.text, record->text, sizeof record->text);
    return record->tag <= COP_NOPROC ? cop_reason_string(reason, out, size) : "?";
}

struct names {
    const char *other, *tag;
};

/* What was received: "call deposit from client: reply". */
static void
say_message(const cop_record *record, const struct names *names, char *out, size_t size)
{
    static const char *const whats[] = {
        [COP_RECORD_MESSAGE] = "message",   [COP_RECORD_CALL] = "call",
        [COP_RECORD_CAST] = "cast",         [COP_RECORD_INFO] = "info",
        [COP_RECORD_CONTINUE] = "continue",
    };
    bool is_sent = record->other.id != 0;
    (void)snprintf(out, size, "%s %s%s%s%s", whats[record->kind], names->tag,
                   is_sent ? " from " : "", is_sent ? names->other : "",
                   verdict_in_words(record->code));
}

/* What a supervisor has decided: "child db <7.1> ended". */
static void
say_child(const cop_record *record, const struct names *names, char *out, size_t size)
{
    static const char *const whats[] = {
        [COP_RECORD_CHILD_ENDED] = "ended",
        [COP_RECORD_CHILD_RESTARTS] = "is to be restarted",
        [COP_RECORD_START_FAILED] = "did not start",
        [COP_RECORD_STOP_FAILED] = "did not stop as asked",
        [COP_RECORD_GAVE_UP] = "was restarted too often, giving up",
    };
    bool is_known = record->other.id != 0;
    (void)snprintf(out, size, "child %s%s%s %s", record->text, is_known ? " " : "",
                   is_known ? names->other : "", whats[record->kind]);
}

/* What has a reason, or a code that says why. */
static void
say_why(const cop_record *record, const struct names *names, char *out, size_t size)
{
    char words[sizeof((cop_reason *)0)->text];
    if (record->kind == COP_RECORD_CALL_FAILED) {
        (void)snprintf(out, size, "its call %s to %s failed: %s", names->tag, names->other,
                       cop_strerror(record->code));
    } else if (record->kind == COP_RECORD_SIGNAL) {
        (void)snprintf(out, size, "exit signal from %s: %s", names->other,
                       reason_in_words(record, words, sizeof words));
    } else {
        (void)snprintf(out, size, "ends: %s", reason_in_words(record, words, sizeof words));
    }
}

/* "started by root"; "waits in call for db". */
static void
say_with_whom(const cop_record *record, const struct names *names, char *out, size_t size)
{
    bool is_wait = record->kind == COP_RECORD_WAIT, is_known = record->other.id != 0;
    const char *preposition = is_wait ? " for " : " by ";
    (void)snprintf(out, size, "%s%s%s%s", is_wait ? "waits in " : "started",
                   is_wait ? record->text : "", is_known ? preposition : "",
                   is_known ? names->other : "");
}

/* Each of these is alone in what it has. */
static void
say_single(const cop_record *record, const struct names *names, char *out, size_t size)
{
    switch (record->kind) {
    case COP_RECORD_TIMEOUT:
        (void)snprintf(out, size, "timeout%s", verdict_in_words(record->code));
        return;
    case COP_RECORD_STOP:
        (void)snprintf(out, size, "asked to stop by %s", names->other);
        return;
    case COP_RECORD_SYSTEM:
        (void)snprintf(out, size, "system request from %s", names->other);
        return;
    case COP_RECORD_FAULT:
        (void)snprintf(out, size, "fault: %s", copi_fault_name(record->code));
        return;
    case COP_RECORD_LONG_MAILBOX:
        (void)snprintf(out, size, "the mailbox of %s holds %u messages or more", names->other,
                       record->tag);
        return;
    default:
        (void)snprintf(out, size, "error: %s", record->text);
        return;
    }
}

static void
say(const cop_record *record, const struct names *names, char *out, size_t size)
{
    switch (record->kind) {
    case COP_RECORD_MESSAGE:
    case COP_RECORD_CALL:
    case COP_RECORD_CAST:
    case COP_RECORD_INFO:
    case COP_RECORD_CONTINUE:
        say_message(record, names, out, size);
        return;
    case COP_RECORD_CHILD_ENDED:
    case COP_RECORD_CHILD_RESTARTS:
    case COP_RECORD_START_FAILED:
    case COP_RECORD_STOP_FAILED:
    case COP_RECORD_GAVE_UP:
        say_child(record, names, out, size);
        return;
    case COP_RECORD_CALL_FAILED:
    case COP_RECORD_SIGNAL:
    case COP_RECORD_EXIT:
        say_why(record, names, out, size);
        return;
    case COP_RECORD_STARTED:
    case COP_RECORD_WAIT:
        say_with_whom(record, names, out, size);
        return;
    case COP_RECORD_TIMEOUT:
    case COP_RECORD_STOP:
    case COP_RECORD_SYSTEM:
    case COP_RECORD_FAULT:
    case COP_RECORD_LONG_MAILBOX:
    case COP_RECORD_LOGGED:
        say_single(record, names, out, size);
        return;
    }
    (void)snprintf(out, size, "?");
}

static void
say_duration(const cop_record *record, char *out, size_t size)
{
    size_t used = strnlen(out, size);
    if (record->took >= 0 && used < size) {
        char took[COPI_DURATION_SIZE];
        (void)snprintf(out + used, size - used, ", %s", copi_duration_in_words(record->took, took));
    }
}

const char *
copi_recording_string(const cop_record *record, const char *other, const char *tag, char *out,
                      size_t size)
{
    if (size > 0) {
        say(record, &(struct names){other, tag}, out, size);
        say_duration(record, out, size);
    }
    return out;
}
