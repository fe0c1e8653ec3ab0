/*
 * tests/supervisor/observe/test_web_answer.c - answers, with the headers that all of them have.
 *
 * Room: tests/.
 */
#include "supervisor/observe/web_answer.h"
#include "tests/support/support.h"
#include "tests/support/wrap.h"

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

static bool has_no_memory;
static int headers_left = -1; /* that can still be added; -1: all */

struct MHD_Response *real_create(size_t size, void *bytes, enum MHD_ResponseMemoryMode mode)
    REAL(MHD_create_response_from_buffer);
struct MHD_Response *create_if_there_is_memory(size_t size, void *bytes,
                                               enum MHD_ResponseMemoryMode mode)
    WRAP(MHD_create_response_from_buffer);
struct MHD_Response *
create_if_there_is_memory(size_t size, void *bytes, enum MHD_ResponseMemoryMode mode)
{
    return has_no_memory ? NULL : real_create(size, bytes, mode);
}

enum MHD_Result real_add(struct MHD_Response *response, const char *name, const char *value)
    REAL(MHD_add_response_header);
enum MHD_Result add_if_there_is_memory(struct MHD_Response *response, const char *name,
                                       const char *value) WRAP(MHD_add_response_header);
enum MHD_Result
add_if_there_is_memory(struct MHD_Response *response, const char *name, const char *value)
{
    headers_left -= headers_left > 0;
    return headers_left == 0 ? MHD_NO : real_add(response, name, value);
}

/* What was made for it is freed, which a leak checker sees. */
TEST(without_memory_there_is_no_answer)
{
    has_no_memory = true;
    ck_assert_ptr_null(copi_web_static(COP_TEXT("text"), "text/plain"));
    ck_assert_ptr_null(copi_web_made(strdup("made"), 4, "application/json"));
}

TEST(an_answer_without_one_of_its_headers_is_none)
{
    for (int n = 1; n <= 6; n++) {
        headers_left = n;
        ck_assert_ptr_null(copi_web_made(strdup("made"), 4, "application/json"));
    }
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
