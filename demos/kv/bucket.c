/*
 * demos/kv/bucket.c - a bucket: keys and values, in an agent.
 *
 * Room: demos/. The functions of the first half run in the bucket's process, those of the second in
 * their caller's.
 *
 * What in Elixir is a closure for Agent.get_and_update is here one function, visit(), and bytes
 * that say what it shall do: a list of errands. A list, because a client that pipelines sixteen
 * commands should not pay for sixteen trips between threads.
 *
 * Answers have any size, and an agent's answer has the size that its caller asked for. Handing out
 * pointers would close the gap, at a price: an answer whose caller has timed out or died is dropped
 * as bytes, and what the bytes point to leaks. So everything is copied both ways, nothing ever
 * changes owner, and there is nothing to leak, whoever dies when. When an answer does not fit, the
 * bucket undoes nothing, since only errands that read have long answers; it stops there and says
 * how much room it wants, and the caller comes back with that. A genserver that moves message
 * bodies would save a copy of large values; but one memcpy is a small part of what their way
 * through the socket costs.
 *
 * Both sides lay the bytes out with memcpy alone, since values shift all alignment.
 *
 * Touch freely: the verbs. Ask first: the rule that a verb which changes the table answers with a
 * head and no values; resuming a visit depends on it.
 */
#include "demos/kv/bucket.h"

#include "demos/kv/glob.h"
#include "demos/kv/registry.h"
#include "demos/kv/table.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

/* --- What travels --- */

/* In front of the errands. */
struct request_head {
    size_t room, count, first; /* for the answers; how many errands, where the first of them is */
};

/* In front of the answers. */
struct reply_head {
    size_t done, used, wanted; /* wanted: the room that the next errand would have needed */
};

struct errand_head {
    uint32_t verb, args;
};

#define GAP SIZE_MAX /* in place of a value's size: there is none */

/* A bucket that is busy for longer is stuck: the service manager is to know. Its time is in kv.service. */
#define MOST_PATIENCE COP_SEC(10)

/* --- In the bucket --- */

struct bucket {
    struct table table;
};

struct reader {
    const char *at;
};

/* What does not fit is counted and not written. */
struct writer {
    char *data;
    size_t room, used;
    /* of the answer that is being written */
    int64_t number;
    uint32_t values;
};

static void
read_bytes(struct reader *r, void *out, size_t size)
{
    memcpy(out, r->at, size);
    r->at += size;
}

static cop_bytes
read_arg(struct reader *r)
{
    size_t size = 0;
    read_bytes(r, &size, sizeof size);
    cop_bytes arg = {r->at, size};
    r->at += size;
    return arg;
}

static void
write_bytes(struct writer *w, const void *data, size_t size)
{
    if (w->used <= w->room && size <= w->room - w->used) {
        memcpy(w->data + w->used, data, size);
    }
    w->used += size;
}

static void
write_value(struct writer *w, cop_bytes value)
{
    write_bytes(w, &value.size, sizeof value.size);
    write_bytes(w, value.data, value.size);
    w->values++;
}

static void
write_gap(struct writer *w)
{
    size_t gap = GAP;
    write_bytes(w, &gap, sizeof gap);
    w->values++;
}

static int
get_values(struct bucket *b, struct reader *args, uint32_t count, struct writer *w)
{
    for (; count > 0; count--) {
        cop_bytes value;
        if (table_get(&b->table, read_arg(args), &value)) {
            write_value(w, value);
        } else {
            write_gap(w);
        }
    }
    return 0;
}

static int
put_pairs(struct bucket *b, struct reader *args, uint32_t count, struct writer *w)
{
    (void)w;
    for (; count >= 2; count -= 2) {
        cop_bytes key = read_arg(args), value = read_arg(args);
        int error = table_put(&b->table, key, value);
        if (error < 0) {
            return error;
        }
    }
    return 0;
}

static int
remove_keys(struct bucket *b, struct reader *args, uint32_t count, struct writer *w)
{
    for (; count > 0; count--) {
        w->number += table_delete(&b->table, read_arg(args));
    }
    return 0;
}

static int
count_keys(struct bucket *b, struct reader *args, uint32_t count, struct writer *w)
{
    for (; count > 0; count--) {
        cop_bytes value;
        w->number += table_get(&b->table, read_arg(args), &value);
    }
    return 0;
}

/* Only what we would have written ourselves: no spaces, no plus, no leading zeros. */
static bool
to_number(cop_bytes text, int64_t *out)
{
    char copy[24], again[24];
    if (text.size == 0 || text.size >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    errno = 0;
    int64_t n = strtoll(copy, NULL, 10);
    int size = snprintf(again, sizeof again, "%" PRId64, n);
    if (errno != 0 || (size_t)size != text.size || memcmp(copy, again, text.size) != 0) {
        return false;
    }
    *out = n;
    return true;
}

static int
increment(struct bucket *b, struct reader *args, uint32_t count, struct writer *w)
{
    (void)count;
    cop_bytes key = read_arg(args), value;
    int64_t n = 0;
    if (table_get(&b->table, key, &value) && !to_number(value, &n)) {
        return -EINVAL;
    }
    if (n == INT64_MAX) {
        return -ERANGE;
    }
    char text[24];
    int size = snprintf(text, sizeof text, "%" PRId64, n + 1);
    w->number = n + 1;
    return table_put(&b->table, key, (cop_bytes){text, (size_t)size});
}

struct listing {
    cop_bytes pattern;
    struct writer *out;
};

static void
list_key(cop_bytes key, void *env)
{
    struct listing *listing = env;
    if (glob_matches(listing->pattern, key)) {
        write_value(listing->out, key);
    }
}

static int
list_keys(struct bucket *b, struct reader *args, uint32_t count, struct writer *w)
{
    (void)count;
    struct listing listing = {.pattern = read_arg(args), .out = w};
    table_each_key(&b->table, list_key, &listing);
    return 0;
}

static int
table_size(struct bucket *b, struct reader *args, uint32_t count, struct writer *w)
{
    (void)args, (void)count;
    w->number = (int64_t)b->table.count;
    return 0;
}

static int
clear_table(struct bucket *b, struct reader *args, uint32_t count, struct writer *w)
{
    (void)args, (void)count, (void)w;
    table_clear(&b->table);
    return 0;
}

typedef int (*verb_fn)(struct bucket *b, struct reader *args, uint32_t count, struct writer *w);

static const verb_fn verbs[] = {
    [BUCKET_GET] = get_values,    [BUCKET_PUT] = put_pairs,       [BUCKET_DELETE] = remove_keys,
    [BUCKET_EXISTS] = count_keys, [BUCKET_INCREMENT] = increment, [BUCKET_KEYS] = list_keys,
    [BUCKET_SIZE] = table_size,   [BUCKET_CLEAR] = clear_table,
};

/*
 * Do one errand and write its answer. False: the answer has no room, w->used says how much it would
 * have taken, and nothing changed, because the head alone was made sure of before.
 */
static bool
run_errand(struct bucket *b, struct reader *r, struct writer *w)
{
    size_t start = w->used;
    struct errand_head errand;
    struct bucket_answer answer = {0};

    write_bytes(w, &answer, sizeof answer); /* a place to come back to */
    if (w->used > w->room) {
        return false;
    }
    w->values = 0;
    w->number = 0;
    read_bytes(r, &errand, sizeof errand);
    answer.error = verbs[errand.verb](b, r, errand.args, w);
    answer.number = w->number;
    answer.values = w->values;
    if (w->used - start > BUCKET_MAX_ANSWER) {
        answer = (struct bucket_answer){.error = -EMSGSIZE};
        w->used = start + sizeof answer;
    }
    if (w->used > w->room) {
        return false;
    }
    memcpy(w->data + start, &answer, sizeof answer);
    return true;
}

/* The agent's function: errands in, answers out. */
static void
visit(void *state, cop_bytes arg, void *out)
{
    struct request_head request;
    struct reply_head reply = {0};
    memcpy(&request, arg.data, sizeof request);
    struct reader r = {(const char *)arg.data + request.first};
    struct writer w = {.data = out, .room = request.room, .used = sizeof reply};

    reply.used = w.used;
    while (reply.done < request.count) {
        if (!run_errand(state, &r, &w)) {
            reply.wanted = w.used - reply.used;
            break;
        }
        reply.used = w.used;
        reply.done++;
    }
    memcpy(out, &reply, sizeof reply);
}

static void
crash(void *state, cop_bytes arg)
{
    (void)state, (void)arg;
    cop_exit(cop_failed(-EIO, "crashed_by_a_client"));
}

static int
init(void *state, cop_bytes name)
{
    (void)state;
    int error = cop_watchdog(MOST_PATIENCE);
    return error < 0 ? error : registry_announce(name.data);
}

static void
drop(void *state)
{
    struct bucket *b = state;
    table_clear(&b->table);
}

/*
 * Permanent: what a client is told to be there is there again after a crash, although empty. The
 * registry learns the new incarnation from the incarnation itself.
 */
cop_child_spec
bucket_child(const char *name)
{
    static const cop_agent_spec agent = {
        .init = init,
        .state_size = sizeof(struct bucket),
        .drop = drop,
    };
    return (cop_child_spec){
        .id = name,
        .agent = &agent,
        .arg = COP_STR(name),
        .restart = COP_PERMANENT,
    };
}

bool
bucket_name_valid(cop_bytes name)
{
    const unsigned char *c = name.data, *end = c + name.size;
    if (name.size == 0 || name.size > BUCKET_NAME_MAX) {
        return false;
    }
    while (c < end && (isalnum(*c) || strchr("_.:-", *c) != NULL) && *c != '\0') {
        c++;
    }
    return c == end;
}

/* --- In the caller --- */

/* Room for the answers of a visit in which nobody asks for a value; what a first visit offers. */
#define ROOM_FIRST 256
#define ROOM_KEPT  ((size_t)64 << 10)

void
bucket_visit_add(struct bucket_visit *v, enum bucket_verb verb, size_t args)
{
    if (v->errands.used == 0) {
        struct request_head later = {0};
        buffer_append(&v->errands, &later, sizeof later);
        v->next_errand = sizeof later;
    }
    struct errand_head head = {.verb = verb, .args = (uint32_t)args};
    buffer_append(&v->errands, &head, sizeof head);
    v->pending++;
}

void
bucket_visit_arg(struct bucket_visit *v, cop_bytes arg)
{
    buffer_append(&v->errands, &arg.size, sizeof arg.size);
    buffer_append(&v->errands, arg.data, arg.size);
}

/* One trip to the bucket and back, with so much room for the answers. */
static int
make_trip(cop_pid bucket, struct bucket_visit *v, size_t room, struct reply_head *head,
          cop_time timeout)
{
    struct request_head request = {room, v->pending, v->next_errand};
    v->answers.used = 0;
    if (v->errands.failed || !buffer_reserve(&v->answers, room)) {
        return -ENOMEM;
    }
    memcpy(v->errands.data, &request, sizeof request);
    cop_bytes errands = {v->errands.data, v->errands.used};
    int error = cop_agent_get_and_update(bucket, visit, errands, v->answers.data, room, timeout);
    if (error == 0) {
        memcpy(head, v->answers.data, sizeof *head);
    }
    return error;
}

/* Step over errands that were done. */
static void
skip_errands(struct bucket_visit *v, size_t done)
{
    struct reader r = {v->errands.data + v->next_errand};
    v->pending -= done;
    for (; done > 0 && v->pending > 0; done--) {
        struct errand_head head;
        read_bytes(&r, &head, sizeof head);
        for (; head.args > 0; head.args--) {
            read_arg(&r);
        }
    }
    v->next_errand = (size_t)(r.at - v->errands.data);
}

int
bucket_visit(cop_pid bucket, struct bucket_visit *v, size_t *done, cop_time timeout)
{
    struct reply_head head = {0};
    size_t heads = sizeof head + v->pending * (sizeof(struct bucket_answer) + sizeof(size_t));
    size_t room = v->room + (heads < ROOM_KEPT ? heads : ROOM_KEPT) + ROOM_FIRST;
    do {
        int error = make_trip(bucket, v, room, &head, timeout);
        if (error < 0) {
            return error;
        }
        room = sizeof head + head.wanted + head.wanted / 8; /* others may be writing meanwhile */
    } while (head.done == 0);

    /* The next visit will want about as much; guess high at once and low by halves. */
    size_t beyond = head.used > heads ? head.used - heads : 0;
    size_t guess = beyond > v->room / 2 ? beyond : v->room / 2;
    v->room = guess < ROOM_KEPT ? guess : ROOM_KEPT;
    v->answers.used = head.used;
    v->next_answer = sizeof head;
    skip_errands(v, head.done);
    *done = head.done;
    return 0;
}

struct bucket_answer
bucket_visit_answer(struct bucket_visit *v)
{
    struct bucket_answer answer;
    memcpy(&answer, v->answers.data + v->next_answer, sizeof answer);
    v->next_answer += sizeof answer;
    return answer;
}

bool
bucket_visit_value(struct bucket_visit *v, cop_bytes *value)
{
    size_t size;
    memcpy(&size, v->answers.data + v->next_answer, sizeof size);
    v->next_answer += sizeof size;
    if (size == GAP) {
        return false;
    }
    *value = (cop_bytes){v->answers.data + v->next_answer, size};
    v->next_answer += size;
    return true;
}

void
bucket_visit_clear(struct bucket_visit *v)
{
    buffer_clear(&v->errands, ROOM_KEPT);
    buffer_clear(&v->answers, 2 * ROOM_KEPT);
    v->pending = 0;
}

void
bucket_visit_free(struct bucket_visit *v)
{
    buffer_free(&v->errands);
    buffer_free(&v->answers);
}

int
bucket_crash(cop_pid bucket, cop_time timeout)
{
    int error = cop_agent_update(bucket, crash, (cop_bytes){0}, timeout);
    return error == -EPIPE ? 0 : error;
}
