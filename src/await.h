/* SPDX-License-Identifier: MIT */
/*
 * await.h -- a wait that lies in the state of a poll task.
 *
 *   idle --await_enter()--> under way --over, call_off()--> idle
 *
 * Where a task with a stack parks, a poll task returns AMBIT_PENDING and asks
 * again in its next step.  Whoever ends the wait wakes the task first and says
 * `over` last: until then the task stays in the step that wants to know, so the
 * state, the task and its runtime are there for as long as they are touched.
 *
 *   AWAIT-ONCE-1    A wait has its effect once, however often it is looked at.
 *   AWAIT-CANCEL-1  A wait that is called off has none, and a grant stands.
 *   AWAIT-DROP-1    One that is dropped is called off, or still to be looked at.
 *   AWAIT-END-1     No wait outlives its task.
 *
 * Zeroed memory is idle.  Owner: the worker of the step; `over` is any thread's.
 */
#ifndef AMBIT_SRC_AWAIT_H
#define AMBIT_SRC_AWAIT_H

#include "src/sync/line.h"

#include <ambit/await.h>

struct await;
struct task;
struct timed;

struct await_kind {
    /* It has ended, and says what with in waiter.value.  May spin for whoever
     * is about to say so. */
    bool (*is_over)(struct await *await);
    /* True: it is called off, as if it had never begun; false: it has ended. */
    bool (*call_off)(struct await *await);
};

struct await {
    struct line_waiter waiter;
    const struct await_kind *kind; /* NULL: idle */
    struct await *next;            /* of task.awaits */
    struct timed *timed;           /* of a sleep */
    uint64_t generation;           /* of the task, as in its waker */
    _Atomic uint32_t over;         /* any thread: ORDER(await-over) */
};

/*
 * With the wait idle: begins one, and gives its waiter, for a call that ends
 * with line_wait(); then await_leave().  Else NULL and in *ret_rc what to
 * answer: AMBIT_PENDING, what the wait has ended with, or what a cancel says.
 */
struct line_waiter *await_enter(ambit_cx *cx, struct ambit_await *wait,
                                int *ret_rc);
/* The call has answered: idle again, but for AMBIT_PENDING. */
int await_leave(struct line_waiter *waiter, int rc);

/* By line_unlock(): a waiter of ours has been granted. */
void await_granted(struct line_waiter *waiter);

/* A poll task ends: by a return, or by a panic. */
void await_require_none(struct task *task);
void await_abandon_all(struct task *task);

#endif
