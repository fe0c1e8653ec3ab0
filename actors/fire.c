/*
 * actors/fire.c - fire and forget: tasks without a handle, and jobs, which are such tasks of an object.
 *
 * Room: actors/. Any thread.
 */
#include "actors/task.h"
#include "runtime/alloc.h"
#include "runtime/process.h"

#include <coppice/fire.h>

#include <errno.h>
#include <stdlib.h>

int
cop_fire_with(cop_task_fn fn, const cop_task_opts *opts)
{
    static const cop_task_opts none;
    const cop_task_opts *how = opts ? opts : &none;
    if (how->lazy) {
        const cop_reason why = cop_failed(-EINVAL, "nobody would begin a lazy task that is fired");
        return copi_fail_why(&why, -EINVAL);
    }
    int r = copi_task_check(fn, how);
    return r ? r : copi_task_fire(fn, how);
}

/* ---------------------------------------------------------------- jobs */

/* One execution: the task's argument points here, and its handlers' environment is this. */
struct execution {
    cop_job job;
    void *self;
};

static int
execute(cop_bytes arg, void *result)
{
    struct execution *execution;
    memcpy(&execution, arg.data, sizeof execution);
    return execution->job.execute(execution->self, result);
}

static void
succeeded(const void *value, void *env)
{
    const struct execution *execution = env;
    execution->job.success(execution->self, value);
}

static void
failed(cop_reason reason, void *env)
{
    const struct execution *execution = env;
    execution->job.failure(execution->self, reason);
}

static void
drop(void *env)
{
    const struct execution *execution = env;
    if (execution->job.drop_self) {
        execution->job.drop_self(execution->self);
    }
    free(env);
}

int
cop_fire_job_at(const cop_job *job, void *self, const char *file, int line)
{
    bool is_valid = job && job->execute;
    struct execution *execution = is_valid ? copi_alloc(sizeof *execution) : NULL;
    if (!execution) {
        return copi_fail(is_valid ? -ENOMEM : -EINVAL);
    }
    *execution = (struct execution){*job, self};
    int r = cop_fire_with(execute, &(cop_task_opts){
                                       .arg = COP_BYTES(execution),
                                       .result_size = job->result_size,
                                       .drop = job->drop,
                                       .on_success = job->success ? succeeded : NULL,
                                       .on_failure = job->failure ? failed : NULL,
                                       .env = execution,
                                       .drop_env = drop,
                                       .file = file,
                                       .line = line,
                                   });
    if (r) {
        free(execution);
    }
    return r;
}
