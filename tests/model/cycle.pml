/*
 * tests/model/cycle.pml - the refusal to close a circle of calls.
 *
 * Models: runtime/cycle.c published next_after reaches closes_circle
 * Models: runtime/cycle.c copi_cycle_begin copi_cycle_end copi_cycle_release
 *
 * PROCESSES servers each call others of their choice, CALLS times, and answer who calls them, but not while
 * they wait themselves. Each publishes whom it waits for, and then walks along what the others have
 * published, twice, and counts what it finds only if it found the very same. Who is answered is told by the
 * one that answers, which takes the edge away first; and anybody may lose patience before that, unless all
 * are PATIENT. In a RING each calls its neighbour only, and the first only once. A published word is the
 * target and the number of the call: as a reference, it comes once.
 *
 * Holds: nobody waits for ever (in a circle somebody is refused), and who is refused was in a circle: at some
 * moment of its call all edges of one were there at once.
 *
 * Run: -DPROCESSES=2 -DCALLS=2
 * Run: -DPROCESSES=3 -DCALLS=1 -DPATIENT
 * Long: -DPROCESSES=3 -DCALLS=2 -DRING
 * Long: -DPROCESSES=4 -DCALLS=1 -DRING -DPATIENT
 *
 * Broken variants, each of which must be found:
 *   1  the walk comes before the edge is published
 *   2  who answers leaves the edge, so that its own call of the caller is refused: no circle was there
 *   3  the second walk need not find the same: a gone edge and a later one make a circle (long)
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef PROCESSES
#define PROCESSES 3
#endif
#ifndef CALLS
#define CALLS 1
#endif
#ifdef RING
#define CALLS_OF(me) ((me) == 0 -> 1 : CALLS)
#else
#define CALLS_OF(me) CALLS
#endif
#define NOBODY         PROCESSES
#define WORD(to, call) ((call) * PROCESSES + (to) + 1)
#define TARGET(word)   ((word) == 0 -> NOBODY : ((word) - 1) % PROCESSES)

byte waits_for[PROCESSES];     /* what is published: a word, or 0 */
byte really[PROCESSES];        /* whom it called and is not answered by: what a circle is made of */
bool was_in_circle[PROCESSES]; /* during its call */
bool is_answered[PROCESSES];
chan calls[PROCESSES] = [PROCESSES * CALLS] of { byte, byte }; /* who, and under which word */
byte current[PROCESSES];       /* the word of the call that it waits for the answer of */
byte done;

/* Whether a walk of the published words from the target comes to `me`. One look is one step. The second
 * walk (again) has to see what the first has seen. */
inline walk(again, found)
{
    at = target;
    steps = 0;
    found = true;
    do
    :: at == NOBODY || steps > PROCESSES || !found -> found = false; break
    :: at == me -> break
    :: else ->
        atomic {
            if
            :: again && BROKEN != 3 -> found = (seen[at] == waits_for[at])
            :: else -> seen[at] = waits_for[at]
            fi;
            at = TARGET(waits_for[at]);
            steps++
        }
    od
}

/* An edge more: whoever is on a circle that it closes, was on one. */
inline begin_edge()
{
    d_step {
        waits_for[me] = WORD(target, made);
        current[me] = waits_for[me];
        really[me] = target;
        was_in_circle[me] = false;
        at = target;
        steps = 0;
        do
        :: at == me || at == NOBODY || steps > PROCESSES -> break
        :: else -> at = really[at]; steps++
        od;
        if
        :: at == me ->
            do
            :: was_in_circle[at] = true;
               at = really[at];
               if
               :: at == me -> break
               :: else
               fi
            od
        :: else
        fi
    }
}

inline answer()
{
    calls[me]?caller, word;
    atomic { /* copi_cycle_release: if it waits still under this word */
        if
        :: waits_for[caller] == word && BROKEN != 2 -> waits_for[caller] = 0
        :: else
        fi
    }
    atomic {
        if
        :: current[caller] == word -> really[caller] = NOBODY; is_answered[caller] = true
        :: else /* late */
        fi
    }
}

proctype server(byte me)
{
    byte target, caller, word, at, steps, made, seen[PROCESSES];
    bool found;
    do
    :: nempty(calls[me]) -> answer()
    :: made < CALLS_OF(me) ->
        made++;
#ifdef RING
        target = (me + 1) % PROCESSES;
#else
        select(target : 0 .. PROCESSES - 1);
#endif
        if
        :: target != me ->
#if BROKEN == 1
            walk(false, found);
            begin_edge();
#else
            begin_edge();
            walk(false, found);
            if
            :: found -> walk(true, found)
            :: else
            fi;
#endif
            if
            :: found ->
                assert(was_in_circle[me]);
                atomic { waits_for[me] = 0; current[me] = 0; really[me] = NOBODY } /* refused */
            :: else ->
                calls[target]!me, WORD(target, made);
                if
                :: is_answered[me]
#ifndef PATIENT
                :: true /* enough */
#endif
                fi;
                d_step {
                    is_answered[me] = false;
                    current[me] = 0;
                    really[me] = NOBODY;
                    waits_for[me] = 0
                }
            fi
        :: else
        fi
    :: made == CALLS_OF(me) && empty(calls[me]) -> break
    od;
    done++;
    do
    :: nempty(calls[me]) -> answer()
    :: done == PROCESSES && empty(calls[me]) -> break
    od
}

init
{
    byte i;
    atomic {
        for (i : 0 .. PROCESSES - 1) { really[i] = NOBODY }
        for (i : 0 .. PROCESSES - 1) { run server(i) }
    }
}
