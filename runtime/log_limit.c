/*
 * runtime/log_limit.c - how many lines of one kind are too many.
 *
 * Room: runtime/. Any thread.
 * Touch freely: the figures. Ask first: what a kind is.
 *
 * For whoever reads at three in the morning: what floods must not hide what does not. So lines are counted
 * by kind, which is the words that they always have, the actor that speaks, and the level. By the words
 * alone, an actor in a loop would silence the same words of others; by the actor alone, a flood of one thing
 * everything else that it has to say.
 *
 * A kind has a span of five seconds, which begins with its first line. Those past the limit are counted,
 * and the first of them is kept, to be shown. When the span is over, the count is said and a new span
 * begins: by the next line of the kind, or by a timer, which the first line that is withheld sets, as a
 * flood may simply end. Whoever comes first takes the count.
 *
 * The table is small, and a kind lies in one of a few places. A place is free again when its span is over and
 * nothing of it is unsaid. Who finds none is not limited: so many kinds in five seconds are no flood of
 * one. The lock is held for a few instructions, and nothing is said under it.
 */
#include "runtime/log_limit.h"

#include "runtime/library.h"
#include "runtime/log.h"
#include "runtime/set.h"
#include "runtime/thread.h"
#include "runtime/timer.h"

#include <limits.h>
#include <stdio.h>

enum {
    USUAL = 100, /* lines */
    KINDS = 128,
    PLACES = 4,
};
#define USUAL_SPAN COP_SEC(5)

/* What is said of lines that were withheld. */
struct note {
    uint32_t withheld;
    cop_log_level level;
    char message[96], actor[64]; /* of the first of them; an actor's name fits */
};

struct kind {
    uint64_t key; /* 0: nobody's */
    cop_time since;
    uint32_t written;
    struct note note;
};

static struct {
    copi_atomic32 most;
    copi_atomic64 span;
    copi_lock lock;
    /* guarded by lock */
    struct kind kinds[KINDS];
} limit = {.most = USUAL, .span = USUAL_SPAN, .lock = COPI_LOCK_INIT};

void
copi_log_limit_configure(unsigned lines, cop_time span)
{
    copi_store_relaxed_64(&limit.span, (uint64_t)(span ? span : USUAL_SPAN));
    copi_store_relaxed_32(&limit.most, lines ? lines : USUAL);
}

/* ---------------------------------------------------------------- kinds */

static uint64_t
key_of(const cop_log_entry *entry, const char *like)
{
    uint64_t words = copi_hash(COP_TEXT(like), (uint64_t)entry->level);
    uint64_t key = copi_hash(COP_TEXT(entry->actor ? entry->actor : ""), words);
    return key ? key : 1;
}

static cop_time
span(void)
{
    return (cop_time)copi_load_relaxed_64(&limit.span);
}

static bool
is_over(const struct kind *kind, cop_time now)
{
    return now - kind->since >= span();
}

/* Its place, or a free one for it; NULL: there is none. */
static struct kind *
find_locked(uint64_t key, cop_time now)
{
    struct kind *free_place = NULL;
    for (uint64_t i = 0; i < PLACES; i++) {
        struct kind *kind = &limit.kinds[(key + i) % KINDS];
        if (kind->key == key) {
            return kind;
        }
        bool is_free = kind->key == 0 || (is_over(kind, now) && kind->note.withheld == 0);
        free_place = free_place ? free_place : is_free ? kind : NULL;
    }
    if (free_place) {
        *free_place = (struct kind){.key = key, .since = now};
    }
    return free_place;
}

/* A new span; what is unsaid of the last one goes to *note. */
static void
begin_locked(struct kind *kind, cop_time now, struct note *note)
{
    *note = kind->note;
    kind->note.withheld = 0;
    kind->since = now;
    kind->written = 0;
}

static void
withhold_locked(struct kind *kind, const cop_log_entry *entry)
{
    struct note *note = &kind->note;
    if (note->withheld++ == 0) {
        note->level = entry->level;
        (void)snprintf(note->message, sizeof note->message, "%s", entry->message);
        (void)snprintf(note->actor, sizeof note->actor, "%s", entry->actor ? entry->actor : "");
    }
}

/* ---------------------------------------------------------------- saying it */

static void
tell(const struct note *note)
{
    const bool has_actor = note->actor[0] != '\0';
    const cop_field fields[] = {
        cop_field_unsigned("lines", note->withheld),
        cop_field_text("like", note->message),
        has_actor ? cop_field_text("of", note->actor) : cop_field_end_(),
        cop_field_end_(),
    };
    const cop_log_entry entry = {
        .level = note->level,
        .time = copi_clock_wall(),
        .message = "more lines were withheld",
        .fields = fields,
        .is_library = true,
    };
    copi_log_pass_on(&entry);
}

/* One whose count is to be said: all are, or those whose span is over. */
static bool
take_note(struct note *note, bool all, cop_time now)
{
    bool found = false;
    copi_lock_take(&limit.lock);
    for (size_t i = 0; i < KINDS && !found; i++) {
        struct kind *kind = &limit.kinds[i];
        if (kind->note.withheld > 0 && (all || is_over(kind, now))) {
            begin_locked(kind, now, note);
            found = true;
        }
    }
    copi_lock_give(&limit.lock);
    return found;
}

static void
tell_what_is_over(uint64_t unused)
{
    (void)unused;
    struct note note;
    while (take_note(&note, false, copi_clock())) {
        tell(&note);
    }
}

void
copi_log_limit_tell(void)
{
    struct note note;
    while (take_note(&note, true, copi_clock())) {
        tell(&note);
    }
}

bool
copi_log_would_admit(const cop_log_entry *entry, const char *like)
{
    uint32_t most = copi_load_relaxed_32(&limit.most);
    if (most == COP_LOG_NO_LIMIT || copi_is_forked()) {
        return true;
    }
    cop_time now = copi_clock();
    copi_lock_take(&limit.lock);
    const struct kind *kind = find_locked(key_of(entry, like), now);
    bool would = !kind || is_over(kind, now) || kind->written < most;
    copi_lock_give(&limit.lock);
    return would;
}

bool
copi_log_admit(const cop_log_entry *entry, const char *like)
{
    uint32_t most = copi_load_relaxed_32(&limit.most);
    if (most == COP_LOG_NO_LIMIT || copi_is_forked()) {
        return true;
    }
    cop_time now = copi_clock(), until = 0;
    struct note note = {0};
    bool is_admitted = true;
    copi_lock_take(&limit.lock);
    struct kind *kind = find_locked(key_of(entry, like), now);
    if (kind && is_over(kind, now)) {
        begin_locked(kind, now, &note);
    }
    if (kind && kind->written++ >= most) {
        withhold_locked(kind, entry);
        until = kind->note.withheld == 1 ? kind->since + span() : 0;
        is_admitted = false;
    }
    copi_lock_give(&limit.lock);
    if (note.withheld > 0) {
        tell(&note);
    }
    if (until > 0) { /* without a timer, the next line of the kind says it */
        copi_library_begin();
        (void)copi_timer_call(until, tell_what_is_over, 0);
    }
    return is_admitted;
}
