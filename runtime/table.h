/*
 * runtime/table.h - the table pid -> process.
 *
 * Room: runtime/. Any thread.
 * Touch freely: chunk size. Ask first: that records are never freed.
 */
#ifndef COPI_RUNTIME_TABLE_H
#define COPI_RUNTIME_TABLE_H

#include "runtime/name.h"
#include "runtime/process.h"

enum {
    COPI_INDEX_BITS = 20,
    COPI_TABLE_CHUNK = 256,
    COPI_TABLE_CHUNKS = (1 << COPI_INDEX_BITS) / COPI_TABLE_CHUNK,
};
#define COPI_INDEX_MASK ((UINT64_C(1) << COPI_INDEX_BITS) - 1)
#define COPI_NAME_BIT   (UINT64_C(1) << 63) /* in a pid: the rest is a name's number */

extern copi_atomic_ptr copi_table[COPI_TABLE_CHUNKS];

static inline uint32_t
copi_pid_index(cop_pid pid)
{
    return (uint32_t)(pid.id & COPI_INDEX_MASK);
}

static inline uint32_t
copi_pid_generation(cop_pid pid)
{
    return (uint32_t)(pid.id >> COPI_INDEX_BITS);
}

/* The record of that index, whoever lives there; NULL: nobody ever did. */
static inline struct copi_process *
copi_table_at(uint32_t index)
{
    struct copi_process *chunk =
        copi_load_acquire_ptr(&copi_table[index / COPI_TABLE_CHUNK]); /* pairs with add_chunk */
    return chunk ? &chunk[index % COPI_TABLE_CHUNK] : NULL;
}

/* The process, or NULL: it is gone. It may end, and its record be another's, at any time: see
 * table.c. */
static inline struct copi_process *
copi_table_find(cop_pid pid)
{
    if (pid.id & COPI_NAME_BIT) {
        return NULL;
    }
    struct copi_process *process = copi_table_at(copi_pid_index(pid));
    /* Pairs with copi_table_publish(). */
    return process && pid.id && copi_load_acquire_64(&process->id) == pid.id ? process : NULL;
}

/* The pid behind a name; another pid as it is. COP_NOBODY: nobody has the name. */
static inline cop_pid
copi_resolve(cop_pid pid)
{
    return (pid.id & COPI_NAME_BIT) ? copi_name_holder(pid) : pid;
}

/* A free record, with the pid that it will have. -EAGAIN, -ENOMEM. */
int copi_table_take(struct copi_process **out);

/* From now on its pid finds it. */
void copi_table_publish(struct copi_process *process);

/* From now on it does not, and counts no more. Once for each copi_table_take. */
void copi_table_withdraw(struct copi_process *process);

/* The record is free. */
void copi_table_give(struct copi_process *process);

/* Indexes run from 1 to below this. */
uint32_t copi_table_end(void);

/* How many are taken and not withdrawn. */
unsigned copi_table_used(void);

#endif
