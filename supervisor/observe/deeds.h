/*
 * supervisor/observe/deeds.h - what the observer does to a process that somebody has pointed at.
 *
 * Room: supervisor/observe/. The observer only.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_DEEDS_H
#define COPI_SUPERVISOR_OBSERVE_DEEDS_H

#include <coppice/message.h>
#include <coppice/reason.h>

/* Their names; NULL at the end. */
extern const char *const copi_deeds[];

/* From who does a deed to who has asked for it, when it is done: its body. */
#define COPI_DEED_DONE 0xfffe0601u
struct copi_deed_done {
    cop_pid doer;
    int code;
    cop_reason why; /* unless code is 0 */
};

/*
 * Begin to do it, in a process of its own that is linked to the caller: whoever is pointed at may be stuck. It
 * sends a COPI_DEED_DONE when it is over, after five seconds at the latest.
 *
 *   name   one of copi_deeds; another: -ENOENT
 *   to     whom
 *   doer   the process that does it
 *
 * -ESRCH        no such process
 * -EOPNOTSUPP   a thread that the library did not start
 * -EDEADLK      the caller is to be suspended, and nobody could let it go on
 * -EAGAIN, -ENOMEM
 *
 * Does not block. Exit point: no.
 */
int copi_deed_begin(const char *name, cop_pid to, cop_pid *doer);

#endif
