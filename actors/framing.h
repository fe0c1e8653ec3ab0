/*
 * actors/framing.h - where a message ends in a stream of bytes.
 *
 * Room: actors/. Arithmetic only.
 */
#ifndef COPI_ACTORS_FRAMING_H
#define COPI_ACTORS_FRAMING_H

#include <coppice/socket.h>

struct copi_framing {
    cop_framing kind;
    size_t max; /* bytes of a frame, its header not counted */
};

enum {
    COPI_FRAME_HEADER = 4 /* bytes, at most */
};

/* A frame at the beginning of some bytes. */
struct copi_frame {
    size_t header, size;
};

/* Whether there is such a framing, with 0 for the default of `max`. -EINVAL. */
int copi_framing_set(struct copi_framing *framing, cop_framing kind, size_t max);

/*
 * The first frame. `at_end`: nothing comes after these bytes.
 *
 * -EAGAIN    it is not complete; or there is nothing
 * -EMSGSIZE  it is too long
 * -EBADMSG   it will never be complete
 */
int copi_framing_next(const struct copi_framing *framing, cop_bytes bytes, bool at_end,
                      struct copi_frame *frame);

/* What has to be said before `size` bytes: how many bytes of `header`; or -EMSGSIZE. */
int copi_framing_header(const struct copi_framing *framing, size_t size,
                        unsigned char header[COPI_FRAME_HEADER]);

#endif
