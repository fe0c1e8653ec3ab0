/*
 * actors/framing.c - where a message ends in a stream of bytes.
 *
 * Room: actors/. Arithmetic only: no socket, no memory, so that a test can cut a stream at each byte.
 */
#include "actors/framing.h"

#include <errno.h>

#define DEFAULT_MAX ((size_t)64 * 1024)

static size_t
header_of(cop_framing kind)
{
    switch (kind) {
    case COP_FRAME_SIZE_1:
        return 1;
    case COP_FRAME_SIZE_2:
        return 2;
    case COP_FRAME_SIZE_4:
        return 4;
    case COP_FRAME_RAW:
    case COP_FRAME_LINE:
        break;
    }
    return 0;
}

/* The largest number that the header has room for. */
static size_t
largest(size_t header)
{
    return header == 0 ? SIZE_MAX / 4 : (size_t)((UINT64_C(1) << (8 * header)) - 1);
}

int
copi_framing_set(struct copi_framing *framing, cop_framing kind, size_t max)
{
    if (kind < COP_FRAME_RAW || kind > COP_FRAME_SIZE_4) {
        return -EINVAL;
    }
    size_t most = largest(header_of(kind));
    if (max > most) {
        return -EINVAL;
    }
    size_t usual = most < DEFAULT_MAX ? most : DEFAULT_MAX;
    *framing = (struct copi_framing){kind, max ? max : usual};
    return 0;
}

static int
next_raw(const struct copi_framing *framing, cop_bytes bytes, struct copi_frame *frame)
{
    if (bytes.size == 0) {
        return -EAGAIN;
    }
    frame->size = bytes.size < framing->max ? bytes.size : framing->max;
    return 0;
}

static int
next_line(const struct copi_framing *framing, cop_bytes bytes, bool at_end,
          struct copi_frame *frame)
{
    size_t within = bytes.size < framing->max ? bytes.size : framing->max;
    const char *first = bytes.data, *end = within ? memchr(first, '\n', within) : NULL;
    if (!end && bytes.size >= framing->max && !(at_end && bytes.size == framing->max)) {
        return -EMSGSIZE;
    }
    if (!end && (!at_end || bytes.size == 0)) {
        return -EAGAIN;
    }
    frame->size = end ? (size_t)(end - first) + 1 : bytes.size;
    return 0;
}

static int
next_sized(const struct copi_framing *framing, cop_bytes bytes, bool at_end,
           struct copi_frame *frame)
{
    size_t header = header_of(framing->kind), size = 0;
    if (bytes.size < header) {
        return at_end && bytes.size > 0 ? -EBADMSG : -EAGAIN;
    }
    for (size_t i = 0; i < header; i++) {
        size = size << 8 | ((const unsigned char *)bytes.data)[i];
    }
    if (size > framing->max) {
        return -EMSGSIZE;
    }
    if (bytes.size - header < size) {
        return at_end ? -EBADMSG : -EAGAIN;
    }
    *frame = (struct copi_frame){header, size};
    return 0;
}

int
copi_framing_next(const struct copi_framing *framing, cop_bytes bytes, bool at_end,
                  struct copi_frame *frame)
{
    frame->header = 0;
    switch (framing->kind) {
    case COP_FRAME_RAW:
        return next_raw(framing, bytes, frame);
    case COP_FRAME_LINE:
        return next_line(framing, bytes, at_end, frame);
    case COP_FRAME_SIZE_1:
    case COP_FRAME_SIZE_2:
    case COP_FRAME_SIZE_4:
        break;
    }
    return next_sized(framing, bytes, at_end, frame);
}

int
copi_framing_header(const struct copi_framing *framing, size_t size,
                    unsigned char header[COPI_FRAME_HEADER])
{
    size_t length = header_of(framing->kind);
    if (size > largest(length)) {
        return -EMSGSIZE;
    }
    for (size_t i = length; i-- > 0; size >>= 8) {
        header[i] = (unsigned char)(size & 0xff);
    }
    return (int)length;
}
