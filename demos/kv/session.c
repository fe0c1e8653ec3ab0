/*
 * demos/kv/session.c - what a connection remembers between two commands.
 *
 * Room: demos/. Runs in the connection's process.
 *
 * Commands that need a bucket are collected as long as they are for the same one, and done in one
 * visit: when the input is used up, when another bucket's turn comes, or when a command wants its
 * reply at once. Pids are remembered, too, since asking the registry would double the cost of a
 * command; a pid that is no longer true costs one -ESRCH and a question to the registry, never a
 * wrong answer, because a call to a dead incarnation cannot reach anybody else.
 *
 * Touch freely: when to flush. Ask first: repeating a visit; only -ESRCH promises that the
 * bucket has seen nothing of it.
 */
#include "demos/kv/session.h"

#include "demos/kv/registry.h"
#include "demos/kv/stats.h"

#include <stdio.h>

/* Waiting for a bucket to do its errands, for one to come back, for a client to read. */
#define VISIT_TIMEOUT  COP_SEC(10)
#define FIND_TIMEOUT   COP_SEC(2)
#define WRITE_PATIENCE COP_SEC(10)

/* A bucket may crash faster than we find its next incarnation, but not for ever. */
#define ATTEMPTS 5

#define MANY_ERRANDS 1024
#define MANY_BYTES   ((size_t)64 << 10) /* and less than a socket has room for */

void
session_init(struct session *s, cop_socket socket)
{
    *s = (struct session){.socket = socket, .selected = "0"};
}

void
session_free(struct session *s)
{
    bucket_visit_free(&s->visit);
    buffer_free(&s->shapes);
    buffer_free(&s->out);
}

/* In pieces, as a socket takes no more at once than its bound. */
int
session_send(struct session *s)
{
    int error = s->out.failed ? -ENOMEM : 0;
    for (size_t sent = 0; error == 0 && sent < s->out.used; sent += MANY_BYTES) {
        size_t left = s->out.used - sent;
        cop_bytes piece = {s->out.data + sent, left < MANY_BYTES ? left : MANY_BYTES};
        error = cop_send_bytes(s->socket, piece, WRITE_PATIENCE);
    }
    buffer_clear(&s->out, MANY_BYTES);
    return error;
}

void
session_relieve(struct session *s)
{
    if (s->out.used >= MANY_BYTES && session_send(s) < 0) {
        s->closing = true;
        s->out.failed = true; /* nothing more can follow what was cut */
    }
}

/* --- Finding buckets --- */

static unsigned
known(struct session *s, const char *bucket)
{
    for (unsigned i = 0; i < SESSION_KNOWN; i++) {
        if (strcmp(s->known[i].name, bucket) == 0) {
            return i;
        }
    }
    unsigned i = s->oldest;
    s->oldest = (s->oldest + 1) % SESSION_KNOWN;
    (void)snprintf(s->known[i].name, sizeof s->known[i].name, "%s", bucket);
    s->known[i].pid = COP_NOBODY;
    return i;
}

/* The databases 0 to 15 always exist in Redis; so do the buckets that stand for them. */
static bool
always_exists(const char *bucket)
{
    size_t size = strlen(bucket);
    if (size == 2) {
        return bucket[0] == '1' && bucket[1] >= '0' && bucket[1] <= '5';
    }
    return size == 1 && bucket[0] >= '0' && bucket[0] <= '9';
}

static int
find(struct session *s, const char *bucket, bool create, cop_pid stale, cop_pid *out)
{
    unsigned i = known(s, bucket);
    if (cop_pid_eq(s->known[i].pid, COP_NOBODY) || cop_pid_eq(s->known[i].pid, stale)) {
        s->known[i].pid = COP_NOBODY;
        int error = create ? registry_create(bucket, stale, &s->known[i].pid, FIND_TIMEOUT)
                           : registry_lookup(bucket, stale, &s->known[i].pid, FIND_TIMEOUT);
        if (error < 0) {
            return error;
        }
    }
    *out = s->known[i].pid;
    return 0;
}

int
session_find(struct session *s, const char *bucket, bool create, cop_pid *out)
{
    return find(s, bucket, create || always_exists(bucket), COP_NOBODY, out);
}

/* Visit a bucket, if need be its next incarnation. */
static int
visit_bucket(struct session *s, const char *bucket, struct bucket_visit *v, size_t *done)
{
    cop_pid pid = COP_NOBODY;
    for (int i = 0; i < ATTEMPTS; i++) {
        int error = find(s, bucket, always_exists(bucket), pid, &pid);
        if (error == 0) {
            cop_time begun = cop_now();
            error = bucket_visit(pid, v, done, VISIT_TIMEOUT);
            stats_bucket_visited(cop_now() - begun);
        }
        if (error != -ESRCH) {
            return error;
        }
    }
    return -EAGAIN;
}

int
session_number(struct session *s, const char *bucket, enum bucket_verb verb, int64_t *out)
{
    struct bucket_visit v = {0};
    size_t done = 0;
    bucket_visit_add(&v, verb, 0);
    int error = visit_bucket(s, bucket, &v, &done);
    if (error == 0) {
        struct bucket_answer answer = bucket_visit_answer(&v);
        error = answer.error;
        *out = answer.number;
    }
    bucket_visit_free(&v);
    return error;
}

int
session_crash(struct session *s, const char *bucket)
{
    cop_pid pid = COP_NOBODY;
    for (int i = 0; i < ATTEMPTS; i++) {
        int error = find(s, bucket, always_exists(bucket), pid, &pid);
        if (error == 0) {
            error = bucket_crash(pid, VISIT_TIMEOUT);
        }
        if (error == 0) {
            return find(s, bucket, false, pid, &pid);
        }
        if (error != -ESRCH) {
            return error;
        }
    }
    return -EAGAIN;
}

/* --- Replies --- */

void
session_reply_failure(struct session *s, const char *bucket, int error)
{
    switch (error) {
    case -ENOENT:
        resp_error(&s->out, "NOTFOUND no bucket '%s', CREATE it first", bucket);
        break;
    case -EPIPE:
        resp_error(&s->out, "CRASHED bucket '%s' crashed before it answered; its data is gone",
                   bucket);
        break;
    case -EAGAIN:
        resp_error(&s->out, "TRYAGAIN bucket '%s' is being restarted", bucket);
        break;
    case -ETIMEDOUT:
        resp_error(&s->out, "TIMEOUT bucket '%s' did not answer; it may still do it", bucket);
        break;
    case -ENOSPC:
        resp_error(&s->out, "ERR no room for bucket '%s', there are too many", bucket);
        break;
    case -ENOMEM:
        resp_error(&s->out, "OOM out of memory");
        break;
    default:
        resp_error(&s->out, "ERR bucket '%s': %s", bucket, cop_strerror(error));
    }
}

static void
reply_value(struct session *s)
{
    cop_bytes value;
    if (bucket_visit_value(&s->visit, &value)) {
        resp_bulk(&s->out, value);
    } else {
        resp_nil(&s->out);
    }
}

static void
reply_answer(struct session *s, enum session_shape shape)
{
    struct bucket_answer answer = bucket_visit_answer(&s->visit);
    if (answer.error == -EINVAL) {
        resp_error(&s->out, "ERR value is not an integer or out of range");
    } else if (answer.error == -ERANGE) {
        resp_error(&s->out, "ERR increment or decrement would overflow");
    } else if (answer.error == -EMSGSIZE) {
        resp_error(&s->out, "ERR the reply would be too large");
    } else if (answer.error < 0) {
        resp_error(&s->out, "OOM out of memory");
    } else if (shape == SHAPE_OK) {
        resp_simple(&s->out, "OK");
    } else if (shape == SHAPE_NUMBER) {
        resp_integer(&s->out, answer.number);
    } else if (shape == SHAPE_VALUE) {
        reply_value(s);
    } else {
        resp_array(&s->out, answer.values);
        for (; answer.values > 0; answer.values--) {
            reply_value(s);
        }
    }
}

/* --- Errands --- */

void
session_errand(struct session *s, const char *bucket, enum bucket_verb verb,
               enum session_shape shape, size_t args)
{
    if (s->visit.pending > 0
        && (s->visit.pending >= MANY_ERRANDS || s->visit.errands.used >= MANY_BYTES
            || strcmp(s->target, bucket) != 0)) {
        session_flush(s);
    }
    if (s->visit.pending == 0) {
        (void)snprintf(s->target, sizeof s->target, "%s", bucket);
    }
    buffer_append(&s->shapes, &(unsigned char){(unsigned char)shape}, 1);
    bucket_visit_add(&s->visit, verb, args);
}

static void
give_up(struct session *s, int error)
{
    if (error == -ECANCELED) {
        s->closing = true;
        return;
    }
    for (size_t i = s->visit.pending; i > 0; i--) {
        session_reply_failure(s, s->target, error);
    }
}

void
session_flush(struct session *s)
{
    while (s->visit.pending > 0) {
        size_t done = 0;
        int error = s->shapes.failed ? -ENOMEM : visit_bucket(s, s->target, &s->visit, &done);
        if (error < 0) {
            give_up(s, error);
            break;
        }
        for (; done > 0; done--) {
            reply_answer(s, (enum session_shape)s->shapes.data[s->next_shape++]);
        }
        session_relieve(s);
    }
    bucket_visit_clear(&s->visit);
    buffer_clear(&s->shapes, MANY_BYTES);
    s->next_shape = 0;
}
