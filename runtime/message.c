/*
 * runtime/message.c - messages, and the pools they come from.
 *
 * Room: runtime/. Any thread.
 * Touch freely: the figures. Ask first: who may touch which list.
 *
 * A node comes from the pool of the thread that sends and is freed by the thread that receives. It
 * goes home in batches: the receiver collects what belongs to one pool and returns it with one
 * atomic operation, which the owner takes back, all at once, when its own list has run dry. So in
 * steady state nothing is allocated and the two threads share a line once a batch.
 *
 * What came back is used as it is: each class of nodes comes back by itself, so that the chain is the
 * owner's new list, and nobody walks it. For its nodes lie in the receiver's cache, and a walk would wait
 * for each of them in turn. Whoever takes one asks for the next one's line instead, and has it when he
 * needs it.
 *
 * A few nodes of others' are not collected: they are the next to go out, before one's own. Whoever receives
 * a message and sends one, because he answers or passes it on, so writes the line that he has just read and
 * not one that lies in another's cache. Before a long wait they go home with the rest.
 *
 * Nodes are cut from slabs of 64 KiB that are aligned to their size, so that a node's slab, its pool
 * and its size class are found from its address. A pool that has many takes the next ones in bulk (slab.c):
 * its nodes are a backlog that grows, and each is written for the first time. Pools are not freed with their
 * thread: nodes of theirs may be anywhere. An orphaned pool is adopted by the next thread that needs one.
 *
 *   free lists, slabs    the owner only
 *   returned             any thread pushes a chain (compare-and-swap); the owner takes all
 *                        (exchange). The links of a chain are written before the push and read after
 *                        the exchange: both are full barriers.
 *   pools, orphans       under the lock
 */
#include "runtime/message.h"

#include "runtime/alloc.h"
#include "runtime/live.h"
#include "runtime/process.h"
#include "runtime/slab.h"
#include "runtime/thread.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
# include <sanitizer/asan_interface.h>
# define POISON(at, size)   ASAN_POISON_MEMORY_REGION((at), (size))
# define UNPOISON(at, size) ASAN_UNPOISON_MEMORY_REGION((at), (size))
#else
# define POISON(at, size)   ((void)0)
# define UNPOISON(at, size) ((void)0)
#endif

/* Not on the path of each message, which so has no registers to save for it. */
#define ASIDE __attribute__((noinline))

enum {
    CLASSES = 4,
    BATCH = 32,  /* nodes that go home together */
    BATCHES = 8, /* pools, or classes of theirs, that a thread collects for at a time */
    BORROWED_MOST = 8,
    MANY_SLABS = 16, /* from so many on a pool takes them in bulk */
};
static const uint16_t class_size[CLASSES] = {64, 128, 384, 1024};
#define HEADER  sizeof(struct copi_message)
#define LARGEST ((size_t)1024 - HEADER) /* of a body inside */

_Static_assert(sizeof(struct copi_message) == 40, "with 24 bytes of body a message is one line");
_Static_assert(sizeof(struct copi_outside) <= 24, "fits where the smallest body does");
_Static_assert(CLASSES <= BATCHES, "a batch is of one class");

struct slab {
    struct copi_pool *pool;
    struct slab *next;
    struct copi_region *region;
    uint32_t class, used; /* used: bytes cut off so far */
    uint32_t at_home;     /* while trimming: nodes found in the pool */
};

struct batch {
    struct copi_pool *home;
    struct copi_message *first, *last;
    uint32_t class, count;
};

struct copi_pool {
    /* owner only */
    struct copi_message *free[CLASSES];
    struct copi_message *borrowed[CLASSES]; /* of other pools, to go out again */
    uint32_t borrowed_count[CLASSES];
    struct slab *slabs[CLASSES]; /* the first is the one that is cut */
    uint32_t slab_count;
    struct batch batches[BATCHES];
    /* guarded by pools.lock */
    struct copi_pool *next;
    /* any thread, atomic; a line of their own */
    _Alignas(64) copi_atomic_ptr returned[CLASSES];
};

static struct {
    copi_lock lock;
    struct copi_pool *orphans;
} pools = {.lock = COPI_LOCK_INIT};

static struct slab *
slab_of(const struct copi_message *node)
{
    return (struct slab *)((uintptr_t)node & ~(uintptr_t)(COPI_SLAB_SIZE - 1));
}

/* ---------------------------------------------------------------- a thread's pool */

static struct copi_pool *
adopt_orphan(void)
{
    copi_lock_take(&pools.lock);
    struct copi_pool *pool = pools.orphans;
    if (pool) {
        pools.orphans = pool->next;
    }
    copi_lock_give(&pools.lock);
    return pool;
}

static ASIDE struct copi_pool *
make_pool(void)
{
    struct copi_pool *pool = adopt_orphan();
    if (!pool) {
        pool = copi_aligned_alloc(64, sizeof *pool);
        if (!pool) {
            return NULL;
        }
        memset(pool, 0, sizeof *pool);
    }
    copi_here.pool = pool;
    return pool;
}

void
copi_pool_leave(void)
{
    struct copi_pool *pool = copi_here.pool;
    if (!pool) {
        return;
    }
    copi_pool_flush();
    copi_here.pool = NULL;
    copi_lock_take(&pools.lock);
    pool->next = pools.orphans;
    pools.orphans = pool;
    copi_lock_give(&pools.lock);
}

/* ---------------------------------------------------------------- nodes come home */

static ASIDE void
give_back(struct batch *batch)
{
    copi_atomic_ptr *returned = &batch->home->returned[batch->class];
    void *top = copi_load_relaxed_ptr(returned);
    do {
        batch->last->next = top;
    } while (!copi_cas_ptr(returned, &top, batch->first)); /* pairs with take_returned */
    *batch = (struct batch){0};
}

static void
add_to(struct batch *batch, struct copi_message *node)
{
    node->next = batch->first;
    batch->first = node;
    if (++batch->count == BATCH) {
        give_back(batch);
    }
}

static ASIDE void
begin_batch(struct batch *batch, const struct slab *slab, struct copi_message *node)
{
    if (batch->count > 0) {
        give_back(batch);
    }
    *batch = (struct batch){.home = slab->pool, .class = slab->class, .last = node};
    add_to(batch, node);
}

static inline void
collect(struct copi_pool *mine, const struct slab *slab, struct copi_message *node)
{
    struct batch *batch = &mine->batches[(((uintptr_t)slab->pool >> 8) + slab->class) % BATCHES];
    if (batch->home == slab->pool) { /* the classes of one pool are never in one place */
        add_to(batch, node);
    } else {
        begin_batch(batch, slab, node);
    }
}

static inline bool
borrow(struct copi_pool *mine, uint32_t class, struct copi_message *node)
{
    if (mine->borrowed_count[class] == BORROWED_MOST) {
        return false;
    }
    node->next = mine->borrowed[class];
    mine->borrowed[class] = node;
    mine->borrowed_count[class]++;
    return true;
}

static struct copi_message *
take_borrowed(struct copi_pool *mine, uint32_t class)
{
    struct copi_message *node = mine->borrowed[class];
    if (node) {
        mine->borrowed[class] = node->next;
        mine->borrowed_count[class]--;
    }
    return node;
}

static void
collect_borrowed(struct copi_pool *mine)
{
    for (uint32_t class = 0; class < CLASSES; class ++) {
        for (struct copi_message *node; (node = take_borrowed(mine, class));) {
            collect(mine, slab_of(node), node);
        }
    }
}

void
copi_pool_flush(void)
{
    struct copi_pool *pool = copi_here.pool;
    if (!pool) {
        return;
    }
    collect_borrowed(pool);
    for (unsigned i = 0; i < BATCHES; i++) {
        if (pool->batches[i].count > 0) {
            give_back(&pool->batches[i]);
        }
    }
}

/* Into an empty list: what has come back is the list. */
static struct copi_message *
take_returned(struct copi_pool *pool, uint32_t class)
{
    copi_atomic_ptr *returned = &pool->returned[class];
    if (!pool->free[class] && copi_load_relaxed_ptr(returned)) {
        pool->free[class] = copi_exchange_ptr(returned, NULL); /* pairs with give_back */
    }
    return pool->free[class];
}

/* A thread that has no pool yet. One that is no process would leave it behind, and there may be no memory
 * for it: then the node goes home by itself. */
static ASIDE void
release_first(const struct slab *slab, struct copi_message *node)
{
    struct copi_pool *mine = copi_here.process ? make_pool() : NULL;
    if (!mine || !borrow(mine, slab->class, node)) {
        struct batch batch = {slab->pool, node, node, slab->class, 1};
        give_back(&batch);
    }
}

void
copi_message_release(struct copi_message *node)
{
    const struct slab *slab = slab_of(node);
    struct copi_pool *mine = copi_here.pool;
    POISON(node->body, class_size[slab->class] - HEADER);
    if (!mine) {
        release_first(slab, node);
    } else if (slab->pool == mine) {
        node->next = mine->free[slab->class];
        mine->free[slab->class] = node;
    } else if (!borrow(mine, slab->class, node)) {
        collect(mine, slab, node);
    }
    copi_live_gone(COPI_LIVE_MESSAGE); /* last: nothing is to be kept across it */
}

/* ---------------------------------------------------------------- nodes go out */

static struct copi_message *
cut(struct slab *slab)
{
    uint32_t size = class_size[slab->class];
    if (slab->used + size > COPI_SLAB_SIZE) {
        return NULL;
    }
    struct copi_message *node = (struct copi_message *)((char *)slab + slab->used);
    slab->used += size;
    return node;
}

static struct slab *
add_slab(struct copi_pool *pool, uint32_t class)
{
    struct copi_region *region;
    struct slab *slab = copi_slab_take(pool->slab_count >= MANY_SLABS, &region);
    if (slab) {
        *slab = (struct slab){.pool = pool, .region = region, .class = class};
        slab->next = pool->slabs[class];
        slab->used = class_size[class] > 64 ? class_size[class] : 64; /* the header's place */
        pool->slabs[class] = slab;
        pool->slab_count++;
    }
    return slab;
}

static ASIDE struct copi_message *
refill(struct copi_pool *pool, uint32_t class)
{
    struct copi_message *node = take_returned(pool, class);
    if (node) { /* before fresh memory, whose pages are yet to be made */
        pool->free[class] = node->next;
        return node;
    }
    if (pool->slabs[class] && (node = cut(pool->slabs[class]))) {
        return node;
    }
    struct slab *slab = add_slab(pool, class);
    return slab ? cut(slab) : NULL;
}

static inline struct copi_message *
take_node(size_t body)
{
    struct copi_pool *pool = copi_here.pool;
    if (!pool && !(pool = make_pool())) {
        return NULL;
    }
    uint32_t class = body <= 24 ? 0 : body <= 128 - HEADER ? 1 : body <= 384 - HEADER ? 2 : 3;
    struct copi_message *node = take_borrowed(pool, class);
    if (!node && (node = pool->free[class])) {
        pool->free[class] = node->next;
        copi_prefetch_to_write(node->next);
    } else if (!node) {
        node = refill(pool, class);
    }
    if (node) {
        UNPOISON(node->body, class_size[class] - HEADER);
        copi_live_born(COPI_LIVE_MESSAGE);
    }
    return node;
}

/* ---------------------------------------------------------------- messages */

static struct copi_outside *
outside(struct copi_message *message)
{
    return (struct copi_outside *)(void *)message->body;
}

static const struct copi_outside *
outside_const(const struct copi_message *message)
{
    return (const struct copi_outside *)(const void *)message->body;
}

static inline void
set(struct copi_message *message, enum copi_kind kind, uint32_t tag, size_t inside)
{
    message->next = NULL;
    message->from = COP_NOBODY;
    message->ref.id = 0;
    message->tag = tag;
    message->kind = (uint8_t)kind;
    message->flags = 0;
    message->size = (uint16_t)inside;
    message->code = 0;
}

struct copi_message *
copi_message_new(enum copi_kind kind, uint32_t tag, size_t size)
{
    if (size > LARGEST) {
        return NULL;
    }
    struct copi_message *message = take_node(size);
    if (message) {
        set(message, kind, tag, size);
    }
    return message;
}

struct copi_message *
copi_message_blank(enum copi_kind kind, uint32_t tag, size_t size, void **body)
{
    struct copi_message *message;
    if (size <= LARGEST) {
        message = copi_message_new(kind, tag, size);
        *body = message ? message->body : NULL;
        return message;
    }
    void *data = copi_alloc(size);
    message = data ? copi_message_new(kind, tag, sizeof(struct copi_outside)) : NULL;
    if (!message) {
        free(data);
        return NULL;
    }
    message->flags |= COPI_OUTSIDE | COPI_COPIED;
    *outside(message) = (struct copi_outside){data, size, free};
    *body = data;
    return message;
}

struct copi_message *
copi_message_lent(enum copi_kind kind, uint32_t tag, struct copi_outside body)
{
    struct copi_message *message = copi_message_new(kind, tag, sizeof body);
    if (message) {
        message->flags |= COPI_OUTSIDE | COPI_COPIED;
        *outside(message) = body;
    }
    return message;
}

static ASIDE int
move_outside(struct copi_message **out, enum copi_kind kind, const cop_msg *msg)
{
    struct copi_message *message = copi_message_new(kind, msg->tag, sizeof(struct copi_outside));
    if (!message) {
        return -ENOMEM;
    }
    message->flags |= COPI_OUTSIDE;
    union {
        const void *in;
        void *out;
    } data = {.in = msg->body.data}; /* the receiver's from now on, so no longer const */
    *outside(message) = (struct copi_outside){data.out, msg->body.size, msg->drop};
    *out = message;
    return 0;
}

/* A number or two are not worth a call. */
static inline void
copy(void *to, const void *from, size_t size)
{
    switch (size) {
    case 4:
        memcpy(to, from, 4);
        return;
    case 8:
        memcpy(to, from, 8);
        return;
    case 16:
        memcpy(to, from, 16);
        return;
    case 0:
        return; /* from nowhere, maybe */
    default:
        memcpy(to, from, size);
    }
}

static ASIDE int
from_large(struct copi_message **out, enum copi_kind kind, const cop_msg *msg)
{
    void *body;
    struct copi_message *message = copi_message_blank(kind, msg->tag, msg->body.size, &body);
    if (!message) {
        return -ENOMEM;
    }
    memcpy(body, msg->body.data, msg->body.size);
    *out = message;
    return 0;
}

int
copi_message_from(struct copi_message **out, enum copi_kind kind, const cop_msg *msg)
{
    if ((!msg->body.data && (msg->body.size > 0 || msg->drop)) || msg->tag >= COP_MSG_RESERVED) {
        return -EINVAL;
    }
    if (msg->drop) {
        return move_outside(out, kind, msg);
    }
    if (msg->body.size > LARGEST) {
        return from_large(out, kind, msg);
    }
    struct copi_message *message = take_node(msg->body.size);
    if (!message) {
        return -ENOMEM;
    }
    set(message, kind, msg->tag, msg->body.size);
    copy(message->body, msg->body.data, msg->body.size);
    *out = message;
    return 0;
}

cop_msg
copi_message_view_outside(const struct copi_message *message)
{
    const struct copi_outside *body = outside_const(message);
    return (cop_msg){
        .tag = message->tag,
        .body = {body->data, body->size},
        .drop = message->flags & COPI_COPIED ? NULL : body->drop,
        .from = message->from,
    };
}

void
copi_run_drop(void (*drop)(void *data), void *data)
{
    struct copi_process *self = copi_here.process;
    if (drop == free || !self || !self->jump) {
        drop(data);
    } else {
        copi_run_held(self, drop, data);
    }
}

void
copi_message_drop_body(struct copi_message *message)
{
    if (message->flags & COPI_OUTSIDE) {
        struct copi_outside body = *outside(message);
        message->flags &= (uint8_t) ~(COPI_OUTSIDE | COPI_COPIED);
        copi_run_drop(body.drop, body.data);
    }
    message->size = 0;
}

/* The user's msg.drop for a body that lies in its node. */
static void
free_by_body(void *body)
{
    copi_message_release((struct copi_message *)(void *)((char *)body - HEADER));
}

/* And for our copy outside it: a name of its own, to be told from a user's free. */
static void
free_copy(void *body)
{
    free(body);
}

bool
copi_message_is_copy(const cop_msg *msg)
{
    return msg->drop == free_by_body || msg->drop == free_copy;
}

cop_msg
copi_message_give(struct copi_message *message)
{
    cop_msg given = copi_message_view(message);
    if (message->flags & COPI_OUTSIDE) {
        given.drop = message->flags & COPI_COPIED ? free_copy : outside(message)->drop;
        copi_message_release(message);
    } else if (message->size > 0) {
        given.drop = free_by_body;
    } else {
        given.body.data = NULL;
        copi_message_release(message);
    }
    return given;
}

void
copi_message_let_go(const cop_msg *msg)
{
    if (msg->drop) {
        union {
            const void *in;
            void *out;
        } data = {.in = msg->body.data};
        msg->drop(data.out);
    }
}

void
cop_msg_release(cop_msg *msg)
{
    cop_msg gone = *msg;
    *msg = (cop_msg){0};
    copi_message_let_go(&gone);
}

/* ---------------------------------------------------------------- trimming */

static unsigned
nodes_cut(const struct slab *slab)
{
    uint32_t size = class_size[slab->class], first = size > 64 ? size : 64;
    return (slab->used - first) / size;
}

static bool
all_at_home(const struct slab *slab)
{
    return slab->at_home == nodes_cut(slab);
}

static void
forget_nodes_at_home(struct copi_pool *pool, uint32_t class)
{
    struct copi_message **link = &pool->free[class];
    while (*link) {
        if (all_at_home(slab_of(*link))) {
            *link = (*link)->next;
        } else {
            link = &(*link)->next;
        }
    }
}

static void
free_slabs_at_home(struct copi_pool *pool, uint32_t class)
{
    struct slab **link = &pool->slabs[class];
    while (*link) {
        struct slab *slab = *link;
        if (all_at_home(slab)) {
            *link = slab->next;
            UNPOISON(slab, COPI_SLAB_SIZE);
            copi_slab_give(slab->region, slab);
            pool->slab_count--;
        } else {
            slab->at_home = 0;
            link = &slab->next;
        }
    }
}

static void
take_all_returned(struct copi_pool *pool, uint32_t class)
{
    struct copi_message **end = &pool->free[class];
    while (*end) {
        end = &(*end)->next;
    }
    *end = copi_exchange_ptr(&pool->returned[class], NULL); /* pairs with give_back */
}

static void
trim(struct copi_pool *pool)
{
    for (uint32_t class = 0; class < CLASSES; class ++) {
        take_all_returned(pool, class);
        for (struct copi_message *node = pool->free[class]; node; node = node->next) {
            slab_of(node)->at_home++;
        }
        forget_nodes_at_home(pool, class);
        free_slabs_at_home(pool, class);
    }
}

static bool
is_empty(const struct copi_pool *pool)
{
    for (uint32_t class = 0; class < CLASSES; class ++) {
        if (pool->slabs[class]) {
            return false;
        }
    }
    return true;
}

void
copi_pool_trim_own(void)
{
    copi_pool_flush();
    if (copi_here.pool) {
        trim(copi_here.pool);
    }
}

void
copi_pool_trim(void)
{
    copi_pool_trim_own();
    copi_lock_take(&pools.lock);
    for (struct copi_pool **link = &pools.orphans; *link;) {
        struct copi_pool *pool = *link;
        trim(pool);
        if (is_empty(pool)) {
            *link = pool->next;
            free(pool);
        } else {
            link = &pool->next;
        }
    }
    copi_lock_give(&pools.lock);
}
