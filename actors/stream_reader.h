/*
 * actors/stream_reader.h - the end of one subscription from which another, or a process, takes elements.
 *
 * Room: actors/.
 */
#ifndef COPI_ACTORS_STREAM_READER_H
#define COPI_ACTORS_STREAM_READER_H

#include "actors/stream.h"

struct copi_reader;
struct copi_wait;

struct copi_reader_init {
    size_t most;      /* elements that are asked for ahead */
    size_t least;     /* more are asked for when so many are used */
    bool eager_error; /* an error drops what is queued */
    const char *file;
    int line;
};

enum {
    COPI_DEMAND = 64,
    COPI_LOW_WATER = 32,
};

/* A reader of a stage that has been claimed, which it takes over, also when it fails; -ENOMEM, -EINVAL. It
 * does not run before copi_reader_start, which says whom it wakes; NULL: processes that wait. */
int copi_reader_new(struct copi_reader **out, cop_stream *claimed,
                    const struct copi_reader_init *how);
void copi_reader_start(struct copi_reader *reader, cop_subscription *feeds);

/* The next element, as a stage's pull. One process or subscription at a time. */
enum copi_pulled copi_reader_take(struct copi_reader *reader, void *room, cop_reason *why);

/* The same for a process: waits for it. 0; -ENODATA: complete; the error's code, and it is in cop_why; or
 * as copi_pause. An exit point. */
int copi_reader_next(struct copi_reader *reader, void *room, struct copi_wait *wait);

/* Whether there is one to be taken. */
bool copi_reader_has_element(struct copi_reader *reader);

/* Nothing is wanted any more: cancel, drop what is queued. The reader itself is let go of by
 * copi_reader_release. */
void copi_reader_close(struct copi_reader *reader);
void copi_reader_release(struct copi_reader *reader);

/* Both. */
void copi_reader_abandon(struct copi_reader *reader);

cop_subscription *copi_reader_subscription(struct copi_reader *reader);
const struct copi_elements *copi_reader_elements(const struct copi_reader *reader);
size_t copi_reader_most(struct copi_reader *reader); /* that were queued at once */

#endif
