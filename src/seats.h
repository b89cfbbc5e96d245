/* SPDX-License-Identifier: MIT */
/*
 * seats.h -- places in a region that a worker has in hand: spend one, keep one.
 *
 * How they come and go is told in regions/seats.c; here is what happens to most
 * tasks.  An owner that has OWNER_SEATED limits nothing of its tasks, and is of
 * the worker's runtime while the worker has a place there.
 *
 * Owner: the worker's thread.
 */
#ifndef AMBIT_SRC_SEATS_H
#define AMBIT_SRC_SEATS_H

#include "src/worker.h"

static inline uint32_t seats_left(struct worker_seats *seats)
{
    /* ORDER(seats): relaxed.  Written by this thread, or a guess of another
     * one's; pairs with seats_set_left(). */
    return atomic_load_explicit(&seats->left, memory_order_relaxed);
}

static inline struct task_owner *seats_owner(struct worker_seats *seats)
{
    /* ORDER(seats): relaxed.  As in seats_left(). */
    return atomic_load_explicit(&seats->owner, memory_order_relaxed);
}

static inline void seats_set_left(struct worker_seats *seats, uint32_t left)
{
    /* ORDER(seats): relaxed.  A count for this thread; others guess.  Pairs
     * with seats_left(). */
    atomic_store_explicit(&seats->left, left, memory_order_relaxed);
}

/* True: the caller has one. */
static inline bool seats_spend(struct worker *worker, struct task_owner *owner)
{
    struct worker_seats *seats = &worker->seats;
    uint32_t left = seats_left(seats);
    if (seats_owner(seats) != owner || left == 0) {
        return false;
    }
    seats_set_left(seats, left - 1);
    return true;
}

/* That of a task which ends here; false: it has to be given back.  The owner has
 * OWNER_SEATED. */
static inline bool seats_keep(struct worker *worker, struct task_owner *owner)
{
    struct worker_seats *seats = &worker->seats;
    if (seats_owner(seats) != owner) {
        return false;
    }
    seats_set_left(seats, seats_left(seats) + 1);
    return true;
}

#endif
