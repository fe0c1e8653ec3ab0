/*
 * demos/kv/resp.h - the Redis protocol, version 2: requests taken apart, replies put together.
 *
 * Room: demos/. Pure: no I/O, no clock, no processes, so that a test or a fuzzer can feed it
 * anything. The limits are part of the protocol: what is too big is refused from its header, before
 * a byte of it is stored.
 */
#ifndef DEMOS_KV_RESP_H
#define DEMOS_KV_RESP_H

#include "demos/kv/buffer.h"

#include <coppice.h>

#define RESP_MAX_BULK  ((size_t)64 << 20)  /* bytes of one argument */
#define RESP_MAX_ARGS  ((size_t)1 << 20)   /* arguments of one request */
#define RESP_MAX_LINE  ((size_t)64 << 10)  /* bytes of an inline request */
#define RESP_MAX_FRAME ((size_t)128 << 20) /* bytes of one request, all in all */

enum resp_status {
    RESP_MORE,     /* the frame is not complete yet */
    RESP_COMPLETE, /* args[0 .. count) are there; `at` is the size of the frame */
    RESP_BAD, /* it never will be: `error` says why, and the rest of the stream means nothing */
};

/* Where an argument lies, from the start of its frame: the bytes may move while more come in. */
struct resp_arg {
    size_t at, size;
};

struct resp_parser {
    struct resp_arg *args;
    size_t count; /* 0 in a complete frame: an empty line, nothing to do */
    size_t at;    /* how far the frame has been understood */
    char error[80];
    /* private */
    int state;
    size_t capacity, wanted, bulk, scanned;
    bool in_bulk;
};

/*
 * Go on with a frame.
 *
 *   frame, size   the frame from its first byte, what there is of it (and possibly more). The bytes
 *                 that an earlier call saw must still be there, at any address. An inline
 * request is
 *                 unquoted in place.
 *
 * However the stream is cut into calls, the frames that come out are the same.
 */
enum resp_status resp_parse(struct resp_parser *p, char *frame, size_t size);

/* Forget the complete frame and be ready for the next. */
void resp_next(struct resp_parser *p);

void resp_free(struct resp_parser *p);

/* Replies, appended to a buffer. */
void resp_simple(struct buffer *out, const char *text);
void resp_integer(struct buffer *out, int64_t n);
void resp_bulk(struct buffer *out, cop_bytes value);
void resp_string(struct buffer *out, const char *value);
void resp_nil(struct buffer *out);
void resp_array(struct buffer *out, size_t count);

/* The code, "ERR" say, is the text's first word. Line ends in the text become spaces: it is one
 * line on the wire, and must stay one whatever a client made us quote. */
void resp_error(struct buffer *out, const char *format, ...) COP_PRINTF(2, 3);

#endif
