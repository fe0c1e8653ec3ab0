/*
 * tests/conformance/rest.c - waiting until nothing moves any more.
 *
 * Room: tests/. Main only.
 * Touch freely: the pauses. Ask first: the conditions; each of them was missed once.
 *
 * To wait long enough is not to know. So rest is concluded, from what the processes and the library
 * say, in a round:
 *
 * - A worker sits in its receive with an empty mailbox, and has not decided to leave. Whose supervisor
 *   has ended ends as well, but for a worker that has heard of it and goes on.
 * - A supervisor looks idle from outside, and then answers a question, so it has handled whatever was
 *   sent to it before. Its answer lists its children: one that is between two attempts, or that we know
 *   has ended while the supervisor does not, has something in store.
 * - Every request was answered; or who asked still waits for a supervisor that is held.
 * - No event was written down during the round. What moves from one process to another (an end, a
 *   start, a stop) is an event, so nothing can slip past the round from a process that was still to be
 *   looked at to one that was already.
 *
 * The gate is the exception. A held supervisor cannot be asked. For it we count: what was sent to it
 * since the last rest (ends of its children, of its parent, requests, signals) must be in its mailbox,
 * from which nothing is taken while it is held. Otherwise the next action could overtake it.
 */
#include "tests/conformance/rest.h"

#include "tests/conformance/gate.h"
#include "tests/conformance/request.h"
#include "tests/conformance/text.h"
#include "tests/conformance/trace.h"

#include <stdlib.h>

enum {
    PATIENCE_S = 60,
    ROUND_MS = 100, /* after which a supervisor that has not answered is seen to be busy */
    PAUSE_US = 200,
};

bool
is_held_locked(const struct player *supervisor)
{
    return supervisor->is_alive && supervisor->is_starting && gate_is_closed_locked();
}

/* ---------------------------------------------------------------- looking */

static bool
parent_has_ended_locked(const struct player *it)
{
    const struct player *parent = player_of_locked(it->parent);
    return parent && !parent->is_alive && !it->is_unlinked;
}

static bool
has_got_what_was_sent_locked(const struct player *it, const cop_process_info *info)
{
    if (it->starts != it->rested.starts) {
        return true; /* since this attempt began it has not been at rest; then it was idle */
    }
    return info->mailbox >= it->rested.mailbox + (it->told - it->rested.told);
}

static bool
seems_idle(const cop_process_info *info)
{
    return !info->callback && info->mailbox == 0 && info->waits_for.id == 0;
}

bool
looks_idle_locked(const struct player *it)
{
    cop_process_info info;
    return cop_inspect(it->pid, &info) == 0 && seems_idle(&info);
}

static bool
is_still_locked(const struct player *it)
{
    cop_process_info info;
    if (!it->is_alive) {
        return true;
    }
    if (cop_inspect(it->pid, &info)) {
        return false; /* just ended: that event is on its way */
    }
    if (is_held_locked(it)) {
        return has_got_what_was_sent_locked(it, &info);
    }
    bool has_to_end = parent_has_ended_locked(it) && !it->knows_orphaned;
    return !it->is_leaving && !has_to_end && seems_idle(&info);
}

static bool
all_are_still(void)
{
    cast_lock();
    bool are_still = requests_settled_locked();
    for (size_t i = 0; are_still && i < player_count_locked(); i++) {
        are_still = is_still_locked(player_at_locked(i));
    }
    cast_unlock();
    return are_still;
}

/* Who asked and has just been answered may look as if it waited, until it runs. */
static bool
are_still_after_a_pause(void)
{
    (void)cop_sleep(COP_US(PAUSE_US));
    return all_are_still();
}

static size_t
events_so_far(void)
{
    cast_lock();
    size_t count = trace_count();
    cast_unlock();
    return count;
}

/* ---------------------------------------------------------------- asking */

static bool
is_settled_locked(const cop_child_info *child)
{
    const struct player *it = player_of_locked(child->pid);
    return !child->restarting && (!it || it->is_alive || it->is_unlinked);
}

static enum answer
judge(const cop_child_info *children, size_t count)
{
    enum answer answer = SETTLED;
    cast_lock();
    for (size_t i = 0; i < count; i++) {
        if (!is_settled_locked(&children[i])) {
            answer = UNSETTLED;
        }
    }
    cast_unlock();
    return answer;
}

/* A supervisor that ends meanwhile is settled as far as it is concerned; its end is an event. */
static enum answer
ask_for_children(cop_pid supervisor)
{
    cop_child_info *children = NULL;
    size_t capacity, count = 32;
    do {
        capacity = count;
        free(children);
        children = room_for(capacity, sizeof *children);
        count = 0;
    } while (cop_supervisor_children(supervisor, children, capacity, &count) == 0
             && count > capacity);
    enum answer answer = judge(children, count);
    free(children);
    return answer;
}

static int
ask(cop_bytes arg)
{
    struct player *supervisor;
    memcpy(&supervisor, arg.data, sizeof(struct player *));
    enum answer answer = ask_for_children(supervisor->pid);
    cast_lock();
    supervisor->answer = answer;
    cast_unlock();
    return 0;
}

/* Those that have to answer in a round. */
static bool
is_asked_locked(const struct player *it)
{
    return it->as->as == DECLARED_SUP && it->is_alive && !is_held_locked(it);
}

/* False: a question of an earlier round is still open, or no more can be asked now. */
static bool
ask_one(struct player *it)
{
    cast_lock();
    bool has_to = is_asked_locked(it), is_open = it->answer == ASKED;
    if (has_to && !is_open) {
        it->answer = ASKED;
    }
    cast_unlock();
    if (!has_to || is_open) {
        return !has_to; /* one that is held has what it was asked in its mailbox, until it goes on */
    }
    if (cop_spawn(NULL, ask, .arg = COP_BYTES(it)) == 0) {
        return true;
    }
    cast_lock();
    it->answer = NOT_ASKED;
    cast_unlock();
    return false;
}

static struct player *
player_number(size_t i)
{
    cast_lock();
    struct player *it = i < player_count_locked() ? player_at_locked(i) : NULL;
    cast_unlock();
    return it;
}

static bool
ask_all(void)
{
    struct player *it;
    for (size_t i = 0; (it = player_number(i)); i++) {
        if (!ask_one(it)) {
            return false;
        }
    }
    return true;
}

/* The worst of the answers. */
static enum answer
answers(void)
{
    enum answer worst = SETTLED;
    cast_lock();
    for (size_t i = 0; i < player_count_locked(); i++) {
        const struct player *it = player_at_locked(i);
        if (is_asked_locked(it) && it->answer != SETTLED && worst != ASKED) {
            worst = it->answer;
        }
    }
    cast_unlock();
    return worst;
}

static bool
all_answer(void)
{
    if (!ask_all()) {
        return false;
    }
    cop_time until = cop_now() + COP_MS(ROUND_MS);
    while (answers() == ASKED && cop_now() < until) {
        (void)cop_sleep(COP_US(PAUSE_US));
    }
    return answers() == SETTLED;
}

/* ---------------------------------------------------------------- resting */

static void
remember_rest(void)
{
    struct player *it;
    for (size_t i = 0; (it = player_number(i)); i++) {
        cop_process_info info = {0};
        (void)cop_inspect(it->pid, &info);
        cast_lock();
        it->rested.starts = it->starts;
        it->rested.told = it->told;
        it->rested.mailbox = info.mailbox;
        cast_unlock();
    }
}

bool
rest(void)
{
    for (cop_time until = cop_now() + COP_SEC(PATIENCE_S); cop_now() < until;) {
        size_t events = events_so_far();
        if (all_are_still() && all_answer() && are_still_after_a_pause()
            && events_so_far() == events) {
            remember_rest();
            return true;
        }
        (void)cop_sleep(COP_US(PAUSE_US));
    }
    return false;
}
