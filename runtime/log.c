/*
 * runtime/log.c - what a program has to say, and where it goes.
 *
 * Room: runtime/. Any thread, also one that is no process, and in the child of a fork.
 * Touch freely: the words of the environment. Ask first: what happens when a level is off: nothing.
 *
 * A line that nobody wants costs the inlined look at the threshold. The first look of all finds everything
 * on, comes here, and here the environment is looked at; until then nothing of the library has run.
 *
 *     cop_log, cop_logf, copi_report       is the level on? who speaks?
 *     copi_log                             log_limit: too many of them?
 *     copi_log_pass_on                     log_sink: a process that takes entries?
 *     copi_standard_error_write            or else standard error
 *
 * The library reports also where it holds a lock (a registry's partition, a socket). On this way only the
 * limit's and the timers' are taken, one after the other, and a message may be posted. The names' and a
 * record's are, too, for a program's own lines and for pids in fields.
 *
 * An entry and its text lie on the caller's stack. Nothing on this way can fail: what goes wrong (no memory, a
 * sink that is gone, too many) leads to standard error, or is counted and said.
 */
#include "runtime/log.h"

#include "runtime/inspect.h"
#include "runtime/log_limit.h"
#include "runtime/log_sink.h"
#include "runtime/process.h"
#include "runtime/recorder.h"
#include "runtime/standard_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NOT_SETTLED = UINT32_MAX >> 1,
    MESSAGE_SIZE = 1024,
    WORD_SHOWN = 40, /* of one that is none */
};
#define FLUSH COP_SEC(1)

/* Of type uint32_t, and read with a compiler's operation, because C++ reads it, too. */
uint32_t cop_log_threshold_ = NOT_SETTLED;

static struct {
    /* any thread, atomic; written before the threshold is settled */
    copi_atomic32 is_json, has_no_time;
    copi_atomic32 has_complained;
} shape;

/* ---------------------------------------------------------------- settings */

struct settings {
    cop_log_level level;
    unsigned limit;
    bool is_json, has_no_time;
    const char *unknown; /* the first word of the environment that is none; NULL: all are */
    size_t unknown_size;
};

static bool
is_word(const char *word, size_t size, const char *known)
{
    return strlen(known) == size && strncmp(word, known, size) == 0;
}

/* false: it is none. */
static bool
take_word(struct settings *settings, const char *word, size_t size)
{
    for (cop_log_level level = COP_LOG_EMERGENCY; level <= COP_LOG_DEBUG; level++) {
        if (is_word(word, size, copi_log_level_in_words(level))) {
            settings->level = level;
            return true;
        }
    }
    if (is_word(word, size, "json") || is_word(word, size, "text")) {
        settings->is_json = word[0] == 'j';
    } else if (is_word(word, size, "all")) {
        settings->limit = COP_LOG_NO_LIMIT;
    } else if (is_word(word, size, "notime")) {
        settings->has_no_time = true;
    } else {
        return size == 0;
    }
    return true;
}

static void
take_environment(struct settings *settings)
{
    const char *at = secure_getenv("COPPICE_LOG"); /* NOLINT(concurrency-mt-unsafe): only read */
    while (at) {
        size_t size = strcspn(at, ",");
        if (!take_word(settings, at, size) && !settings->unknown) {
            settings->unknown = at;
            settings->unknown_size = size;
        }
        at = at[size] ? at + size + 1 : NULL;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): only read */
    copi_standard_error_journal(secure_getenv("JOURNAL_STREAM"));
}

static void
apply(const struct settings *settings)
{
    copi_log_limit_configure(settings->limit, 0);
    copi_store_relaxed_32(&shape.is_json, settings->is_json);
    copi_store_relaxed_32(&shape.has_no_time, settings->has_no_time);
}

/* Once in a program's life, whatever the level and wherever entries go: it is for who has set the words. The others
 * are used. */
static void
complain(const struct settings *settings)
{
    char message[MESSAGE_SIZE];
    if (!settings->unknown || copi_exchange_32(&shape.has_complained, 1)) {
        return;
    }
    (void)snprintf(message, sizeof message,
                   "COPPICE_LOG: there is no word \"%.*s\"; there are: emergency, alert, critical, "
                   "error, warning, notice, info, debug, json, text, notime, all",
                   (int)(settings->unknown_size < WORD_SHOWN ? settings->unknown_size : WORD_SHOWN),
                   settings->unknown);
    cop_log_entry entry = {.level = COP_LOG_WARNING, .message = message, .is_library = true};
    entry.time = copi_clock_wall();
    copi_log_to_standard_error(&entry);
}

/* Once, or by two threads at once, to the same effect; a level that was set meanwhile stays. */
static void
settle(void)
{
    if (__atomic_load_n(&cop_log_threshold_, __ATOMIC_ACQUIRE) != NOT_SETTLED) {
        return; /* pairs with the exchange below */
    }
    struct settings settings = {.level = COP_LOG_INFO};
    take_environment(&settings);
    apply(&settings);
    uint32_t expected = NOT_SETTLED;
    __atomic_compare_exchange_n(&cop_log_threshold_, &expected, settings.level, false,
                                __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    complain(&settings);
}

void
copi_log_configure(const cop_config *config)
{
    struct settings settings = {
        .level = config->log_level ? config->log_level : COP_LOG_INFO,
        .is_json = config->log_json,
        .limit = config->log_limit,
    };
    take_environment(&settings);
    apply(&settings);
    __atomic_store_n(&cop_log_threshold_, settings.level, __ATOMIC_RELEASE);
    complain(&settings);
}

cop_log_level
cop_log_set_level(cop_log_level level)
{
    settle();
    return __atomic_exchange_n(&cop_log_threshold_, level, __ATOMIC_ACQ_REL);
}

bool
copi_log_settled_is_on(cop_log_level level)
{
    settle();
    return cop_log_is_on(level);
}

/* ---------------------------------------------------------------- the way of an entry */

void
copi_log_to_standard_error(const cop_log_entry *entry)
{
    copi_standard_error_write(entry, (struct copi_log_shape){
                                         .is_json = copi_load_relaxed_32(&shape.is_json),
                                         .has_time = !copi_load_relaxed_32(&shape.has_no_time),
                                     });
}

void
copi_log_pass_on(const cop_log_entry *entry)
{
    if (!copi_log_sink_take(entry)) {
        copi_log_to_standard_error(entry);
    }
}

void
copi_log_flush(cop_time deadline)
{
    cop_time soon = copi_deadline(FLUSH);
    copi_log_limit_tell();
    copi_log_sink_flush(deadline < soon ? deadline : soon);
}

bool
copi_log_begin(cop_log_entry *entry, const char *like)
{
    entry->time = copi_clock_wall();
    return !like || copi_log_admit(entry, like);
}

void
copi_log(cop_log_entry *entry, const char *like)
{
    int kept = errno;
    if (copi_log_begin(entry, like)) {
        copi_log_pass_on(entry);
    }
    errno = kept;
}

/* ---------------------------------------------------------------- public */

/* A thread that the library did not start, and that has neither name nor label, goes by the program's name. */
static void
say(cop_log_level level, const char *message, const cop_field *fields, const char *like)
{
    char actor[COPI_LABEL_ITSELF] = "";
    struct copi_process *self = copi_is_forked() ? NULL : copi_here.process;
    cop_log_entry entry = {
        .level = level,
        .pid = self ? self->pid : COP_NOBODY,
        .actor = actor,
        .message = message,
        .fields = fields,
    };
    if (self) {
        copi_label_itself(self, actor);
        if (!actor[0] && copi_is(self, COPI_IS_FOREIGN)) {
            entry.actor = program_invocation_short_name;
        }
    }
    if (level <= COP_LOG_ERROR) {
        copi_record_note(self, COP_RECORD_LOGGED, COP_NOBODY, 0, 0, message);
    }
    copi_log(&entry, like);
}

void
cop_log_write(cop_log_level level, const char *message, const cop_field *fields)
{
    if (copi_log_settled_is_on(level)) {
        say(level, message, fields, message);
    }
}

void
cop_log_format(cop_log_level level, const char *format, ...)
{
    if (copi_log_settled_is_on(level)) {
        char message[MESSAGE_SIZE];
        va_list arguments;
        va_start(arguments, format);
        copi_log_print(message, sizeof message, format, arguments);
        va_end(arguments);
        say(level, message, NULL, format);
    }
}
