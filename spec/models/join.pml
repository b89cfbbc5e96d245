/* SPDX-License-Identifier: MIT */
/*
 * join.pml -- one result, one taker, one free.
 *
 * Of: src/join.c  join_ended join_keep join_unkeep join_reap join_abort
 *       join_take join_wait join_retire ambit_join
 *     regions/region.c  reap_ended
 *
 * A task ends while two others join it; the waits of the joiners may be called
 * off; the region closes once the task has told it of its end.  The record is
 * reused at once: whoever reads the word afterwards finds another generation.
 *
 * Holds: the result is handed out at most once; the record is freed exactly
 * once and out of its list; nobody but the owner of the record touches more
 * than that word; each wait is woken, or called off, never both.
 */
#define JOINERS 2
#define NOBODY 255

mtype = { LIVE, CLAIMED, WAITED, ENDED, NONE };

mtype word = LIVE;
bool stale;               /* the generation has moved on */
byte joiner = NOBODY;
bool written;             /* the result */
bool listed, locked;
byte freed;
byte got;                 /* results handed out */
bool waiting[JOINERS];
byte wakes[JOINERS];
bool told;                /* the owner, of the end */
bool reaped;

inline touch() { assert(freed == 0) }
inline lock() { atomic { !locked -> locked = true } }
inline unlock() { locked = false }
inline retire() { touch(); stale = true; word = NONE }
inline give_back() { atomic { touch(); assert(!listed); freed++ } }

inline move(from, to, ok)
{
    atomic {
        ok = !stale && word == from;
        if
        :: ok -> word = to
        :: else
        fi
    }
}

proctype task()
{
    bool ok;
    written = true;
    do
    ::
#ifdef BUG_KEEP_LATE
        move(LIVE, ENDED, ok);
        if
        :: ok -> lock(); touch(); listed = true; unlock(); break
        :: else
        fi;
#else
        lock(); touch(); listed = true; unlock();
        move(LIVE, ENDED, ok);
        if
        :: ok -> break
        :: else
        fi;
        lock(); touch(); listed = false; unlock();
#endif
        move(WAITED, NONE, ok);
        if
        :: ok ->
            touch();
            retire();
            assert(joiner != NOBODY);
            got++;
            wakes[joiner]++;
            give_back();
            break
        :: else
        fi
    od;
    told = true
}

proctype join(byte me)
{
    bool ok;
    mtype saw;
    do
    :: atomic {
        if
        :: stale -> goto out
        :: else -> saw = word
        fi
       };
       if
       :: saw == LIVE ->
#ifdef BUG_NO_CLAIM
           move(LIVE, WAITED, ok);
#else
           move(LIVE, CLAIMED, ok);
#endif
           if
           :: ok -> goto waits
           :: else
           fi
       :: saw == ENDED ->
           move(ENDED, NONE, ok);
           if
           :: !ok -> goto out
           :: else
           fi;
           touch();
           assert(written);
           got++;
           lock(); touch(); listed = false; unlock();
           retire();
           give_back();
           goto out
       :: else -> goto out /* -ESTALE, -EBUSY */
       fi
    od;
waits:
    touch();
    joiner = me;
    waiting[me] = true;
#ifndef BUG_NO_CLAIM
    move(CLAIMED, WAITED, ok);
    assert(ok);
#endif
    if
    :: wakes[me] > 0
    :: true -> /* a cancel */
#ifdef BUG_ABORT_BLIND
        ok = true;
#else
        move(WAITED, LIVE, ok);
#endif
        if
        :: !ok -> wakes[me] > 0
        :: else -> waiting[me] = false; goto out
        fi
    fi;
    assert(written);
    wakes[me]--;
    waiting[me] = false;
out:
    skip
}

/* After the last child has left; a joiner may be taking the record still. */
proctype region()
{
    bool ok;
    told;
    do
    :: lock();
       if
       :: !listed -> unlock(); break
       :: else
       fi;
       touch();
#ifdef BUG_REAP_BLIND
       ok = true;
#else
       move(ENDED, NONE, ok);
#endif
       if
       :: ok -> retire(); listed = false
       :: else
       fi;
       unlock();
       if
       :: ok -> give_back()
       :: else
       fi
    od;
    reaped = true
}

init
{
    byte i;
    atomic {
        for (i : 0 .. JOINERS - 1) { run join(i) }
        run task();
        run region()
    }
    timeout;
    assert(reaped);
    assert(freed == 1);
    assert(got <= 1);
    for (i : 0 .. JOINERS - 1) { assert(!waiting[i] && wakes[i] == 0) }
}
