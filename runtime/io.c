/*
 * runtime/io.c - the readiness of descriptors, as messages.
 *
 * Room: runtime/. Any thread.
 *
 * A request is armed in the reactor and belongs to its process. Its message is made with it, so that an
 * answer needs no memory. Two hold it, each until it has let go: the reactor, for as long as it is armed,
 * and the process, for as long as it is in its list. Whoever takes it from one of them lets go for that
 * one; the message is for who took it from the reactor.
 */
#include "runtime/alloc.h"
#include "runtime/belonging.h"
#include "runtime/live.h"
#include "runtime/message.h"
#include "runtime/process.h"
#include "runtime/reactor.h"
#include "runtime/send.h"

#include <coppice/io.h>

#include <errno.h>
#include <stdlib.h>

struct request {
    struct copi_interest interest;
    struct copi_belonging belonging;
    copi_atomic32 holds;
    cop_pid from;
    cop_ref ref;
    struct copi_message *message; /* of who took it from the reactor */
};

/* A reference is the descriptor and a count, so that it is found where it waits. */
enum {
    COUNT_BITS = 40
};
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)

static struct request *
of_interest(struct copi_interest *interest)
{
    return (struct request *)(void *)((char *)interest - offsetof(struct request, interest));
}

static void
discard(struct request *request)
{
    if (request->message) {
        copi_message_free(request->message);
    }
    copi_live_gone(COPI_LIVE_REQUEST);
    free(request);
}

/* Of so many holds. A full barrier: whoever frees it sees what the other did with it. Pairs with itself. */
static void
let_go(struct request *request, uint32_t holds)
{
    if (copi_fetch_add_32(&request->holds, -holds) == holds) {
        discard(request);
    }
}

/* It has been taken from the reactor. */
static void
finish(struct request *request)
{
    let_go(request, copi_belonging_leave(&request->belonging) ? 2 : 1);
}

static void
answer(struct request *request, const struct cop_io_ready *ready)
{
    struct copi_message *message = request->message;
    request->message = NULL;
    memcpy(message->body, ready, sizeof *ready);
    copi_post(request->from, message);
}

static void
be_ready(struct copi_interest *interest, int events)
{
    struct request *request = of_interest(interest);
    struct cop_io_ready ready = {
        .watch = request->ref,
        .fd = interest->fd,
        .events = events > 0 ? events : 0,
        .error = events > 0 ? 0 : events,
    };
    if (events != -ECANCELED) {
        answer(request, &ready);
    }
    finish(request);
}

static void
be_orphaned(struct copi_belonging *belonging, const cop_reason *reason)
{
    (void)reason;
    struct request *request =
        (struct request *)(void *)((char *)belonging - offsetof(struct request, belonging));
    let_go(request, copi_reactor_disarm(&request->interest) ? 2 : 1);
}

static struct {
    copi_atomic64 made; /* of all, ever */
} references;

static cop_ref
make_ref(int fd)
{
    uint64_t next = (copi_fetch_add_64(&references.made, 1) + 1) & COUNT_MASK;
    return (cop_ref){(uint64_t)(fd + 1) << COUNT_BITS | next};
}

static struct request *
new_request(struct copi_process *self, int fd)
{
    struct request *request = copi_zalloc(sizeof *request);
    if (!request) {
        return NULL;
    }
    request->message = copi_message_new(COPI_SEND, COP_MSG_IO, sizeof(struct cop_io_ready));
    if (!request->message) {
        free(request);
        return NULL;
    }
    copi_live_born(COPI_LIVE_REQUEST);
    request->interest.ready = be_ready;
    request->belonging.orphaned = be_orphaned;
    request->holds = 2;
    request->from = request->message->from = self->pid;
    request->ref = make_ref(fd);
    return request;
}

/* From the arming on it may be gone at any time. */
static int
watch(struct copi_process *self, int fd, int events, cop_ref *ref)
{
    struct request *request = new_request(self, fd);
    if (!request) {
        return -ENOMEM;
    }
    cop_ref made = request->ref;
    int r = copi_belonging_join(&request->belonging, self->pid);
    if (r) { /* a drop function of its end's */
        discard(request);
        return -ECANCELED;
    }
    r = copi_reactor_arm(&request->interest, fd, events);
    if (r) {
        finish(request);
        return r;
    }
    *ref = made;
    return 0;
}

cop_ref
cop_io_watch(int fd, int events)
{
    struct copi_process *self;
    cop_ref ref = {0};
    if (copi_enter(&self) != 0) {
        return ref;
    }
    bool is_valid = events != 0 && (events & ~(COP_IO_READ | COP_IO_WRITE)) == 0;
    int r = fd < 0 ? -EBADF : is_valid ? watch(self, fd, events, &ref) : -EINVAL;
    if (r) {
        copi_fail(r);
    }
    return ref;
}

static bool
has_ref(const struct copi_interest *interest, const void *ref)
{
    const struct request *request =
        (const struct request *)(const void *)((const char *)interest
                                               - offsetof(struct request, interest));
    return interest->ready == be_ready && request->ref.id == ((const cop_ref *)ref)->id;
}

int
cop_io_cancel(cop_ref watch)
{
    if (copi_is_forked()) {
        return -EPERM;
    }
    int fd = (int)(watch.id >> COUNT_BITS) - 1;
    struct copi_interest *interest = copi_reactor_disarm_one(fd, has_ref, &watch);
    if (!interest) {
        return copi_fail(-ENOENT);
    }
    finish(of_interest(interest));
    return 0;
}
