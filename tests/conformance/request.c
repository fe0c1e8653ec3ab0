/*
 * tests/conformance/request.c - what was asked and has to be answered.
 *
 * Room: tests/. Requests are opened and printed by main, answered by any process.
 *
 * A request to a held supervisor counts as one more message for it (see rest.c). One to a supervisor
 * that was not held has been taken from the mailbox by the time that the supervisor is held, for it was
 * at rest when it was asked.
 */
#include "tests/conformance/request.h"

#include "tests/conformance/gate.h"
#include "tests/conformance/rest.h"
#include "tests/conformance/text.h"

#include <stdio.h>
#include <stdlib.h>

struct request {
    const struct action *action;
    struct player *target;
    cop_pid asker; /* guarded, as the answer is */
    char *answer;  /* guarded by the lock of cast.h; NULL: none yet */
    bool is_printed;
};

static struct request **requests;
static size_t request_count;

struct request *
request_open(const struct action *action, struct player *target)
{
    struct request *request = room_for(1, sizeof *request);
    *request = (struct request){.action = action, .target = target};
    cast_lock();
    requests = room_for_one_more(requests, request_count, sizeof(struct request *));
    requests[request_count++] = request;
    if (target) {
        target->told++;
    }
    cast_unlock();
    return request;
}

void
request_asked_by(struct request *request, cop_pid asker)
{
    cast_lock();
    request->asker = asker;
    cast_unlock();
}

void
request_answer(struct request *request, char *answer)
{
    cast_lock();
    request->answer = answer;
    cast_unlock();
}

/* It may have got its answer, and not have run since. */
static bool
still_waits_locked(const struct request *it)
{
    cop_process_info info;
    return cop_inspect(it->asker, &info) == 0 && info.waits_for.id != 0 && info.mailbox == 0;
}

static bool
is_held_up_locked(const struct request *it)
{
    return it->target ? is_held_locked(it->target) && still_waits_locked(it)
                      : gate_is_closed_locked();
}

bool
requests_settled_locked(void)
{
    for (size_t i = 0; i < request_count; i++) {
        const struct request *it = requests[i];
        if (!it->answer && !is_held_up_locked(it)) {
            return false;
        }
    }
    return true;
}

char *
requests_print(const struct action *action)
{
    char *own = NULL;
    for (size_t i = 0; i < request_count; i++) {
        struct request *it = requests[i];
        cast_lock();
        char *answer = it->answer;
        cast_unlock();
        if (it->action == action) {
            own = text_copy(answer ? answer : "pending");
        } else if (answer && !it->is_printed) {
            (void)printf("~ %s = %s\n", it->action->words, answer);
        }
        it->is_printed = answer != NULL;
    }
    return own;
}
