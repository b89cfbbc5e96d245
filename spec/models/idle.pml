/* SPDX-License-Identifier: MIT */
/*
 * idle.pml -- how a worker falls asleep, and who wakes it.
 *
 * Of: src/idle.c    idle_sleep idle_wait idle_steal search_begin search_end
 *       sleeps_any idle_alert idle_wake claim_sleeper
 *     src/steal.c   steal_any steal_could
 *     src/worker.c  worker_post worker_loop
 *     src/note.h    note_put note_take
 *
 * Worker 0 begins with a task that pushes two others and then computes for
 * ever; each of those computes for ever too.  So all three workers must end up
 * with one.  Somebody outside posts a note to a worker, any one.  All accesses
 * to the words of the protocol are seq_cst in the code, so one order of steps
 * tells all there is.
 *
 * Holds: when nothing moves any more, every task runs and every note has been
 * delivered, but for those of a worker that computes.
 */
#define WORKERS 3
#define TASKS 2

byte fresh[WORKERS];      /* the length of each deque */
byte inject[WORKERS];     /* notes */
bool bell[WORKERS];       /* an eventfd: read until it is empty */
bool sleeping[WORKERS];
byte asleep;              /* how many bits are set */
byte searching;
bool busy[WORKERS];
byte running;
byte target;

#define any_fresh (fresh[0] + fresh[1] + fresh[2] > 0)

/* The bit is cleared by one waker only, who then rings. */
inline claim_and_ring(w)
{
    atomic {
        if
        :: sleeping[w] -> sleeping[w] = false; asleep--; won = true
        :: else -> won = false
        fi
    }
    if
    :: won -> bell[w] = true
    :: else
    fi
}

/* Wakes one sleeper, unless somebody looks already. */
inline alert()
{
    atomic {
        who = WORKERS;
        if
        :: sleeping[0] -> who = 0
        :: !sleeping[0] && sleeping[1] -> who = 1
        :: !sleeping[0] && !sleeping[1] && sleeping[2] -> who = 2
        :: else
        fi
    }
    if
    :: who == WORKERS
    :: who < WORKERS ->
        if
        :: searching > 0
        :: else -> claim_and_ring(who)
        fi
    fi
}

inline run_one()
{
    busy[me] = true;
    running++
}

/* A search need not be known of where all seem to be awake: the guess may be
 * wrong either way. */
inline begin_search()
{
    if
    :: !looking -> looking = true; searching++
    :: skip
    fi
}

inline end_search()
{
    atomic {
        looking = false;
        searching--;
        last = searching == 0
    }
}

proctype worker(byte me)
{
    byte who, k;
    bool looking, last, won, got;
    if
    :: me == 0 ->
        for (k : 1 .. TASKS) {
            fresh[0]++;
            alert()
        }
        run_one();
        goto computes
    :: else
    fi;
turn:
    atomic {
        if
        :: inject[me] > 0 -> inject[me] = 0; goto turn
        :: else
        fi
    }
    atomic {
        got = fresh[me] > 0;
        if
        :: got -> fresh[me]--
        :: else
        fi
    }
    if
    :: got -> run_one(); goto computes
    :: else
    fi;
    /* idle_steal() */
    begin_search();
    for (k : 0 .. WORKERS - 1) {
        atomic {
            if
            :: k != me && fresh[k] > 0 ->
                fresh[k]--;
                fresh[me]++;
                got = true;
                k = WORKERS; /* enough */
                break
            :: else
            fi
        }
    }
    if
    :: got ->
        last = true;
        if
        :: looking -> end_search()
        :: else
        fi;
#ifndef BUG_NO_HANDOVER
        if
        :: last -> alert()
        :: else
        fi;
#endif
        goto turn
    :: else
    fi;
    /* idle_spin(): one that finds something does not sleep. */
    if
    :: any_fresh || inject[me] > 0 -> goto found
    :: true
    fi;
    /* idle_sleep() */
#ifdef BUG_LOOK_FIRST
    got = inject[me] > 0 || any_fresh;
#endif
    atomic { sleeping[me] = true; asleep++ }
#ifndef BUG_SEARCH_STAYS
    if
    :: looking -> end_search()
    :: else
    fi;
#endif
#ifndef BUG_LOOK_FIRST
    got = inject[me] > 0;
    if
    :: !got -> got = any_fresh
    :: else
    fi;
#endif
    if
    :: got
    :: else ->
end:
        atomic { bell[me] -> bell[me] = false }
    fi;
#ifndef BUG_BIT_STAYS
    atomic {
        if
        :: sleeping[me] -> sleeping[me] = false; asleep--
        :: else
        fi
    }
#endif
found:
    if
    :: looking ->
        end_search();
        if
        :: last && any_fresh -> alert()
        :: else
        fi
    :: else
    fi;
    goto turn;
computes:
    skip
}

proctype outside()
{
    bool won;
    if
    :: target = 1
    :: target = 2
    fi;
    inject[target]++;
    claim_and_ring(target)
}

init
{
    byte i;
    atomic {
        for (i : 0 .. WORKERS - 1) { run worker(i) }
        run outside()
    }
    timeout;
    assert(running == WORKERS);
    assert(!any_fresh);
    for (i : 0 .. WORKERS - 1) { assert(inject[i] == 0 || busy[i]) }
    assert(searching == 0)
}
