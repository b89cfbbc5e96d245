/* SPDX-License-Identifier: MIT */
/*
 * mask.h -- a stretch of a task that cancellation does not reach.
 *
 * A finalizer runs in one, and an ambit_mask block is one.  It lies in the
 * task's own frame; task.masked counts how many are around the task, and
 * task.mask_spent how many of them have run out of time.
 *
 * Owner: the task's worker.
 */
#ifndef AMBIT_SRC_MASK_H
#define AMBIT_SRC_MASK_H

#include "src/timer.h"

struct quota;
struct task;
struct task_owner;

struct mask {
    struct mask *outer;
    struct task *task;
    /* What the task opens in here is not cancelled from outside. */
    struct task_owner *base;
    struct quota *reserve;  /* what it draws on; NULL: nothing is limited */
    bool owns_reserve;      /* a reference to give up at the end */
    struct timer timer;
    bool spent;             /* its time is over: counted in mask_spent */
    bool overdrawn;         /* its reserve has refused a wait or a charge */
};

#endif
