/*
 * tests/supervisor/observe/web.h - a page that runs, and a client of a few lines.
 *
 * Room: tests/.
 */
#ifndef COPI_TESTS_SUPERVISOR_OBSERVE_WEB_H
#define COPI_TESTS_SUPERVISOR_OBSERVE_WEB_H

#include "tests/support/support.h"

#include <arpa/inet.h>
#include <coppice-web.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* Below a supervisor, on a free port. */
#define start_page(port, ...) \
 start_tree_of((port), &(cop_supervisor_spec){COP_CHILDREN(START_PAGE_(__VA_ARGS__))})
#define START_PAGE_(...) cop_web_spec(__VA_ARGS__)

__attribute__((unused)) static cop_pid
start_tree_of(unsigned *port, const cop_supervisor_spec *spec)
{
    cop_pid tree;
    ck_assert_int_eq(cop_supervisor_start(&tree, spec), 0);
    ck_assert_int_eq(cop_web_port(cop_named("coppice_web"), port, SOON), 0);
    return tree;
}

__attribute__((unused)) static int
connect_to(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* All until the other side closes, terminated; the caller frees it. */
__attribute__((unused)) static char *
read_all(int fd)
{
    size_t size = 0, capacity = 1 << 20;
    char *out = malloc(capacity);
    ssize_t part;
    while (size < capacity - 1 && (part = read(fd, out + size, capacity - 1 - size)) > 0) {
        size += (size_t)part;
    }
    out[size] = '\0';
    close(fd);
    return out;
}

/* The whole answer to a request of one line; the caller frees it. */
__attribute__((unused)) static char *
ask(unsigned port, const char *line, const char *headers)
{
    char request[512];
    int fd = connect_to(port);
    int size =
        snprintf(request, sizeof request,
                 "%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s\r\n", line, headers);
    ck_assert_int_eq(write(fd, request, (size_t)size), size);
    return read_all(fd);
}

__attribute__((unused)) static int
status_of(unsigned port, const char *line, const char *headers)
{
    char *answer = ask(port, line, headers);
    int status = strncmp(answer, "HTTP/1.1 ", 9) == 0 ? (int)strtol(answer + 9, NULL, 10) : 0;
    free(answer);
    return status;
}

#endif
