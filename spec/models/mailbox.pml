/* SPDX-License-Identifier: MIT */
/*
 * mailbox.pml -- reserve, commit and abort against turns and death.
 *
 * Of: actors/mailbox.c  mailbox_try_credits mailbox_enter
 *       mailbox_give_credits chain notify mailbox_push mailbox_nudge
 *       mailbox_turn_end rest
 *       mailbox_detach mailbox_lock_dead mailbox_retire
 *     actors/actor.c    actor_turn go_idle run_batch
 *     actors/dead.c     unchain actor_drain_dead actor_close
 *
 * Senders reserve one credit each and commit or abort; some of them take the turn
 * of an idle receiver with it, which they then start; a killer cancels the
 * actor's life or does not.  Each move of the gate is a load and an exchange
 * that may fail.  The link, a plain store in the code, waits in a store buffer
 * until the sender's next locked instruction, or until the hardware pleases:
 * the window in which a message is in the queue and cannot be seen.
 *
 * Holds: each committed message is handled or disposed exactly once, and no
 * step touches the actor's memory after it was given back.
 */
#define SENDERS 2
#define CREDITS 2
#define NIL 0
#define STUB 1
#define MESSAGE(i) ((i) + 2)
#define NODES (SENDERS + 2)

mtype = { IDLE, BUSY, AGAIN };

typedef gate_word {
    mtype turn;
    byte credits;
    bool closed;
    bool detached;
    bool stale; /* the generation has moved on */
};

gate_word gate;
byte head = STUB, tail = STUB;
byte next[NODES];
byte before[SENDERS];     /* the store buffer: whose link is not seen yet */
bool cancelled, locked, freed;
byte started;             /* turns that lie in a queue: at most one */
bool running;
bool committed[NODES];
byte handled[NODES], disposed[NODES];
byte done;

#define drained(i) (before[i] == NIL)

inline touch() { assert(!freed) }

inline lock() { atomic { !locked -> locked = true } }
inline unlock() { locked = false }

inline start() { started++; assert(started == 1) }

inline retire()
{
    lock();
    atomic {
        touch();
        freed = true;
        gate.stale = true;
        gate.closed = true;
        gate.detached = true;
        locked = false;
    }
}

/* One credit comes home.  A read-modify-write, so one step. */
inline give_credits(n, last)
{
    atomic {
        if
        :: n > 0 ->
            touch();
            gate.credits = gate.credits + n;
            assert(gate.credits <= CREDITS);
            last = gate.detached && gate.credits == CREDITS;
        :: else -> last = false
        fi
    }
    if
    :: last -> retire()
    :: else
    fi
}

/* The next message, or NIL; the code waits while one is taken, not linked. */
inline pop(m)
{
    atomic {
        touch();
        m = next[head];
        if
        :: m != NIL -> head = m
        :: else
        fi
    }
}

inline push_stub()
{
    atomic {
        next[STUB] = NIL;
        m = tail;
        tail = STUB;
    }
    next[m] = STUB;
}

/* Takes all there is; the head's content was received before. */
inline unchain(credits)
{
    credits = 0;
    do
    :: pop(m);
        if
        :: m == NIL && tail != head -> skip /* sched_yield() */
        :: m == NIL && tail == head && head == STUB -> break
        :: m == NIL && tail == head && head != STUB -> push_stub()
        :: m != NIL && m != STUB ->
            disposed[m]++;
            credits++
        :: m == STUB
        fi
    od
}

inline drain_dead(credits)
{
    credits = 0;
    lock();
    if
    :: gate.stale || !gate.detached -> unlock()
    :: else ->
        touch();
        unchain(credits);
        unlock()
    fi;
    give_credits(credits, last)
}

/* Sees the gate once; a failing exchange looks again.  `busy`: what BUSY turns
 * into.  The turn is the caller's when `mine`, else it is started. */
inline notify(sb_empty, busy, dead, mine)
{
    do
    :: atomic {
        if
        :: gate.stale -> break
        :: !gate.stale && gate.detached -> dead = true; break
        :: !gate.stale && !gate.detached -> seen = gate.turn
        fi
       };
       if
       :: seen == AGAIN || seen == busy -> break
       :: seen != AGAIN && seen != busy ->
           atomic {
               sb_empty; /* a locked instruction waits for the buffer */
               if
               :: gate.turn == seen && !gate.detached && !gate.stale ->
                   if
                   :: seen == IDLE && mine -> gate.turn = BUSY; won = true
                   :: seen == IDLE && !mine -> gate.turn = BUSY; start()
                   :: seen == BUSY -> gate.turn = busy
                   fi;
                   break
               :: else
               fi
           }
       fi
    od
}

proctype sender(byte i)
{
    byte m, credits;
    mtype seen;
    bool dead, last, won, mine;
    atomic {
        if
        :: gate.closed || gate.credits == 0 -> goto out
        :: else -> gate.credits--
        fi;
        if
        :: gate.turn == IDLE -> gate.turn = BUSY; mine = true
        :: true
        fi
    }
    if
    :: true -> /* abort */
#ifndef BUG_ENTER_FORGOTTEN
        if
        :: mine -> atomic { start() }
        :: else
        fi;
#endif
        give_credits(1, last);
        goto out
    :: true
    fi;
    atomic {
        touch();
        next[MESSAGE(i)] = NIL;
        before[i] = tail;
        tail = MESSAGE(i);
        committed[MESSAGE(i)] = true;
    }
    if
    :: mine -> atomic { assert(!gate.detached); start() }
    :: else -> notify(drained(i), BUSY, dead, false)
    fi;
    if
    :: dead ->
        drained(i); /* the lock is a locked instruction too */
#ifndef BUG_DEAD_IGNORED
        drain_dead(credits)
#endif
    :: else
    fi;
out:
    done++
}

active [SENDERS] proctype buffer()
{
end:
    do
    :: atomic {
        before[_pid] != NIL ->
        next[before[_pid]] = MESSAGE(_pid);
        before[_pid] = NIL
    }
    od
}

proctype killer()
{
    mtype seen;
    bool dead, won;
    if
    :: true
    :: true ->
        lock(); /* the life's region is there as long as the lock says so */
        if
        :: gate.closed -> unlock()
        :: else ->
            cancelled = true;
            notify(true, AGAIN, dead, false);
            unlock()
        fi
    fi;
    done++
}

proctype receiver()
{
    byte m, credits, mine;
    mtype seen;
    bool last, dead, won;
turn:
end:
    atomic { started > 0 -> started--; assert(!running); running = true }
again:
    do
    :: cancelled -> goto dies
    :: else ->
        pop(m);
        if
        :: m == NIL -> break
        :: m == STUB
        :: m > STUB ->
            handled[m]++;
            give_credits(1, last);
            assert(!last)
        fi
    od;
    if
    :: tail != head -> /* somebody has a place and no link yet */
        running = false;
        start();
        goto turn
    :: else
    fi;
    if
    :: head != STUB -> push_stub(); goto again
    :: true /* a small message may stay the head */
    fi;
    mine = head;
    atomic {
        if
        :: gate.turn == AGAIN -> gate.turn = BUSY; goto again
        :: else -> running = false; gate.turn = IDLE
        fi
    }
#ifdef BUG_IDLE_BLIND
    goto turn;
#endif
    won = false;
    if
    :: tail == mine -> goto turn
    :: else -> notify(true, BUSY, dead, true)
    fi;
    if
    :: won -> atomic { assert(!running); running = true }; goto again
    :: else -> goto turn
    fi;
dies:
    lock();
    gate.closed = true;
    unlock();
    unchain(credits);
    atomic {
        touch();
        gate.credits = gate.credits + credits;
        gate.detached = true;
        last = gate.credits == CREDITS
    }
    if
    :: last -> retire()
    :: else ->
#ifndef BUG_NO_SECOND_LOOK
        drain_dead(credits)
#endif
    fi
}

init
{
    byte i;
    gate.turn = IDLE;
    gate.credits = CREDITS;
    atomic {
        for (i : 0 .. SENDERS - 1) { run sender(i) }
        run killer();
        run receiver()
    }
    done == SENDERS + 1;
    timeout; /* nothing can move any more */
    for (i : 2 .. NODES - 1) {
        assert(handled[i] + disposed[i] == committed[i])
    }
    assert(freed == gate.detached)
}
