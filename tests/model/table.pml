/*
 * tests/model/table.pml - a record of the table of processes, used again and again.
 *
 * Models: runtime/table.c give_pid copi_table_publish copi_table_withdraw
 * Models: runtime/table.h copi_table_find
 * Models: runtime/send.c deliver copi_deliver copi_post copi_post_to
 * Models: runtime/inbox.c sort is_for_inbox
 * Models: runtime/process.c serve_end
 *
 * INCARNATIONS processes live in one record, one after the other. Each of SENDERS senders gets hold of a
 * pid at some moment and sends one message to it, at any later one: it looks into the record without a
 * lock, and pushes. The mailbox is as mailbox.pml has shown it to be.
 *
 * Holds: each message is received or refused, once; it is received by nobody but the one it was for; who
 * lives, and has not begun to end, gets it.
 *
 * Run: -DSENDERS=2 -DINCARNATIONS=3
 * Long: -DSENDERS=3 -DINCARNATIONS=3
 *
 * Broken variants, each of which must be found:
 *   1  a receiver does not look for whom a message is
 *   2  the pid is published before the mailbox is open
 *   3  what is left at the close is not refused
 *   4  the pid stays when the mailbox is closed, and the generation with it
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef SENDERS
#define SENDERS 2
#endif
#ifndef INCARNATIONS
#define INCARNATIONS 3
#endif

byte id;         /* who is found: 0 nobody, or its generation */
byte generation; /* of who lives or lived there */
bool is_open;
chan mailbox = [SENDERS] of { byte }; /* the sender's number */
byte meant_for[SENDERS];
byte outcomes;
bool has_outcome[SENDERS], is_ending;

inline finish(message)
{
    d_step {
        assert(!has_outcome[message]);
        has_outcome[message] = true;
        outcomes++
    }
}

proctype sender(byte me)
{
    bool is_there;
    atomic { id != 0 -> meant_for[me] = id } /* it learns a pid */
    atomic { is_there = (id == meant_for[me]) }
    if
    :: !is_there -> finish(me)
    :: else ->
        if
        :: atomic { is_open -> mailbox!me }
        :: atomic { !is_open ->
               assert(generation != meant_for[me] || is_ending); /* else it lives, and did not get it */
               finish(me)
           }
        fi
    fi
}

proctype record()
{
    byte message;
    do
    :: generation < INCARNATIONS ->
        d_step {
#if BROKEN != 4
            generation++;
#else
            generation = 1;
            message++;
#endif
            is_ending = false
        }
#if BROKEN == 2
        id = generation;
        is_open = true;
#else
        is_open = true;
        id = generation;
#endif
        do
        :: atomic { mailbox?message ->
               if
               :: meant_for[message] == generation || BROKEN == 1 ->
                   assert(meant_for[message] == generation)
               :: else
               fi;
               finish(message) /* received, or refused */
           }
        :: generation < INCARNATIONS && outcomes < SENDERS -> break
        :: outcomes == SENDERS -> goto over
        od;
        is_ending = true;
        id = 0;
        atomic {
            is_open = false;
            do
            :: mailbox?message ->
#if BROKEN != 3
                finish(message)
#else
                skip
#endif
            :: empty(mailbox) -> break
            od
        }
    od;
over: skip
}

init
{
    byte i;
    atomic {
        run record();
        for (i : 0 .. SENDERS - 1) { run sender(i) }
    }
    (_nr_pr == 1);
    assert(outcomes == SENDERS)
}
