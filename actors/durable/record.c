/*
 * actors/durable/record.c - a durable promise as it is stored, copied.
 *
 * Room: actors/durable/. Any thread.
 * Touch freely: nothing. Ask first: that a copy is one block.
 */
#include "actors/durable/record.h"

#include "runtime/alloc.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#define MOST_MS (INT64_MAX / 4) /* sums and differences of times fit */

/* ---------------------------------------------------------------- copies */

static size_t
length(const char *text)
{
    return (text ? strlen(text) : 0) + 1;
}

static size_t
size_of(const cop_durable_record *record)
{
    return sizeof *record + record->param.size + record->value.size + record->create_key.size
           + record->settle_key.size + length(record->id) + length(record->queue)
           + length(record->tags) + length(record->text);
}

static void *
append(char **end, const void *data, size_t size)
{
    char *at = *end;
    if (size > 0) {
        memcpy(at, data, size);
    }
    *end += size;
    return at;
}

static void
append_bytes(char **end, cop_bytes *bytes)
{
    bytes->data = bytes->size ? append(end, bytes->data, bytes->size) : NULL;
}

static void
append_text(char **end, const char **text)
{
    *text = append(end, *text ? *text : "", length(*text));
}

cop_durable_record *
copi_record_copy(const cop_durable_record *record)
{
    cop_durable_record *copy = copi_alloc(size_of(record));
    if (!copy) {
        return NULL;
    }
    *copy = *record;
    char *end = (char *)(copy + 1);
    append_bytes(&end, &copy->param); /* these first: what is next to the record is aligned */
    append_bytes(&end, &copy->value);
    append_bytes(&end, &copy->create_key);
    append_bytes(&end, &copy->settle_key);
    append_text(&end, &copy->id);
    append_text(&end, &copy->queue);
    append_text(&end, &copy->tags);
    append_text(&end, &copy->text);
    copy->next = NULL;
    copy->held = NULL;
    return copy;
}

/* ---------------------------------------------------------------- what it is */

static bool
fits(const char *text, size_t most)
{
    return !text || strnlen(text, most + 1) <= most;
}

static bool
are_texts(const cop_durable_record *record)
{
    return record->id && record->id[0] && fits(record->id, COP_DURABLE_ID_MOST)
           && fits(record->queue, COP_DURABLE_ID_MOST) && fits(record->tags, COP_DURABLE_ID_MOST)
           && fits(record->text, COP_DURABLE_TEXT_MOST)
           && record->create_key.size <= COP_DURABLE_KEY_MOST
           && record->settle_key.size <= COP_DURABLE_KEY_MOST;
}

static bool
is_outcome(const cop_durable_record *record)
{
    bool is_rejected = record->state == COP_DURABLE_REJECTED;
    return record->state <= COP_DURABLE_REJECTED && record->cause <= COP_DURABLE_ATTEMPTS
           && is_rejected == (record->cause != COP_DURABLE_NONE)
           && is_rejected == (record->code != 0);
}

static bool
is_time(int64_t ms)
{
    return ms >= -MOST_MS && ms <= MOST_MS;
}

bool
copi_record_is_sound(const cop_durable_record *record)
{
    return are_texts(record) && is_outcome(record) && is_time(record->created_ms)
           && is_time(record->settled_ms) && is_time(record->deadline_ms)
           && record->epoch <= INT64_MAX && record->attempts <= INT_MAX
           && record->max_attempts <= INT_MAX && record->lease_left >= 0;
}

void
copi_record_expire(cop_durable_record *record)
{
    if (record->is_overdue) {
        record->state = COP_DURABLE_REJECTED;
        record->cause = COP_DURABLE_DEADLINE;
        record->code = -ETIME;
        record->settled_ms = record->deadline_ms;
        record->owner = (cop_owner){0};
        record->lease_left = 0;
    }
}

static const char *
words_of(const cop_durable_record *record)
{
    if (record->text && record->text[0]) {
        return record->text;
    }
    switch (record->cause) {
    case COP_DURABLE_CANCELLED:
        return "it was cancelled";
    case COP_DURABLE_DEADLINE:
        return "its deadline passed";
    case COP_DURABLE_ATTEMPTS:
        return "all who tried were lost";
    case COP_DURABLE_NONE:
    case COP_DURABLE_FAILED:
        break;
    }
    return "";
}

cop_reason
copi_record_reason(const cop_durable_record *record)
{
    cop_reason why = cop_failed(record->code, "%s", words_of(record));
    if (record->cause == COP_DURABLE_CANCELLED) {
        why.kind = COP_SHUTDOWN;
    }
    return why;
}

/* ---------------------------------------------------------------- what an operation has found */

/* Of one that is damaged there is nothing but its id. */
static cop_durable_record *
copy_what_is_sound(const cop_durable_record *record, bool is_sound)
{
    return copi_record_copy(is_sound ? record
                                     : &(cop_durable_record){.id = record->id, .is_damaged = true});
}

int
cop_store_found(cop_store_op *op, const cop_durable_record *record)
{
    bool is_sound = copi_record_is_sound(record);
    if (!is_sound && cop_store_is_of_one(op)) {
        op->result = -EBADMSG;
        return 0;
    }
    cop_durable_record *copy = copy_what_is_sound(record, is_sound);
    if (!copy) {
        return -ENOMEM;
    }
    copi_record_expire(copy);
    if (op->last) {
        op->last->next = copy;
    } else {
        op->first = copy;
    }
    op->last = copy;
    op->count++;
    return 0;
}

void
cop_store_forget(cop_store_op *op)
{
    while (op->first) {
        cop_durable_record *next = op->first->next;
        free(op->first);
        op->first = next;
    }
    op->last = NULL;
    op->result = 0;
    op->is_duplicate = false;
    op->count = 0;
    op->left = 0;
}
