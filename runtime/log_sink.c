/*
 * runtime/log_sink.c - a process that takes the log's entries.
 *
 * Room: runtime/. Any thread.
 * Touch freely: how far behind a sink may be. Ask first: who is answerable for an entry.
 *
 * Whoever logs packs the entry into one block and posts it; he never waits. From then on the block is
 * answerable for the entry, by its drop function, which runs once, whatever becomes of the message:
 *
 *   handled            the sink lives, and has let the message go: nothing is left to do
 *   left unhandled     the sink has ended, and nobody finds it any more: the entry goes to standard error
 *
 * so an entry that ends its sink is seen, and a sink's own crash report, too: it is written while the sink
 * is there, but by the sink, and what the sink says itself never comes back to it.
 *
 * `behind` counts the blocks that are not dropped yet. It is added to before a message is posted, and that is
 * the bound: past it, entries are dropped and counted, and standard error is told at once, the sink when
 * it has caught up by half. The counters order nothing: the entries are published by the mailbox.
 *
 * A thread that is no process has no pool of messages, so it becomes one; but not for a line of the
 * library's, which may tell of just that not being possible.
 */
#include "runtime/log_sink.h"

#include "runtime/alloc.h"
#include "runtime/log.h"
#include "runtime/log_text.h"
#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/send.h"
#include "runtime/table.h"

#include <stdlib.h>

enum {
    MOST_BEHIND = 4000,
    LONGEST_TEXT = COP_LOG_LINE, /* a line shows less */
};

static struct {
    /* any thread, atomic */
    copi_atomic64 pid;
    copi_atomic64 behind, lost;
} sink;

/* ---------------------------------------------------------------- blocks */

struct block {
    cop_log_entry entry; /* first: the message's body */
    cop_pid to;
    cop_field fields[];
};

static void
let_go(void *data)
{
    struct block *block = data;
    if (!copi_table_find(block->to)) {
        copi_log_to_standard_error(&block->entry);
    }
    free(block);
    copi_fetch_add_64(&sink.behind, (uint64_t)-1);
}

static size_t
count_fields(const cop_field *field)
{
    size_t count = 0;
    while (field && field[count].kind != COP_FIELD_END) {
        count++;
    }
    return count;
}

static size_t
room_for(const char *text)
{
    return text ? strnlen(text, LONGEST_TEXT) + 1 : 0;
}

static size_t
room_for_field(const cop_field *field)
{
    char words[COPI_FIELD_WORDS];
    cop_field shown = copi_log_field_in_words(field, words);
    size_t size = shown.kind == COP_FIELD_TEXT ? shown.as.text.size : 0;
    return room_for(field->key) + (size < LONGEST_TEXT ? size : LONGEST_TEXT) + 1;
}

static const char *
keep(char **at, const char *text, size_t size)
{
    char *kept = *at;
    memcpy(kept, text, size);
    kept[size] = '\0';
    *at += size + 1;
    return kept;
}

static const char *
keep_text(char **at, const char *text)
{
    return text ? keep(at, text, strnlen(text, LONGEST_TEXT)) : NULL;
}

/* In words, as names may have ended when somebody looks. A name that changes between the two looks may
 * be longer: it gets the room that there was. */
static cop_field
keep_field(char **at, const char *end, const cop_field *field)
{
    char words[COPI_FIELD_WORDS];
    cop_field kept = copi_log_field_in_words(field, words);
    kept.key = keep_text(at, field->key);
    if (kept.kind == COP_FIELD_TEXT) {
        size_t room = (size_t)(end - *at) - 1, size = kept.as.text.size;
        size = size < LONGEST_TEXT ? size : LONGEST_TEXT;
        size = size < room ? size : room;
        kept.as.text = (cop_bytes){keep(at, kept.as.text.data, size), size};
    }
    return kept;
}

static struct block *
pack(const cop_log_entry *entry, cop_pid to)
{
    size_t count = count_fields(entry->fields);
    size_t size = sizeof(struct block) + (count + 1) * sizeof(cop_field) + room_for(entry->actor)
                  + room_for(entry->message) + room_for(entry->reason);
    for (size_t i = 0; i < count; i++) {
        size += room_for_field(&entry->fields[i]);
    }
    struct block *block = copi_alloc(size);
    if (!block) {
        return NULL;
    }
    char *at = (char *)&block->fields[count + 1];
    const char *end = (char *)block + size;
    block->entry = *entry;
    block->to = to;
    block->entry.actor = keep_text(&at, entry->actor);
    block->entry.message = keep_text(&at, entry->message);
    block->entry.reason = keep_text(&at, entry->reason);
    block->entry.fields = block->fields;
    for (size_t i = 0; i < count; i++) {
        const char *behind_it = at + room_for_field(&entry->fields[i]);
        block->fields[i] = keep_field(&at, behind_it < end ? behind_it : end, &entry->fields[i]);
    }
    block->fields[count] = cop_field_end_();
    return block;
}

/* ---------------------------------------------------------------- sending */

/* false: no memory, and nothing was sent. */
static bool
post(const cop_log_entry *entry, cop_pid to)
{
    struct block *block = pack(entry, to);
    struct copi_message *message = NULL;
    if (block) {
        message = copi_message_lent(COPI_SEND, COP_MSG_LOG,
                                    (struct copi_outside){block, sizeof(cop_log_entry), let_go});
    }
    if (!message) {
        free(block);
        return false;
    }
    message->from = copi_here.process ? copi_here.process->pid : COP_NOBODY;
    copi_fetch_add_64(&sink.behind, 1);
    copi_post(to, message);
    return true;
}

static cop_log_entry
loss(const char *message, const cop_field *fields)
{
    return (cop_log_entry){.level = COP_LOG_WARNING,
                           .time = copi_clock_wall(),
                           .message = message,
                           .fields = fields,
                           .is_library = true};
}

static void
drop_entry(void)
{
    if (copi_fetch_add_64(&sink.lost, 1) == 0) {
        cop_log_entry entry = loss("the log's sink is behind: entries are dropped", NULL);
        copi_log_to_standard_error(&entry);
    }
}

static void
tell_lost(cop_pid to)
{
    uint64_t lost = copi_exchange_64(&sink.lost, 0);
    const cop_field fields[] = {cop_field_unsigned("entries", lost), cop_field_end_()};
    cop_log_entry entry = loss("entries were dropped: the log's sink was behind", fields);
    if (lost > 0 && !post(&entry, to)) {
        copi_log_to_standard_error(&entry);
    }
}

static bool
has_pool(const cop_log_entry *entry)
{
    struct copi_process *self;
    return copi_here.process || copi_here.thread || copi_here.is_library
           || (!entry->is_library && copi_enter(&self) == 0);
}

bool
copi_log_sink_take(const cop_log_entry *entry)
{
    cop_pid named = {copi_load_relaxed_64(&sink.pid)};
    if (named.id == 0 || copi_is_forked()) {
        return false;
    }
    cop_pid to = copi_resolve(named);
    struct copi_process *process = copi_table_find(to);
    if (!process || process == copi_here.process || !has_pool(entry)) {
        return false;
    }
    uint64_t behind = copi_load_relaxed_64(&sink.behind);
    if (behind >= MOST_BEHIND) {
        drop_entry();
        return true;
    }
    if (behind < MOST_BEHIND / 2 && copi_load_relaxed_64(&sink.lost) > 0) {
        tell_lost(to);
    }
    return post(entry, to);
}

/* ---------------------------------------------------------------- public */

/* Polling, at growing intervals, as cop_shutdown does for everything else. */
void
copi_log_sink_flush(cop_time deadline)
{
    cop_pid to = copi_resolve((cop_pid){copi_load_relaxed_64(&sink.pid)});
    struct copi_process *process = copi_table_find(to);
    if (!process || process == copi_here.process) {
        return;
    }
    if (copi_load_relaxed_64(&sink.lost) > 0) {
        tell_lost(to);
    }
    struct copi_parker pause;
    copi_parker_init(&pause);
    for (cop_time step = COP_US(50);
         copi_load_relaxed_64(&sink.behind) > 0 && copi_table_find(to) && copi_clock() < deadline;
         step += step < COP_MS(5) ? step : 0) {
        copi_park(&pause, copi_deadline(step));
    }
    copi_parker_fini(&pause);
}

int
cop_log_to(cop_pid pid)
{
    if (copi_is_forked()) {
        return -EPERM;
    }
    bool is_name = (pid.id & COPI_NAME_BIT) != 0;
    if (pid.id != 0 && !is_name && !copi_table_find(pid)) {
        return copi_fail(-ESRCH);
    }
    copi_store_relaxed_64(&sink.pid, pid.id);
    return 0;
}
