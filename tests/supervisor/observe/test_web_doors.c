/*
 * tests/supervisor/observe/test_web_doors.c - the sockets that listen.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web_doors.h"
#include "tests/supervisor/observe/web.h"
#include "tests/support/wrap.h"

#include <errno.h>
#include <sys/resource.h>

TEST(an_address_that_is_none_is_refused)
{
    struct copi_web_doors doors;
    ck_assert_int_eq(copi_web_doors_open(&doors, "localhost", 0), -EINVAL);
    ck_assert_int_eq(copi_web_doors_open(&doors, "", 0), -EINVAL);
    ck_assert_int_eq(copi_web_doors_open(&doors, "127.0.0.1:80", 0), -EINVAL);
    ck_assert_uint_eq(doors.count, 0);
}

TEST(a_foreign_address_is_refused)
{
    struct copi_web_doors doors;
    ck_assert_int_eq(copi_web_doors_open(&doors, "192.0.2.1", 0), -EADDRNOTAVAIL);
}

TEST(a_port_that_is_taken_is_refused_and_nothing_stays_open)
{
    struct copi_web_doors one, other;
    ck_assert_int_eq(copi_web_doors_open(&one, "127.0.0.1", 0), 0);
    unsigned before = test_descriptors();
    ck_assert_int_eq(copi_web_doors_open(&other, NULL, one.port), -EADDRINUSE);
    ck_assert_uint_eq(test_descriptors(), before);
    copi_web_doors_close(&one);
}

TEST(without_descriptors_there_is_no_door)
{
    struct copi_web_doors doors;
    struct rlimit was, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = was;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(copi_web_doors_open(&doors, NULL, 0), -EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
}

static bool has_no_v6, has_no_names, is_aborted;
static int breaks_with; /* at each attempt to let somebody in; 0: it goes as it goes */

int real_socket(int domain, int type, int protocol) REAL(socket);
int socket_without_v6(int domain, int type, int protocol) WRAP(socket);
int
socket_without_v6(int domain, int type, int protocol)
{
    errno = EAFNOSUPPORT;
    return has_no_v6 && domain == AF_INET6 ? -1 : real_socket(domain, type, protocol);
}

int real_name(int fd, struct sockaddr *name, socklen_t *size) REAL(getsockname);
int name_if_there_is_one(int fd, struct sockaddr *name, socklen_t *size) WRAP(getsockname);
int
name_if_there_is_one(int fd, struct sockaddr *name, socklen_t *size)
{
    errno = ENOBUFS;
    return has_no_names ? -1 : real_name(fd, name, size);
}

int real_accept(int fd, struct sockaddr *name, socklen_t *size, int flags) REAL(accept4);
int accept_the_next(int fd, struct sockaddr *name, socklen_t *size, int flags) WRAP(accept4);
int
accept_the_next(int fd, struct sockaddr *name, socklen_t *size, int flags)
{
    bool aborted = is_aborted;
    is_aborted = false;
    errno = breaks_with ? breaks_with : ECONNABORTED;
    return aborted || breaks_with ? -1 : real_accept(fd, name, size, flags);
}

TEST(a_door_whose_port_is_not_known_is_closed)
{
    struct copi_web_doors doors;
    unsigned before = test_descriptors();
    has_no_names = true;
    ck_assert_int_eq(copi_web_doors_open(&doors, NULL, 0), -ENOBUFS);
    ck_assert_uint_eq(doors.count, 0);
    ck_assert_uint_eq(test_descriptors(), before);
}

TEST(a_machine_without_the_newer_protocol_has_one_door)
{
    struct copi_web_doors doors;
    has_no_v6 = true;
    ck_assert_int_eq(copi_web_doors_open(&doors, NULL, 0), 0);
    ck_assert_uint_eq(doors.count, 1);
    ck_assert_uint_gt(doors.port, 0);
    copi_web_doors_close(&doors);
    ck_assert_int_eq(copi_web_doors_open(&doors, "::1", 0), -EAFNOSUPPORT);
}

TEST(who_left_before_he_was_let_in_is_passed_over)
{
    struct copi_web_doors doors;
    struct sockaddr_storage address;
    socklen_t size;
    int accepted = -EAGAIN;
    ck_assert_int_eq(copi_web_doors_open(&doors, "127.0.0.1", 0), 0);
    is_aborted = true;
    ck_assert_int_eq(copi_web_doors_accept(doors.fds[0], &address, &size), -EAGAIN);
    int fd = connect_to(doors.port);
    is_aborted = true;
    EVENTUALLY((accepted = copi_web_doors_accept(doors.fds[0], &address, &size)) != -EAGAIN);
    ck_assert_int_ge(accepted, 0);
    close(accepted);
    close(fd);
    copi_web_doors_close(&doors);
}

TEST(an_error_that_stays_is_the_doors)
{
    struct copi_web_doors doors;
    struct sockaddr_storage address;
    socklen_t size;
    const int errors[] = {EINVAL, EPERM, ECONNABORTED};
    ck_assert_int_eq(copi_web_doors_open(&doors, "127.0.0.1", 0), 0);
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        breaks_with = errors[i];
        ck_assert_int_eq(copi_web_doors_accept(doors.fds[0], &address, &size), -errors[i]);
    }
    breaks_with = 0;
    copi_web_doors_close(&doors);
}

TEST(both_names_of_this_machine_have_one_port)
{
    struct copi_web_doors doors;
    ck_assert_int_eq(copi_web_doors_open(&doors, NULL, 0), 0);
    ck_assert_uint_ge(doors.count, 1);
    ck_assert_uint_gt(doors.port, 0);
    int fd = connect_to(doors.port);
    struct sockaddr_storage address;
    socklen_t size;
    int accepted = -EAGAIN;
    EVENTUALLY((accepted = copi_web_doors_accept(doors.fds[0], &address, &size)) != -EAGAIN);
    ck_assert_int_ge(accepted, 0);
    ck_assert_int_eq(address.ss_family, AF_INET);
    ck_assert_int_eq(copi_web_doors_accept(doors.fds[0], &address, &size), -EAGAIN);
    close(accepted);
    close(fd);
    copi_web_doors_close(&doors);
    copi_web_doors_close(&doors);
}

SUITE("web_doors")
