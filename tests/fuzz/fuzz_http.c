/*
 * tests/fuzz/fuzz_http.c - what a stranger may send to the page's port.
 *
 * Room: tests/. Linked with libcoppice-web, on libmicrohttpd as the page has it.
 *
 * The input is what comes over a connection. Whatever it is, each answer is one of HTTP, has the headers that
 * keep the page to itself, and is JSON where it says so; and nobody does anything without the token.
 */
#include "supervisor/observe/web.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json.h"
#include "tests/support/wrap.h"

#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TURNS = 8,         /* in which nothing comes */
    LONGEST = 1 << 20, /* all answers together */
};

static const char *const hosts[] = {"daemon.example", NULL};
static struct copi_web web = {.opts = {.token = "timber", .hosts = hosts}};
static bool has_token; /* it is in the input */

int begin_action(struct copi_web_actions *actions, const char *word, cop_pid pid)
    WRAP(copi_web_action_begin);
int
begin_action(struct copi_web_actions *actions, const char *word, cop_pid pid)
{
    (void)actions;
    HOLDS(has_token && copi_web_is_action(word));
    return pid.id & 1 ? -ESRCH : 0;
}

/* ---------------------------------------------------------------- one connection */

static void
begin(void)
{
    copi_web_guests_init(&web.guests, 1, COP_SEC(10));
    web.daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, copi_web_route,
                         &web, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384,
                         MHD_OPTION_NOTIFY_CONNECTION, copi_web_guest_moves, (void *)&web.guests,
                         MHD_OPTION_NOTIFY_COMPLETED, copi_web_guest_served, (void *)&web.guests,
                         MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    HOLDS(web.daemon);
    cop_log_set_level(COP_LOG_EMERGENCY);
}

static int
connect_with(const void *bytes, size_t size)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int ends[2];
    HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    HOLDS(send(ends[0], bytes, size, 0) == (ssize_t)size);
    HOLDS(shutdown(ends[0], SHUT_WR) == 0);
    HOLDS(MHD_add_connection(web.daemon, ends[1], (const struct sockaddr *)&address, sizeof address)
          == MHD_YES);
    return ends[0];
}

/* What comes back before nothing does for some turns. */
static size_t
hear(int fd, char *text, size_t size)
{
    for (int turn = 0; turn < TURNS; turn++) {
        MHD_run(web.daemon);
        ssize_t got = recv(fd, text + size, LONGEST - size, 0);
        if (got > 0) {
            size += (size_t)got;
            turn = -1;
        }
        HOLDS(size < LONGEST);
    }
    return size;
}

/* All that comes back; who has not said all is shown out in the end. */
static size_t
answers(int fd, char *text)
{
    size_t size = hear(fd, text, 0);
    (void)copi_web_guests_look(&web.guests, cop_now() + COP_SEC(20));
    size = hear(fd, text, size);
    HOLDS(web.guests.count == 0);
    return size;
}

/* ---------------------------------------------------------------- what must hold */

/* Where that header's value begins; NULL: it is not there. */
static const char *
header(const char *head, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') {
            return line + length + sizeof "\r\n:";
        }
    }
    return NULL;
}

static void
check_head(const char *head, int status)
{
    HOLDS(status >= 100 && status < 600);
    if (status >= 200 && status < 300) {
        HOLDS(header(head, "Content-Security-Policy") && header(head, "X-Content-Type-Options"));
        HOLDS(status == 200 || (status == 202 && has_token));
    }
}

/* Returns its size; an answer to HEAD has no body. */
static size_t
check_body(const char *head, const char *body, size_t rest)
{
    const char *length = header(head, "Content-Length"), *type = header(head, "Content-Type");
    size_t size = length ? strtoul(length, NULL, 10) : 0;
    if (size == 0 || rest == 0 || (rest > 5 && memcmp(body, "HTTP/", 5) == 0)) {
        return 0;
    }
    HOLDS(size <= rest);
    HOLDS(!type || strncmp(type, "application/json", 16) != 0 || is_json(body, size));
    return size;
}

static void
check_answers(char *text, size_t size)
{
    while (size > 0) {
        text[size] = '\0';
        HOLDS(strncmp(text, "HTTP/1.", 7) == 0);
        char *end = strstr(text, "\r\n\r\n");
        HOLDS(end);
        end[2] = '\0';
        char *body = end + 4;
        check_head(text, atoi(text + sizeof "HTTP/1.1")); /* NOLINT(cert-err34-c): 0 is none */
        size -= (size_t)(body - text);
        size_t taken = check_body(text, body, size);
        text = body + taken;
        size -= taken;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[LONGEST + 1];
    if (!web.daemon) {
        begin();
    }
    has_token = memmem(data, size, "timber", 6) != NULL;
    int fd = connect_with(data, size);
    check_answers(text, answers(fd, text));
    close(fd);
    return 0;
}
