/*
 * actors/call.c - asking a server, and telling it.
 *
 * Room: actors/. Any process.
 * Touch freely: nothing. Ask first: what becomes of a body that was moved.
 */
#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/request.h"
#include "runtime/send.h"

#include <coppice/genserver.h>

#include <errno.h>

/* The request as a message; a moved body is taken whatever happens. */
static int
make_request(struct copi_process **self, const cop_msg *request, struct copi_message **message)
{
    int r = copi_enter_exit_point(self);
    if (r == 0 && (r = copi_message_from(message, COPI_CALL, request))) {
        copi_fail(r);
    }
    if (r) {
        copi_message_let_go(request);
    }
    return r;
}

extern inline int cop_call(cop_pid server, cop_msg request, void *reply, size_t reply_size,
                           cop_time timeout);

int
cop_call_by(cop_pid server, const cop_msg *request, void *reply, size_t reply_size,
            cop_time timeout)
{
    struct copi_process *self;
    struct copi_message *message;
    int r = make_request(&self, request, &message);
    return r ? r : copi_request_bytes(self, server, message, timeout, reply, reply_size);
}

int
cop_call_any(cop_pid server, cop_msg request, cop_msg *reply, cop_time timeout)
{
    struct copi_process *self;
    struct copi_message *message, *answer;
    int r = make_request(&self, &request, &message);
    if (r == 0) {
        r = copi_request(self, server, message, timeout, &answer);
    }
    if (r == 0) {
        *reply = copi_message_give(answer);
    }
    return r;
}

extern inline int cop_cast(cop_pid server, cop_msg msg);

int
cop_cast_by(cop_pid server, const cop_msg *msg)
{
    return copi_send(server, COPI_CAST, msg);
}
