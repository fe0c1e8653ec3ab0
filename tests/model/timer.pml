/*
 * tests/model/timer.pml - the two locks of the timers: who sets one does not take the heap's.
 *
 * Models: runtime/timer.c add_new_locked join_process_locked leave_process_locked forget_locked
 * Models: runtime/timer.c take_out_both_locked goes_on take_due_locked sort_new_in unlink_due fall_asleep_locked
 * Models: runtime/timer.c next_due run start_locked arm_locked copi_timer_set copi_timer_take_out take_out_of
 * Models: runtime/timer.c has_timers copi_timer_process_ends take_out_first copi_timer_stop
 * Models: runtime/timer_heap.h copi_timer_list
 * Models: runtime/timer_heap.c copi_timer_heap_add copi_timer_heap_take_out
 * Models: runtime/timer_places.h copi_timer_places_take copi_timer_places_give
 * Models: runtime/timer_places.c copi_timer_places_more copi_timer_places_find
 *
 * TIMERS timers are set, each by a setter of its own, with any time, in fewer places than there are timers.
 * Each may be taken out by its reference, and one of them is an interval. If ENDS, those that are addressed
 * to a process are cancelled by its end; if STOPS, all are stopped at some moment. The clock goes on whenever it
 * likes, until it has shown all times.
 *
 * What is guarded by one lock, and done under it, is one step; what the thread does with timers under the heap's
 * lock alone is one of its own, and whoever else finds them meanwhile has broken in. The parker is mailbox.pml's.
 *
 * Holds: a timer is linked where who unlinks it believes it to be; each comes to one end, fired, taken out or
 * dropped, and its own; none is fired before its time, none is in the list of a process that has ended; and when
 * nothing happens any more, none is left whose time has come.
 *
 * Run: -DTIMERS=2 -DENDS=0 -DSTOPS=0
 * Run: -DTIMERS=2 -DENDS=1 -DSTOPS=0 -DLAST=1
 * Run: -DTIMERS=2 -DENDS=0 -DSTOPS=1 -DLAST=1
 * Long: -DTIMERS=2 -DENDS=1 -DSTOPS=0
 * Long: -DTIMERS=2 -DENDS=0 -DSTOPS=1
 *
 * Broken variants, each of which must be found:
 *   1  the thread falls asleep although there are new ones
 *   2  who sets one asks whether it is the earliest before it is there for the thread to see
 *   3  who takes one out has not the heap's lock
 *   4  the heap's lock is given back before what is due is out of everything
 *   5  what is to be done is read when the place is another's
 *   6  a reference is its place alone
 *   7  a process that ends looks for its timers before it has left the table
 *   8  a stop leaves those alone that were not sorted in
 *   9  until when it sleeps is written when the lock has been given back
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef TIMERS
#define TIMERS 2
#endif
#ifndef ENDS
#define ENDS 0
#endif
#ifndef STOPS
#define STOPS 0
#endif
#ifndef LAST
#define LAST 2 /* what the clock shows in the end */
#endif
#define PLACES  2
#define FOREVER 9
#define NOBODY  255 /* in a place: no timer */

/* Where the timer of a place is linked. MOVING: in the thread's hands, under the heap's lock alone. */
mtype = { NOWHERE, NEW, MOVING, HEAP, DUE };

bool heap_lock, lock;
byte clock;

/* the places; what is in one stays there when it is given back */
bool is_set[PLACES];
byte timer_at[PLACES], deadline[PLACES];
mtype linked[PLACES] = NOWHERE;
bool is_of_process[PLACES], is_interval[PLACES];

/* what thread and setters tell each other */
byte sleeping_until;
bool running, has_returned, stopping, notified;

bool has_left_table, has_ended;

byte ends[TIMERS]; /* how often each has come to one */

inline take_lock()      { atomic { !lock -> lock = true } }
inline give_lock()      { lock = false }
inline take_heap_lock() { atomic { !heap_lock -> heap_lock = true } }
inline give_heap_lock() { heap_lock = false }

inline come_to_end(timer)
{
    d_step {
        ends[timer]++;
        assert(ends[timer] == 1)
    }
}

inline forget(at)
{
    d_step {
        is_set[at] = false;
        linked[at] = NOWHERE;
        is_of_process[at] = false
    }
}

/* Both locks are held, or so it is believed. */
inline take_out_both(at)
{
    assert(is_set[at] && (linked[at] == NEW || linked[at] == HEAP));
    forget(at)
}

inline move(from, to)
{
    d_step {
        place = 0;
        do
        :: place < PLACES ->
            if
            :: linked[place] == from -> linked[place] = to
            :: else
            fi;
            place++
        :: else -> break
        od;
        place = 0
    }
}

inline unlink_due()
{
    d_step {
        count = 0;
        do
        :: place < PLACES ->
            due[place] = NOBODY;
            if
            :: linked[place] == HEAP && deadline[place] <= clock -> linked[place] = DUE; count++
            :: else
            fi;
            place++
        :: else -> break
        od;
        place = 0
    }
}

/* Out of everything, or, an interval, among the new again. */
inline take_due(at)
{
    d_step {
        assert(is_set[at] && deadline[at] <= clock);
        is_tick = is_interval[at] && is_of_process[at];
        if
        :: is_tick -> linked[at] = NEW; deadline[at]++
        :: else -> due[at] = timer_at[at]
        fi
    }
    if
    :: !is_tick -> forget(at)
    :: else
    fi
}

inline fall_asleep()
{
    d_step {
        until = FOREVER;
        do
        :: place < PLACES ->
            if
            :: linked[place] == NEW && BROKEN != 1 -> until = 0; break
            :: linked[place] == HEAP && deadline[place] < until -> until = deadline[place]
            :: else
            fi;
            place++
        :: else -> break
        od;
        place = 0
    }
}

proctype thread()
{
    byte place, until, count, due[PLACES];
    bool stops, is_tick;
    do
    :: stops -> break
    :: else ->
        until = 0; /* look again at once */
        take_heap_lock();
        atomic { !lock -> move(NEW, MOVING); stops = stopping }
        move(MOVING, HEAP);
        unlink_due();
#if BROKEN == 4
        give_heap_lock();
#endif
        take_lock();
        do
        :: place < PLACES ->
            if
            :: linked[place] == DUE -> take_due(place)
            :: else
            fi;
            place++
        :: else -> place = 0; break
        od;
        if
        :: count == 0 -> fall_asleep()
        :: else
        fi;
#if BROKEN == 9
        give_lock();
#endif
        if
        :: until > 0 -> sleeping_until = until
        :: else
        fi;
#if BROKEN != 9
        give_lock();
#endif
#if BROKEN != 4
        give_heap_lock();
#endif
        do /* fire */
        :: place < PLACES ->
            if
#if BROKEN == 5
            :: due[place] != NOBODY -> come_to_end(timer_at[place])
#else
            :: due[place] != NOBODY -> come_to_end(due[place])
#endif
            :: else
            fi;
            due[place] = NOBODY;
            place++
        :: else -> place = 0; count = 0; is_tick = false; break
        od;
        if
        :: until > 0 && !stops ->
end:        atomic { (notified || clock >= until) -> notified = false }
        :: else
        fi
    od;
    has_returned = true
}

inline start()
{
    if
    :: !running -> atomic { running = true; has_returned = false; notified = false; run thread() }
    :: else
    fi
}

proctype setter(byte me)
{
    byte place = NOBODY, when;
    bool is_earlier, is_mine;
    if
    :: when = 0
    :: LAST > 1 -> when = 1
    :: when = LAST
    fi;
#if BROKEN == 2
    is_earlier = when < sleeping_until;
#endif
    take_lock();
    start();
    if /* a place; with none there, one more chunk, which is not modelled */
    :: !is_set[0] -> place = 0
    :: is_set[0] && !is_set[1] -> place = 1
    :: else
    fi;
    if
    :: place != NOBODY ->
        atomic {
            is_set[place] = true;
            timer_at[place] = me;
            deadline[place] = when;
            linked[place] = NEW;
            is_of_process[place] = !has_left_table;
            assert(!has_ended || !is_of_process[place]);
            if
            :: me == 0 -> is_interval[place] = true
            :: is_interval[place] = false
            fi;
#if BROKEN != 2
            is_earlier = when < sleeping_until;
#endif
            if
            :: is_earlier -> sleeping_until = when
            :: else
            fi
        }
    :: else
    fi;
    give_lock();
    if
    :: is_earlier -> notified = true /* unpark */
    :: else
    fi;
    /* Who has its reference, which is a place and a count, may take it out. */
    if
    :: place != NOBODY ->
#if BROKEN != 3
        take_heap_lock();
#endif
        take_lock();
        is_mine = is_set[place] && (timer_at[place] == me || BROKEN == 6);
        if
        :: is_mine -> take_out_both(place)
        :: else
        fi;
        give_lock();
#if BROKEN != 3
        give_heap_lock();
#endif
        if
        :: is_mine -> come_to_end(me)
        :: else
        fi
    :: true
    fi;
    d_step { place = 0; when = 0; is_earlier = false; is_mine = false }
}

inline take_out_of_process()
{
    timer = NOBODY;
    take_heap_lock();
    take_lock();
    if
    :: is_of_process[0] -> timer = timer_at[0]; take_out_both(0)
    :: !is_of_process[0] && is_of_process[1] -> timer = timer_at[1]; take_out_both(1)
    :: else
    fi;
    give_lock();
    give_heap_lock()
}

/* The process that they are addressed to ends. */
proctype ender()
{
    byte timer;
    bool has_timers;
#if BROKEN != 7
    has_left_table = true;
#endif
    do
    :: atomic { !lock -> has_timers = is_of_process[0] || is_of_process[1] }
       if
       :: !has_timers -> break
       :: else
       fi;
       take_out_of_process();
       if
       :: timer == NOBODY -> break
       :: else -> come_to_end(timer)
       fi
    od;
    atomic {
        has_left_table = true;
        has_ended = true;
        assert(!is_of_process[0] && !is_of_process[1])
    }
}

inline take_out_first()
{
    timer = NOBODY;
    take_heap_lock();
    take_lock();
    if
    :: is_set[0] && (BROKEN != 8 || linked[0] == HEAP) -> timer = timer_at[0]; take_out_both(0)
    :: is_set[1] && (BROKEN != 8 || linked[1] == HEAP) -> timer = timer_at[1]; take_out_both(1)
    :: else -> running = false; stopping = false
    fi;
    give_lock();
    give_heap_lock()
}

proctype stopper()
{
    byte timer;
    bool was_running;
    atomic { !lock -> was_running = running; stopping = true }
    if
    :: was_running -> notified = true; has_returned /* join */
    :: else
    fi;
    do
    :: take_out_first();
       if
       :: timer == NOBODY -> break
       :: else -> come_to_end(timer)
       fi
    od
}

proctype time()
{
    do
    :: clock < LAST -> clock++
    :: else -> break
    od
}

init
{
    byte i;
    atomic {
        run time();
        for (i : 0 .. TIMERS - 1) { run setter(i) }
        if
        :: ENDS -> run ender()
        :: else
        fi;
        if
        :: STOPS -> run stopper()
        :: else
        fi
    }
    timeout; /* nothing happens any more */
    for (i : 0 .. PLACES - 1) { assert(!is_set[i] || deadline[i] > clock) }
}
