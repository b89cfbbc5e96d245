/* SPDX-License-Identifier: MIT */
/*
 * poll.pml -- a step is never missed, and two never run at once.
 *
 * Of: src/poll.c  poll_wake poll_rest poll_turn poll_ended poll_move
 *
 * Two wakers write something down and wake the task; what they wrote waits in a
 * store buffer until their next locked instruction, or until the hardware
 * pleases.  A step reads what is written.  The last wake of all may find the
 * task ended, for the task ends, or does not, when it has seen both.
 *
 * Holds: when nothing moves any more, the task has seen what each waker wrote
 * before its wake, or has ended; steps <= wakes + 1; never two at once.
 */
#define WAKERS 2

mtype = { NONE, IDLE, SCHEDULED, RUNNING, AGAIN };

mtype word = SCHEDULED;
bool ended;                /* the generation has moved on */
bool buffered[WAKERS];     /* written, seen by nobody else */
bool written[WAKERS];
bool seen[WAKERS];
byte queued = 1;           /* turns in the queue */
byte stepping, steps, wakes;
byte done;

proctype waker(byte i)
{
    mtype saw;
    buffered[i] = true;
    do
    :: atomic {
        if
        :: ended -> break
        :: else -> saw = word
        fi
       };
#ifdef BUG_ONLY_LOOKS
       /* As it was before commit 199f446. */
       if
       :: saw == SCHEDULED || saw == AGAIN -> break
       :: else
       fi;
#endif
       atomic {
           !buffered[i]; /* a locked instruction waits for the buffer */
           if
           :: word == saw && !ended ->
               if
               :: saw == IDLE ->
                   word = SCHEDULED;
                   wakes++;
                   queued++;
                   assert(queued == 1)
               :: saw == RUNNING -> word = AGAIN; wakes++
               :: else
               fi;
               break
           :: else
           fi
       }
    od;
    done++
}

active [WAKERS] proctype buffer()
{
end:
    do
    :: atomic { buffered[_pid] -> buffered[_pid] = false; written[_pid] = true }
    od
}

/* Whichever worker has the turn; more than one may be about to. */
proctype worker()
{
    byte i;
    mtype saw;
turn:
end:
    atomic { queued > 0 -> queued-- }
    word = RUNNING;
    atomic { stepping++; assert(stepping == 1); steps++ }
    for (i : 0 .. WAKERS - 1) {
        if
        :: written[i] -> seen[i] = true
        :: else
        fi
    }
    stepping--;
    if
    :: seen[0] && seen[1] -> /* ready */
        atomic { ended = true; word = NONE }
        goto turn
    :: true
    fi;
    saw = word;
    if
#ifdef BUG_IDLE_BLIND
    :: saw == RUNNING -> word = IDLE; goto turn
#else
    :: saw == RUNNING ->
        atomic {
            if
            :: word == saw -> word = IDLE; goto turn
            :: else
            fi
        }
#endif
    :: else
    fi;
    /* Woken in the step: the next turn is behind those that wait. */
#ifdef BUG_AGAIN_IDLE
    word = IDLE;
#else
    word = SCHEDULED;
#endif
    atomic { queued++; assert(queued == 1) }
    goto turn
}

init
{
    byte i;
    atomic {
        for (i : 0 .. WAKERS - 1) { run waker(i) }
        run worker();
        run worker()
    }
    done == WAKERS;
    timeout;
    assert(ended || (seen[0] && seen[1]));
    assert(steps <= wakes + 1);
    assert(queued == 0)
}
