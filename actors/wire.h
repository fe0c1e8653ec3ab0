/*
 * actors/wire.h - a descriptor that the library reads and writes for a process.
 *
 * Room: actors/. Any thread. How it lives: wire.c; what comes: wire_in.c; what goes: wire_out.c; who waits
 * for it: wire_wait.c.
 */
#ifndef COPI_ACTORS_WIRE_H
#define COPI_ACTORS_WIRE_H

#include "actors/bytes.h"
#include "actors/framing.h"
#include "runtime/belonging.h"
#include "runtime/reactor.h"
#include "runtime/thread.h"

#include <sys/stat.h>

struct copi_message;
struct copi_port;
struct copi_process;
struct copi_wire;

/* What a wire is. Everything here is called with its lock held. */
struct copi_wire_kind {
    /* Answer its owner's request if that can be done now, or see to it that it will be. An error: neither,
     * and the request still stands. It may let go of the lock meanwhile. */
    int (*look)(struct copi_wire *wire);
    /* Nothing more will come, as in_error says: answer the request, or see to it that it will be. */
    void (*tell_end)(struct copi_wire *wire);
    /* Its descriptor is about to be closed. NULL: nothing. */
    void (*closes)(struct copi_wire *wire);
    uint32_t data_tag, room_tag; /* of its messages */
    bool listens;                /* it carries nothing itself */
    bool is_port;                /* its handle is a cop_port, and not a cop_socket */
};
extern const struct copi_wire_kind copi_wire_stream, copi_wire_listener, copi_wire_port;

enum {
    COPI_WIRE_ANSWER = 24 /* bytes of an answer that needs no memory, at most */
};

struct copi_wire_options {
    struct copi_framing framing;
    size_t send_limit;
    cop_time linger; /* 0: none */
    int backlog;
    bool delay;
    unsigned mode; /* of a listener's path; 0: none was asked for */
};

struct copi_wire {
    copi_lock lock;
    uint32_t index; /* constant */
    struct copi_belonging belonging;
    struct copi_interest readable, writable; /* the reactor's, but for arming */

    /* --- guarded by lock */
    uint64_t id;            /* of this life, or the last */
    bool is_open;           /* the id finds it. Else it is free, or lingers */
    bool lingers;           /* it is nobody's, and sends what is left; */
    bool drains;            /* and then hears the peer out, */
    cop_time lingers_until; /* but no longer than this */
    cop_ref linger_timer;
    const struct copi_wire_kind *kind;
    struct copi_wire_options options;
    cop_pid owner;
    int fd;

    /* what comes */
    bool is_wanted;              /* the owner waits for a message */
    struct copi_message *answer; /* that needs no memory: made with the request, and kept */
    struct copi_waiting_bytes in;
    int in_error; /* nothing more will come: why */
    bool at_end;
    bool is_dry;     /* the last read took all that there was */
    bool is_awaited; /* the owner waits for more: cop_receive_bytes */

    /* what goes */
    struct copi_waiting_bytes out;
    bool is_flushing; /* `writable` is armed, or was and has not been heard of */
    bool shuts_out, is_shut_out;
    int out_error;
    struct copi_message *room; /* tells the owner of room; NULL: not asked */

    /* who waits for room; at a listener: for a connection */
    struct copi_message *blocked; /* their notices */

    /* a listener's */
    bool pauses;
    bool has_reported; /* that it had to */
    dev_t device;      /* of its path in the file system; inode 0: none */
    ino_t inode;

    /* a port's */
    struct copi_port *port;

    /* --- guarded by the table's lock */
    uint32_t next_free;
};

/* ---------------------------------------------------------------- wire.c */

struct copi_wire_start {
    const struct copi_wire_kind *kind;
    const struct copi_wire_options *options;
    int fd; /* taken on 0 */
    cop_pid owner;
    const struct stat *path; /* of a listener's path; NULL: none */
    struct copi_port *port;  /* taken on 0 */
};

/* A record for a new wire. -ENOMEM; -EAGAIN: there are 1,048,576 of them. And back again. */
int copi_wire_take(struct copi_wire **record);
void copi_wire_put_back(struct copi_wire *wire);

/* Open one in such a record, which is taken. -ECANCELED: the owner has ended. */
int copi_wire_begin(uint64_t *id, struct copi_wire *wire, const struct copi_wire_start *start);

/* Both. */
int copi_wire_open(uint64_t *id, const struct copi_wire_start *start);

/* The wire, and its lock. NULL: closed. */
struct copi_wire *copi_wire_lock(uint64_t id);

/* The same, also of one that lingers. */
struct copi_wire *copi_wire_lock_lingering(uint64_t id);

/* For public functions, which fail with what these return. Anybody's: -EBADF; the caller's own: -EPERM, too.
 * And their end, with what they have come to. */
int copi_wire_enter(struct copi_wire **wire, uint64_t id, bool is_port);
int copi_wire_enter_own(struct copi_wire **wire, uint64_t id, bool is_port);
int copi_wire_leave(struct copi_wire *wire, int result);

void copi_wire_unlock(struct copi_wire *wire);

/* After letting go of it for a moment: it may be another's. */
void copi_wire_relock(struct copi_wire *wire);

/* Close what is the caller's to close; -EBADF: its owner's end does just that. The lock is given. */
int copi_wire_close(struct copi_wire *wire);

/* -ESRCH, -EBADF. */
int copi_wire_give(struct copi_wire *wire, cop_pid to);

/* It may be that it lingers no longer: nothing is left to do. */
void copi_wire_settle(struct copi_wire *wire);

/* It lingers no longer, whatever is left. */
void copi_wire_linger_ends(struct copi_wire *wire);

/* ---------------------------------------------------------------- wire_in.c */

/* -EALREADY, -ENOMEM, and those of copi_reactor_arm. */
int copi_wire_want(struct copi_wire *wire);

/* Nothing is wanted any more. */
void copi_wire_unwant(struct copi_wire *wire);

/* Answer it if that can be done now. */
void copi_wire_look(struct copi_wire *wire);

/* It lingers: read what nobody wants, until the peer's end. */
void copi_wire_drain(struct copi_wire *wire);

/* Answer the request with the message that was made with it. */
void copi_wire_tell(struct copi_wire *wire, uint32_t tag, cop_bytes body);

/* What a stream's look does; -EAGAIN: it has to be told when there is more. */
int copi_wire_answer(struct copi_wire *wire);

/*
 * The next bytes or frame, to where there is room for so many; *received says how many.
 *
 * -EAGAIN   they have not come
 * -ENOBUFS   not enough room for the frame, and *received says how much it takes
 * -ENODATA  the end; or the error that struct cop_closed would tell
 */
int copi_wire_receive(struct copi_wire *wire, void *buffer, size_t size, size_t *received);

/* The owner, where he waits for more, looks again. */
void copi_wire_wake_reader(struct copi_wire *wire);

/* The reactor's calls. */
void copi_wire_be_readable(struct copi_interest *interest, int events);

/* ---------------------------------------------------------------- wire_out.c */

/* The whole of cop_send_bytes. */
int copi_wire_send_or_wait(uint64_t id, bool is_port, cop_bytes bytes, cop_time timeout);

/* Send what waits, as far as it goes. */
void copi_wire_flush(struct copi_wire *wire);

/* -EALREADY, -ENOMEM. */
int copi_wire_tell_room(struct copi_wire *wire);

void copi_wire_shut_out(struct copi_wire *wire);

void copi_wire_be_writable(struct copi_interest *interest, int events);

/* ---------------------------------------------------------------- wire_wait.c */

/*
 * Attempt something, and while it cannot be, wait to be told that it may be. For that, an attempt that says
 * -EAGAIN has called copi_wire_await under the wire's lock; it is made once without a notice (NULL), as
 * mostly it need not wait.
 *
 * -EAGAIN     it cannot be, and timeout is 0
 * -ETIMEDOUT, -ECANCELED   as copi_pause
 * -ENOMEM     or what the attempt returns
 */
int copi_wire_try_or_wait(struct copi_process *self,
                          int (*attempt)(void *env, struct copi_message **notice), void *env,
                          cop_time timeout);

/* The notice is posted when somebody wakes those who wait, and is taken: NULL afterwards. NULL: nothing. */
void copi_wire_await(struct copi_wire *wire, struct copi_message **notice);

/* Who waits looks again. */
void copi_wire_wake_blocked(struct copi_wire *wire);

#endif
