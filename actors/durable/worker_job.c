/*
 * actors/durable/worker_job.c - one promise computed, and settled.
 *
 * Room: actors/durable/. The job's own process: a task of the worker's, linked to it.
 * Ask first: which outcome settles.
 *
 * The task stores the function's outcome itself, from where its bytes are; the store's process commits those of
 * many jobs together. It does so in a context of its own: the job's may have been cancelled, because the lease can no
 * longer be trusted, but a settle is fenced, and one that comes late and was not missed saves the work. It says the
 * same every time (its key is the lease), so after a lost answer it is said again.
 *
 * Everything that the job needs is in its argument, since the worker may be gone before it.
 */
#include "actors/durable/worker.h"
#include "runtime/alloc.h"

#include <coppice/durable.h>
#include <coppice/name.h>
#include <coppice/task.h>

#include <errno.h>
#include <stdlib.h>

#define PAUSE COP_MS(100)

struct job {
    cop_work_fn work;
    void *env;
    cop_pid store;
    cop_time ttl;
    uint64_t epoch;
    cop_owner owner;
    unsigned attempts, max_attempts;
    size_t queue, tags, param, param_size; /* where they begin in the text, at which the id is */
    char text[];
};

/* ---------------------------------------------------------------- settling */

/* The store may be on its way back. */
static bool
is_worth_another(int error)
{
    switch (error) {
    case -EREMOTEIO:
    case -ECONNREFUSED:
    case -EHOSTDOWN:
    case -ESRCH:
    case -EROFS:
    case -EIO:
    case -ENOSPC:
    case -EBUSY:
    case -EAGAIN:
    case -ENOMEM:
        return true;
    default:
        return false;
    }
}

static int
settle_once(const cop_lease *lease, int code, cop_bytes value)
{
    return code == 0 ? cop_durable_resolve(lease->store, lease->id, value, .owner = lease->owner,
                                           .epoch = lease->epoch)
                     : cop_durable_reject(lease->store, lease->id, cop_failed(code, NULL),
                                          .owner = lease->owner, .epoch = lease->epoch);
}

/* For as long as a lease: then whoever inherits it has begun, or nobody can. */
static enum copi_job_end
settle(const cop_lease *lease, int code, cop_bytes value, cop_time ttl)
{
    cop_context *context = cop_context_detached(ttl);
    if (!context || cop_context_enter(context) != 0) {
        cop_context_free(context);
        return COPI_JOB_UNFINISHED;
    }
    int error = settle_once(lease, code, value);
    while (is_worth_another(error) && cop_sleep(PAUSE) == 0) {
        error = settle_once(lease, code, value);
    }
    (void)cop_context_leave(context);
    cop_context_free(context);
    return error == 0           ? COPI_JOB_SETTLED
           : error == -ESTALE   ? COPI_JOB_STALE
           : error == -EALREADY ? COPI_JOB_STALE
           : error == -ENOENT   ? COPI_JOB_STALE
                                : COPI_JOB_UNFINISHED;
}

/* ---------------------------------------------------------------- the task */

static int
run(cop_bytes arg, void *result)
{
    const struct job *job = arg.data;
    enum copi_job_end *end = result;
    cop_lease lease = {
        .store = job->store,
        .id = job->text,
        .queue = job->text + job->queue,
        .tags = job->text + job->tags,
        .param = {job->param ? job->text + job->param : NULL, job->param_size},
        .epoch = job->epoch,
        .owner = job->owner,
        .attempts = job->attempts,
        .max_attempts = job->max_attempts,
    };
    cop_bytes value = {0};
    int code = job->work(&lease, &value, job->env);
    if (code > 0) {
        *end = COPI_JOB_CRASHED;
    } else if (code < 0 && cop_cancelled() != 0) {
        *end = COPI_JOB_UNFINISHED;
    } else {
        *end = settle(&lease, code, value, job->ttl);
    }
    return 0;
}

static size_t
put_text(struct job *job, size_t *at, const char *text)
{
    size_t begin = *at, size = strlen(text) + 1;
    memcpy(job->text + begin, text, size);
    *at += size;
    return begin;
}

/* The parameter comes last, and aligned. */
static struct job *
pack(const cop_worker_opts *opts, const cop_durable_record *record, size_t *size)
{
    *size = sizeof(struct job) + strlen(record->id) + strlen(record->queue) + strlen(record->tags)
            + 3 + _Alignof(max_align_t) + record->param.size;
    struct job *job = copi_zalloc(*size);
    if (!job) {
        return NULL;
    }
    job->work = opts->work;
    job->env = opts->env;
    job->store = cop_named(opts->store);
    job->ttl = opts->ttl;
    job->epoch = record->epoch;
    job->owner = record->owner;
    job->attempts = record->attempts;
    job->max_attempts = record->max_attempts;
    size_t at = 0;
    (void)put_text(job, &at, record->id);
    job->queue = put_text(job, &at, record->queue);
    job->tags = put_text(job, &at, record->tags);
    if (record->param.data) {
        size_t before = offsetof(struct job, text) + at;
        job->param = at + (8 - before % 8) % 8;
        job->param_size = record->param.size;
        memcpy(job->text + job->param, record->param.data, record->param.size);
    }
    return job;
}

cop_future *
copi_job_start(const cop_worker_opts *opts, const cop_durable_record *record, cop_context *context)
{
    size_t size;
    struct job *job = pack(opts, record, &size);
    if (!job) {
        return NULL;
    }
    cop_future *task = NULL;
    if (cop_context_enter(context) == 0) {
        task = cop_async(run, .arg = {job, size}, .result_size = sizeof(enum copi_job_end),
                         .link = true, .stack_size = opts->stack_size,
                         .contain_faults = opts->contain_faults);
        (void)cop_context_leave(context);
    }
    free(job);
    return task;
}
