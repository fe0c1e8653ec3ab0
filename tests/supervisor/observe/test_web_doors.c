/*
 * tests/supervisor/observe/test_web_doors.c - the sockets that listen.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web_doors.h"
#include "tests/supervisor/observe/web.h"

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
