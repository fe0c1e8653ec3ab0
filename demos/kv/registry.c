/*
 * demos/kv/registry.c - which process is the bucket of a name.
 *
 * Room: demos/. The callbacks run in the registry's process.
 *
 * Why not cop_register()? Because clients make up these names, and a name of the library is never
 * forgotten, as an atom is not. So the registry keeps them: names to pids, and a monitor on each
 * pid.
 *
 * A bucket that crashes is started again by its supervisor, so a name has many incarnations over
 * time, and three ways tell the registry of them:
 *
 *   - The DOWN of its monitor: the old one is gone. The name stays, without a pid.
 *   - The announcement that each incarnation casts from its init. Whoever asked in between waits
 * for
 *     it: the answer to a lookup is a deferred reply.
 *   - At its own start, the supervisor's list of children. A registry that crashed comes back with
 *     all names, and no data is lost: the buckets never depended on it.
 *
 * These may overlap and nothing is missed. An announcement that finds no registry is made before
 * the supervisor answers the next one for its list. An announcement may wait in the mailbox
 * behind which the list was newer; then the newer one waits there, too. What remains possible is
 * that a pid is dead when it is handed out. A call to it says -ESRCH, never anything wrong, and
 * the caller asks again, saying which pid was stale, so that it is not told the same one twice
 * while the DOWN is still on its way.
 *
 * All memory comes from cop_alloc, so a crash needs no clean-up.
 *
 * Touch freely: the data structure. Ask first: calling a bucket from here; a bucket that hangs
 * would then hang everybody who looks for another.
 */
#include "demos/kv/registry.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LOOKUP,
    CREATE,
    LIST,
    ANNOUNCE
};

struct question {
    char name[BUCKET_NAME_ARG];
    cop_pid stale;
};

struct answer {
    int error;
    cop_pid pid;
};

COP_MESSAGE(announce, ANNOUNCE, struct registry_bucket)

/* --- In the registry --- */

struct waiter {
    struct waiter *next;
    cop_from from;
};

struct name {
    char name[BUCKET_NAME_ARG];
    cop_pid pid;
    cop_ref monitor;
    struct waiter *waiters; /* until there is a pid */
};

struct state {
    struct name *names; /* sorted */
    size_t count, capacity;
};

static void *
must_alloc(size_t size)
{
    void *memory = cop_alloc(size);
    if (memory == NULL) {
        cop_exit(cop_failed(-ENOMEM, NULL));
    }
    return memory;
}

/* Where the name is, or would be. */
static size_t
position(const struct state *s, const char *name)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(s->names[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct name *
find(const struct state *s, const char *name)
{
    size_t at = position(s, name);
    /* A question has a name. NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
    return at < s->count && strcmp(s->names[at].name, name) == 0 ? &s->names[at] : NULL;
}

static void
grow(struct state *s)
{
    size_t capacity = s->capacity ? 2 * s->capacity : 16;
    struct name *names = must_alloc(capacity * sizeof *names);
    if (s->count > 0) {
        memcpy(names, s->names, s->count * sizeof *names);
    }
    cop_free(s->names);
    s->names = names;
    s->capacity = capacity;
}

/* The result, as find's, is valid until the next insert. */
static struct name *
insert(struct state *s, const char *name)
{
    if (s->count == s->capacity) {
        grow(s);
    }
    struct name *n = &s->names[position(s, name)];
    memmove(n + 1, n, (size_t)(s->names + s->count - n) * sizeof *n);
    *n = (struct name){0};
    (void)snprintf(n->name, sizeof n->name, "%s", name);
    s->count++;
    return n;
}

static void
answer_waiters(struct name *n)
{
    struct answer answer = {.pid = n->pid};
    while (n->waiters != NULL) {
        struct waiter *w = n->waiters;
        n->waiters = w->next;
        cop_reply(w->from, COP_MSG_OF(0, answer));
        cop_free(w);
    }
}

/* From now on `pid` is the bucket. */
static void
install(struct name *n, cop_pid pid)
{
    if (cop_pid_eq(n->pid, pid)) {
        return;
    }
    if (n->monitor.id != 0) {
        cop_demonitor(n->monitor);
    }
    n->monitor = cop_monitor(pid);
    if (n->monitor.id == 0) {
        cop_exit(cop_why());
    }
    n->pid = pid;
    answer_waiters(n);
}

/* Start over with what the supervisor has. */
static cop_step
init(void *state, cop_bytes arg)
{
    (void)arg;
    struct state *s = state;
    cop_child_info *children = must_alloc(REGISTRY_MAX_BUCKETS * sizeof *children);
    size_t count = 0;
    int error = cop_watchdog(COP_SEC(10));
    if (error == 0) {
        error = cop_supervisor_children(cop_named(BUCKET_SUPERVISOR), children,
                                        REGISTRY_MAX_BUCKETS, &count);
    }
    if (error < 0) {
        return cop_stop(cop_failed(error, "%s: %s", BUCKET_SUPERVISOR, cop_strerror(error)));
    }
    for (size_t i = 0; i < count && i < REGISTRY_MAX_BUCKETS; i++) {
        struct name *n = insert(s, children[i].id);
        if (!cop_pid_eq(children[i].pid, COP_NOBODY)) {
            install(n, children[i].pid);
        }
    }
    cop_free(children);
    return cop_ok();
}

static cop_step
reply_error(cop_from from, int error)
{
    struct answer answer = {.error = error};
    return cop_reply(from, COP_MSG_OF(0, answer));
}

/* The pid now, or later when there is a new one. */
static cop_step
answer_or_wait(struct name *n, cop_from from, cop_pid stale)
{
    if (!cop_pid_eq(n->pid, COP_NOBODY) && !cop_pid_eq(n->pid, stale)) {
        struct answer answer = {.pid = n->pid};
        return cop_reply(from, COP_MSG_OF(0, answer));
    }
    struct waiter *w = must_alloc(sizeof *w);
    *w = (struct waiter){n->waiters, from};
    n->waiters = w;
    return cop_ok();
}

/* A name that the supervisor knows and we do not: its announcement is on its way, or it is between
 * two incarnations. */
static int
create(struct state *s, const char *name)
{
    if (s->count >= REGISTRY_MAX_BUCKETS) {
        return -ENOSPC;
    }
    cop_child_spec child = bucket_child(name);
    cop_pid pid = COP_NOBODY;
    int error = cop_supervisor_start_child(cop_named(BUCKET_SUPERVISOR), &child, &pid);
    if (error < 0 && error != -EEXIST && error != -EALREADY) {
        return error == -EAGAIN ? -ENOSPC : error; /* the system has no thread for it */
    }
    cop_log(COP_LOG_INFO, "a bucket was created", COP_KV("bucket", name));
    struct name *n = insert(s, name);
    if (!cop_pid_eq(pid, COP_NOBODY)) {
        install(n, pid);
    }
    return 0;
}

static cop_step
reply_list(const struct state *s, cop_from from)
{
    size_t size = s->count * sizeof(struct registry_bucket);
    struct registry_bucket *list = must_alloc(size + 1);
    for (size_t i = 0; i < s->count; i++) {
        list[i].pid = s->names[i].pid;
        memcpy(list[i].name, s->names[i].name, sizeof list[i].name);
    }
    cop_msg reply = {.body = {list, size}};
    cop_step step = cop_reply(from, reply);
    cop_free(list);
    return step;
}

static cop_step
handle_call(void *state, cop_from from, cop_msg request)
{
    struct state *s = state;
    if (request.tag == LIST) {
        return reply_list(s, from);
    }
    const struct question *q = COP_BODY(request, struct question);
    if (find(s, q->name) == NULL) {
        int error = request.tag == CREATE ? create(s, q->name) : -ENOENT;
        if (error < 0) {
            return reply_error(from, error);
        }
    }
    return answer_or_wait(find(s, q->name), from, q->stale);
}

static cop_step
handle_cast(void *state, cop_msg msg)
{
    struct state *s = state;
    const struct registry_bucket *b = announce_of(msg);
    if (b != NULL) {
        struct name *n = find(s, b->name);
        install(n != NULL ? n : insert(s, b->name), b->pid);
    }
    return cop_ok();
}

static cop_step
handle_info(void *state, cop_msg msg)
{
    struct state *s = state;
    if (msg.tag != COP_MSG_DOWN) {
        return cop_ok();
    }
    const struct cop_down *down = COP_BODY(msg, struct cop_down);
    for (size_t i = 0; i < s->count; i++) {
        if (s->names[i].monitor.id == down->ref.id) {
            s->names[i].pid = COP_NOBODY;
            s->names[i].monitor = (cop_ref){0};
        }
    }
    return cop_ok();
}

const cop_genserver registry = {
    .type = "registry",
    .state_size = sizeof(struct state),
    .init = init,
    .handle_call = handle_call,
    .handle_cast = handle_cast,
    .handle_info = handle_info,
};

/* --- In the caller --- */

/*
 * All questions may be asked again, so a registry that is being restarted costs its callers a
 * moment and no error.
 */
static int
ask(uint32_t tag, cop_bytes body, cop_msg *reply, cop_time timeout)
{
    cop_time deadline = cop_now() + timeout;
    for (;;) {
        cop_msg request = {.tag = tag, .body = body};
        cop_time left = deadline - cop_now();
        int error = cop_call_any(cop_named(REGISTRY), request, reply, left > 0 ? left : 0);
        if (error == -ETIMEDOUT) {
            return -EAGAIN;
        }
        if (error != -ESRCH && error != -EPIPE) {
            return error;
        }
        if (left <= 0) {
            return -EAGAIN;
        }
        error = cop_sleep(COP_MS(1));
        if (error < 0) {
            return error == -ETIMEDOUT ? -EAGAIN : error;
        }
    }
}

static int
ask_for(uint32_t tag, const char *name, cop_pid stale, cop_pid *out, cop_time timeout)
{
    struct question question = {.stale = stale};
    cop_msg reply = {0};
    (void)snprintf(question.name, sizeof question.name, "%s", name);
    int error = ask(tag, COP_BYTES(question), &reply, timeout);
    if (error < 0) {
        return error;
    }
    struct answer answer = *COP_BODY(reply, struct answer);
    cop_msg_release(&reply);
    if (answer.error == 0) {
        *out = answer.pid;
    }
    return answer.error;
}

int
registry_lookup(const char *name, cop_pid stale, cop_pid *out, cop_time timeout)
{
    return ask_for(LOOKUP, name, stale, out, timeout);
}

int
registry_create(const char *name, cop_pid stale, cop_pid *out, cop_time timeout)
{
    return ask_for(CREATE, name, stale, out, timeout);
}

int
registry_list(cop_msg *list, const struct registry_bucket **buckets, size_t *count,
              cop_time timeout)
{
    int error = ask(LIST, (cop_bytes){0}, list, timeout);
    if (error == 0) {
        *buckets = list->body.data;
        *count = list->body.size / sizeof **buckets;
    }
    return error;
}

int
registry_announce(const char *name)
{
    struct registry_bucket self = {.pid = cop_self()};
    (void)snprintf(self.name, sizeof self.name, "%s", name);
    return cop_cast(cop_named(REGISTRY), announce_msg(&self));
}
