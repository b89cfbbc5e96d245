/* SPDX-License-Identifier: MIT */
/*
 * spin.c -- the wait for a lock that is taken.
 *
 * Who waits reads, and only takes the line when the lock seems free: to exchange
 * all the time would keep the line from the one that is to write there.
 */
#include "src/spin.h"

NOINLINE void spin_wait(struct spin *spin)
{
    unsigned tries = 0;
    do {
        /* ORDER(spin): relaxed.  A guess; the exchange decides. */
        do {
            spin_pause(&tries);
        } while (atomic_load_explicit(&spin->held, memory_order_relaxed));
        /* ORDER(spin): acquire.  As in spin_lock(). */
    } while (atomic_exchange_explicit(&spin->held, 1, memory_order_acquire));
}
