/*
 * supervisor/observe/postmortem_file.h - a flight recorder's file, read as far as it can be believed.
 *
 * Room: supervisor/observe/, of the program coppice-postmortem. One thread.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_POSTMORTEM_FILE_H
#define COPI_SUPERVISOR_OBSERVE_POSTMORTEM_FILE_H

#include "runtime/recording.h"

/* A process that had a ring. */
struct actor {
    cop_pid pid, parent;
    enum copi_ring_state state;
    cop_time started;
    char name[64], label[64], kind[24];
    cop_record *records;
    size_t count;
};

struct recording {
    struct copi_recording_head head;
    struct actor *actors; /* by pid */
    size_t count;
    cop_time last;      /* when the last record was made; of CLOCK_MONOTONIC there */
    cop_time last_wall; /* the same of CLOCK_REALTIME */
    size_t missing;     /* rings that are not in the file, which was cut short */
    bool is_live;       /* its program has it still */
};

enum {
    WHY_SIZE = 160
};

/* All texts in it can be shown. `why` says what is wrong where the code does not: -EBADMSG. The system's
 * errors; -ENOMEM. */
int recording_read(const char *path, struct recording *out, char why[WHY_SIZE]);
void recording_free(struct recording *recording);

/* The process of that pid; NULL: it has no ring, or no more. */
const struct actor *recording_find(const struct recording *recording, cop_pid pid);

/* "counter<2.1>", "<7.1>". */
enum {
    ACTOR_NAME_SIZE = 64 + sizeof "<4294967295.4294967295>"
};
const char *recording_name(const struct recording *recording, cop_pid pid,
                           char out[ACTOR_NAME_SIZE]);

/* A record in words, with the file's names. */
const char *recording_string(const struct recording *recording, const cop_record *record, char *out,
                             size_t size);

#endif
