/* SPDX-License-Identifier: MIT */
/*
 * line.pml -- a grant and a cancel meet: the permit is somebody's, or free.
 *
 * Of: src/sync/line.c  line_grant line_abort line_wake line_wait_under
 *     src/sync/semaphore.c  semaphore_serve semaphore_left
 *
 * Three tasks want 2, 1 and 1 permits, in whatever order they come; two
 * releases bring one each.  Some of the three may be called off, at any moment
 * of their wait, by their own worker; who has left has no frame any more.
 *
 * Holds: permits are neither made nor lost; nobody waits at the front for what
 * is there; who was granted is woken, once, and its frame is not touched after.
 */
#define TASKS 3
#define NOBODY 9

byte want[TASKS], permits, released, taken;
byte line[TASKS], length;
byte next[TASKS];              /* among those to be woken */
bool waiting[TASKS], granted[TASKS], woken[TASKS], gone[TASKS];
bool may_cancel[TASKS], called_off[TASKS];
bool locked;

inline lock() { atomic { !locked -> locked = true } }
inline unlock() { locked = false }
inline touch(who) { assert(!gone[who]) }

/* Lock held. */
inline take_out(who)
{
    d_step {
        touch(who);
        k = 0;
        do
        :: k < length && line[k] != who -> k++
        :: else -> break
        od;
        assert(k < length);
        length--;
        do
        :: k < length -> line[k] = line[k + 1]; k++
        :: else -> break
        od;
        waiting[who] = false;
        k = 0
    }
}

inline serve()
{
    do
    :: length > 0 && want[line[0]] <= permits ->
        who = line[0];
        permits = permits - want[who];
        take_out(who);
        granted[who] = true;
        next[who] = NOBODY;
        if
        :: first == NOBODY -> first = who
        :: else -> next[last] = who
        fi;
        last = who
    :: else -> break
    od
}

inline unlock_and_wake()
{
    unlock();
    who = first;
    do
    :: who != NOBODY ->
#ifdef BUG_NEXT_AFTER_WAKE
        woken[who] = true;
        touch(who);
        who = next[who]
#else
        touch(who);
        last = next[who];
        assert(!woken[who]);
        woken[who] = true;
        who = last
#endif
    :: else -> break
    od;
    first = NOBODY; last = NOBODY; who = 0
}

proctype task(byte me)
{
    byte who, k, first = NOBODY, last = NOBODY;
    bool off = false, asked = false;
    lock();
    if
    :: length == 0 && want[me] <= permits ->
        permits = permits - want[me];
        granted[me] = true;
        unlock();
        goto out
    :: else
    fi;
    atomic { line[length] = me; length++; waiting[me] = true };
    unlock();
end_waits:
    if
    :: woken[me] -> goto out
    :: may_cancel[me] && !asked -> asked = true
    fi;
#ifdef BUG_LOOK_UNLOCKED
    off = waiting[me];
    lock();
    if
    :: off && waiting[me] -> take_out(me)
    :: else
    fi;
#else
    lock();
    off = waiting[me];
#ifdef BUG_UNDO_A_GRANT
    off = off || !woken[me];
#endif
    if
    :: waiting[me] -> take_out(me)
    :: else
    fi;
#endif
#ifndef BUG_NOBODY_BEHIND
    if
    :: off -> serve()
    :: else
    fi;
#endif
    unlock_and_wake();
    if
    :: off -> called_off[me] = true
    :: else -> goto end_waits /* busy: the wake is on its way */
    fi;
out:
    atomic {
        if
        :: !called_off[me] -> assert(granted[me]); taken = taken + want[me]
        :: else
        fi;
        gone[me] = true
    }
}

proctype release(byte n)
{
    byte who, k, first = NOBODY, last = NOBODY;
    lock();
    permits = permits + n;
    released = released + n;
    serve();
    unlock_and_wake()
}

init
{
    byte i;
    atomic {
        want[0] = 2; want[1] = 1; want[2] = 1;
        for (i : 0 .. TASKS - 1) {
            if
            :: may_cancel[i] = true
            :: may_cancel[i] = false
            fi;
            run task(i)
        }
        run release(1);
        run release(1)
    }
    timeout;
    assert(!locked);
    assert(permits + taken == released);
    assert(length == 0 || want[line[0]] > permits);
    for (i : 0 .. TASKS - 1) {
        assert(gone[i] || waiting[i]);
        assert(!(called_off[i] && granted[i]));
    }
}
