/*
 * supervisor/observe/web_answer.h - answers, with the headers that all of them have.
 *
 * Room: supervisor/observe/, libcoppice-web. The server's thread only.
 *
 * Whoever makes a response gives it back with MHD_destroy_response; NULL: no memory.
 */
#ifndef COPI_SUPERVISOR_OBSERVE_WEB_ANSWER_H
#define COPI_SUPERVISOR_OBSERVE_WEB_ANSWER_H

#include <coppice/base.h>

#include <microhttpd.h>

/* Of bytes that are there for good. */
struct MHD_Response *copi_web_static(cop_bytes content, const char *type);

/* Of bytes of malloc's, which are its own from now on, also on failure. */
struct MHD_Response *copi_web_made(char *content, size_t size, const char *type);

/* Queue it, and give it back. NULL: the connection is closed. */
enum MHD_Result copi_web_answer(struct MHD_Connection *connection, unsigned status,
                                struct MHD_Response *response);

#endif
