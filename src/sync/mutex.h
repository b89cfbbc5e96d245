/* SPDX-License-Identifier: MIT */
/*
 * mutex.h -- a semaphore of one permit that knows who has it.
 */
#ifndef AMBIT_SRC_SYNC_MUTEX_H
#define AMBIT_SRC_SYNC_MUTEX_H

#include "src/sync/semaphore.h"

struct mutex {
    struct semaphore permit;
    /* NULL: nobody.  Written by whoever has the permit; any thread reads, to
     * compare with itself: ORDER(mutex-holder) */
    _Atomic(const void *) holder;
    /* The holder.  NULL, or what else has to be undone at an unlock: filled in
     * by the room above, for a lock that ends with something of its own. */
    void (*let_go)(struct ambit_mutex *mutex);
};

static inline struct mutex *mutex_of(struct ambit_mutex *public)
{
    return (struct mutex *)(void *)public;
}

/* Whoever has it: unlocks in their stead. */
void mutex_take_from_holder(struct mutex *mutex);

#endif
