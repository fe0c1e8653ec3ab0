/*
 * runtime/inspect.c - what a process is doing, seen without its help.
 *
 * Room: runtime/. Any thread.
 *
 * All of it are words that the process and its senders write as they go, read here one after the
 * other. The pid is compared before and after, so the figures of two processes that had one record
 * never mix.
 */
#include "runtime/inspect.h"

#include "runtime/name.h"
#include "runtime/process.h"
#include "runtime/recorder.h"
#include "runtime/table.h"
#include "runtime/tag.h"

#include <coppice/log.h>
#include <coppice/pg.h>
#include <coppice/port.h>
#include <coppice/registry.h>
#include <coppice/socket.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
read_label(struct copi_process *process, char out[COPI_LABEL_ITSELF])
{
    copi_lock_take(&process->lock);
    memcpy(out, process->title->label, COPI_LABEL_ITSELF);
    copi_lock_give(&process->lock);
}

static char *
put_number(char *at, uint32_t number)
{
    char digits[10];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
    } while (number /= 10);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

/* "<7.1>". By hand: each process that starts gets its label as its thread's name. */
static void
put_pid(char *at, uint32_t index, uint32_t generation)
{
    *at++ = '<';
    at = put_number(at, index);
    *at++ = '.';
    at = put_number(at, generation);
    *at++ = '>';
    *at = '\0';
}

void
copi_label_itself(struct copi_process *process, char out[COPI_LABEL_ITSELF])
{
    copi_name_of(process, out);
    if (!out[0]) {
        read_label(process, out);
    }
}

const char *
copi_label(struct copi_process *process, char out[COPI_LABEL_SIZE])
{
    if (!process) {
        return memcpy(out, "<nobody>", sizeof "<nobody>");
    }
    copi_name_of(process, out);
    if (!out[0]) {
        read_label(process, out);
        put_pid(out + strlen(out), process->index, copi_load_relaxed_32(&process->generation));
    }
    return out;
}

const char *
copi_label_pid(cop_pid pid, char out[COPI_LABEL_SIZE])
{
    cop_pid resolved = copi_resolve(pid);
    struct copi_process *process = copi_table_find(resolved);
    if (process || resolved.id == 0) {
        return copi_label(process, out);
    }
    put_pid(out, copi_pid_index(resolved),
            copi_pid_generation(resolved)); /* its name has ended, too */
    return out;
}

/* The library's own, which message.h tells apart; those of actors/ and supervisor/ are only named here. */
static const struct {
    uint32_t tag;
    const char *word;
} tags[] = {
    {COP_MSG_DOWN, "DOWN"},
    {COP_MSG_EXIT, "EXIT"},
    {COP_MSG_TIMEOUT, "TIMEOUT"},
    {COP_MSG_IO, "IO"},
    {COP_MSG_LOG, "LOG"},
    {COP_MSG_REGISTRY, "REGISTRY"},
    {COP_MSG_PG, "PG"},
    {COP_MSG_DATA, "DATA"},
    {COP_MSG_ACCEPTED, "ACCEPTED"},
    {COP_MSG_CLOSED, "CLOSED"},
    {COP_MSG_WRITABLE, "WRITABLE"},
    {COP_MSG_PORT_DATA, "PORT_DATA"},
    {COP_MSG_PORT_END, "PORT_END"},
    {COP_MSG_PORT_WRITABLE, "PORT_WRITABLE"},
    {0xffff0101u, "GET"}, /* of agents */
    {0xffff0102u, "GET"},
    {0xffff0103u, "UPDATE"},
    {0xffff0104u, "GET_AND_UPDATE"},
};

static const char *
kind_of_tag(uint32_t tag)
{
    switch (tag & 0xffffff00u) {
    case 0xffff0200u:
        return "SYS"; /* cop_sys */
    case 0xffff0300u:
        return "LOCK"; /* of a registry's key */
    case 0xffff0400u:
        return "ASYNC_CALL";
    case 0xffff0500u:
        return "SUPERVISOR"; /* what one is asked */
    default:
        return NULL;
    }
}

const char *
copi_tag_in_words(uint32_t tag, char out[COPI_TAG_SIZE])
{
    if (tag < COP_MSG_RESERVED) {
        const char *name = copi_tag_name(tag);
        if (!name) {
            (void)snprintf(out, COPI_TAG_SIZE, "%u", tag);
        }
        return name ? name : out;
    }
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (tags[i].tag == tag) {
            return tags[i].word;
        }
    }
    const char *kind = kind_of_tag(tag);
    if (!kind) {
        (void)snprintf(out, COPI_TAG_SIZE, "0x%x", tag);
    }
    return kind ? kind : out;
}

/* ---------------------------------------------------------------- pids as text */

char *
cop_pid_text(cop_pid pid, char out[COP_PID_TEXT])
{
    cop_pid resolved = copi_resolve(pid);
    put_pid(out, copi_pid_index(resolved), copi_pid_generation(resolved));
    return out;
}

/* Digits, and no sign or space, as strtoul would have it. NULL: none, or too great a number. */
static const char *
take_number(const char *at, uint64_t limit, uint64_t *number)
{
    const char *first = at;
    for (*number = 0; *at >= '0' && *at <= '9'; at++) {
        *number = *number * 10 + (uint64_t)(*at - '0');
        if (*number > limit) {
            return NULL;
        }
    }
    return at > first ? at : NULL;
}

int
cop_pid_parse(const char *text, cop_pid *out)
{
    uint64_t index, generation;
    const char *at = *text == '<' ? take_number(text + 1, COPI_INDEX_MASK, &index) : NULL;
    at = at && *at == '.' ? take_number(at + 1, UINT32_MAX, &generation) : NULL;
    if (!at || strcmp(at, ">") != 0) {
        return copi_fail(-EINVAL);
    }
    *out = (cop_pid){generation << COPI_INDEX_BITS | index};
    return 0;
}

/* ---------------------------------------------------------------- its place in a tree */

void
copi_show_strategy(const char *strategy)
{
    union {
        const char *in;
        void *out;
    } word = {.in = strategy};
    copi_store_relaxed_ptr(&copi_here.process->strategy, word.out);
    copi_recorder_kind(copi_here.process, "supervisor");
}

/* The pid is compared under the lock, under which a new tenant of the record clears the last one's
 * place before he is found. */
void
copi_show_position(cop_pid child, const struct copi_position *position)
{
    struct copi_process *process = copi_table_find(copi_resolve(child));
    if (!process) {
        return;
    }
    copi_lock_take(&process->lock);
    if (copi_pid(process).id == child.id) {
        process->title->position = *position;
    }
    copi_lock_give(&process->lock);
}

/* ---------------------------------------------------------------- looking */

/* What is written under the lock. */
static void
read_guarded(struct copi_process *process, cop_process_info *info)
{
    copi_lock_take(&process->lock);
    memcpy(info->label, process->title->label, COPI_LABEL_ITSELF);
    info->kind = process->behaviour->kind;
    const struct copi_position *position = &process->title->position;
    if (position->supervisor.id) {
        info->supervisor = position->supervisor;
        memcpy(info->child_id, position->id, COPI_LABEL_ITSELF);
        info->child_number = position->number;
        info->restarts = position->restarts;
    }
    copi_lock_give(&process->lock);
    if (info->strategy) {
        info->kind = "supervisor";
    }
}

/* The older of what has been taken in and what has not. */
static cop_time
age_of_oldest(const struct copi_process *process, size_t inside, size_t outside)
{
    uint64_t since = inside    ? copi_load_relaxed_64(&process->inside_since)
                     : outside ? copi_load_relaxed_64(&process->mailbox.since)
                               : 0;
    cop_time age = since ? copi_clock_coarse() - (cop_time)since : 0;
    return age > 0 ? age : inside + outside > 0 ? 1 : 0;
}

int
cop_inspect(cop_pid pid, cop_process_info *out)
{
    if (copi_is_forked()) {
        return -EPERM;
    }
    cop_pid resolved = copi_resolve(pid);
    struct copi_process *process = copi_table_find(resolved);
    if (!process) {
        return copi_fail(-ESRCH);
    }
    size_t inside = copi_load_relaxed_64(&process->inside);
    size_t outside = copi_mailbox_count(copi_load_relaxed_64(&process->mailbox.word));
    /* Before `handled`, which has moved if another callback has begun between the two. */
    uint64_t dated = copi_load_acquire_64(&process->dated);
    uint64_t handled = copi_load_relaxed_64(&process->handled);
    cop_process_info info = {
        .callback = copi_load_relaxed_ptr(&process->callback),
        .since = (cop_time)copi_load_relaxed_64(&process->since),
        .since_is_exact = dated == handled,
        .mailbox = inside + outside,
        .oldest = age_of_oldest(process, inside, outside),
        .messages_handled = handled,
        .owned_bytes = copi_load_relaxed_64(&process->owned_bytes),
        .dropped = copi_load_relaxed_64(&process->dropped),
        .waits_for = {copi_load_relaxed_64(&process->waits_for_pid)},
        .parent = copi_parent(process),
        .traps_exits = copi_load_relaxed_32(&process->traps) != 0,
        .waits_in = copi_load_relaxed_ptr(&process->waits_in),
        .is_suspended = copi_load_relaxed_32(&process->is_suspended) != 0,
        .started = (cop_time)copi_load_relaxed_64(&process->started),
        .strategy = copi_load_relaxed_ptr(&process->strategy),
        .links = copi_load_relaxed_32(&process->links),
        .monitors = copi_load_relaxed_32(&process->monitors),
        .monitored_by = copi_load_relaxed_32(&process->monitored_by),
    };
    copi_name_of(process, info.name);
    read_guarded(process, &info);
    if (copi_table_find(resolved) != process) {
        return copi_fail(-ESRCH);
    }
    *out = info;
    return 0;
}

size_t
cop_processes(cop_pid *out, size_t capacity)
{
    size_t count = 0;
    if (copi_is_forked()) {
        return 0;
    }
    for (uint32_t i = 1; i < copi_table_end(); i++) {
        struct copi_process *process = copi_table_at(i);
        cop_pid pid = copi_pid(process);
        if (pid.id != 0 && count++ < capacity) {
            out[count - 1] = pid;
        }
    }
    return count;
}

bool
cop_alive(cop_pid pid)
{
    return !copi_is_forked() && copi_table_find(copi_resolve(pid)) != NULL;
}
