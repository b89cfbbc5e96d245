/* SPDX-License-Identifier: MIT */
/*
 * park.pml -- a wait is ended once, and a record is freed after its last note.
 *
 * Of: src/park.c  park park_abort park_refusal
 *     src/record.c  task_free task_let_go
 *     src/task.c  abort_move abort_handle task_abort
 *       abort_request task_post_abort task_exit
 *       task_leave_worker
 *     src/task.h  task_enter_worker task_list task_unlist
 *
 * Three kinds of task, each with its own way to be out of reach of a cancel:
 * a FIBER parks on its worker; a job of the BLOCKING pool waits in its queue
 * and then runs on a thread of its own; a DORMANT one has a turn on worker 0,
 * rests, and has its next turn on worker 1.  Two others ask for the end of its
 * wait: one has cancelled the region, one asks in vain, as after a cancel of a
 * scope that has just been left.  What the task waits for comes or does not.
 *
 * Holds: a cancelled task ends; each park is ended by exactly one wake; the
 * record is freed exactly once, when no note is about it any more, and nobody
 * touches it later.
 */
#define NOWHERE 2

mtype = { NONE, POSTED, BUSY, AGAIN, DEAD };         /* abort_state */
mtype = { QUIET, REGISTERED, FIRED, CALLED_OFF };    /* what it waits for */
mtype = { FIBER, BLOCKING, DORMANT };
mtype = { WAKE, ABORT, START };

mtype kind;
mtype state = NONE, thing = QUIET;
chan inbox[2] = [3] of { mtype };
byte place = NOWHERE;     /* task.worker */
bool cancelled, locked, listed, parked, aborted, ended, queued;
bool resting, news;      /* a dormant one: the turn's own state */
byte freed, parks, wakes, turns;

inline touch() { assert(freed == 0) }
inline lock() { atomic { !locked -> locked = true } }
inline unlock() { locked = false }

inline move(from, to, ok)
{
    atomic {
        touch();
        ok = state == from;
        if
        :: ok -> state = to
        :: else
        fi
    }
}

inline task_exit()
{
    lock(); touch(); listed = false; unlock();
    ended = true;
#ifdef BUG_FREE_BLIND
    freed++;
    assert(freed == 1);
#else
    old = state;
    if
    :: old != NONE -> atomic { touch(); old = state; state = DEAD }
    :: else
    fi;
    if
    :: old == NONE -> atomic { freed++; assert(freed == 1) }
    :: else
    fi;
#endif
}

inline let_go() { atomic { freed++; assert(freed == 1) } }

/* The thing waited for can be had by one: a wake, or a cancel. */
inline win(to, ok)
{
    atomic {
        ok = thing == REGISTERED;
        if
        :: ok -> thing = to
        :: else
        fi
    }
}

/* On its worker, up to its next wait. */
inline park_it()
{
    touch();
    thing = REGISTERED;
#ifdef BUG_CHECK_FIRST
    ok = cancelled;
#endif
    if
    :: !listed -> lock(); listed = true; unlock()
    :: else
    fi;
    aborted = false;
#ifndef BUG_CHECK_FIRST
    ok = cancelled;
#endif
    if
    :: ok ->
        aborted = true;
        win(CALLED_OFF, ok)
    :: else
    fi;
    if
    :: ok -> goto over /* called off before it began */
    :: else -> atomic { parked = true; parks++ }
    fi
}

inline park_abort()
{
    touch();
    if
    :: parked && !aborted && cancelled ->
        aborted = true;
        win(CALLED_OFF, ok);
        if
        :: ok -> inbox[me]!WAKE
        :: else
        fi
    :: else
    fi
}

/* to: where the note has to go on to, or NOWHERE. */
inline abort_handle()
{
    to = NOWHERE;
    if
    :: kind == BLOCKING ->
        atomic {
            ok = queued;
            queued = false
        }
        if
        :: ok -> task_exit()
        :: else
        fi
    :: else ->
        to = place;
        if
        :: to == me -> park_abort(); to = NOWHERE
        :: else
        fi
    fi
}

inline task_abort()
{
    move(POSTED, BUSY, ok);
    if
    :: !ok -> let_go(); goto loop
    :: else
    fi;
    do
    :: abort_handle();
       if
       :: to == NOWHERE -> move(BUSY, NONE, ok)
       :: else ->
           move(BUSY, POSTED, ok);
           if
           :: !ok -> move(AGAIN, POSTED, ok)
           :: else
           fi;
           if
           :: ok -> inbox[to]!ABORT
           :: else
           fi
       fi;
       if
       :: ok -> break
       :: else
       fi;
       move(AGAIN, BUSY, ok);
       if
       :: !ok -> let_go(); break
       :: else
       fi
    od
}

proctype worker(byte me)
{
    mtype note, old;
    bool ok;
    byte to;
loop:
end:
    inbox[me]?note;
    if
    :: note == ABORT -> task_abort(); goto loop
    :: note == START ->
        touch();
        place = me;
        ok = cancelled;
        turns++;
        if
        :: ok -> goto over
        :: else -> park_it(); goto loop
        fi
    :: note == WAKE ->
        atomic { touch(); assert(parked); parked = false; wakes++ }
        if
        :: kind == DORMANT && turns == 1 && !aborted ->
            thing = QUIET;
            do
            :: cancelled -> goto over
            :: else ->
#ifndef BUG_LEAVE_LATE
                place = NOWHERE;
#endif
                atomic {
                    if
                    :: news -> news = false
                    :: else -> resting = true; goto left
                    fi
                }
                place = me
            od
        :: else
        fi
    fi;
over:
    task_exit();
    goto loop;
left:
#ifdef BUG_LEAVE_LATE
    place = NOWHERE;
#endif
    goto loop
}

proctype pool()
{
    bool ok;
    mtype old;
    atomic { ok = queued; queued = false }
    if
    :: ok -> task_exit()
    :: else
    fi
}

/* mailbox_nudge(), in one step. */
inline rouse()
{
    atomic {
        if
        :: resting -> resting = false; inbox[1]!START
        :: else -> news = true
        fi
    }
}

/* The other end of what it waits for. */
proctype event()
{
    bool ok;
    do
    :: true -> break /* it never comes */
    :: thing == REGISTERED ->
        win(FIRED, ok);
        if
        :: ok -> inbox[place]!WAKE
        :: else
        fi
    :: resting -> rouse()
    :: ended -> break
    od
}

proctype canceller(bool real)
{
    mtype saw;
    byte at;
    bool ok;
    lock();
    if
    :: real -> cancelled = true
    :: else
    fi;
    if
    :: !listed -> goto out
    :: else
    fi;
    touch();
    if
    :: real -> rouse()
    :: else
    fi;
    at = (kind == BLOCKING -> 0 : place);
    if
    :: at == NOWHERE -> goto out
    :: else
    fi;
    do
    :: saw = state;
#ifdef BUG_AGAIN_LOST
       if
       :: saw == NONE -> move(NONE, POSTED, ok)
       :: else -> ok = true
       fi;
#else
       if
       :: saw == NONE -> move(NONE, POSTED, ok)
       :: saw == BUSY -> move(BUSY, AGAIN, ok)
       :: else -> move(saw, saw, ok)
       fi;
#endif
       if
       :: ok -> break
       :: else
       fi
    od;
    if
    :: saw == NONE -> inbox[at]!ABORT
    :: else
    fi;
out:
    unlock()
}

init
{
    atomic {
        if
        :: kind = FIBER
        :: kind = BLOCKING
        :: kind = DORMANT
        fi;
        if
        :: kind == BLOCKING ->
            queued = true;
            listed = true;
            run pool()
        :: else ->
            inbox[0]!START;
            run event()
        fi;
        run worker(0);
        run worker(1);
        run canceller(false);
        run canceller(true)
    }
    timeout;
    assert(ended);
    assert(freed == 1);
    assert(parks == wakes);
    assert(empty(inbox[0]) && empty(inbox[1]))
}
