/*
 * tests/model/mailbox.pml - the mailbox's handshake: send, take, park, wake, close.
 *
 * Models: runtime/mailbox.h copi_mailbox_push
 * Models: runtime/mailbox.c copi_mailbox_take_all oldest_first copi_mailbox_sleep copi_mailbox_wake
 * Models: runtime/mailbox.c copi_mailbox_close
 * Models: runtime/thread_park.c go_to_sleep get_up copi_park copi_unpark
 * Models: runtime/wait.c has_news sleep_for_news
 *
 * SENDERS senders push EACH messages each; nodes come from a pool and are used again, so that a head
 * which is the same pointer again is another message. One receiver takes until it has seen all, and
 * sleeps in between. Somebody with news that is no message sets a flag and wakes it through the parker
 * alone. Somebody may disown the receiver: the mailbox is closed under its feet.
 *
 * The word is three variables here, and what is one operation on the word is one atomic step; so is what
 * one side does with nodes that nobody else can reach. The futex is as Linux has it: it sleeps only if
 * the word is still PARKED.
 *
 * Holds: every message is received, left behind at the close, or refused, once; those of one sender in
 * order; who is disowned receives nothing that came after; nobody sleeps while there is news, with nobody
 * on the way to wake him (that would be an invalid end state, as no timeout helps out).
 *
 * Run: -DNEWS=1 -DDISOWNER=0
 * Run: -DNEWS=0 -DDISOWNER=1
 * Long: -DNEWS=1 -DDISOWNER=1
 *
 * Broken variants, each of which must be found:
 *   1  the sleeper sets its bit without looking whether the mailbox is still empty
 *   2  the push leaves the bit alone, and the sender does not wake
 *   3  the parker forgets a wake-up that comes before the sleep
 *   4  a take opens a mailbox that was closed
 *   5  the list is handed out newest first
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#define SENDERS 2
#define EACH    2
#define ALL     (SENDERS * EACH)
#define NODES   2 /* fewer than messages: they are used again */
#ifndef NEWS
#define NEWS 1
#endif
#ifndef DISOWNER
#define DISOWNER 1
#endif
#define NONE    0

mtype = { EMPTY, NOTIFIED, PARKED };

/* the word */
byte head = NONE;
bool asleep, is_closed;

/* the nodes */
byte next[NODES + 1], sender_of[NODES + 1], number_of[NODES + 1];
bool is_used[NODES + 1];

/* the parker, and the futex's queue of one */
mtype parker = EMPTY;
bool in_futex;

bool flag;     /* the news that is no message */
bool disowned; /* the receiver need not take any more */

byte ended[ALL];        /* how often each message has come to an end */
byte seen[SENDERS];     /* of each sender, how many were received */
byte taken_count, flag_seen;

inline end_message(node)
{
    d_step {
        ended[sender_of[node] * EACH + number_of[node]]++;
        assert(ended[sender_of[node] * EACH + number_of[node]] == 1);
        is_used[node] = false
    }
}

inline unpark()
{
    atomic {
        was = parker;
        parker = NOTIFIED
    }
    if
    :: was == PARKED -> in_futex = false /* FUTEX_WAKE */
    :: else
    fi
}

proctype sender(byte me)
{
    byte sent, node, old_head;
    bool old_asleep, old_closed;
    mtype was;
    do
    :: sent < EACH ->
        atomic { /* a node of the pool's; with none there, wait for one to come home */
            if
            :: !is_used[1] -> node = 1
            :: !is_used[2] -> node = 2
            fi;
            is_used[node] = true;
            sender_of[node] = me;
            number_of[node] = sent
        }
        d_step { old_head = head; old_asleep = asleep; old_closed = is_closed }
again:  if
        :: old_closed -> end_message(node) /* refused */
        :: else ->
            if
            :: atomic { head == old_head && asleep == old_asleep && is_closed == old_closed ->
                next[node] = old_head;
                head = node;
#if BROKEN != 2
                asleep = false
#endif
               }
               if
#if BROKEN == 2
               :: old_asleep -> skip
#else
               :: old_asleep -> unpark()
#endif
               :: else
               fi
            :: d_step { else -> old_head = head; old_asleep = asleep; old_closed = is_closed }
               goto again
            fi
        fi;
        sent++
    :: else -> break
    od
}

proctype newsman()
{
    mtype was;
    flag = true;
    unpark()
}

inline end_chain(what)
{
    do
    :: what != NONE -> chain = next[what]; end_message(what); what = chain
    :: else -> break
    od
}

proctype disowner()
{
    byte list, chain;
    if
    :: atomic {
           list = head; head = NONE; asleep = false; is_closed = true; disowned = true;
           end_chain(list)
       }
       atomic { parker = NOTIFIED; in_futex = false } /* and it is interrupted */
    :: skip
    fi
}

inline receive_chain()
{
    do
    :: list != NONE ->
        d_step {
            assert(disowned || number_of[list] == seen[sender_of[list]]);
            seen[sender_of[list]]++;
            taken_count++
        }
        chain = next[list];
        end_message(list);
        list = chain
    :: else -> break
    od
}

inline turn_round()
{
#if BROKEN == 5
    skip
#else
    chain = NONE;
    do
    :: list != NONE ->
        older = next[list];
        next[list] = chain;
        chain = list;
        list = older
    :: else -> break
    od;
    list = chain
#endif
}

proctype receiver()
{
    byte list, chain, older;
    bool was_closed;
    do
    :: disowned -> break
    :: taken_count == ALL && flag_seen -> break
    :: else ->
        if
        :: head != NONE ->
            atomic { list = head; head = NONE; asleep = false; was_closed = is_closed; is_closed = false }
            if
#if BROKEN != 4
            :: was_closed ->
                atomic {
                    list = head; head = NONE; asleep = false; is_closed = true;
                    end_chain(list) /* refused by who is disowned */
                }
#endif
            :: else -> assert(!was_closed); atomic { turn_round(); receive_chain() }
            fi
        :: flag && !flag_seen -> flag_seen = true
        :: atomic { parker == NOTIFIED -> parker = EMPTY } /* copi_parker_use: look again */
        :: else ->
            /* sleep_for_news */
            if
#if BROKEN == 1
            :: atomic { !is_closed -> asleep = true }
#else
            :: atomic { head == NONE && !asleep && !is_closed -> asleep = true }
#endif
               if
#if BROKEN == 3
               :: atomic { parker != PARKED -> parker = PARKED }
#else
               :: atomic { parker == EMPTY -> parker = PARKED }
#endif
                  if
                  :: atomic { parker == PARKED -> in_futex = true } /* FUTEX_WAIT */
                     !in_futex
                  :: atomic { parker != PARKED }
                  fi;
                  parker = EMPTY
               :: atomic { else -> parker = EMPTY }
               fi;
               if
               :: atomic { head == NONE && asleep && !is_closed -> asleep = false }
               :: else
               fi
            :: else
            fi
        fi
    od;
    /* The process ends, and closes. */
    atomic {
        list = head; head = NONE; asleep = false; is_closed = true;
        end_chain(list)
    }
}

init
{
    byte i;
    atomic {
        run receiver();
        for (i : 0 .. SENDERS - 1) { run sender(i) }
        if
        :: NEWS -> run newsman()
        :: else -> flag_seen = true
        fi;
        if
        :: DISOWNER -> run disowner()
        :: else
        fi
    }
    (_nr_pr == 1);
    for (i : 0 .. ALL - 1) { assert(ended[i] == 1) }
}
