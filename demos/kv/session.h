/*
 * demos/kv/session.h - what a connection remembers between two commands.
 *
 * Room: demos/. Knows buckets, the registry and the protocol's replies. Owned by one connection.
 */
#ifndef DEMOS_KV_SESSION_H
#define DEMOS_KV_SESSION_H

#include "demos/kv/bucket.h"
#include "demos/kv/resp.h"

#include <coppice.h>

/* How an answer of a bucket looks on the wire. */
enum session_shape {
    SHAPE_OK,     /* +OK */
    SHAPE_NUMBER, /* :n */
    SHAPE_VALUE,  /* a bulk string, or nil */
    SHAPE_LIST,   /* an array of those */
};

#define SESSION_KNOWN 8

struct session {
    cop_socket socket;
    struct buffer out; /* replies, in the order of the commands */
    char selected[BUCKET_NAME_ARG];
    bool closing; /* this session ends when its replies are written */
    size_t commands;
    /* private: errands for one bucket that are not done yet, and buckets seen before */
    struct bucket_visit visit;
    struct buffer shapes;
    size_t next_shape;
    char target[BUCKET_NAME_ARG];
    struct {
        char name[BUCKET_NAME_ARG];
        cop_pid pid;
    } known[SESSION_KNOWN];
    unsigned oldest;
};

void session_init(struct session *s, cop_socket socket);
void session_free(struct session *s);

/*
 * Add an errand for a bucket; exactly `args` calls of bucket_visit_arg(&s->visit) follow. It is
 * done, and its reply appended, at the next session_flush, or earlier.
 */
void session_errand(struct session *s, const char *bucket, enum bucket_verb verb,
                    enum session_shape shape, size_t args);

/*
 * Have all errands done. Every one gets a reply, if need be an error. Anything else that replies
 * must flush first: replies are in the order of the commands.
 */
void session_flush(struct session *s);

/* Do one errand without arguments now, and give its number. Errors as bucket_visit and
 * registry_lookup. */
int session_number(struct session *s, const char *bucket, enum bucket_verb verb, int64_t *out);

/* Find a bucket, or with `create` make it. Errors as registry_create. */
int session_find(struct session *s, const char *bucket, bool create, cop_pid *out);

/* Make a bucket crash, and wait until its next incarnation is there. */
int session_crash(struct session *s, const char *bucket);

/* What to tell the client when a bucket could not be asked. */
void session_reply_failure(struct session *s, const char *bucket, int error);

/* Send the replies. A client that does not take them for long, or has left: a negative errno value. */
int session_send(struct session *s);

/* Send them now when there are many. */
void session_relieve(struct session *s);

#endif
