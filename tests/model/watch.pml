/*
 * tests/model/watch.pml - a monitor against an exit, on a record that is used again.
 *
 * Models: runtime/signals.c watchable_locked monitor copi_signals_begin stop_watching_locked
 * Models: runtime/signals.c next_to_tell_locked copi_signals_tell copi_signals_discard copi_signals_arrived
 * Models: runtime/signals.c disarm_locked copi_signals_demonitor
 * Models: runtime/table.c give_pid
 *
 * An owner sets WATCHES monitors on one incarnation of a target, takes the first back at some moment or
 * not, and ends at some moment or waits for all that it is to be told. The target ends at some moment,
 * tells, and its record goes to a successor. What happens under the lock is one step.
 *
 * Holds: each watch is let go of once and not touched afterwards; an owner that lives is told once of each
 * monitor that it has not taken back, and not of one that it has; who has been told all finds nobody
 * there any more; no watch of the one ends up with its successor.
 *
 * Run: -DWATCHES=2
 * Long: -DWATCHES=3
 *
 * Broken variants, each of which must be found:
 *   1  who has been told may watch again while others are being told
 *   2  one that is buried is watched
 *   3  the generation is not compared
 *   4  a monitor that is flying is freed when it is taken back
 *   5  the end of the owner frees what is flying
 *   6  the record is dug up before it has its new generation
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef WATCHES
#define WATCHES 2
#endif

/* of each watch */
bool of_target[WATCHES], of_owner[WATCHES], is_cancelled[WATCHES], is_gone[WATCHES], is_told[WATCHES];
bool is_made[WATCHES];

/* of the target's record */
byte generation = 1;
bool buried, telling;

/* the owner's mailbox */
chan mailbox = [WATCHES] of { byte };
bool is_closed;

inline let_go(watch)
{
    d_step {
        assert(!is_gone[watch]);
        is_gone[watch] = true
    }
}

inline discard(watch)
{
    atomic {
        assert(!is_gone[watch]);
        of_owner[watch] = false;
        let_go(watch)
    }
}

inline post(watch)
{
    if
    :: atomic { !is_closed -> mailbox!watch }
    :: atomic { is_closed -> discard(watch) }
    fi
}

/* The owner has not been told yet of one that it has set before. */
inline look_for_untold(which)
{
    d_step {
        untold = false;
        i = 0;
        do
        :: i < which -> untold = untold || of_owner[i]; i++
        :: else -> break
        od;
        i = 0
    }
}

proctype owner()
{
    byte made, came, expected = WATCHES, i;
    bool is_armed, untold, was_told, is_patient;
    if
    :: is_patient = true
    :: skip
    fi;
    do
    :: made < WATCHES ->
        atomic {
            look_for_untold(made);
            is_made[made] = true;
            is_armed = (BROKEN == 3 || generation == 1);
            is_armed = is_armed && (BROKEN == 2 || !buried);
            is_armed = is_armed && (BROKEN == 1 || !telling || untold);
            assert(!is_armed || !was_told || untold);
            of_target[made] = is_armed;
            of_owner[made] = true
        }
        if
        :: !is_armed -> post(made)
        :: else
        fi;
        made++
    :: atomic { mailbox?came } ->
        atomic { /* arrived */
            assert(!is_gone[came]);
            of_owner[came] = false;
            if
            :: is_cancelled[came]
            :: else -> assert(!is_told[came]); is_told[came] = true; was_told = true; expected--
            fi;
            let_go(came)
        }
    :: made > 0 && !is_cancelled[0] && !is_told[0] -> /* demonitor the first */
        atomic {
            is_cancelled[0] = true;
            expected--;
            is_armed = of_target[0];
            if
            :: is_armed -> of_target[0] = false; of_owner[0] = false
            :: else
            fi
        }
        if
        :: is_armed || BROKEN == 4 -> let_go(0)
        :: else
        fi
    :: made == WATCHES && expected == 0 -> break
    :: !is_patient -> break /* it ends before it has heard */
    od;
    is_closed = true;
    do
    :: mailbox?came -> discard(came)
    :: empty(mailbox) -> break
    od;
    atomic { /* stop_watching_locked */
        i = 0;
        do
        :: i < WATCHES ->
            if
            :: of_owner[i] ->
                of_owner[i] = false;
                if
                :: of_target[i] || BROKEN == 5 -> of_target[i] = false; let_go(i)
                :: else
                fi
            :: else
            fi;
            i++
        :: else -> break
        od
    }
}

proctype target()
{
    byte watch;
    bool found;
    do
    :: atomic { /* under the lock: the next, or buried */
           telling = true;
           watch = 0;
           do
           :: watch < WATCHES && !of_target[watch] -> watch++
           :: else -> break
           od;
           found = watch < WATCHES;
           if
           :: found -> assert(!is_gone[watch]); of_target[watch] = false
           :: else -> buried = true
           fi
       }
       if
       :: found -> post(watch)
       :: else -> break
       fi
    od;
    /* The record is another's. */
#if BROKEN == 6
    skip;
    d_step { buried = false; telling = false }
    generation = 2
#else
    generation = 2;
    d_step { buried = false; telling = false }
#endif
}

init
{
    byte w;
    atomic { run owner(); run target() }
    (_nr_pr == 1);
    for (w : 0 .. WATCHES - 1) {
        assert(is_gone[w] || !is_made[w]);
        assert(!of_target[w] && !of_owner[w])
    }
}
