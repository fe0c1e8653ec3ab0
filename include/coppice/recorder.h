/*
 * coppice/recorder.h - the flight recorder: what each process did last, in a file that survives the program.
 *
 * Where it is asked for, each process has a small ring in a mapped file, into which its own thread writes
 * what it is sent, what its callbacks say, what it waits for, how it ends, and what a supervisor decides. A
 * record costs some stores and the reading of a clock: no lock, no system call. What was written is there when
 * the program is gone, whatever has ended it, kill -9 included; `coppice-postmortem FILE` prints the last
 * seconds of the tree. It does so for a running program as well.
 *
 * It is asked for by cop_config.recorder, or by the environment, which goes before: COPPICE_RECORDER=path
 * turns it on in a program as it is, and COPPICE_RECORDER= turns it off. The file before that is kept as
 * `path.last`, so a restart does not overwrite what is to be looked into. A folder in memory (below /run)
 * costs nothing but that; a disk's keeps it when the machine goes down, but the disk is written to.
 *
 * The file has its whole size from the beginning. Its rings go to processes as they start, and when all have
 * been used, to new ones from those that ended longest ago; crashed ones are kept longer. Where there are
 * more living processes than rings, the newest are not recorded, and are counted.
 */
#ifndef COPPICE_RECORDER_H
#define COPPICE_RECORDER_H

#include <coppice/message.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cop_record_kind {
    COP_RECORD_STARTED = 1, /* other: who has started it with .link */
    COP_RECORD_MESSAGE,     /* received by a plain process: tag, from other */
    COP_RECORD_CALL,        /* taken by a server: tag, from other; code: enum cop_verdict */
    COP_RECORD_CAST,        /* the same */
    COP_RECORD_INFO,        /* the same: what handle_info gets */
    COP_RECORD_CONTINUE,    /* the same: its own token */
    COP_RECORD_TIMEOUT,     /* the same: nothing has come in time */
    COP_RECORD_STOP,        /* cop_stop_process, by other */
    COP_RECORD_SYSTEM,      /* coppice/sys.h, by other */
    COP_RECORD_WAIT,        /* it sleeps, in what text says, for other */
    COP_RECORD_CALL_FAILED, /* its own request, tag, to other; code: the error */
    COP_RECORD_SIGNAL,      /* an exit signal of other's acts; tag: cop_exit_kind */
    COP_RECORD_EXIT,        /* it ends: tag is the cop_exit_kind, code and text are the reason's */
    COP_RECORD_FAULT,       /* it has hit a fault; code: the signal */
    COP_RECORD_CHILD_ENDED, /* and on, a supervisor's: child other, text is its id */
    COP_RECORD_CHILD_RESTARTS, /* it is about to be, or those that the strategy says with it */
    COP_RECORD_START_FAILED,
    COP_RECORD_STOP_FAILED,
    COP_RECORD_GAVE_UP,
    COP_RECORD_LONG_MAILBOX, /* it has found that the mailbox of other holds tag messages or more */
    COP_RECORD_LOGGED,       /* an error; text is its beginning */
} cop_record_kind;

/* What a server's callback has said, as far as it is known. */
typedef enum cop_verdict {
    COP_VERDICT_NONE,    /* nothing yet: it runs, or it was left */
    COP_VERDICT_NOREPLY, /* it goes on; a request is to be answered later */
    COP_VERDICT_REPLY,   /* answered, by whomever */
    COP_VERDICT_CONTINUE,
    COP_VERDICT_STOP,
} cop_verdict;

typedef struct cop_record {
    cop_record_kind kind;
    cop_time when; /* of cop_now */
    cop_time took; /* to about a microsecond; -1: it is not over, or what followed has hidden it */
    cop_pid other; /* COP_NOBODY: nobody */
    uint32_t tag;
    int code;
    char text[80];
} cop_record;

/*
 * What a process did last, also one that has ended, as long as its ring has not gone to another.
 *
 *   out, capacity   the newest that fit go there, the oldest of them first
 *
 * Returns how many were written.
 * -EOPNOTSUPP   nothing is recorded
 * -ESRCH        that process has no ring
 *
 * Threads: any.  Does not block, whatever the process is doing.  Exit point: no.
 */
COP_API int cop_recorder_read(cop_pid pid, cop_record *out, size_t capacity);

/*
 * A record in words, without its time: "call deposit from client: reply, 12 us".
 *
 *   out, size   where it goes, terminated; what does not fit is cut. Returns `out`.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API const char *cop_record_string(const cop_record *record, char *out, size_t size);

/*
 * Give a tag of the application's a name, for records and reports. For good; there is room for 256.
 *
 *   name   1 to 23 bytes; copied
 *
 * -EINVAL   a name that is empty or longer, or a tag of the library's
 * -EEXIST   it has another one
 * -ENOSPC   there are too many
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_tag_name(uint32_t tag, const char *name);

#ifdef __cplusplus
}
#endif
#endif
