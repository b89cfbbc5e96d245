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

void lot_give_back(struct worker_lot *lot)
{
    uint32_t left = lot->left;
    lot->left = 0;
    if (left > 0) {
        RULE(MBX_CREDIT_4);
        actor_give_credits(lot->owner, left);
    }
}

int lot_take_more(struct actor *actor, struct worker_lot *lot)
{
    int rc = mailbox_try_credits(&actor->mailbox, lot->generation, LOT_MAX);
    if (rc > 0) {
        lot->left = (uint32_t)rc - 1;
        lot->go_home = lot_give_back;
    }
    return rc;
}

void lot_go_home(struct actor *actor)
{
    struct worker *worker = worker_self;
    if (worker != NULL && worker->lot.owner == actor && actor != NULL) {
        lot_give_back(&worker->lot);
    }
}
