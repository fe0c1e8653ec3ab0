/*
 * runtime/mailbox.c - a mailbox: many senders, one receiver.
 *
 * Room: runtime/.
 * Touch freely: nothing. Ask first: everything.
 *
 * The algorithm is Concurrency Kit's ck_stack as ck_stack_push_upmc and ck_stack_batch_pop_upmc have
 * it: senders push with a compare-and-swap, the receiver takes the whole stack with one exchange and
 * turns it round. Since nobody ever pops a single node there is no ABA: a head that is the same
 * pointer again is the same fact again. What is ours is what else the one word carries:
 *
 *     63                    22 21                 2       1        0
 *     | newest node's address | how many are there | CLOSED | ASLEEP |
 *
 * A node is 64-aligned and its address has 48 bits (Linux gives no others without being asked), so
 * 42 bits name it. So a sender learns from the operation that sends all that it must know:
 *
 *   ASLEEP   the receiver sleeps. It sets the bit, with a compare-and-swap from the empty word, just
 *            before it parks; the push that finds it clears it, so exactly one sender wakes it. A
 *            push before the bit makes the receiver's compare-and-swap fail: no wake-up is lost.
 *   CLOSED   the process has ended: the push does not happen.
 *   count    saturates at 2^20 - 1. It is what cop_inspect shows and what the report of a growing
 *            mailbox goes by; bounds have an exact count of their own.
 *
 * What it costs (two cores of a server, one sender that does nothing else, sampled and counted): sender and
 * receiver run at the same time, so the slower of the two is what a message costs, and what slows both is
 * lines of memory that go to and fro. While the receiver keeps up, nodes stay in the two caches: 24 to 30 ns
 * a message. A receiver that is a little slower than the sender lets a backlog of megabytes grow, and then
 * both work in cold memory: 50 to 90 ns. So the receiver's path matters most, and making the sender alone
 * faster made a stream of messages slower: 26 -> 40 ns. Taking the stack costs the receiver a quarter of
 * his time, for each node's line is waited for in turn; what is to be known of a message is therefore seen
 * then, and its line asked for to be written at once: 38 -> 31 ns. A clock that was asked for each callback
 * looked like nothing in one stream, as long as the receiver was the slower one in either case: 29 ns. Now that
 * he does less for each message, he is the quicker one without it: 16 (copi_callback_next).
 *
 * Memory: the push's compare-and-swap releases the node's contents, the exchanges in take and close
 * acquire them. One receiver at a time. Whoever ends the process closes: the process itself, or
 * whoever disowns it; a disowned receiver that comes to take finds CLOSED and puts it back.
 *
 * tests/model/mailbox.pml is searched for every order in which these steps can come.
 */
#include "runtime/mailbox.h"

static inline struct copi_taken
oldest_first(struct copi_message *newest, uint32_t generation)
{
    struct copi_taken taken = {.last = newest};
    uint32_t stale = 0;
    while (newest) {
        struct copi_message *older = newest->next;
        copi_prefetch_to_write(older); /* read and written: fetched once, and not twice */
        taken.kinds |= 1u << newest->kind;
        stale |= newest->generation ^ generation;
        taken.count++;
        /* Not written when it is so already: a single message's line stays clean. */
        /* cppcheck-suppress duplicateConditionalAssign */
        if (newest->next != taken.first) {
            newest->next = taken.first;
        }
        taken.first = newest;
        newest = older;
    }
    taken.has_stale = stale != 0;
    return taken;
}

struct copi_taken
copi_mailbox_take_all(struct copi_mailbox *mailbox, uint32_t generation)
{
    if (!copi_mailbox_has_news(mailbox)) {
        return (struct copi_taken){0};
    }
    uint64_t word = copi_exchange_64(&mailbox->word, 0); /* pairs with copi_mailbox_push() */
    if (word & COPI_MAILBOX_CLOSED) { /* disowned under our feet: it stays closed */
        word = copi_exchange_64(&mailbox->word, COPI_MAILBOX_CLOSED);
    }
    return oldest_first(copi_mailbox_node(word), generation);
}

struct copi_message *
copi_mailbox_take(struct copi_mailbox *mailbox)
{
    return copi_mailbox_take_all(mailbox, 0).first;
}

bool
copi_mailbox_sleep(struct copi_mailbox *mailbox)
{
    uint64_t empty = 0;
    return copi_cas_64(&mailbox->word, &empty, COPI_MAILBOX_ASLEEP); /* pairs with push */
}

void
copi_mailbox_wake(struct copi_mailbox *mailbox)
{
    uint64_t asleep = COPI_MAILBOX_ASLEEP;
    copi_cas_64(&mailbox->word, &asleep, 0); /* fails when a push has cleared it */
}

struct copi_message *
copi_mailbox_close(struct copi_mailbox *mailbox)
{
    /* Pairs with copi_mailbox_push(): what was pushed before is here, later pushes see CLOSED. */
    uint64_t word = copi_exchange_64(&mailbox->word, COPI_MAILBOX_CLOSED);
    return oldest_first(copi_mailbox_node(word), 0).first;
}

void
copi_mailbox_open(struct copi_mailbox *mailbox)
{
    copi_store_release_64(&mailbox->word, 0);
}
