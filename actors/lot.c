/* SPDX-License-Identifier: MIT */
/*
 * lot.c -- credits taken in advance.
 *
 * Workers that send to one actor would meet at its gate for each message.  So
 * who sends to the same actor a second time in one go takes LOT_MAX credits at
 * once, but at most a quarter of what is left; what is not used is given back
 * when the worker is back in its loop.  Until then it counts as taken.
 *
 *   MBX-CREDIT-4  What is taken in advance is at most a quarter of what is left,
 *                 and home by the time the task waits or yields.
 *
 * Owner: the worker's thread.
 */
#include "actors/actor.h"

#define LOT_MAX 32

static void give_back(struct worker_lot *lot)
{
    uint32_t left = lot->left;
    lot->left = 0;
    if (left > 0) {
        RULE(MBX_CREDIT_4);
        actor_give_credits(lot->owner, left);
    }
}

/* The second time in one go: it may be the first of many. */
static int take_lot(struct actor *actor, struct worker_lot *lot)
{
    int rc = mailbox_try_credits(&actor->mailbox, lot->generation, LOT_MAX);
    if (rc > 0) {
        lot->left = (uint32_t)rc - 1;
    }
    return rc;
}

/* The first time: the worker remembers whose it was.  Not of another runtime's
 * actor, which may be gone with it before this worker is back in its loop. */
static int take_first(struct actor *actor, uint32_t generation,
                      struct worker *worker, bool *ret_start)
{
    struct worker_lot *lot = &worker->lot;
    if (UNLIKELY(lot->left > 0)) {
        give_back(lot);
    }
    int rc = lot_take_one(actor, generation, ret_start);
    lot->owner = NULL;
    if (LIKELY(rc > 0 && actor->task.runtime == worker->runtime)) {
        lot->owner = actor;
        lot->generation = generation;
        lot->go_home = give_back;
    }
    return rc;
}

int lot_take_more(struct actor *actor, uint32_t generation, bool *ret_start)
{
    struct worker_lot *lot = &worker_self->lot;
    return lot_is_of(lot, actor, generation)
               ? take_lot(actor, lot)
               : take_first(actor, generation, worker_self, ret_start);
}

void lot_go_home(struct actor *actor)
{
    struct worker *worker = worker_self;
    if (worker != NULL && worker->lot.owner == actor && actor != NULL) {
        give_back(&worker->lot);
    }
}
