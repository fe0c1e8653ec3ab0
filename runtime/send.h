/*
 * runtime/send.h - how a message gets into a mailbox, and bounds.
 *
 * Room: runtime/. Any thread.
 */
#ifndef COPI_RUNTIME_SEND_H
#define COPI_RUNTIME_SEND_H

#include "runtime/process.h"
#include "runtime/table.h"
#include "runtime/wait.h"

/* It will be sent to in a moment: its mailbox's line is asked for. A hint; any pid will do. */
static inline void
copi_send_soon(cop_pid to)
{
    copi_prefetch_to_write(copi_table_at(copi_pid_index(to)));
}

/* Put a message into the mailbox of a process: 0, or -ESRCH and the message is still the caller's. */
int copi_deliver(struct copi_process *to, uint32_t generation, struct copi_message *message);

/* The same by pid, and the message is let go when nobody is there. Of the library's own messages. */
void copi_post(cop_pid to, struct copi_message *message);

/* The same by whoever has found the process; NULL: nobody is there. */
void copi_post_to(struct copi_process *to, uint32_t generation, struct copi_message *message);

/* A signal: looked at before the messages that wait. */
void copi_post_signal(cop_pid to, struct copi_message *message);

/* A new process lives in the record: nothing is in its mailbox. */
void copi_send_begin(struct copi_process *process);

/* How many application messages are in its bounded mailbox and inbox. */
uint32_t copi_send_counted(const struct copi_process *process);

/*
 * A place for an application's message in a mailbox that may be bounded; the message is marked. May
 * wait, if the mailbox says so, as `wait` says (NULL: without limit): an exit point then.
 *
 * -EAGAIN full; -ENOBUFS full, and to be dropped; -EDEADLK; -ECANCELED, -ETIMEDOUT; -ESRCH it ended
 */
int copi_send_admit(struct copi_process *self, struct copi_process *to, cop_pid pid,
                    struct copi_message *message, struct copi_wait *wait);

/* A marked message is not in the mailbox any more, or never got there. */
void copi_send_uncount(struct copi_process *to, struct copi_message *message);

/* One message of `to` was dropped. */
void copi_send_count_dropped(struct copi_process *to);

/* So many messages wait: report it if that is a lot, and more than before. */
void copi_send_note_length(struct copi_process *to, uint64_t count);

/* The process ends: who waits for room in its mailbox is woken. */
void copi_send_wake_blocked(struct copi_process *process);

/*
 * Send an application's message. 0: it is in the mailbox, or nobody was there; else as cop_send, and
 * the message is gone but a moved body of it is still the sender's.
 */
int copi_send(cop_pid to, enum copi_kind kind, const cop_msg *msg);
int copi_send_message(struct copi_process *self, cop_pid to, struct copi_message *message);

#endif
