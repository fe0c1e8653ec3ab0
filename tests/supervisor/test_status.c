/*
 * tests/supervisor/test_status.c - how the program as a whole is doing, in a line.
 *
 * Room: tests/.
 */
#include "supervisor/status.h"
#include "tests/supervisor/tree.h"
#include "tests/support/support.h"

#include <sys/eventfd.h>
#include <unistd.h>

static const char *
line(void)
{
    static char text[COPI_STATUS_SIZE];
    copi_status_line(text);
    return text;
}

TEST(a_line_counts_processes_and_restarts)
{
    ck_assert_str_eq(line(), "0 processes, 0 restarts, 0 disowned");
    cop_pid sup = start_tree(TREE(.max_restarts = 9, COP_CHILDREN(BOX("a"))));
    end_box("a", BOOM);
    EVENTUALLY(copi_status_restarts() == 1);
    EVENTUALLY(is_at_rest(sup));
    ck_assert_str_eq(line(), "3 processes, 1 restarts, 0 disowned"); /* and this one */
}

TEST(who_waits_for_news_is_woken_once_until_he_looks)
{
    eventfd_t count;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    copi_status_watch(fd);
    copi_status_restarted();
    copi_status_restarted();
    ck_assert_int_eq(eventfd_read(fd, &count), 0);
    ck_assert_uint_eq(count, 1);
    line();
    copi_status_restarted();
    ck_assert_int_eq(eventfd_read(fd, &count), 0);
    copi_status_watch(-1);
    copi_status_restarted();
    ck_assert_int_eq(eventfd_read(fd, &count), -1);
    close(fd);
}

SUITE("status")
