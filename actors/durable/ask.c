/*
 * actors/durable/ask.c - an operation on its way to a store, and its outcome.
 *
 * Room: actors/durable/. Whoever asks; the store's process.
 * Touch freely: nothing. Ask first: who is told what when the store is gone.
 *
 * An ask is one block of memory: a future, the operation, and copies of what that points to. Two hold it: who
 * asks, and the message. The message's hold goes to the store's process with the body, and is given back with
 * the answer; so what the asker does meanwhile, giving up or ending, is no concern of the store.
 *
 * The operation is the store's alone until the future is settled; who has seen it settled reads (publishing
 * a future is a release, and looking at it an acquire: future.c).
 *
 * Nothing is left unanswered. A message that nobody takes is dropped, and that rejects the future: with -ESRCH, for it has
 * not been applied. An ask that the store has begun (is_taken) and not answered when it ends may have been: -EREMOTEIO.
 */
#include "actors/durable/ask.h"

#include "actors/durable/check.h"
#include "runtime/alloc.h"
#include "runtime/process.h"
#include "runtime/send.h"
#include "runtime/table.h"

#include <errno.h>
#include <stdlib.h>

/* ---------------------------------------------------------------- the block */

static void
free_ask(cop_future *future)
{
    struct copi_ask *ask = (struct copi_ask *)(void *)future;
    cop_future_release(ask->cell);
    cop_store_forget(&ask->op);
    free(ask);
}

static const struct copi_source source = {.free = free_ask};

struct copi_ask *
copi_ask_of(cop_future *future)
{
    return future->source == &source ? (struct copi_ask *)(void *)future : NULL;
}

static size_t
text_size(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static size_t
size_of(const cop_store_op *op)
{
    return text_size(op->id) + text_size(op->queue) + text_size(op->tags) + text_size(op->text)
           + op->param.size + op->value.size + op->key.size;
}

static void
copy_bytes(unsigned char **end, cop_bytes *bytes)
{
    if (bytes->size > 0) {
        bytes->data = memcpy(*end, bytes->data, bytes->size);
        *end += bytes->size;
    }
}

static void
copy_text(unsigned char **end, const char **text)
{
    if (*text) {
        size_t size = strlen(*text) + 1;
        *text = memcpy(*end, *text, size);
        *end += size;
    }
}

static void
copy_op(struct copi_ask *ask, const cop_store_op *op)
{
    unsigned char *end = ask->bytes;
    ask->op = *op;
    copy_bytes(&end, &ask->op.param);
    copy_bytes(&end, &ask->op.value);
    copy_bytes(&end, &ask->op.key);
    copy_text(&end, &ask->op.id);
    copy_text(&end, &ask->op.queue);
    copy_text(&end, &ask->op.tags);
    copy_text(&end, &ask->op.text);
}

static struct copi_ask *
new_ask(const cop_store_op *op, const struct copi_ask_opts *opts)
{
    size_t size = size_of(op);
    struct copi_ask *ask = copi_zalloc(sizeof *ask + size);
    if (!ask) {
        return NULL;
    }
    const struct copi_future_init how = {&source, COP_ANY, opts->file, opts->line};
    if (opts->is_public) {
        copi_future_init(&ask->future, &how);
    } else {
        copi_future_init_part(&ask->future, &how);
    }
    ask->is_recovery = opts->is_recovery;
    ask->is_bare = opts->is_bare;
    ask->file = opts->file;
    ask->line = opts->line;
    ask->size = size;
    copy_op(ask, op);
    return ask;
}

/* ---------------------------------------------------------------- the answer */

static void
reject(struct copi_ask *ask, int code, const char *words)
{
    const cop_reason why = cop_failed(code, "%s", words);
    copi_future_reject(&ask->future, &why);
}

/* What stands in the way, in a word. */
static const char *
words_of(const struct copi_ask *ask)
{
    static const char *const states[] = {"pending", "resolved", "rejected"};
    switch (ask->op.result) {
    case -EALREADY:
    case -EEXIST:
        return ask->op.first ? states[ask->op.first->state] : "";
    case -ENOENT:
        return "not_found";
    case -ESTALE:
        return "lease_lost";
    case -EBADMSG:
        return "damaged";
    case -EBUSY:
        return ask->op.first ? "leased" : "busy";
    default:
        return "";
    }
}

/* A guess will do: the load pairs with nothing. */
bool
copi_ask_is_awaited(const struct copi_ask *ask)
{
    return copi_load_relaxed_ptr(&ask->future.waiters) != NULL;
}

void
copi_ask_answer(struct copi_ask *ask)
{
    if (ask->op.result != 0) {
        reject(ask, ask->op.result, words_of(ask));
    } else if (copi_future_claim(&ask->future)) {
        copi_future_publish_value(&ask->future, &ask->op, ask->is_bare ? 0 : sizeof ask->op);
    }
    cop_future_release(&ask->future);
}

void
copi_ask_refuse(struct copi_ask *ask, int result, const char *words)
{
    cop_store_forget(&ask->op);
    ask->op.result = result;
    reject(ask, result, words);
    cop_future_release(&ask->future);
}

void
copi_ask_lose(void *data)
{
    struct copi_ask *ask = data;
    if (ask->is_taken) {
        reject(ask, -EREMOTEIO, "the store ended");
    } else {
        reject(ask, -ESRCH, "noproc");
    }
    cop_future_release(&ask->future);
}

/* ---------------------------------------------------------------- asking */

static void
add_key(cop_store_op *op, unsigned char *key)
{
    const cop_owner nobody = {0};
    if (op->kind != COP_STORE_SETTLE || op->key.size > 0
        || memcmp(&op->owner, &nobody, sizeof nobody) == 0) {
        return;
    }
    memcpy(key, &op->owner, sizeof op->owner);
    for (unsigned i = 0; i < sizeof op->epoch; i++) {
        key[sizeof op->owner + i] = (unsigned char)(op->epoch >> (56 - 8 * i));
    }
    op->key = (cop_bytes){key, sizeof op->owner + sizeof op->epoch};
}

/* The message has a hold of its own. NULL: out of memory. */
static struct copi_message *
message_of(struct copi_ask *ask)
{
    const struct copi_outside body = {ask, sizeof *ask, copi_ask_lose};
    struct copi_message *message = copi_message_new(COPI_CAST, COPI_STORE_ASK, sizeof body);
    if (message) {
        message->flags |= COPI_OUTSIDE;
        memcpy(message->body, &body, sizeof body);
        cop_future_retain(&ask->future);
    }
    return message;
}

static struct copi_ask *
make(const cop_store_op *op, const struct copi_ask_opts *opts)
{
    unsigned char key[sizeof op->owner + sizeof op->epoch];
    cop_store_op full = *op;
    add_key(&full, key);
    return new_ask(&full, opts);
}

static void
release(void *future)
{
    cop_future_release(future);
}

static int
post(struct copi_process *self, struct copi_ask *ask, cop_pid store)
{
    struct copi_message *message = message_of(ask);
    int r =
        message ? cop_defer(release, &ask->future) : -ENOMEM; /* a full mailbox is an exit point */
    if (r) {
        if (message) {
            copi_message_free(message);
        }
        return r;
    }
    r = copi_send_message(self, store, message);
    cop_undefer(release, &ask->future, false);
    if (r) {
        cop_future_release(&ask->future); /* the message's hold came back with its body */
    }
    return r;
}

static void
send(struct copi_ask *ask, cop_pid store)
{
    struct copi_process *self;
    int r = copi_enter(&self);
    r = r ? r : post(self, ask, store);
    if (r) {
        reject(ask, r, r == -ESRCH ? "noproc" : "");
    }
}

cop_future *
copi_ask(cop_pid store, const cop_store_op *op, const struct copi_ask_opts *opts)
{
    const char *what = "";
    int r = copi_store_check(op, &what);
    const cop_store_op nothing = {.kind = op->kind};
    struct copi_ask *ask = make(r ? &nothing : op, opts);
    if (!ask) {
        return copi_future_no_memory();
    }
    if (r) {
        reject(ask, r, what);
    } else {
        send(ask, store);
    }
    return &ask->future;
}

int
copi_ask_post(cop_pid store, const cop_store_op *op)
{
    struct copi_ask *ask = make(op, &(struct copi_ask_opts){.is_bare = true});
    struct copi_message *message = ask ? message_of(ask) : NULL;
    if (message) {
        copi_post(copi_resolve(store), message);
    }
    if (ask) {
        cop_future_release(&ask->future);
    }
    return message ? 0 : -ENOMEM;
}

/*
 * A wait needs memory, and without any it would end while the operation is on its way: as if that had not been
 * applied, and perhaps it is. So it waits for some.
 */
static int
await_answer(cop_future *future, cop_time timeout)
{
    const cop_time pause = COP_MS(1), end = copi_deadline(timeout);
    cop_bytes unused;
    int r;
    while ((r = cop_await_bytes(future, &unused, timeout)) == -ENOMEM
           && copi_future_outcome(future) == -EINPROGRESS) {
        r = cop_sleep(pause);
        if (r) {
            return r;
        }
        timeout = end == COP_FOREVER ? COP_FOREVER : end - cop_now();
        if (timeout <= 0) {
            return copi_fail(-ETIMEDOUT);
        }
    }
    return r;
}

int
copi_ask_and_wait(struct copi_ask **answer, cop_pid store, const cop_store_op *op,
                  const struct copi_ask_opts *opts, cop_time timeout)
{
    cop_future *future = copi_ask(store, op, opts);
    *answer = NULL;
    int r = cop_defer(release, future); /* the wait is an exit point */
    if (r) {
        cop_future_release(future);
        return r;
    }
    r = await_answer(future, timeout);
    int outcome = copi_future_outcome(future);
    bool is_answered = outcome != -EINPROGRESS && copi_ask_of(future);
    cop_undefer(release, future, !is_answered);
    if (is_answered) {
        *answer = copi_ask_of(future);
    }
    return is_answered ? outcome : r;
}
