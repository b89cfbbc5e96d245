/* SPDX-License-Identifier: MIT */
/*
 * spin.h -- a lock for a few instructions.
 *
 * No user code, no system call and no second lock of the same kind runs under
 * it, except along the order given in docs/MAP.md.  After a short spin the
 * waiter gives its core away, so a preempted holder can go on.
 */
#ifndef AMBIT_SRC_SPIN_H
#define AMBIT_SRC_SPIN_H

#include "src/base.h"

#include <sched.h>

/* Where user code is called: none of our locks is held.  Not in the lab, whose
 * threads are all one. */
#if defined(AMBIT_CHECKED) && !defined(AMBIT_LAB)
extern __thread unsigned spin_depth __attribute__((tls_model("initial-exec")));
#define CHECK_NO_LOCK() ASSERT(spin_depth == 0)
#define SPIN_DEPTH(by) ((void)(spin_depth += (unsigned)(by)))
#else
#define CHECK_NO_LOCK() ((void)0)
#define SPIN_DEPTH(by) ((void)0)
#endif

struct spin {
    _Atomic uint32_t held; /* any thread: ORDER(spin) */
};

static inline void spin_init(struct spin *spin)
{
    atomic_init(&spin->held, 0);
}

/* One turn of a wait for another thread that is about to do a few steps. */
static inline void spin_pause(unsigned *tries)
{
    if (++*tries < 100) {
        cpu_relax();
    } else {
        sched_yield();
    }
}

/* spin.c */
void spin_wait(struct spin *spin);

static inline void spin_lock(struct spin *spin)
{
    /* ORDER(spin): acquire.  Pairs with the release in spin_unlock(). */
    if (UNLIKELY(atomic_exchange_explicit(&spin->held, 1,
                                          memory_order_acquire))) {
        spin_wait(spin);
    }
    SPIN_DEPTH(1);
}

static inline void spin_unlock(struct spin *spin)
{
    SPIN_DEPTH(-1);
    /* ORDER(spin): release.  What was done under the lock is seen by the
     * exchange of the next holder. */
    atomic_store_explicit(&spin->held, 0, memory_order_release);
}

#endif
