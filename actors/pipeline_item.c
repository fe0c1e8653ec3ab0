/*
 * actors/pipeline_item.c - an item of a pipeline, and the future of its outcome.
 *
 * Room: actors/.
 * Touch freely: nothing. Ask first: when what an item owns is dropped.
 *
 * An item is one block with room for two values: the one that it has, and the one that a stage makes of it.
 * They change places after each stage, so that an item on its way needs no memory. The future of its outcome
 * is a block of its own, which gets a copy of the last value: it may be held long after the item is gone, and
 * most items have none.
 *
 * At any time one place in the program has the item: who submits it, a queue, a worker. The functions that
 * free it are the only ones that drop what it owns, but for a stage that has made something new of it.
 */
#include "actors/pipeline_item.h"

#include "actors/task.h"
#include "runtime/alloc.h"
#include "runtime/live.h"
#include "runtime/memory.h"
#include "runtime/process.h"

#include <errno.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- the future of its outcome */

struct outcome {
    cop_future future;
    _Alignas(max_align_t) unsigned char value[];
};

static struct outcome *
of(cop_future *future)
{
    return (struct outcome *)(void *)future;
}

static void
free_outcome(cop_future *future)
{
    free(of(future));
}

static const struct copi_source source = {.free = free_outcome};

int
copi_pipeline_item_promise(struct copi_pipeline_item *item, size_t size, const char *file, int line)
{
    struct outcome *outcome = copi_alloc(sizeof *outcome + size);
    if (!outcome) {
        return -ENOMEM;
    }
    copi_future_init(&outcome->future, &(struct copi_future_init){&source, size, file, line});
    item->outcome = cop_future_retain(&outcome->future);
    return 0;
}

bool
copi_pipeline_item_is_wanted(const struct copi_pipeline_item *item)
{
    return !item->outcome || copi_future_outcome(item->outcome) == -EINPROGRESS;
}

/* ---------------------------------------------------------------- a block */

struct copi_pipeline_item *
copi_pipeline_item_new(const void *bytes, size_t size, size_t largest, void (*drop)(void *value))
{
    size_t align = _Alignof(max_align_t), half = (largest + align - 1) / align * align;
    struct copi_pipeline_item *item = copi_alloc(sizeof *item + 2 * half);
    if (!item) {
        return NULL;
    }
    copi_live_born(COPI_LIVE_PIPELINE_ITEM);
    *item = (struct copi_pipeline_item){.drop = drop};
    item->value = item->room;
    item->spare = item->room + half;
    if (size > 0) {
        memcpy(item->value, bytes, size);
    }
    return item;
}

static void
drop_value(struct copi_pipeline_item *item)
{
    if (item->drop) {
        copi_run_drop(item->drop, item->value);
    }
}

void
copi_pipeline_item_free(struct copi_pipeline_item *item)
{
    cop_future_release(item->outcome);
    copi_live_gone(COPI_LIVE_PIPELINE_ITEM);
    free(item);
}

/* ---------------------------------------------------------------- in a stage */

struct call {
    struct copi_pipeline_item *item;
    const cop_stage *stage;
    int code;
};

static void
run_stage(void *arg)
{
    struct call *call = arg;
    const cop_stage *stage = call->stage;
    void *result = stage->result_size > 0 ? call->item->spare : NULL;
    call->code = stage->fn(call->item->value, result, stage->env);
}

/* What a function has done to its process is no affair of the next item. What has been sent to the process
 * is: whoever asks a worker to end, ends the pipeline. */
static void
begin_anew(struct copi_process *self)
{
    while (self->entered) {
        cop_context_leave(self->context);
    }
    copi_memory_free_all(self);
    self->shielded = false;
}

static void
become_result(struct copi_pipeline_item *item, const cop_stage *stage)
{
    drop_value(item);
    unsigned char *old = item->value;
    item->value = item->spare;
    item->spare = old;
    item->drop = stage->drop;
}

bool
copi_pipeline_item_work(struct copi_pipeline_item *item, const cop_stage *stage, cop_reason *why)
{
    struct copi_process *self = copi_here.process;
    struct call call = {.item = item, .stage = stage};
    memset(item->spare, 0, stage->result_size);
    copi_callback_begin(self, "stage");
    bool returned = copi_run_caught(self, run_stage, &call, why);
    copi_callback_end(self);
    if (returned && call.code != 0) {
        *why = copi_task_failure(self, call.code);
    }
    begin_anew(self);
    bool has_result = returned && call.code == 0;
    if (has_result) {
        become_result(item, stage);
    }
    return has_result;
}

/* ---------------------------------------------------------------- the end */

bool
copi_pipeline_item_deliver(struct copi_pipeline_item *item, size_t size)
{
    cop_future *outcome = item->outcome;
    bool is_taken = outcome && copi_future_claim(outcome);
    if (is_taken) {
        memcpy(of(outcome)->value, item->value, size);
        outcome->drop = item->drop;
        copi_future_publish_value(outcome, of(outcome)->value, size);
    } else {
        drop_value(item);
    }
    copi_pipeline_item_free(item);
    return is_taken || !outcome;
}

void
copi_pipeline_item_reject(struct copi_pipeline_item *item, const cop_reason *why)
{
    drop_value(item);
    if (item->outcome) {
        copi_future_reject(item->outcome, why); /* it may have been cancelled */
    }
    copi_pipeline_item_free(item);
}
