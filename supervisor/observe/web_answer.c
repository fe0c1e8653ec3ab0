/*
 * supervisor/observe/web_answer.c - answers, with the headers that all of them have.
 *
 * Room: supervisor/observe/, libcoppice-web. The server's thread only.
 * Touch freely: nothing. Ask first: each header is there against something.
 *
 * The page is made of files that this server has, and talks to this server: all else is forbidden to it, code
 * inside the page too. So a name that got into the page as markup, against all care, could still do nothing.
 */
#include "supervisor/observe/web_answer.h"

#include "supervisor/observe/web_guests.h"

#include <stdlib.h>

static const char *const headers[][2] = {
    {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "
                                "img-src 'self'; connect-src 'self'; base-uri 'none'; "
                                "form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

static struct MHD_Response *
with_headers(struct MHD_Response *response, const char *type)
{
    if (!response) {
        return NULL;
    }
    bool ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        ok = ok && MHD_add_response_header(response, headers[i][0], headers[i][1]) == MHD_YES;
    }
    if (!ok) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

struct MHD_Response *
copi_web_static(cop_bytes content, const char *type)
{
    union {
        const void *constant;
        void *data; /* which is only read */
    } bytes = {content.data};
    return with_headers(
        MHD_create_response_from_buffer(content.size, bytes.data, MHD_RESPMEM_PERSISTENT), type);
}

struct MHD_Response *
copi_web_made(char *content, size_t size, const char *type)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, content, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(content);
    }
    return with_headers(response, type);
}

enum MHD_Result
copi_web_answer(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response)
{
    if (!response) {
        return MHD_NO;
    }
    copi_web_guest_answered(connection);
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}
