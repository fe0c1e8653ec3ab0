/*
 * coppice/socket.h - TCP and Unix sockets whose news are messages; gen_tcp.
 *
 * A socket belongs to a process, and is closed when that ends, however it ends, before its links and
 * monitors are told: a listener that is restarted finds its address free.
 *
 * Its owner asks for one message at a time, as with {active, once}: a line, a frame or what there is; or
 * the end. Nothing is read that nobody has asked for, so a peer that sends more than is wanted waits, and
 * a mailbox is never flooded. What is sent is buffered up to a bound: a peer that does not read costs
 * that much, and its sender is told.
 *
 * A handle is a value. One whose socket is closed is safe to use: -EBADF.
 *
 * A process that has nothing else to do than to hear one peer waits for it as for a file: cop_receive_bytes,
 * and cop_accept at a listener; a passive socket's recv. For each socket one or the other.
 *
 *     cop_socket listener, client;
 *     cop_listen(&listener, "127.0.0.1:7379", .framing = COP_FRAME_LINE);
 *     while (cop_accept(listener, &client, COP_FOREVER) == 0) {
 *         cop_socket_give(client, start_connection());
 *     }
 *
 * Addresses are text: "host:port", "[::1]:port", ":port" or "*:port" (any), "unix:/path", and
 * "unix:@name" for one that is not in the file system. A port may be a name; 0 is a free one.
 *
 * Threads: any.  Does not block.  Exit point: no, where nothing else is said.
 */
#ifndef COPPICE_SOCKET_H
#define COPPICE_SOCKET_H

#include <coppice/message.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cop_socket {
    uint64_t id;
} cop_socket;

/*
 * How the bytes that come are cut into messages; {packet, Type}. A line goes up to its '\n', which is part
 * of it; the last one may be without. A sized frame comes after its number of bytes, in 1, 2 or 4, the
 * most significant first; these are not part of the message, and put before what is sent.
 */
typedef enum cop_framing {
    COP_FRAME_RAW, /* as they come */
    COP_FRAME_LINE,
    COP_FRAME_SIZE_1,
    COP_FRAME_SIZE_2,
    COP_FRAME_SIZE_4,
} cop_framing;

typedef struct cop_socket_opts {
    size_t size; /* set by the macros */
    cop_framing framing;
    /* The longest line or frame, or of raw bytes the most at a time. 0: 64 KiB */
    size_t max_frame;
    /* Bytes that wait for the peer, at most. 0: 256 KiB */
    size_t send_limit;
    /* How long what was sent goes on being sent after a close, or after an end that was no crash. A peer
     * that has said what nobody read is heard out for as long, or it would not hear the last words.
     * 0: 5 s; negative: not at all */
    cop_time linger;
    /* Of a listener: how many wait to be accepted. 0: 511 */
    int backlog;
    /* TCP: wait for more before sending little (no TCP_NODELAY) */
    bool delay;
    /* Of a listener at a Unix path: who may connect, by the bits of chmod(2), from the first moment on; what
     * the umask takes is not there. 0: as the umask says */
    unsigned mode;
    void *reserved[2];
} cop_socket_opts;

/* What an owner gets; `from` is COP_NOBODY. */
#define COP_MSG_DATA     0xffff0030u /* bytes have come: cop_data_of */
#define COP_MSG_ACCEPTED 0xffff0031u /* a listener has a connection: cop_accepted_of */
#define COP_MSG_CLOSED   0xffff0032u /* struct cop_closed: nothing more will come */
#define COP_MSG_WRITABLE 0xffff0033u /* cop_socket: there is room to send again */

/*
 * The body of COP_MSG_CLOSED. The socket stays open until it is closed or its owner ends: after an
 * orderly end of the peer's, what is sent may still arrive.
 */
struct cop_closed {
    cop_socket socket;
    int error; /* 0: the peer will send no more. -EMSGSIZE: a line or frame longer than max_frame.
                  -EBADMSG: the peer's end came inside a frame. -ECONNRESET, -ETIMEDOUT and others: the
                  connection is broken. -ENOMEM: no memory for what came, and it is given up */
};

/* The bytes of a COP_MSG_DATA, borrowed from it, and whose they are; a 0 follows them that is not
 * counted. false: it is another message, and nothing is written. `socket` may be NULL. */
COP_API bool cop_data_of(cop_msg msg, cop_socket *socket, cop_bytes *bytes);

/* The connection of a COP_MSG_ACCEPTED: it belongs to who asked for it. Forgotten, it stays open for as
 * long as that lives. false as above. */
COP_API bool cop_accepted_of(cop_msg msg, cop_socket *connection);

/* ---------------------------------------------------------------- making */

/*
 * Listen; gen_tcp:listen. What is accepted has the listener's options.
 *
 * The address may be used again at once after a crash (SO_REUSEADDR). A Unix path at which nobody
 * listens any more is taken over; it is removed when the listener is closed.
 *
 *   out    the caller's; asked with cop_socket_active_once, it accepts
 *   opts   NULL: the defaults
 *
 * -EINVAL         no such form of address; a max_frame that its framing cannot say, an option out of
 *                 range
 * -ENAMETOOLONG   a Unix path longer than the system has room for (107 bytes)
 * -EADDRINUSE     somebody listens there, or a file is there that is no socket
 * -EADDRNOTAVAIL, -EACCES, -ENOENT …   as bind; a name that is not found is -EADDRNOTAVAIL, and
 *                 cop_why() has the resolver's words
 * -EMFILE, -ENFILE, -ENOMEM, -EAGAIN   no room, for now
 *
 * Threads: any.  Blocks only to look up a name that is not a number.  Exit point: no.
 */
COP_API int cop_listen_with(cop_socket *out, const char *address, const cop_socket_opts *opts);
/* cop_listen(out, address, options...) */
#define cop_listen(out, ...) COP_LISTEN_(out, __VA_ARGS__, .size = sizeof(cop_socket_opts))
#define COP_LISTEN_(out, address, ...) \
 cop_listen_with((out), (address), &(cop_socket_opts){__VA_ARGS__})

/*
 * Connect; gen_tcp:connect. A name's addresses are tried one after the other.
 *
 *   out       the caller's
 *   timeout   for all of them; the resolver has its own, and is not interrupted
 *
 * -ECONNREFUSED, -EHOSTUNREACH, -ENOENT …   as connect, of the last address
 * -ETIMEDOUT    not in time, or the context's deadline passed
 * -ECANCELED    the context was cancelled, or the caller was asked to stop
 * -EINVAL, -ENAMETOOLONG, -EADDRNOTAVAIL, -EMFILE, -ENFILE, -ENOMEM, -EAGAIN   as cop_listen
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_connect_with(cop_socket *out, const char *address, cop_time timeout,
                             const cop_socket_opts *opts);
/* cop_connect(out, address, timeout, options...) */
#define cop_connect(out, address, ...) \
 COP_CONNECT_(out, address, __VA_ARGS__, .size = sizeof(cop_socket_opts))
#define COP_CONNECT_(out, address, timeout, ...) \
 cop_connect_with((out), (address), (timeout), &(cop_socket_opts){__VA_ARGS__})

/*
 * Make a socket of a descriptor that is one already: a listener that the service manager has opened
 * (cop_activated_fd), one end of a socketpair. It is made non-blocking, and closed by exec.
 *
 *   fd   a stream socket, connected or listening; taken on 0. What it listens at stays there
 *
 * -EBADF      no descriptor
 * -ENOTSOCK   no socket
 * -EINVAL     one for datagrams; an option out of range
 * -ENOMEM, -EAGAIN   no room, for now
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_socket_adopt_with(cop_socket *out, int fd, const cop_socket_opts *opts);
/* cop_socket_adopt(out, fd, options...) */
#define cop_socket_adopt(out, ...) \
 COP_SOCKET_ADOPT_(out, __VA_ARGS__, .size = sizeof(cop_socket_opts))
#define COP_SOCKET_ADOPT_(out, fd, ...) \
 cop_socket_adopt_with((out), (fd), &(cop_socket_opts){__VA_ARGS__})

/* ---------------------------------------------------------------- hearing */

/*
 * Ask for the next message of a socket: {active, once}, and gen_tcp:accept without waiting. It is a
 * COP_MSG_DATA, of a listener a COP_MSG_ACCEPTED; or COP_MSG_CLOSED, again at each request. It goes to
 * who owns the socket when it comes.
 *
 * A listener that finds no descriptor or memory for a connection pauses and tries again; this is reported
 * once, and the connection waits in the backlog.
 *
 * -EALREADY   asked before, and not answered yet
 * -EPERM      the caller is not the owner
 * -EBADF      no such socket, or closed
 * -ENOMEM, -EMFILE, -ENFILE, -ENOSPC, -EAGAIN   as cop_io_watch; nothing is asked
 *
 * Threads: the owner.  Does not block.  Exit point: no.
 */
COP_API int cop_socket_active_once(cop_socket socket);

/*
 * From the next message on, cut otherwise; inet:setopts. What has come already is cut anew.
 *
 *   max_frame   0: 64 KiB
 *
 * -EINVAL as cop_listen; -EOPNOTSUPP a listener; -EPERM, -EBADF as above
 */
COP_API int cop_socket_set_framing(cop_socket socket, cop_framing framing, size_t max_frame);

/*
 * Wait for a connection; gen_tcp:accept. It is the caller's, who need not be the listener's owner: several may
 * wait at one listener, and one of them gets it.
 *
 *   connection   the caller's
 *   timeout      0: only one that waits already
 *
 * A shortage of descriptors or memory is waited out, as for cop_socket_active_once.
 *
 * -ETIMEDOUT    nobody came in time, or the context's deadline passed
 * -ECANCELED    the context was cancelled, or the caller was asked to stop
 * -EOPNOTSUPP   it does not listen
 * -EBADF        no such socket, or closed, perhaps meanwhile
 * -EINVAL       a negative timeout
 * -ENOMEM, -EMFILE, -ENFILE, -ENOSPC, -EAGAIN   it cannot even wait
 * others        as accept(2): the listener itself does not work
 *
 * Threads: any.  Blocks.  Exit point: yes.
 */
COP_API int cop_accept(cop_socket listener, cop_socket *connection, cop_time timeout);

/*
 * Wait for what comes next, and take it; gen_tcp:recv. With a framing, a line or frame, the whole of it; raw,
 * what there is. In a mailbox nothing is looked for, and messages do not end the wait.
 *
 *   buffer     `size` bytes, at least one; nothing is added at the end
 *   received   how many bytes came; raw, never 0
 *   timeout    0: only what is there already
 *
 * -ENODATA      the peer will send no more, and all that it has sent was taken; again at each call
 * -ENOBUFS      the line or frame is longer than `size`: *received says how long, and it can still be taken
 * -EMSGSIZE, -EBADMSG, -ECONNRESET … -ENOMEM   nothing more will come: as struct cop_closed
 * -ETIMEDOUT    nothing came in time, or the context's deadline passed
 * -ECANCELED    the context was cancelled, or the caller was asked to stop
 * -EALREADY     the socket was asked for a message that has not come
 * -EPERM        the caller is not the owner
 * -EOPNOTSUPP   a listener
 * -EBADF        no such socket, or closed, perhaps meanwhile
 * -EINVAL       a negative timeout, no buffer
 * -EMFILE, -ENFILE, -ENOSPC, -EAGAIN, -ENOMEM   it cannot wait
 *
 * Threads: the owner.  Blocks.  Exit point: yes.
 */
COP_API int cop_receive_bytes(cop_socket socket, void *buffer, size_t size, size_t *received,
                              cop_time timeout);

/* ---------------------------------------------------------------- saying */

/*
 * Send bytes; gen_tcp:send. 0: they are with the system, or in the buffer and will be. All of them or
 * none, after those that were sent before, and not mixed with those of others.
 *
 *   bytes     copied
 *   timeout   for room in the buffer. 0: do not wait
 *
 * -EAGAIN       no room, and timeout is 0
 * -ETIMEDOUT    no room in time, or the context's deadline passed
 * -ECANCELED    the context was cancelled, or the caller was asked to stop, while it waited
 * -EMSGSIZE     more than send_limit can ever be, or than the framing can say
 * -EPIPE        the peer reads no more, or writing was shut down
 * -ECONNRESET … the connection is broken
 * -EOPNOTSUPP   a listener
 * -EBADF        no such socket, or closed, perhaps meanwhile
 * -ENOMEM       nothing was sent; or part of it, and the connection is given up: the next send says so
 *
 * Threads: any.  Blocks only for room.  Exit point: only then.
 */
COP_API int cop_send_bytes(cop_socket socket, cop_bytes bytes, cop_time timeout);

/*
 * Ask to be told, once, when at most half of send_limit waits: COP_MSG_WRITABLE, to the owner. At once if
 * it is so, or if the connection is broken: the next send tells.
 *
 * -EALREADY, -EPERM, -EBADF, -ENOMEM as cop_socket_active_once; -EOPNOTSUPP a listener
 */
COP_API int cop_socket_writable_once(cop_socket socket);

/*
 * Say that nothing more will be sent; gen_tcp:shutdown(Socket, write). The peer sees an end after all that
 * was sent, and may go on to send.
 *
 * -EOPNOTSUPP a listener; -EBADF. Twice is safe.
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_socket_shutdown_write(cop_socket socket);

/* ---------------------------------------------------------------- owning */

/*
 * Make a socket another process's; controlling_process. A request that is not answered goes with it, a
 * message that has come does not.
 *
 *   to   a pid or a name
 *
 * -ESRCH    it has ended, or nobody has the name; the socket is still the caller's
 * -EPERM    the caller is not the owner
 * -EBADF    no such socket, or closed
 *
 * Threads: the owner.  Does not block.  Exit point: no.
 */
COP_API int cop_socket_give(cop_socket socket, cop_pid to);

/*
 * Close. What was sent goes on being sent for the time of `linger`. What the owner has not received yet
 * may still come.
 *
 * -EBADF    no such socket, or closed before
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_socket_close(cop_socket socket);

/*
 * A socket's own address and its peer's, as cop_listen takes them; sockname, peername.
 *
 *   out   `size` bytes; 128 are always enough
 *
 * -ENOSPC     not enough room, and nothing is written
 * -ENOTCONN   there is no peer, or no longer
 * -EBADF      no such socket, or closed
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API int cop_socket_address(cop_socket socket, char *out, size_t size);
COP_API int cop_socket_peer(cop_socket socket, char *out, size_t size);

#ifdef __cplusplus
}
#endif
#endif
