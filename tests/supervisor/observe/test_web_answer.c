/*
 * tests/supervisor/observe/test_web_answer.c - answers, with the headers that all of them have.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web_answer.h"
#include "tests/support/support.h"

static void
has_all_headers(struct MHD_Response *response, const char *type)
{
    ck_assert_ptr_nonnull(response);
    ck_assert_str_eq(MHD_get_response_header(response, "Content-Type"), type);
    ck_assert_ptr_nonnull(
        strstr(MHD_get_response_header(response, "Content-Security-Policy"), "default-src 'none'"));
    ck_assert_str_eq(MHD_get_response_header(response, "X-Content-Type-Options"), "nosniff");
    ck_assert_str_eq(MHD_get_response_header(response, "Cache-Control"), "no-store");
    MHD_destroy_response(response);
}

TEST(without_an_answer_the_connection_ends)
{
    ck_assert_int_eq(copi_web_answer(NULL, 200, NULL), MHD_NO);
}

TEST(constant_bytes_stay_where_they_are)
{
    has_all_headers(copi_web_static(COP_TEXT("text"), "text/plain"), "text/plain");
}

TEST(bytes_that_were_made_are_freed_with_it)
{
    has_all_headers(copi_web_made(strdup("made"), 4, "application/json"), "application/json");
}

SUITE("web_answer")
