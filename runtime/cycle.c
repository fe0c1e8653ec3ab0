/*
 * runtime/cycle.c - who waits for whom.
 *
 * Room: runtime/.
 * Touch freely: the text of the circle. Ask first: the order of publishing and walking.
 *
 * Each process that waits for another publishes it in one word, `waits_for`: the reference it waits
 * under, whose upper bits are the other's index. First it publishes, with a full barrier, then it
 * walks from the other along the published words. Two that close a circle at the same moment both
 * publish before either walks, so at least one of them sees the whole circle; both may, and both are
 * then refused, which is allowed; never neither.
 *
 * An edge is taken away by whoever answers: before an answer is sent, or when a callback returns
 * without one, the server clears the caller's word, if it is still this reference. So a server that
 * has answered may call its caller back at once, though the caller has not woken yet.
 *
 * Who waits for all of its children at once has no word for each. It publishes that it does, and a walk
 * that comes there goes on to the walker, if that is one of them. What other children wait for is not
 * looked at.
 *
 * The walk looks at records without a lock, at one after the other: an edge that has gone since, and one
 * that has come since, could make a circle that never was. So it counts only when a second walk finds the
 * very same words. A reference is used once, so each of them was there from its first look to its second,
 * and between the walks all were: tests/model/cycle.pml. (That somebody waits for its children is said by
 * a word that is always the same; two such waits are not told apart.)
 */
#include "runtime/cycle.h"

#include "runtime/inspect.h"
#include "runtime/table.h"

#include <errno.h>
#include <stdio.h>

enum {
    LONGEST = 1 << COPI_INDEX_BITS
};
#define ITS_CHILDREN UINT64_C(1) /* no reference: it names nobody */

static uint64_t
published(uint32_t index)
{
    const struct copi_process *process = copi_table_at(index);
    return process ? copi_load_acquire_64(&process->waits_for)
                   : 0; /* pairs with copi_cycle_begin */
}

/* The next on the walk of `self` after who has published `word`; 0: nobody. */
static uint32_t
next_after(uint32_t index, uint64_t word, const struct copi_process *self)
{
    if (word == ITS_CHILDREN) {
        return cop_pid_eq(copi_parent(self), copi_pid(copi_table_at(index))) ? self->index : 0;
    }
    return word ? copi_ref_target((cop_ref){word}) : 0;
}

/* *sum: a checksum of the words on the way, in their order. */
static bool
reaches(uint32_t from, const struct copi_process *self, uint64_t *sum)
{
    uint32_t at = from;
    *sum = 0;
    for (int steps = 0; at != 0 && steps < LONGEST; steps++) {
        if (at == self->index) {
            return true;
        }
        uint64_t word = published(at);
        *sum = *sum * UINT64_C(0x9e3779b97f4a7c15) + word;
        at = next_after(at, word, self);
    }
    return false;
}

static bool
closes_circle(const struct copi_process *self, uint32_t target)
{
    uint64_t first, second;
    if (published(target) == 0) {
        return false; /* as nearly always: who waits for nobody ends each walk */
    }
    return reaches(target, self, &first) && reaches(target, self, &second) && first == second;
}

/* "a -> b -> a", as far as it fits. */
static void
draw(cop_reason *why, struct copi_process *self, uint32_t target)
{
    char name[COPI_LABEL_SIZE];
    copi_label(self, name);
    int used = snprintf(why->text, sizeof why->text, "%s", name);
    for (uint32_t at = target; at != 0 && used >= 0; at = next_after(at, published(at), self)) {
        size_t room = sizeof why->text - (size_t)used;
        copi_label(copi_table_at(at), name);
        int more = snprintf(why->text + used, room, " -> %s", name);
        if (more < 0 || (size_t)more >= room || at == self->index) {
            break;
        }
        used += more;
    }
}

static int
refuse(struct copi_process *self, uint32_t target)
{
    cop_reason why = {.kind = COP_FAILED, .code = -EDEADLK};
    draw(&why, self, target);
    copi_cycle_end(self);
    return copi_fail_why(&why, -EDEADLK);
}

int
copi_cycle_begin(struct copi_process *self, cop_pid target, cop_ref ref)
{
    uint32_t other = copi_ref_target(ref);
    copi_store_relaxed_64(&self->waits_for_pid, target.id);
    copi_exchange_64(&self->waits_for, ref.id); /* before the walk: pairs with the other's */
    return closes_circle(self, other) ? refuse(self, other) : 0;
}

void
copi_cycle_begin_children(struct copi_process *self)
{
    copi_exchange_64(&self->waits_for, ITS_CHILDREN); /* pairs with the walk of one of them */
}

void
copi_cycle_end(struct copi_process *self)
{
    copi_store_release_64(&self->waits_for, 0);
    copi_store_relaxed_64(&self->waits_for_pid, 0);
}

bool
copi_cycle_release(struct copi_process *waiter, cop_ref ref)
{
    uint64_t expected = ref.id;
    return copi_load_relaxed_64(&waiter->waits_for) == expected
           && copi_cas_64(&waiter->waits_for, &expected, 0);
}
