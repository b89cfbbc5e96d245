/* SPDX-License-Identifier: MIT */
/*
 * lane.h -- which of the ready tasks goes first.
 *
 *   cancelled   tasks of a cancelled region: what ends, makes room
 *   timed       of a region with a deadline, the earliest first
 *   normal      all others: worker.ready and worker.fresh
 *   low         of a region with .priority = AMBIT_PRIORITY_LOW
 *   lowest
 *
 * A lane goes before all those below it.  But one that was passed over
 * LANE_PATIENCE times while it had a ready task goes next, so a lane waits for
 * at most LANE_WAIT_MAX tasks of others, whatever they do.  Within a lane:
 * first ready, first served; below the normal one unstarted tasks and ready ones
 * take turns, lest the ones that are ready all the time keep the new ones out.
 *
 * Where no region has a deadline or a priority and none is cancelled,
 * worker.ready is all there is.
 *
 * Owner: the worker's thread, but for the deques of unstarted tasks.
 */
#ifndef AMBIT_SRC_LANE_H
#define AMBIT_SRC_LANE_H

#include "src/deque.h"
#include "src/queue.h"

#include <ambit/budget.h>

struct task;
struct worker;

enum lane {
    LANE_CANCELLED,
    LANE_TIMED,
    LANE_NORMAL,
    LANE_LOW, /* + priority - AMBIT_PRIORITY_LOW */
    LANES = LANE_LOW + AMBIT_PRIORITY_LOWEST,
};

#define LANES_LOW (LANES - LANE_LOW)
#define LANE_PATIENCE 12
/* All others may have lost patience at the same time. */
#define LANE_WAIT_MAX (LANE_PATIENCE + LANES - 1)

struct lane_entry {
    int64_t due_ns;
    uint64_t turn; /* of two that are due at once, the first comes first */
    struct task *task;
};

struct lanes {
    size_t waiting;  /* in these queues and the heap */
    _Atomic bool any_low; /* in this run; the deques may hold some; any thread
                             reads: ORDER(any-low) */
    uint8_t passed[LANES];
    bool new_next[LANES_LOW]; /* an unstarted one goes before the next ready one */
    struct task_queue cancelled;
    struct lane_entry *timed; /* a binary heap */
    size_t timed_len;
    size_t timed_room;
    uint64_t turn;
    struct task_queue low[LANES_LOW];
    struct deque low_fresh[LANES_LOW]; /* unstarted; thieves take them too */
};

/* Zeroed before.  0, or -ENOMEM; fini all the same. */
int lanes_init(struct lanes *lanes);
void lanes_fini(struct lanes *lanes);
/* Only the normal lane has tasks: no need to choose. */
static inline bool lanes_are_quiet(const struct lanes *lanes)
{
    /* ORDER(any-low): relaxed.  Written by this thread. */
    return LIKELY(lanes->waiting == 0 &&
                  !atomic_load_explicit(&lanes->any_low,
                                        memory_order_relaxed));
}

/* A ready task whose region's flags have OWNER_LANED. */
void lane_push(struct worker *worker, struct task *task, uint32_t flags);
/* An unstarted one whose region's flags have a low priority. */
void lane_push_fresh(struct worker *worker, struct task *task, uint32_t flags);
/* The next task or NULL; whether it has a stack already. */
struct task *lane_pop(struct worker *worker, bool *ret_begun);

#endif
