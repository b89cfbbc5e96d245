/* SPDX-License-Identifier: MIT */
/*
 * region.pml -- admission, leaving and cancelling against close.
 *
 * Of: regions/word.h    word_enter word_leave word_wait word_close
 *     regions/region.c  region_admit region_leave link_to_parent region_join
 *       region_detach
 *     regions/seats.c   seats_take seats_come give_back
 *     src/seats.h       seats_keep
 *     regions/cancel.c  region_cancel cancel_one visit_first_child
 *       visit_next_sibling
 *
 * A host opens a region, spawns a task, and closes.  The task may spawn one
 * more: it takes two places for it, and gives the spare one back with its own.
 * Another task opens a child region below it, a third cancels.  One who
 * is not in it spawns into it as well, by a handle, any time that the record is
 * there.  Loads of the word are guesses; each move is
 * an exchange that fails when the word has changed.
 *
 * Holds: close returns, once, with nobody inside; nobody is let in after it
 * and nobody touches the record; each park of the host is woken exactly once;
 * a child region that is there when a cancel has made its way is cancelled too,
 * and its record is not touched after it has left.
 */
typedef word_t {
    byte tasks;
    byte children;
    bool waited;
    bool closed;
};

word_t word;
bool cancelled, locked, gone;
byte wakes;         /* of the host, on their way */
bool linked, child_locked, child_cancelled, child_gone, walked;
byte visitors;      /* of the child region: the parent's lock */
byte inside;       /* who really is in the region */
bool outside_done; /* the one with a handle */

#define counts (word.tasks + word.children)

inline touch() { assert(!gone) }
inline lock() { atomic { !locked -> touch(); locked = true } }
inline unlock() { touch(); locked = false }

/* ok: one more task, or child, is in, and n - 1 places are held for others. */
inline admit(count, n, ok)
{
    ok = false;
    do
    :: atomic { touch(); sawt = word.tasks; sawc = word.children; sawx = word.closed }
        if
#ifndef BUG_ADMIT_BLIND
        :: sawx || cancelled -> break
#endif
        :: else ->
            atomic {
                touch();
                if
#ifdef BUG_ADMIT_BLIND
                :: true -> count = count + n; inside++; ok = true; break
#endif
                :: sawt == word.tasks && sawc == word.children &&
                   sawx == word.closed ->
                    assert(!word.closed);
                    count = count + n;
                    inside++;
                    ok = true;
                    break
                :: else
                fi
            }
        fi
    od
}

/* A move that the code repeats until it succeeds: one step. */
inline leave(count, n)
{
    atomic {
        touch();
        count = count - n;
        inside--;
        last = counts == 0 && word.waited;
        if
        :: last -> word.waited = false
        :: else
        fi
    }
    if
    :: last -> atomic { wakes++; assert(wakes == 1) }
    :: else
    fi
}

proctype task(bool spawns)
{
    byte sawt, sawc;
    byte places = 1;
    bool sawx, ok, last;
    if
    :: spawns ->
        admit(word.tasks, 2, ok);
        if
        :: ok -> places++; run task(false)
        :: else
        fi
    :: else
    fi;
    leave(word.tasks, places)
}

/* A task whose own scope hangs below the region. */
proctype opener()
{
    byte sawt, sawc;
    bool sawx, ok, last, refused;
    admit(word.children, 1, ok);
    if
    :: ok ->
#ifdef BUG_LINK_UNLOCKED
        refused = cancelled;
        lock();
#else
        lock();
        refused = cancelled;
#endif
        if
        :: !refused -> linked = true
        :: else
        fi;
        unlock();
        if
        :: refused -> leave(word.children, 1)
        :: else ->
            /* its body; then region_detach() */
            lock();
#ifndef BUG_NO_VISITORS
            do
            :: visitors > 0 -> unlock(); lock()
            :: else -> break
            od;
#endif
            linked = false;
            assert(child_cancelled || !walked);
            child_gone = true;
            unlock();
            leave(word.children, 1)
        fi
    :: else
    fi;
    leave(word.tasks, 1)
}

/* Not a task of the region; the host's frame stays until it is done. */
proctype outsider()
{
    byte sawt, sawc;
    bool sawx, ok;
    admit(word.tasks, 1, ok);
    if
    :: ok -> run task(false)
    :: else
    fi;
    outside_done = true
}

/* Or not: a task of the region, so that it may touch it. */
proctype canceller()
{
    bool last, visits;
    if
    :: true
    :: true ->
        lock();
        cancelled = true;
        unlock();
        lock(); /* one at a time: the walk goes on from what it visits */
        visits = linked;
        if
        :: visits -> visitors++
        :: else
        fi;
        unlock();
        if
        :: visits ->
            atomic { !child_locked -> child_locked = true }
            assert(!child_gone);
            child_cancelled = true;
            child_locked = false;
            lock();
            visitors--;
            unlock()
        :: else
        fi;
        walked = true
    fi;
    leave(word.tasks, 1)
}

init
{
    bool sawx, waits;
    atomic {
        word.tasks = 3;
        inside = 3;
        run task(true);
        run opener();
        run canceller();
        run outsider()
    }
    do
    :: atomic {
#ifdef BUG_CLOSE_BLIND
            sawx = counts == 0;
        }
        atomic {
            if
            :: sawx -> word.closed = true; break
            :: else
            fi
#else
            if
            :: counts == 0 -> word.closed = true; break
            :: else
            fi
#endif
        }
        atomic {
#ifdef BUG_WAIT_BLIND
            waits = true;
#else
            waits = counts != 0;
#endif
            if
            :: waits -> word.waited = true
            :: else
            fi
        }
        if
        :: waits -> atomic { wakes == 1 -> wakes = 0 } /* park */
        :: else
        fi
    od;
    assert(inside == 0);
    assert(!linked);
    outside_done;
    assert(inside == 0);
    /* The last one to leave may still be between its move and the wake: it
     * holds no more than the host's task.  The record goes now. */
    gone = true;
    timeout;
    assert(inside == 0 && wakes == 0)
}
