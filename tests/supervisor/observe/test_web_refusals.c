/*
 * tests/supervisor/observe/test_web_refusals.c - saying that somebody was refused, once.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web_refusals.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

#include <arpa/inet.h>

TEST(the_same_is_said_once)
{
    struct copi_web_refusals refusals = {.count = 0};
    test_catch_stderr();
    for (int i = 0; i < 1000; i++) {
        copi_web_refused(&refusals, 404, "there is nothing here\n", NULL);
    }
    copi_web_refused(&refusals, 401, "that is not the token\n", NULL);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "a request was refused"), 2);
    free(said);
    ck_assert_uint_eq(refusals.reasons[0].withheld, 999);
}

/* Whom libmicrohttpd is asked about. */
static union MHD_ConnectionInfo guest;

const union MHD_ConnectionInfo *info_of_guest(struct MHD_Connection *connection,
                                              enum MHD_ConnectionInfoType type, ...)
    WRAP(MHD_get_connection_info);
const union MHD_ConnectionInfo *
info_of_guest(struct MHD_Connection *connection, enum MHD_ConnectionInfoType type, ...)
{
    ck_assert_int_eq(type, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return connection ? &guest : NULL;
}

static void
is_said_of(struct sockaddr *address, const char *who)
{
    static char connection; /* nobody looks into it */
    struct copi_web_refusals refusals = {.count = 0};
    guest.client_addr = address;
    test_catch_stderr();
    copi_web_refused(&refusals, 404, "there is nothing here\n", (void *)&connection);
    char *said = test_caught_stderr();
    ck_assert_msg(strstr(said, who), "%s is not in: %s", who, said);
    free(said);
}

TEST(it_is_said_of_whom)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000001)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr other = {.sa_family = AF_UNIX};
    is_said_of((struct sockaddr *)&v4, "127.0.0.1");
    is_said_of((struct sockaddr *)&v6, "::1");
    is_said_of(&other, "somebody");
}

TEST(after_a_while_it_is_said_again_with_how_often_it_was_not)
{
    struct copi_web_refusals refusals = {.count = 0};
    test_catch_stderr();
    for (int i = 0; i < 8; i++) {
        copi_web_refused(&refusals, 404, "there is nothing here\n", NULL);
    }
    refusals.reasons[0].said -= COP_SEC(61);
    copi_web_refused(&refusals, 404, "there is nothing here\n", NULL);
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "a request was refused"), 2);
    ck_assert_ptr_nonnull(strstr(said, "=7"));
    free(said);
    ck_assert_uint_eq(refusals.reasons[0].withheld, 0);
}

TEST(more_reasons_than_there_are_places_share_the_last)
{
    static char words[COPI_WEB_REASONS * 2][8];
    struct copi_web_refusals refusals = {.count = 0};
    test_catch_stderr();
    for (size_t i = 0; i < COPI_WEB_REASONS * 2; i++) {
        (void)snprintf(words[i], sizeof words[i], "%zu", i);
        copi_web_refused(&refusals, 400, words[i], NULL);
    }
    char *said = test_caught_stderr();
    ck_assert_uint_eq(test_count(said, "a request was refused"), COPI_WEB_REASONS);
    free(said);
}

SUITE("web_refusals")
