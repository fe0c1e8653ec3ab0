/*
 * tests/supervisor/observe/test_web_guests.c - the connections, and how long each may take.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web_guests.h"
#include "tests/supervisor/observe/web.h"
#include "tests/support/wrap.h"

static struct copi_web_guests guests;
static struct MHD_Daemon *house;

static enum MHD_Result
answer(void *env, struct MHD_Connection *connection, const char *path, const char *method,
       const char *version, const char *body, size_t *body_size, void **request)
{
    static char hello[] = "hello";
    (void)env, (void)path, (void)method, (void)version, (void)body;
    *body_size = 0;
    if (!*request) {
        *request = hello;
        return MHD_YES;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(5, hello, MHD_RESPMEM_PERSISTENT);
    copi_web_guest_answered(connection);
    enum MHD_Result queued = MHD_queue_response(connection, 200, response);
    MHD_destroy_response(response);
    return queued;
}

static void
open_house(size_t most, cop_time patience)
{
    copi_web_guests_init(&guests, most, patience);
    house = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, answer, NULL,
                             MHD_OPTION_NOTIFY_CONNECTION, copi_web_guest_moves, (void *)&guests,
                             MHD_OPTION_NOTIFY_COMPLETED, copi_web_guest_served, (void *)&guests,
                             MHD_OPTION_END);
    ck_assert_ptr_nonnull(house);
}

static void
close_house(void)
{
    MHD_stop_daemon(house);
    ck_assert_uint_eq(guests.count, 0);
    ck_assert(TAILQ_EMPTY(&guests.waiting));
}

/* Somebody comes; his end of the connection. */
static int
come(void)
{
    int ends[2];
    struct sockaddr_in address = {.sin_family = AF_INET};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(
        MHD_add_connection(house, ends[0], (struct sockaddr *)&address, sizeof address), MHD_YES);
    return ends[1];
}

static void
say(int fd, const char *words)
{
    ck_assert_int_eq(write(fd, words, strlen(words)), (ssize_t)strlen(words));
}

/* What he has been told by now. */
static const char *
heard(int fd)
{
    static char words[4096];
    MHD_run(house);
    ssize_t size = read(fd, words, sizeof words - 1);
    words[size > 0 ? size : 0] = '\0';
    return words;
}

static bool
is_over(int fd)
{
    char byte;
    MHD_run(house);
    return read(fd, &byte, 1) == 0;
}

#define REQUEST "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

static bool has_no_memory;

void *real_calloc(size_t count, size_t size) REAL(calloc);
void *calloc_if_there_is_memory(size_t count, size_t size) WRAP(calloc);
void *
calloc_if_there_is_memory(size_t count, size_t size)
{
    return has_no_memory ? NULL : real_calloc(count, size);
}

TEST(whom_there_is_no_memory_to_watch_is_shown_out_and_the_next_is_served)
{
    open_house(10, COP_SEC(100));
    has_no_memory = true;
    int fd = come();
    EVENTUALLY(is_over(fd));
    has_no_memory = false;
    ck_assert_uint_eq(guests.count, 0);
    int next = come();
    say(next, REQUEST);
    EVENTUALLY(strstr(heard(next), "hello"));
    close(fd);
    close(next);
    close_house();
}

TEST(whose_time_is_over_is_told_and_shown_out)
{
    open_house(10, COP_SEC(100));
    int fd = come();
    say(fd, "GET / HT");
    MHD_run(house);
    cop_time end = copi_web_guests_look(&guests, cop_now());
    ck_assert_int_gt(end, cop_now() + COP_SEC(50));
    ck_assert_int_eq(copi_web_guests_look(&guests, end), COP_FOREVER);
    ck_assert_uint_eq(guests.slow, 1);
    ck_assert_int_eq(strncmp(heard(fd), "HTTP/1.1 408 ", 13), 0);
    EVENTUALLY(is_over(fd));
    close(fd);
    close_house();
}

TEST(an_answer_begins_the_time_anew)
{
    open_house(10, COP_SEC(100));
    int fd = come();
    cop_time before = copi_web_guests_look(&guests, cop_now());
    cop_sleep(COP_MS(2));
    say(fd, REQUEST);
    EVENTUALLY(strstr(heard(fd), "hello"));
    cop_time after = copi_web_guests_look(&guests, cop_now());
    ck_assert_int_ge(after, before + COP_MS(2));
    ck_assert_int_eq(copi_web_guests_look(&guests, after), COP_FOREVER);
    ck_assert_uint_eq(guests.slow, 0); /* he was only idle */
    ck_assert_str_eq(heard(fd), "");
    EVENTUALLY(is_over(fd));
    close(fd);
    close_house();
}

TEST(when_it_is_full_who_has_waited_longest_goes)
{
    open_house(2, COP_SEC(100));
    int first = come(), second = come();
    say(first, REQUEST); /* and so he is the last */
    EVENTUALLY(strstr(heard(first), "hello"));
    int third = come();
    ck_assert_uint_eq(guests.crowded, 1);
    ck_assert_uint_eq(guests.count, 2);
    ck_assert_int_eq(strncmp(heard(second), "HTTP/1.1 503 ", 13), 0);
    say(first, REQUEST);
    EVENTUALLY(strstr(heard(first), "hello"));
    say(third, REQUEST);
    EVENTUALLY(strstr(heard(third), "hello"));
    close(first);
    close(second);
    close(third);
    close_house();
}

TEST(who_leaves_is_forgotten)
{
    open_house(2, COP_SEC(100));
    int fd = come();
    ck_assert_uint_eq(guests.count, 1);
    close(fd);
    EVENTUALLY((MHD_run(house), guests.count == 0));
    ck_assert_int_eq(copi_web_guests_look(&guests, cop_now()), COP_FOREVER);
    close_house();
}

SUITE("web_guests")
