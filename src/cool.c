/* SPDX-License-Identifier: MIT */
/*
 * cool.c -- an idle worker gives back what a crowd has left behind.
 *
 *   WRK-COOL-1  Of stacks, those that nobody needed for a second.
 *   WRK-COOL-2  Of queues that have grown large, all, a second after it was first
 *               idle with them.
 *
 * Owner: the worker's thread.
 */
#include "src/cool.h"

#include "src/worker.h"

#include "src/runtime.h"

#define STACKS_HOT 256         /* free ones that an idle worker keeps warm */
#define STACKS_COOL_AT_ONCE 64 /* about 0.1 ms */
#define STACKS_COOL_PAUSE_NS 1000000
#define COOL_LOOK_NS 1000000000 /* crowds come again within a second */

static int64_t cool_stacks(struct worker *worker)
{
    struct stack_arena *stacks = &worker->stacks;
    if (stacks->free_len <= STACKS_HOT) {
        return INT64_MAX;
    }
    int64_t now = clock_now_ns();
    if (now < worker->cool_at) {
        return worker->cool_at;
    }
    size_t idle = stacks->free_low;
    if (idle <= STACKS_HOT) {
        stacks->free_low = stacks->free_len;
        worker->cool_at = now + COOL_LOOK_NS;
    } else {
        RULE(WRK_COOL_1);
        size_t most = idle - STACKS_HOT;
        stack_trim(stacks, STACKS_HOT,
                   most < STACKS_COOL_AT_ONCE ? most : STACKS_COOL_AT_ONCE);
        worker->cool_at = now + STACKS_COOL_PAUSE_NS;
    }
    return worker->cool_at;
}

/* The n-th of them, or NULL. */
static struct deque *deque_of(struct worker *worker, unsigned n)
{
    switch (n) {
    case 0:
        return &worker->fresh;
    case 1:
        return &worker->woken;
    default:
        return n - 2 < LANES_LOW ? &worker->lanes.low_fresh[n - 2] : NULL;
    }
}

/* Once a second at most: a crowd that comes often does not pay for it. */
static int64_t cool_queues(struct worker *worker)
{
    struct deque *deque;
    bool large = false;
    for (unsigned n = 0; (deque = deque_of(worker, n)) != NULL; n++) {
        large |= deque_is_large(deque);
    }
    if (LIKELY(!large)) {
        worker->cool_queues_at = 0;
        return INT64_MAX;
    }
    int64_t now = clock_now_ns();
    if (worker->cool_queues_at == 0) {
        worker->cool_queues_at = now + COOL_LOOK_NS;
    }
    if (now < worker->cool_queues_at) {
        return worker->cool_queues_at;
    }
    RULE(WRK_COOL_2);
    worker->cool_queues_at = 0;
    for (unsigned n = 0; (deque = deque_of(worker, n)) != NULL; n++) {
        deque_cool(deque);
    }
    return INT64_MAX;
}

int64_t worker_cool(struct worker *worker)
{
    int64_t stacks = cool_stacks(worker);
    int64_t queues = cool_queues(worker);
    return stacks < queues ? stacks : queues;
}
