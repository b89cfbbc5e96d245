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

/* A crowd that was parked for long is in no cache: what the next one is about
 * to touch is fetched while this one runs.  A hint; it may be anything. */
static inline void fetch_lines(const void *first, unsigned lines)
{
    for (unsigned i = 0; i < lines; i++) {
        __builtin_prefetch((const char *)first + i * CACHE_LINE);
    }
}

/* The frames of the next one, and where those of the one after are. */
static inline void fetch_ready(const struct note *note)
{
    if (note != NULL) {
        struct stack *stack =
            CONTAINER_OF(note, struct task, wake_note)->stack;
        fetch_lines(stack->fiber.sp, 6);
        if (note->next != NULL) {
            __builtin_prefetch(
                CONTAINER_OF(note->next, struct task, wake_note)->stack);
            __builtin_prefetch(note->next->next);
        }
    }
}

#endif
