/*
 * runtime/table.c - the table pid -> process.
 *
 * Room: runtime/. Any thread.
 *
 * A pid is the record's index (20 bits) and a generation (32 bits), which is one more for each process
 * that lives there. Records lie in chunks that are never freed, so a sender may look at one at any
 * time without a lock. What it sees may be out of date a moment later: the process may end and its
 * record go to another. Three things make that harmless:
 *
 *   - a closed mailbox takes nothing;
 *   - each message carries the generation that it is for, and a receiver refuses what is not for it
 *     as the dead would have;
 *   - free records are taken in the order in which they were given, so that one is reused as late as
 *     possible.
 *
 * tests/model/table.pml is searched for every order of this.
 *
 * Index 0 stays empty, so that no pid is 0.
 */
#include "runtime/table.h"

#include "runtime/alloc.h"
#include "runtime/live.h"

#include <errno.h>

copi_atomic_ptr copi_table[COPI_TABLE_CHUNKS];

static struct {
    copi_lock lock;
    /* guarded by lock */
    uint32_t oldest_free, newest_free; /* a list through next_free; 0: empty */
    /* any thread, atomic */
    copi_atomic32 used; /* by whom a pid finds; leads to no record, so read relaxed */
    copi_atomic32 end;
} table = {.lock = COPI_LOCK_INIT};

static void
append_free_locked(struct copi_process *process)
{
    process->next_free = 0;
    if (table.newest_free) {
        copi_table_at(table.newest_free)->next_free = process->index;
    } else {
        table.oldest_free = process->index;
    }
    table.newest_free = process->index;
}

/* A generation is never 0. */
static void
give_pid(struct copi_process *process)
{
    uint32_t generation = copi_load_relaxed_32(&process->generation) + 1;
    generation += generation == 0;
    copi_store_relaxed_32(&process->generation, generation);
    process->pid.id = ((uint64_t)generation << COPI_INDEX_BITS) | process->index;
}

static struct copi_process *
take_free_locked(void)
{
    struct copi_process *process = table.oldest_free ? copi_table_at(table.oldest_free) : NULL;
    if (process) {
        table.oldest_free = process->next_free;
        if (!table.oldest_free) {
            table.newest_free = 0;
        }
        copi_fetch_add_32(&table.used, 1);
        give_pid(process);
    }
    return process;
}

static int
add_chunk_locked(void)
{
    uint32_t first = copi_load_relaxed_32(&table.end);
    if (first == COPI_TABLE_CHUNK * COPI_TABLE_CHUNKS) {
        return -EAGAIN;
    }
    /* Zeroed pages of the system's: what is not used costs nothing. */
    const size_t size =
        sizeof(struct copi_process) + sizeof(struct copi_reasons) + sizeof(struct copi_title);
    char *memory = copi_zalloc(COPI_TABLE_CHUNK * size + 63);
    if (!memory) {
        return -ENOMEM;
    }
    struct copi_process *chunk =
        (struct copi_process *)(void *)(memory + (-(uintptr_t)memory & 63));
    struct copi_reasons *reasons = (struct copi_reasons *)(void *)(chunk + COPI_TABLE_CHUNK);
    struct copi_title *titles = (struct copi_title *)(void *)(reasons + COPI_TABLE_CHUNK);
    copi_store_release_ptr(&copi_table[first / COPI_TABLE_CHUNK], chunk); /* pairs with _at */
    copi_store_release_32(&table.end, first + COPI_TABLE_CHUNK);
    for (uint32_t i = first == 0; i < COPI_TABLE_CHUNK; i++) {
        chunk[i].index = first + i;
        chunk[i].reasons = &reasons[i];
        chunk[i].title = &titles[i];
        copi_lock_init(&chunk[i].lock);
        chunk[i].mailbox.word = COPI_MAILBOX_CLOSED;
        append_free_locked(&chunk[i]);
    }
    return 0;
}

int
copi_table_take(struct copi_process **out)
{
    copi_lock_take(&table.lock);
    struct copi_process *process = take_free_locked();
    int r = process ? 0 : add_chunk_locked();
    if (!process && r == 0) {
        process = take_free_locked();
    }
    copi_lock_give(&table.lock);
    if (r == 0) {
        copi_live_born(COPI_LIVE_PROCESS);
        *out = process;
    }
    return r;
}

void
copi_table_publish(struct copi_process *process)
{
    copi_mailbox_open(&process->mailbox);
    copi_store_release_64(&process->id, process->pid.id); /* pairs with copi_table_find() */
}

void
copi_table_withdraw(struct copi_process *process)
{
    copi_store_release_64(&process->id, 0);
    copi_fetch_add_32(&table.used, (uint32_t)-1);
}

void
copi_table_give(struct copi_process *process)
{
    copi_lock_take(&table.lock);
    append_free_locked(process);
    copi_lock_give(&table.lock);
    copi_live_gone(COPI_LIVE_PROCESS);
}

uint32_t
copi_table_end(void)
{
    return copi_load_acquire_32(&table.end);
}

unsigned
copi_table_used(void)
{
    return copi_load_relaxed_32(&table.used);
}
