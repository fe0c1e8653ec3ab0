/*
 * tests/model/cache.pml - the cache of threads: a job is handed over, and threads end and are freed.
 *
 * Models: runtime/thread.c next_job first_job sleep_for_job into_cache_locked take_idle hand_over run_jobs
 * Models: runtime/thread.c copi_thread_make_spare copi_thread_trim join_ended
 * Models: runtime/thread_park.c go_to_sleep get_up copi_park copi_unpark
 *
 * THREADS threads come from a job of theirs into a cache with room for one less. STARTERS starters take one
 * each, if there is one, and hand it a job; then it comes again. The last of the threads is one that was made
 * ahead: it looks from the beginning, and who made it puts it into the cache, before or after. Somebody trims the cache: who is in it is
 * handed the end. A thread that ends frees the one that has ended before it. In the cache a thread looks
 * for a while, or sleeps on its parker, which wakes for no reason, too.
 *
 * Holds: each job that is handed over is run, once; nobody touches a thread that has been freed; who sleeps
 * with a job is woken.
 *
 * Run: -DTHREADS=2 -DSTARTERS=2
 * Long: -DTHREADS=2 -DSTARTERS=3
 *
 * Broken variants, each of which must be found:
 *   1  a word of its own says that there is a job, and the wake-up comes after it
 *   2  the wake-up comes before the job
 *   3  a sleep that ended for no reason is taken for a wake-up
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef THREADS
#define THREADS 2
#endif
#ifndef STARTERS
#define STARTERS 2
#endif
#define ROOM   (THREADS - 1)
#define NOBODY THREADS
#define SPARE  (THREADS - 1)

mtype = { EMPTY, NOTIFIED, PARKED };
mtype:work = { NOTHING, JOB, END };

mtype parker[THREADS];
mtype:work next_job[THREADS];
bool is_called[THREADS], in_futex[THREADS], has_ended[THREADS], is_freed[THREADS];
bool is_idle[THREADS];
byte idle_count, ended = NOBODY, handed, run_count;

inline touch(t)
{
    assert(!is_freed[t])
}

inline unpark(t)
{
    atomic { touch(t); was = parker[t]; parker[t] = NOTIFIED }
    if
    :: was == PARKED -> in_futex[t] = false /* by its address only */
    :: else
    fi
}

inline hand_over(t, work)
{
#if BROKEN == 2
    unpark(t);
    atomic { touch(t); next_job[t] = work }
#else
    atomic { touch(t); next_job[t] = work }
#if BROKEN == 1
    atomic { touch(t); is_called[t] = true }
#endif
    unpark(t)
#endif
}

/* Any of them: the order does not matter. */
inline take_idle(found)
{
    atomic {
        found = 0;
        do
        :: found < THREADS && !is_idle[found] -> found++
        :: else -> break
        od;
        if
        :: found < THREADS -> touch(found); is_idle[found] = false; idle_count--
        :: else
        fi
    }
}

inline free_ended(before)
{
    if
    :: before != NOBODY -> has_ended[before]; is_freed[before] = true /* pthread_join */
    :: else
    fi
}

proctype starter()
{
    byte found;
    mtype was;
    take_idle(found);
    if
    :: found < THREADS -> handed++; hand_over(found, JOB)
    :: else /* it makes a new thread */
    fi
}

proctype trimmer()
{
    byte found, before;
    mtype was;
    do
    :: take_idle(found);
       if
       :: found < THREADS -> hand_over(found, END)
       :: else -> break
       fi
    od;
    atomic { before = ended; ended = NOBODY }
    free_ended(before)
}

proctype maker()
{
    atomic { touch(SPARE); is_idle[SPARE] = true; idle_count++ }
}

proctype thread(byte me)
{
    byte before;
    bool is_woken;
    if
    :: me == SPARE -> goto look
    :: else
    fi;
next:
    atomic {
        touch(me);
        if
        :: idle_count < ROOM -> next_job[me] = NOTHING; is_called[me] = false; is_idle[me] = true; idle_count++
        :: else -> goto over
        fi
    }
look:
    if
#if BROKEN == 1
    :: atomic { is_called[me] -> skip }
#else
    :: atomic { parker[me] == NOTIFIED -> touch(me); parker[me] = EMPTY }
#endif
    :: true -> goto park
    fi;
    goto called;
park:
    if
#if BROKEN == 1
    :: is_called[me] -> goto called
    :: else
#else
    :: true
#endif
    fi;
    if
    :: atomic { parker[me] == EMPTY -> parker[me] = PARKED }
       if
       :: atomic { parker[me] == PARKED -> in_futex[me] = true }
end_asleep:
          if
          :: !in_futex[me]
          :: in_futex[me] = false /* a signal, say */
          fi
       :: atomic { parker[me] != PARKED }
       fi;
       atomic { is_woken = (parker[me] == NOTIFIED); parker[me] = EMPTY }
    :: atomic { else -> parker[me] = EMPTY; is_woken = true }
    fi;
#if BROKEN == 1
    goto park;
#elif BROKEN == 3
    goto called;
#else
    if
    :: is_woken -> goto called
    :: else -> goto park
    fi;
#endif
called:
    atomic {
        touch(me);
        assert(next_job[me] != NOTHING);
        if
        :: next_job[me] == JOB -> run_count++; goto next
        :: next_job[me] == END -> goto over
        fi
    }
over:
    atomic { touch(me); before = ended; ended = me }
    free_ended(before);
    has_ended[me] = true
}

init
{
    byte i;
    atomic {
        for (i : 0 .. THREADS - 1) { parker[i] = EMPTY; next_job[i] = NOTHING }
        for (i : 0 .. THREADS - 1) { run thread(i) }
        for (i : 0 .. STARTERS - 1) { run starter() }
        run maker();
        run trimmer()
    }
end_rest:
    (_nr_pr == 1);
    assert(run_count == handed)
}
