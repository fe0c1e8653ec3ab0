/*
 * runtime/recorder_file.h - the flight recorder's file: made, locked, mapped.
 *
 * Room: runtime/. Knows the layout. The thread that begins.
 */
#ifndef COPI_RUNTIME_RECORDER_FILE_H
#define COPI_RUNTIME_RECORDER_FILE_H

#include "runtime/recording.h"

struct copi_recorder_file {
    struct copi_recording_head *head;
    size_t size;
};

/*
 * Make the file, in its whole size, and map it; the head is filled in, but for the clocks. One that was
 * there is `path.last` then.
 *
 *   records   of each ring: a power of 2
 *
 * On any error nothing has changed. -EBUSY: another program has it; -EINVAL: it is no plain file;
 * -ENAMETOOLONG; the system's otherwise.
 */
int copi_recorder_file_make(const char *path, uint32_t rings, uint32_t records,
                            struct copi_recorder_file *out);

#endif
