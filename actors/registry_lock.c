/*
 * actors/registry_lock.c - a lock for each key.
 *
 * Room: actors/. The first half runs in a partition's process, the second in whoever wants the lock.
 * Touch freely: the data. Ask first: who lets go when.
 *
 * A lock is a queue of tickets in the process of the partition that has the key: the first one holds it,
 * the others wait, each for the answer to its request. The process monitors everybody who has a ticket,
 * so an end, however it comes, is as good as letting go.
 *
 * Who lets go, or gives up waiting, says so with the number of the ticket. That message is made before
 * the request is sent, so that there is no want of memory when it is needed, and sent by a deferred call,
 * so that it goes off also when the process leaves by an exit. It arrives after the request, because both
 * have one sender; so a ticket is never left behind, and one that was granted too late is passed on.
 */
#include "actors/registry_lock.h"

#include "actors/blob.h"
#include "actors/registry_partition.h"
#include "runtime/alloc.h"
#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/request.h"
#include "runtime/send.h"

#include <coppice/registry.h>
#include <coppice/signal.h>

#include <errno.h>
#include <stdlib.h>

struct lock {
    struct copi_set_member member;
    struct copi_blob *key;
    TAILQ_HEAD(queue, copi_ticket) queue; /* the first holds it */
};

struct copi_ticket {
    struct lock *lock;
    cop_from from;
    uint64_t number;
    cop_ref monitor;
    TAILQ_ENTRY(copi_ticket) in_queue, in_all;
};

/* ---------------------------------------------------------------- in the partition's process */

void
copi_locks_init(struct copi_locks *locks)
{
    copi_set_init(&locks->keys);
    TAILQ_INIT(&locks->tickets);
}

static struct lock *
find(struct copi_locks *locks, cop_bytes key)
{
    return (struct lock *)(void *)copi_set_find(&locks->keys, copi_hash(key, 0), key);
}

static void
free_lock(struct lock *lock)
{
    copi_blob_release(lock->key);
    free(lock);
}

static struct lock *
add_lock(struct copi_locks *locks, cop_bytes key)
{
    struct lock *lock = copi_zalloc(sizeof *lock);
    if (!lock) {
        return NULL;
    }
    lock->key = copi_blob_new(key);
    TAILQ_INIT(&lock->queue);
    if (lock->key) {
        lock->member.key = copi_blob_view(lock->key);
        lock->member.hash = copi_hash(lock->member.key, 0);
    }
    if (!lock->key || copi_set_add(&locks->keys, &lock->member)) {
        free_lock(lock);
        return NULL;
    }
    return lock;
}

static void
drop_lock_if_free(struct copi_locks *locks, struct lock *lock)
{
    if (TAILQ_EMPTY(&lock->queue)) {
        copi_set_remove(&locks->keys, &lock->member);
        free_lock(lock);
    }
}

void
copi_locks_clear(void *arg)
{
    struct copi_locks *locks = arg;
    struct copi_set_cursor cursor = {0};
    for (struct copi_ticket *one = TAILQ_FIRST(&locks->tickets), *next; one; one = next) {
        next = TAILQ_NEXT(one, in_all);
        free(one);
    }
    for (struct copi_set_member *member; (member = copi_set_next(&locks->keys, &cursor));) {
        free_lock((struct lock *)(void *)member);
    }
    copi_set_clear(&locks->keys);
    TAILQ_INIT(&locks->tickets);
}

static uint64_t
number_in(cop_msg msg)
{
    uint64_t number;
    memcpy(&number, msg.body.data, sizeof number);
    return number;
}

static cop_bytes
key_in(cop_msg msg)
{
    return (cop_bytes){(const char *)msg.body.data + sizeof(uint64_t),
                       msg.body.size - sizeof(uint64_t)};
}

static struct copi_ticket *
new_ticket(struct lock *lock, cop_from from, uint64_t number)
{
    struct copi_ticket *ticket = copi_zalloc(sizeof *ticket);
    if (ticket) {
        *ticket = (struct copi_ticket){
            .lock = lock,
            .from = from,
            .number = number,
            .monitor = cop_monitor(from.pid),
        };
        if (ticket->monitor.id == 0) {
            free(ticket);
            return NULL;
        }
    }
    return ticket;
}

static int
queue_up(struct copi_locks *locks, cop_from from, cop_msg request)
{
    struct lock *lock = find(locks, key_in(request));
    const struct copi_ticket *holder = lock ? TAILQ_FIRST(&lock->queue) : NULL;
    if (holder && cop_pid_eq(holder->from.pid, from.pid)) {
        return -EDEADLK;
    }
    if (!lock && !(lock = add_lock(locks, key_in(request)))) {
        return -ENOMEM;
    }
    struct copi_ticket *ticket = new_ticket(lock, from, number_in(request));
    if (!ticket) {
        drop_lock_if_free(locks, lock);
        return -ENOMEM;
    }
    TAILQ_INSERT_TAIL(&lock->queue, ticket, in_queue);
    TAILQ_INSERT_TAIL(&locks->tickets, ticket, in_all);
    if (!holder) {
        cop_reply(from, COP_TAG(0));
    }
    return 0;
}

bool
copi_locks_call(struct copi_locks *locks, cop_from from, cop_msg request)
{
    if (request.tag != COPI_LOCK) {
        return false;
    }
    int r = queue_up(locks, from, request);
    if (r) {
        copi_request_fail(copi_here.process, from.pid, from.ref, r);
    }
    return true;
}

/* Whoever is next may have ended: then its DOWN is on its way, and passes the lock on. */
static void
hand_in(struct copi_locks *locks, struct copi_ticket *ticket)
{
    struct lock *lock = ticket->lock;
    bool held = TAILQ_FIRST(&lock->queue) == ticket;
    TAILQ_REMOVE(&lock->queue, ticket, in_queue);
    TAILQ_REMOVE(&locks->tickets, ticket, in_all);
    cop_demonitor(ticket->monitor);
    free(ticket);
    const struct copi_ticket *next = TAILQ_FIRST(&lock->queue);
    if (held && next) {
        cop_reply(next->from, COP_TAG(0));
    }
    drop_lock_if_free(locks, lock);
}

bool
copi_locks_cast(struct copi_locks *locks, cop_msg msg)
{
    if (msg.tag != COPI_UNLOCK) {
        return false;
    }
    uint64_t number = number_in(msg);
    struct lock *lock = find(locks, key_in(msg));
    struct copi_ticket *ticket = lock ? TAILQ_FIRST(&lock->queue) : NULL;
    while (ticket && ticket->number != number) {
        ticket = TAILQ_NEXT(ticket, in_queue);
    }
    if (ticket) {
        hand_in(locks, ticket);
    }
    return true;
}

bool
copi_locks_info(struct copi_locks *locks, cop_msg msg)
{
    if (msg.tag != COP_MSG_DOWN) {
        return false;
    }
    cop_ref monitor = COP_BODY(msg, struct cop_down)->ref;
    struct copi_ticket *ticket = TAILQ_FIRST(&locks->tickets);
    while (ticket && ticket->monitor.id != monitor.id) {
        ticket = TAILQ_NEXT(ticket, in_all);
    }
    if (ticket) {
        hand_in(locks, ticket);
    }
    return true;
}

/* ---------------------------------------------------------------- in whoever wants it */

/* What is sent when it is over, and to whom. */
struct letting_go {
    cop_pid owner;
    struct copi_message *message;
};

static void
let_go(void *arg)
{
    struct letting_go *letting_go = arg;
    copi_post(letting_go->owner, letting_go->message);
}

static struct copi_message *
make(enum copi_kind kind, uint32_t tag, uint64_t number, cop_bytes key)
{
    void *body;
    struct copi_message *message = copi_message_blank(kind, tag, sizeof number + key.size, &body);
    if (message) {
        message->from = copi_here.process->pid;
        memcpy(body, &number, sizeof number);
        if (key.size > 0) {
            memcpy((char *)body + sizeof number, key.data, key.size);
        }
    }
    return message;
}

static int
find_owner(cop_pid *owner, const char *registry, cop_bytes key)
{
    struct copi_place place;
    int r = copi_place_find(&place, registry, key);
    if (r == 0) {
        r = copi_place_enter(&place);
    }
    if (r == 0) {
        *owner = place.partition->owner;
        copi_place_leave(&place);
    }
    return r;
}

/* Both messages, and the deferred call, or nothing. */
static int
prepare(struct letting_go *letting_go, struct copi_message **request, cop_bytes key)
{
    uint64_t number = copi_make_ref(copi_here.process, copi_here.process->index).id;
    *request = make(COPI_CALL, COPI_LOCK, number, key);
    letting_go->message = *request ? make(COPI_CAST, COPI_UNLOCK, number, key) : NULL;
    int r = letting_go->message ? cop_defer(let_go, letting_go) : copi_fail(-ENOMEM);
    if (r && letting_go->message) {
        copi_message_free(letting_go->message);
    }
    if (r && *request) {
        copi_message_free(*request);
    }
    return r;
}

int
cop_registry_lock(const char *registry, cop_bytes key, void (*fn)(void *env), void *env,
                  cop_time timeout)
{
    struct copi_process *self;
    struct letting_go letting_go;
    struct copi_message *request, *answer;
    int r = copi_enter_exit_point(&self);
    if (r == 0) {
        r = find_owner(&letting_go.owner, registry, key);
    }
    if (r == 0) {
        r = prepare(&letting_go, &request, key);
    }
    if (r) {
        return r;
    }
    r = copi_request(self, letting_go.owner, request, timeout, &answer);
    if (r == 0) {
        copi_message_free(answer);
        fn(env);
    }
    cop_undefer(let_go, &letting_go, true);
    return r;
}
