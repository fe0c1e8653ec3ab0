/*
 * supervisor/observe/top_link.c - coppice-top: the line to the daemon's observer.
 *
 * Room: supervisor/observe/, the program coppice-top.
 *
 * One question at a time, and nothing waits but poll() in top.c. The daemon may leave and come back at any
 * moment; whatever goes wrong closes the connection, and the next one begins from nothing.
 */
#include "supervisor/observe/top_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    PIECE = 1 << 16,
    LONGEST_GREETING = 1 << 12,
    LONGEST_ANSWER = 1 << 28,
};

void
top_link_init(struct top_link *link, const char *path)
{
    *link = (struct top_link){.path = path, .fd = -1};
}

void
top_link_close(struct top_link *link)
{
    if (link->fd >= 0) {
        close(link->fd);
    }
    free(link->text);
    link->fd = -1;
    link->text = NULL;
    link->size = link->capacity = 0;
    link->is_greeted = link->is_asked = false;
}

static int
fail(struct top_link *link, int error)
{
    top_link_close(link);
    return error;
}

int
top_link_connect(struct top_link *link)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    if (strlen(link->path) >= sizeof name.sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(name.sun_path, link->path, strlen(link->path) + 1);
    top_link_close(link);
    link->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0 || connect(link->fd, (struct sockaddr *)&name, sizeof name) != 0) {
        return fail(link, -errno);
    }
    return 0;
}

int
top_link_ask(struct top_link *link, const char *question)
{
    if (link->is_asked || !link->is_greeted) {
        return link->is_asked ? -EBUSY : -ENOTCONN;
    }
    size_t size = strlen(question);
    if (send(link->fd, question, size, MSG_NOSIGNAL) != (ssize_t)size) {
        return fail(link, -ECONNRESET);
    }
    link->is_asked = true;
    return 0;
}

/* ---------------------------------------------------------------- reading */

/* What there is, at the end of what there was. 0; -EAGAIN: nothing for now. */
static int
take_in(struct top_link *link)
{
    if (link->capacity - link->size < PIECE + 1) {
        size_t capacity = link->capacity ? link->capacity * 2 : (size_t)4 * PIECE;
        char *text = capacity <= LONGEST_ANSWER ? realloc(link->text, capacity) : NULL;
        if (!text) {
            return capacity <= LONGEST_ANSWER ? -ENOMEM : -EPROTO;
        }
        link->text = text;
        link->capacity = capacity;
    }
    ssize_t n = recv(link->fd, link->text + link->size, PIECE, 0);
    if (n > 0) {
        link->size += (size_t)n;
        link->text[link->size] = '\0';
        return 0;
    }
    return n == 0 ? -ECONNRESET : errno == EAGAIN || errno == EINTR ? -EAGAIN : -ECONNRESET;
}

static void
remove_first(struct top_link *link, size_t size)
{
    link->size -= size;
    memmove(link->text, link->text + size, link->size + 1);
}

/* 1: there was one; 0: not yet. */
static int
take_greeting(struct top_link *link)
{
    char *end = link->size ? memchr(link->text, '\n', link->size) : NULL;
    if (!end) {
        return link->size > LONGEST_GREETING ? -EPROTO : 0;
    }
    *end = '\0';
    char *line = link->text;
    const char *who = strsep(&line, "\t"), *version = strsep(&line, "\t");
    if (strcmp(who, "coppice-observer") != 0 || !version || strcmp(version, "1") != 0) {
        return -EPROTO;
    }
    const char *program = strsep(&line, "\t"), *os_pid = strsep(&line, "\t");
    (void)snprintf(link->program, sizeof link->program, "%s", program ? program : "?");
    (void)snprintf(link->os_pid, sizeof link->os_pid, "%s", os_pid ? os_pid : "?");
    remove_first(link, (size_t)(end + 1 - link->text));
    link->is_greeted = true;
    return 1;
}

/* 1: it is there, up to its empty line. */
static int
take_answer(struct top_link *link, char **answer)
{
    const char *end = link->size ? memmem(link->text, link->size, "\n\n", 2) : NULL;
    if (!end) {
        return 0;
    }
    size_t size = (size_t)(end + 2 - link->text);
    char *copy = strndup(link->text, size);
    if (!copy) {
        return -ENOMEM;
    }
    remove_first(link, size);
    link->is_asked = false;
    *answer = copy;
    return 1;
}

static int
take(struct top_link *link, char **answer)
{
    int r = link->is_greeted ? 1 : take_greeting(link);
    return r > 0 ? take_answer(link, answer) : r;
}

int
top_link_read(struct top_link *link, char **answer)
{
    int r, more;
    do {
        more = take_in(link);
        r = more == 0 || more == -EAGAIN ? take(link, answer) : more;
    } while (more == 0 && r == 0);
    return r < 0 ? fail(link, r) : r;
}
