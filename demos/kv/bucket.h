/*
 * demos/kv/bucket.h - a bucket: keys and values, in an agent.
 *
 * Room: demos/. Knows <coppice.h> and nothing of the protocol.
 *
 * A visit carries a list of errands to one bucket and their answers back. Build it, make the visit,
 * read as many answers as it reports, and visit again while errands are left.
 */
#ifndef DEMOS_KV_BUCKET_H
#define DEMOS_KV_BUCKET_H

#include "demos/kv/buffer.h"

#include <coppice.h>

#define BUCKET_NAME_MAX 48
#define BUCKET_NAME_ARG (BUCKET_NAME_MAX + 1)

/* More than this is not one answer: -EMSGSIZE. */
#define BUCKET_MAX_ANSWER ((size_t)128 << 20)

enum bucket_verb {
    BUCKET_GET,       /* keys: for each its value, or a gap */
    BUCKET_PUT,       /* key, value, key, value ... */
    BUCKET_DELETE,    /* keys: how many were there */
    BUCKET_EXISTS,    /* keys: how many are there, repetitions counted */
    BUCKET_INCREMENT, /* a key: its new number; -EINVAL it holds none, -ERANGE no larger one */
    BUCKET_KEYS,      /* a pattern: the keys that match, sorted */
    BUCKET_SIZE,      /* how many keys there are */
    BUCKET_CLEAR,
};

struct bucket_visit {
    size_t pending; /* errands that no visit has done yet */
    /* private */
    struct buffer errands, answers;
    size_t next_errand, next_answer, room;
};

/* An answer's head; `values` values follow it. */
struct bucket_answer {
    int32_t error; /* 0, or a negative errno value: nothing was done */
    uint32_t values;
    int64_t number;
};

/* Whether this may be a bucket's name: it must fit a line of the tree, and a supervisor's id. */
bool bucket_name_valid(cop_bytes name);

/* The child that a bucket is. `name` is borrowed by the result. */
cop_child_spec bucket_child(const char *name);

/* Add an errand; exactly `args` calls of bucket_visit_arg follow. Out of memory is found by the
 * visit. */
void bucket_visit_add(struct bucket_visit *v, enum bucket_verb verb, size_t args);
void bucket_visit_arg(struct bucket_visit *v, cop_bytes arg);

/*
 * Do errands, in order, as many as their answers find room for, but one at least.
 *
 *   done   for how many errands answers can be read now
 *
 * -EMSGSIZE is an answer's error, never the visit's. Otherwise as cop_agent_get_and_update, with
 * all errands still pending: after -ESRCH, which says that the bucket has seen none, the visit
 * may be repeated.
 */
int bucket_visit(cop_pid bucket, struct bucket_visit *v, size_t *done, cop_time timeout);

/* The next answer, and the next of its values: false for a gap. Both are valid until the next
 * visit. */
struct bucket_answer bucket_visit_answer(struct bucket_visit *v);
bool bucket_visit_value(struct bucket_visit *v, cop_bytes *value);

/* Forget errands and answers. */
void bucket_visit_clear(struct bucket_visit *v);

void bucket_visit_free(struct bucket_visit *v);

/* Make a bucket crash. 0: it has; otherwise as cop_agent_update. */
int bucket_crash(cop_pid bucket, cop_time timeout);

#endif
