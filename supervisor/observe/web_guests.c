/*
 * supervisor/observe/web_guests.c - the connections, and how long each may take.
 *
 * Room: supervisor/observe/, libcoppice-web. The server's thread only.
 * Touch freely: the words of an answer. Ask first: the one rule.
 *
 * One rule for all: from the beginning of a connection, and from the end of each answer, to the end of the
 * next answer there is so much time and no more. So it does not matter how somebody is slow: whether he
 * sends nothing, sends a letter a second, does not read the answer, or keeps an idle connection. Time that was
 * begun is not prolonged by progress.
 *
 * All have the same time, so a queue in the order of beginnings is a queue in the order of ends: only its
 * first has to be looked at. When it is full, its first has waited longest and goes. Who asks and reads at
 * once is last in the queue, and is served also while ten thousand others hold connections open.
 *
 * Who goes is told why, if that is not in the middle of an answer: 408 when he was slow, 503 when there was
 * no room. Then the socket is shut down, which libmicrohttpd sees as an end, and closes it: it owns it.
 *
 *   a guest     libmicrohttpd keeps it with its connection (socket_context). Made when that begins, freed when it
 *               ends. In the queue until shown out
 */
#include "supervisor/observe/web_guests.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct copi_web_guest {
    TAILQ_ENTRY(copi_web_guest) beside;
    int fd; /* libmicrohttpd's */
    cop_time since;
    bool is_waiting; /* in the queue */
    bool is_new;     /* not served yet: a short answer means what it says */
    bool is_answered;
};

void
copi_web_guests_init(struct copi_web_guests *guests, size_t most, cop_time patience)
{
    *guests = (struct copi_web_guests){.most = most, .patience = patience};
    TAILQ_INIT(&guests->waiting);
}

/* ---------------------------------------------------------------- the queue */

static void
enter(struct copi_web_guests *guests, struct copi_web_guest *guest)
{
    guest->since = cop_now();
    guest->is_waiting = true;
    TAILQ_INSERT_TAIL(&guests->waiting, guest, beside);
    guests->count++;
}

static void
leave(struct copi_web_guests *guests, struct copi_web_guest *guest)
{
    if (guest->is_waiting) {
        guest->is_waiting = false;
        TAILQ_REMOVE(&guests->waiting, guest, beside);
        guests->count--;
    }
}

/* ---------------------------------------------------------------- showing out */

#define WORDS(status) \
 "HTTP/1.1 " status "\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n"

static void
show_out(struct copi_web_guests *guests, struct copi_web_guest *guest, const char *words)
{
    leave(guests, guest);
    if (guest->is_new && !guest->is_answered) {
        /* As much as fits, which is all: nothing was sent before. */
        (void)send(guest->fd, words, strlen(words), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    (void)shutdown(guest->fd, SHUT_RDWR);
}

cop_time
copi_web_guests_look(struct copi_web_guests *guests, cop_time now)
{
    struct copi_web_guest *first;
    while ((first = TAILQ_FIRST(&guests->waiting))) {
        if (now - first->since < guests->patience) {
            return first->since + guests->patience;
        }
        guests->slow += first->is_new || first->is_answered; /* else it was idle */
        show_out(guests, first, WORDS("408 Request Timeout"));
    }
    return COP_FOREVER;
}

/* ---------------------------------------------------------------- coming and going */

/* Without memory it is a connection that nobody watches; so it ends here. */
static struct copi_web_guest *
new_guest(struct copi_web_guests *guests, int fd)
{
    struct copi_web_guest *guest = calloc(1, sizeof *guest);
    if (!guest) {
        (void)shutdown(fd, SHUT_RDWR);
        return NULL;
    }
    guest->fd = fd;
    guest->is_new = true;
    if (guests->count >= guests->most) {
        guests->crowded++;
        show_out(guests, TAILQ_FIRST(&guests->waiting), WORDS("503 Service Unavailable"));
    }
    enter(guests, guest);
    return guest;
}

void
copi_web_guest_moves(void *env, struct MHD_Connection *connection, void **guest,
                     enum MHD_ConnectionNotificationCode what)
{
    struct copi_web_guests *guests = env;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *guest = new_guest(
            guests,
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    } else if (*guest) {
        leave(guests, *guest);
        free(*guest);
        *guest = NULL;
    }
}

static struct copi_web_guest *
guest_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void
copi_web_guest_answered(struct MHD_Connection *connection)
{
    struct copi_web_guest *guest = guest_of(connection);
    if (guest) {
        guest->is_answered = true;
    }
}

void
copi_web_guest_served(void *env, struct MHD_Connection *connection, void **request,
                      enum MHD_RequestTerminationCode how)
{
    struct copi_web_guests *guests = env;
    struct copi_web_guest *guest = guest_of(connection);
    (void)how;
    *request = NULL;
    if (guest && guest->is_waiting) {
        guest->is_new = guest->is_answered = false;
        leave(guests, guest);
        enter(guests, guest);
    }
}
