/* SPDX-License-Identifier: MIT */
/*
 * enter.h -- into a task and out of it, for the loop.
 *
 * Owner: the worker's thread.
 */
#ifndef AMBIT_SRC_ENTER_H
#define AMBIT_SRC_ENTER_H

#include "src/task.h"
#include "src/worker.h"

/* Runs tasks of the normal lane, while there are any, in batches, WORKER_TURN of
 * them.  A batch that the last turn began goes on, unless it is the unstarted
 * ones' turn.  Where a lane is not quiet: a batch of unstarted ones only. */
void worker_run_batches(struct worker *worker, bool fresh_first);

/* Runs a ready task, an unstarted one, until the loop has its thread again. */
void worker_go_on(struct worker *worker, struct task *task);
void worker_begin(struct worker *worker, struct task *task);

static inline struct stack_wait *wait_of(const struct link *link)
{
    return CONTAINER_OF(link, const struct task, link)->wait;
}

/* The frames of the next one, the stack of the one after, where that of the
 * third is, and the record of the fourth: each was fetched for the step before.
 * Fewer are no crowd. */
static inline void fetch_ready(const struct link *first)
{
    const struct link *second = first != NULL ? first->next : NULL;
    const struct link *third = second != NULL ? second->next : NULL;
    if (third != NULL) {
        fetch_lines(wait_of(first)->stack->fiber.sp, 6);
        fetch_lines(wait_of(second)->stack, 1);
        fetch_lines(wait_of(third), 1);
        fetch_lines(third->next, 2);
    }
}

#endif
