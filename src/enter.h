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

/* The frames of the first, the stack of the second, where that of the third is, and
 * the record of the fourth: each was fetched for the step before. */
void fetch_crowd(const struct link *first);

/* Fewer than three are no crowd: what they touch is in the cache. */
static inline void fetch_ready(const struct link *first)
{
    const struct link *second = first != NULL ? first->next : NULL;
    if (second != NULL && second->next != NULL) {
        fetch_crowd(first);
    }
}

#endif
