/* SPDX-License-Identifier: MIT */
/*
 * sleep.c -- checkpoint, yield, sleep.
 *
 *   TIME-1  A sleep never ends early, but by a cancel.
 *   TIME-6  One that is over has ended, whatever else is due.
 */
#include "src/runtime.h"
#include "src/task.h"

static bool is_cancelled(const struct task *task)
{
    /* ORDER(cancel): acquire.  Pairs with the change in owner_mark(). */
    return (atomic_load_explicit(&task->scope->flags, memory_order_acquire) &
            OWNER_CANCELLED) != 0;
}

static NOINLINE int checkpoint_slowly(struct task *task)
{
    bool cancelled = is_cancelled(task);
    int rc = park_check(task);
    if (rc == -EPERM) { /* on a pool thread: it cannot suspend, but it can ask */
        return cancelled ? -ECANCELED : 0;
    }
    return rc;
}

int ambit_checkpoint(ambit_cx *cx)
{
    struct task *task = task_of(cx);
#ifndef AMBIT_CHECKED
    if (LIKELY(!is_cancelled(task) && task->masked == 0)) {
        return 0;
    }
#endif
    return checkpoint_slowly(task);
}

/* Nothing to look at, to pay, or to choose a lane by. */
static inline bool yields_freely(struct task *task)
{
    /* ORDER(cancel): acquire.  As in is_cancelled(). */
    uint32_t flags =
        atomic_load_explicit(&task->scope->flags, memory_order_acquire);
    return (flags & (OWNER_CANCELLED | OWNER_QUOTED | OWNER_PRIORITY)) == 0 &&
           task_is_plain(task);
}

static NOINLINE int yield_slowly(struct task *task)
{
    int rc = park_check(task);
    if (rc == 0) {
        rc = task_pay(task);
    }
    if (rc < 0) {
        return rc;
    }
    RULE(TASK_YIELD_1);
    worker_yields(task_worker(task), task);
    park_yield(task);
    return 0;
}

static inline bool runs_on(const struct worker *worker, const struct task *task)
{
#ifdef AMBIT_CHECKED
    return worker != NULL && worker->current == task;
#else
    (void)task;
    return worker != NULL;
#endif
}

int ambit_yield(ambit_cx *cx)
{
    struct task *task = task_of(cx);
    struct worker *worker = worker_self; /* quicker than by way of the task */
    if (LIKELY(runs_on(worker, task) && yields_freely(task) &&
               worker_turns(worker, task))) {
        RULE(TASK_YIELD_1);
        return 0;
    }
    return yield_slowly(task);
}

/* Not on the stack where it can be helped: the timers of many sleepers point to
 * one another, and on stacks each is a page of its own.  About the task. */
_Static_assert(sizeof(struct timer_about) <= 64, "SLAB_64");

static void sleep_over(struct timer *timer)
{
    RULE(TIME_1);
    RULE(TIME_6);
    task_wake(CONTAINER_OF(timer, struct timer_about, timer)->what, 0);
}

static enum park_answer sleep_abort(struct task *task, void *arg)
{
    struct timer_about *sleep = arg;
    (void)task;
    return sleep == NULL || worker_timer_disarm(&sleep->timer) ? PARK_ABORTED
                                                               : PARK_BUSY;
}

static int sleep_ns(struct task *task, int64_t when_ns)
{
    if (when_ns == INT64_MAX) {
        return (int)park(task, PARK_SLEEP, sleep_abort, NULL);
    }
    struct timer_about own;
    struct timer_about *sleep = runtime_alloc(task_runtime(task), SLAB_64);
    if (sleep == NULL) {
        sleep = &own;
    }
    timer_init_about(sleep, sleep_over, task);
    worker_timer_arm(&sleep->timer, when_ns);
    int rc = (int)park(task, PARK_SLEEP, sleep_abort, sleep);
    if (sleep != &own) {
        runtime_free(task_runtime(task), SLAB_64, sleep);
    }
    return rc;
}

static int sleep_check(struct task *task)
{
    return park_check_with(task, OWNER_WITHOUT(AMBIT_CAP_TIME));
}

int ambit_sleep_until(ambit_cx *cx, ambit_time when)
{
    struct task *task = task_of(cx);
    int rc = sleep_check(task);
    if (rc < 0 || when.ns <= clock_now_ns()) {
        RULE(TIME_3);
        return rc;
    }
    return sleep_ns(task, when.ns);
}

int ambit_sleep(ambit_cx *cx, ambit_duration d)
{
    return d.ns <= 0 ? sleep_check(task_of(cx))
                     : ambit_sleep_until(cx, ambit_after(d));
}

const char *ambit_cx_name(ambit_cx *cx)
{
    return task_name(task_of(cx));
}

ambit_runtime *ambit_cx_runtime(ambit_cx *cx)
{
    return runtime_public(task_runtime(task_of(cx)));
}

unsigned ambit_cx_worker(ambit_cx *cx)
{
    struct task *task = task_of(cx);
    return task_is_at_large(task) ? UINT32_MAX : task_worker(task)->index;
}

uint64_t ambit_running(void)
{
    struct worker *self = worker_self;
    RULE(TASK_SELF_1);
    return self != NULL ? (uint64_t)(uintptr_t)self->current : 0;
}
