/*
 * supervisor/observe/web_route.c - what is asked for, whether it may be, and the answer.
 *
 * Room: supervisor/observe/, libcoppice-web. The server's thread only, inside libmicrohttpd.
 * Touch freely: what there is to be asked for. Ask first: the order of the checks.
 *
 * libmicrohttpd calls twice for a request: when it has the headers, and when it has the body. All checks are
 * made at the first call, so nobody sends a body in vain, and none is wanted at all; the answer is given at
 * the second. An answer at the first call ends the connection, which is right for who is refused.
 *
 * Nothing here may leave by the way that exits take, out of libmicrohttpd's frames: only functions of the
 * library that are no exit points are called.
 */
#include "supervisor/observe/web.h"
#include "supervisor/observe/web_answer.h"
#include "supervisor/observe/web_events.h"
#include "supervisor/observe/web_guard.h"
#include "supervisor/observe/web_page.h"
#include "supervisor/observe/web_tree.h"

#include <coppice/metrics.h>

#include <stdlib.h>
#include <string.h>

#define TEXT    "text/plain; charset=utf-8"
#define JSON    "application/json"
#define METRICS "text/plain; version=0.0.4; charset=utf-8"
#define FRESH   COP_MS(100) /* for so long an answer does for all */

struct request {
    struct copi_web *web;
    struct MHD_Connection *connection;
    const char *path;
    /* of /processes/PID/WORD */
    cop_pid pid;
    const char *word;
};

static const char *
header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* ---------------------------------------------------------------- refusing */

struct refusal {
    unsigned status;
    const char *why;            /* static */
    const char *header, *value; /* one more; NULL: none */
};

static enum MHD_Result
refuse(const struct request *request, const struct refusal *refusal)
{
    copi_web_refused(&request->web->refusals, refusal->status, refusal->why, request->connection);
    struct MHD_Response *response =
        copi_web_static((cop_bytes){refusal->why, strlen(refusal->why)}, TEXT);
    if (response && refusal->header
        && MHD_add_response_header(response, refusal->header, refusal->value) != MHD_YES) {
        MHD_destroy_response(response);
        response = NULL;
    }
    return copi_web_answer(request->connection, refusal->status, response);
}

static const struct refusal no_memory = {MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n",
                                         MHD_HTTP_HEADER_RETRY_AFTER, "1"};
static const struct refusal no_process = {.status = MHD_HTTP_NOT_FOUND,
                                          .why = "there is no such process\n"};

/* What is wrong with where it comes from; NULL: nothing. */
static const struct refusal *
check_origin(const struct request *request)
{
    static const struct refusal no_host = {.status = MHD_HTTP_BAD_REQUEST,
                                           .why = "a Host header is wanted\n"};
    static const struct refusal foreign_host = {.status = MHD_HTTP_MISDIRECTED_REQUEST,
                                                .why = "this server is not called like that\n"};
    static const struct refusal foreign_origin = {.status = MHD_HTTP_FORBIDDEN,
                                                  .why = "another page has no business here\n"};
    const char *host = header(request, MHD_HTTP_HEADER_HOST);
    const char *origin = header(request, MHD_HTTP_HEADER_ORIGIN);
    if (!host) {
        return &no_host;
    }
    if (!copi_web_is_our_host(host, request->web->opts.hosts)) {
        return &foreign_host;
    }
    return origin && !copi_web_is_our_origin(origin, host) ? &foreign_origin : NULL;
}

static const struct refusal *
check_body(const struct request *request)
{
    static const struct refusal body = {.status = MHD_HTTP_CONTENT_TOO_LARGE,
                                        .why = "no body is wanted\n"};
    const char *size = header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    bool has_body = header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING)
                    || (size && strspn(size, "0") != strlen(size));
    return has_body ? &body : NULL;
}

static const struct refusal *
check_token(const struct request *request)
{
    static const struct refusal read_only = {.status = MHD_HTTP_FORBIDDEN,
                                             .why = "this daemon allows no actions\n"};
    static const struct refusal no_token = {MHD_HTTP_UNAUTHORIZED, "the token is wanted\n",
                                            MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer"};
    static const struct refusal wrong_token = {MHD_HTTP_UNAUTHORIZED, "that is not the token\n",
                                               MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                               "Bearer error=\"invalid_token\""};
    const char *token = request->web->opts.token;
    const char *given = header(request, MHD_HTTP_HEADER_AUTHORIZATION);
    if (!token || !token[0]) {
        return &read_only;
    }
    if (!given) {
        return &no_token;
    }
    return copi_web_has_token(given, token) ? NULL : &wrong_token;
}

/* ---------------------------------------------------------------- answering */

/* Others may still be sending the old one: libmicrohttpd counts. */
static enum MHD_Result
answer_kept(const struct request *request, struct copi_web_kept *kept,
            struct MHD_Response *(*make)(struct copi_web *web))
{
    cop_time now = cop_now();
    if (!kept->response || now - kept->made >= FRESH) {
        if (kept->response) {
            MHD_destroy_response(kept->response);
        }
        kept->response = make(request->web);
        kept->made = now;
    }
    if (!kept->response) {
        return refuse(request, &no_memory);
    }
    copi_web_guest_answered(request->connection);
    return MHD_queue_response(request->connection, MHD_HTTP_OK, kept->response);
}

static struct MHD_Response *
of_json(struct copi_json *json)
{
    char *text;
    size_t size;
    return copi_json_take(json, &text, &size) ? NULL : copi_web_made(text, size, JSON);
}

static struct MHD_Response *
make_tree(struct copi_web *web)
{
    struct copi_json json;
    cop_picture *picture;
    if (cop_picture_take(&picture)) {
        return NULL;
    }
    struct MHD_Response *response = NULL;
    if (copi_json_begin(&json) == 0) {
        copi_json_open(&json, NULL, '{');
        copi_web_tree_put(&json, picture, web->opts.stuck_after);
        copi_json_boolean(&json, "allows_actions", web->opts.token && web->opts.token[0]);
        copi_web_outcomes_put(&json, &web->actions);
        copi_json_close(&json, '}');
        response = of_json(&json);
    }
    cop_picture_free(picture);
    return response;
}

static struct MHD_Response *
make_metrics(struct copi_web *web)
{
    char *text;
    size_t size;
    (void)web;
    return cop_metrics_text(&text, &size) ? NULL : copi_web_made(text, size, METRICS);
}

static enum MHD_Result
get_tree(const struct request *request)
{
    return answer_kept(request, &request->web->tree, make_tree);
}

static enum MHD_Result
get_metrics(const struct request *request)
{
    return answer_kept(request, &request->web->metrics, make_metrics);
}

static enum MHD_Result
get_file(const struct request *request)
{
    const struct copi_web_file *file = copi_web_file(request->path);
    struct MHD_Response *response = copi_web_static(file->content, file->type);
    return response ? copi_web_answer(request->connection, MHD_HTTP_OK, response)
                    : refuse(request, &no_memory);
}

static enum MHD_Result
get_events(const struct request *request)
{
    struct copi_json json;
    struct MHD_Response *response = NULL;
    if (copi_json_begin(&json) == 0) {
        copi_json_open(&json, NULL, '{');
        copi_web_events_put(&json, request->pid);
        copi_json_close(&json, '}');
        response = of_json(&json);
    }
    return response ? copi_web_answer(request->connection, MHD_HTTP_OK, response)
                    : refuse(request, &no_memory);
}

static enum MHD_Result
post_action(const struct request *request)
{
    static const char accepted[] = "{\"accepted\":true}";
    static const struct refusal busy = {MHD_HTTP_SERVICE_UNAVAILABLE,
                                        "too many actions are under way\n",
                                        MHD_HTTP_HEADER_RETRY_AFTER, "1"};
    int r = copi_web_action_begin(&request->web->actions, request->word, request->pid);
    if (r) {
        return refuse(request, r == -ESRCH ? &no_process : r == -EBUSY ? &busy : &no_memory);
    }
    return copi_web_answer(request->connection, MHD_HTTP_ACCEPTED,
                           copi_web_static((cop_bytes){accepted, sizeof accepted - 1}, JSON));
}

/* ---------------------------------------------------------------- routing */

struct route {
    enum MHD_Result (*answer)(const struct request *request);
    bool is_action;
};

/* "/processes/4.1/crash": true, and who and what. */
static bool
is_of_process(struct request *request)
{
    static const char prefix[] = "/processes/";
    char text[COP_PID_TEXT] = "<";
    if (strncmp(request->path, prefix, sizeof prefix - 1) != 0) {
        return false;
    }
    const char *pid = request->path + sizeof prefix - 1;
    size_t size = strcspn(pid, "/");
    if (pid[size] != '/' || size + sizeof "<>" > sizeof text) {
        return false;
    }
    memcpy(text + 1, pid, size);
    memcpy(text + 1 + size, ">", sizeof ">");
    request->word = pid + size + 1;
    return cop_pid_parse(text, &request->pid) == 0;
}

/* What is at that path; NULL: nothing. */
static const struct route *
route_of(struct request *request)
{
    static const struct route file = {get_file, false}, tree = {get_tree, false},
                              metrics = {get_metrics, false}, events = {get_events, false},
                              action = {post_action, true};
    if (copi_web_file(request->path)) {
        return &file;
    }
    if (strcmp(request->path, "/tree.json") == 0) {
        return &tree;
    }
    if (strcmp(request->path, "/metrics") == 0) {
        return &metrics;
    }
    if (!is_of_process(request)) {
        return NULL;
    }
    return strcmp(request->word, "events") == 0 ? &events
           : copi_web_is_action(request->word)  ? &action
                                                : NULL;
}

static const struct refusal *
check_method(const struct route *route, const char *method)
{
    static const struct refusal not_get = {MHD_HTTP_METHOD_NOT_ALLOWED, "that is only for GET\n",
                                           MHD_HTTP_HEADER_ALLOW, "GET, HEAD"};
    static const struct refusal not_post = {MHD_HTTP_METHOD_NOT_ALLOWED, "that is only for POST\n",
                                            MHD_HTTP_HEADER_ALLOW, "POST"};
    if (route->is_action) {
        return strcmp(method, MHD_HTTP_METHOD_POST) == 0 ? NULL : &not_post;
    }
    bool is_get =
        strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    return is_get ? NULL : &not_get;
}

static const struct refusal *
check(const struct request *request, const struct route *route, const char *method)
{
    static const struct refusal nothing = {.status = MHD_HTTP_NOT_FOUND,
                                           .why = "there is nothing here\n"};
    const struct refusal *wrong = check_origin(request);
    wrong = wrong ? wrong : route ? check_method(route, method) : &nothing;
    wrong = wrong ? wrong : check_body(request);
    return wrong || !route->is_action ? wrong : check_token(request);
}

enum MHD_Result
copi_web_route(void *web, struct MHD_Connection *connection, const char *path, const char *method,
               const char *version, const char *body, size_t *body_size, void **again)
{
    static char passed;
    struct request request = {.web = web, .connection = connection, .path = path};
    const struct route *route = route_of(&request);
    (void)version, (void)body;
    *body_size = 0; /* taken: there is none */
    if (!*again) {
        const struct refusal *wrong = check(&request, route, method);
        *again = &passed;
        return wrong ? refuse(&request, wrong) : MHD_YES;
    }
    return route->answer(&request);
}
