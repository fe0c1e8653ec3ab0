/*
 * tests/actors/worker.h - processes that do what a test tells them, and a registry for them.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_ACTORS_WORKER_H
#define COPI_TESTS_ACTORS_WORKER_H

#include "tests/support/support.h"

enum {
    WORKER_DO = 1000,
    WORKER_DONE,
};

struct worker_job {
    int (*fn)(void *env);
    void *env;
    cop_pid asker;
};

/* Ends by whatever a job does, by an exit signal, or NORMAL at a message with tag 0. */
static inline int
worker_run(cop_bytes arg)
{
    (void)arg;
    cop_msg msg;
    while (cop_receive(&msg, COP_FOREVER) == 0 && msg.tag != 0) {
        if (msg.tag == WORKER_DO) {
            struct worker_job job = *COP_BODY(msg, struct worker_job);
            int result = job.fn(job.env);
            cop_send(job.asker, COP_MSG_OF(WORKER_DONE, result));
        }
    }
    return 0;
}

static inline cop_pid
worker_start(void)
{
    cop_pid pid;
    ck_assert_int_eq(cop_spawn(&pid, worker_run), 0);
    return pid;
}

static inline void
worker_begin(cop_pid worker, int (*fn)(void *env), void *env)
{
    struct worker_job job = {fn, env, cop_self()};
    ck_assert_int_eq(cop_send(worker, COP_MSG_OF(WORKER_DO, job)), 0);
}

static inline bool
worker_is_done(const cop_msg *msg, void *env)
{
    (void)env;
    return msg->tag == WORKER_DONE;
}

/* Let it do that, and wait for the result. */
static inline int
worker_do(cop_pid worker, int (*fn)(void *env), void *env)
{
    cop_msg msg;
    worker_begin(worker, fn, env);
    ck_assert_int_eq(cop_receive_match(&msg, worker_is_done, NULL, SOON), 0);
    return *COP_BODY(msg, int);
}

/* End it, and wait until anybody can know. */
static inline void
worker_end(cop_pid worker, cop_reason reason)
{
    cop_ref monitor = cop_monitor(worker);
    if (reason.kind == COP_NORMAL) {
        cop_send(worker, COP_TAG(0));
    } else {
        cop_exit_signal(worker, reason);
    }
    test_down(monitor);
}

static inline void
worker_kill(cop_pid worker)
{
    worker_end(worker, COP_REASON_KILLED);
}

/* ---------------------------------------------------------------- registering */

/* A registry "r", of one partition or of eight: what a test runs with twice. */
static inline cop_pid
registry_start(cop_registry_kind kind, int eight)
{
    cop_pid pid;
    int r = cop_registry_start(
        &pid, &(cop_registry_spec){.name = "r", .kind = kind, .partitions = eight ? 8 : 1});
    ck_assert_int_eq(r, 0);
    return pid;
}

struct worker_entry {
    const char *key, *value;
};

static inline int
worker_register_now(void *env)
{
    const struct worker_entry *entry = env;
    return cop_registry_register("r", COP_STR(entry->key),
                                 entry->value ? COP_STR(entry->value) : (cop_bytes){0});
}

static inline int
worker_register(cop_pid worker, const char *key, const char *value)
{
    return worker_do(worker, worker_register_now, &(struct worker_entry){key, value});
}

static inline int
worker_unregister_now(void *env)
{
    const struct worker_entry *entry = env;
    return cop_registry_unregister("r", COP_STR(entry->key));
}

static inline int
worker_unregister(cop_pid worker, const char *key)
{
    return worker_do(worker, worker_unregister_now, &(struct worker_entry){.key = key});
}

/* What a visitor has seen. */
struct seen {
    size_t count;
    cop_pid pids[64];
    char keys[64][16], values[64][16];
};

static inline bool
see(const cop_registry_entry *entry, void *env)
{
    struct seen *seen = env;
    ck_assert_uint_lt(seen->count, 64);
    ck_assert_uint_le(entry->key.size, 16);
    ck_assert_uint_le(entry->value.size, 16);
    ck_assert_ptr_nonnull(entry->key.data);
    ck_assert_ptr_nonnull(entry->value.data);
    seen->pids[seen->count] = entry->pid;
    memcpy(seen->keys[seen->count], entry->key.data, entry->key.size);
    memcpy(seen->values[seen->count], entry->value.data, entry->value.size);
    seen->count++;
    return true;
}

static inline size_t
registry_count(void)
{
    size_t count = 4711;
    ck_assert_int_eq(cop_registry_count("r", &count), 0);
    return count;
}

/* How many are under the key. */
static inline size_t
registry_under(const char *key)
{
    size_t count = 4711;
    ck_assert_int_eq(cop_registry_lookup("r", COP_STR(key), NULL, 0, &count), 0);
    return count;
}

#endif
