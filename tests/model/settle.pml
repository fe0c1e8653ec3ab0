/*
 * tests/model/settle.pml - resolve once, with subscription and sweeping.
 *
 * Models: actors/future.c push sweep copi_future_subscribe copi_future_claim publish
 *
 * SETTLERS try to settle one future; WAITERS subscribe a node each; some have stopped waiting by then,
 * and each push may be the one that sweeps. Nodes are linked as they are there, and a head that is the same
 * pointer again may have another list below it.
 *
 * Holds: one settler wins, and all who are told are told of its outcome; who waits is told once, and who
 * does not at most once; nobody is told before the outcome is there; no node is lost or sent twice, whatever
 * a sweep and the end do at the same moment.
 *
 * Run: -DWAITERS=2 -DSETTLERS=2
 * Run: -DWAITERS=3 -DSETTLERS=1 -DSWEEPERS=1
 * Long: -DWAITERS=3 -DSETTLERS=1
 *
 * Broken variants, each of which must be found:
 *   1  settling is a look and a write, not one operation
 *   2  the list is closed before the outcome is stored
 *   3  a sweep takes the list by an exchange, and opens it again
 *   4  the sweeper forgets what it can push no more
 *   5  the settler takes the list without closing it
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef WAITERS
#define WAITERS 3
#endif
#ifndef SETTLERS
#define SETTLERS 2
#endif
#ifndef SWEEPERS
#define SWEEPERS WAITERS /* the first so many may have to sweep */
#endif
#define NONE   0
#define CLOSED 255

mtype = { PENDING, CLAIMED, SETTLED };

mtype state = PENDING;
byte value; /* who settled it */
byte wins;

byte head = NONE;
byte next[WAITERS + 1];
bool is_tired[WAITERS + 1];
byte told[WAITERS + 1], freed[WAITERS + 1];
byte subscribed; /* how many calls of subscribe have returned */

inline send(node)
{
    d_step {
        assert(state == SETTLED);
        assert(value != 0);
        told[node]++;
        assert(told[node] + freed[node] == 1)
    }
}

/* The oldest first; the list is nobody else's by now. */
inline reverse(list)
{
    d_step {
        previous = NONE;
        do
        :: list != NONE ->
            following = next[list];
            next[list] = previous;
            previous = list;
            list = following
        :: else -> break
        od;
        list = previous;
        previous = NONE;
        following = NONE
    }
}

/* copi_cas_ptr's loop: `seen` is what was loaded. */
inline push(node, done)
{
    seen = head;
    do
    :: seen == CLOSED -> done = false; break
    :: else ->
        if
        :: atomic { head == seen -> next[node] = seen; head = node } done = true; break
        :: atomic { else -> seen = head }
        fi
    od
}

inline sweep()
{
#if BROKEN == 3
    atomic { list = head; head = NONE }
    if
    :: list == CLOSED -> list = NONE
    :: else
    fi;
#else
    list = head;
    do
    :: list == CLOSED -> list = NONE; break
    :: else ->
        if
        :: atomic { head == list -> head = NONE } break
        :: atomic { else -> list = head }
        fi
    od;
#endif
    reverse(list);
    do
    :: list != NONE ->
        rest = next[list];
        if
        :: is_tired[list] -> d_step { freed[list]++; assert(told[list] + freed[list] == 1) }
        :: else ->
            push(list, pushed);
            if
            :: pushed
#if BROKEN == 4
            :: else
#else
            :: else -> send(list)
#endif
            fi
        fi;
        list = rest
    :: else -> break
    od
}

proctype waiter(byte me)
{
    byte seen, list, rest, previous, following;
    bool pushed;
    if
    :: is_tired[me] = true /* it gave up long ago: a node that was left behind */
    :: skip
    fi;
    push(me, pushed);
    if
    :: !pushed -> send(me)
    :: else ->
        if
        :: me <= SWEEPERS -> sweep()
        :: skip
        fi
    fi;
    subscribed++
}

proctype settler(byte me)
{
    byte list, previous, following;
    bool won;
#if BROKEN == 1
    if
    :: state == PENDING -> state = CLAIMED; won = true
    :: else
    fi;
#else
    if
    :: atomic { state == PENDING -> state = CLAIMED } won = true
    :: atomic { else }
    fi;
#endif
    if
    :: won ->
        wins++;
        assert(wins == 1);
        value = me;
#if BROKEN == 2
        atomic { list = head; head = CLOSED }
        state = SETTLED;
#elif BROKEN == 5
        state = SETTLED;
        atomic { list = head; head = NONE }
#else
        state = SETTLED;
        atomic { list = head; head = CLOSED }
#endif
        reverse(list);
        do
        :: list != NONE -> following = next[list]; send(list); list = following
        :: else -> break
        od
    :: else
    fi
}

init
{
    byte i;
    atomic {
        for (i : 1 .. SETTLERS) { run settler(i) }
        for (i : 1 .. WAITERS) { run waiter(i) }
    }
    (_nr_pr == 1);
    assert(wins == 1);
    for (i : 1 .. WAITERS) {
        assert(told[i] + freed[i] == 1);
        assert(is_tired[i] || told[i] == 1)
    }
}
