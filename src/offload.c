/* SPDX-License-Identifier: MIT */
/*
 * offload.c -- a blocking call on behalf of a fiber.
 *
 *   queued --pool thread--> begun --> done: the fiber is woken
 *      '--cancel--> called off: the pool thread skips the call and wakes it
 *
 * The job lies in the fiber's frame, so the fiber always waits until the pool
 * has let go of it.
 *
 *   TASK-BLOCK-1  A call that began is waited for; one that did not never runs.
 */
#include "src/runtime.h"
#include "src/task.h"

enum {
    CALL_QUEUED,
    CALL_BEGUN,
    CALL_OFF,
};

struct call {
    struct blocking_job job;
    _Atomic uint32_t state; /* any thread: ORDER(offload) */
    struct task *task;
    int (*fn)(void *arg);
    void *arg;
};

/* True for the one of pool and canceller that comes first. */
static bool call_decide(struct call *call, uint32_t to)
{
    uint32_t queued = CALL_QUEUED;
    /* ORDER(offload): acq_rel.  Pairs with itself: one of the two moves wins,
     * and the loser sees what the winner did. */
    return atomic_compare_exchange_strong_explicit(
        &call->state, &queued, to, memory_order_acq_rel, memory_order_acquire);
}

static void call_run(struct blocking_job *job)
{
    struct call *call = CONTAINER_OF(job, struct call, job);
    struct task *task = call->task;
    int result = -ECANCELED;
    if (call_decide(call, CALL_BEGUN)) {
        RULE(TASK_BLOCK_1);
        result = call->fn(call->arg);
    } else {
        RULE(TASK_BLOCK_2);
    }
    task_wake(task, result);
}

static enum park_answer call_abort(struct task *task, void *arg)
{
    (void)task;
    call_decide(arg, CALL_OFF);
    return PARK_BUSY;
}

int ambit_blocking(ambit_cx *cx, int (*fn)(void *arg), void *arg)
{
    struct task *task = task_of(cx);
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    struct call call = {.job = {NULL, call_run}, .task = task, .fn = fn,
                        .arg = arg};
    atomic_init(&call.state, CALL_QUEUED);
    rc = blocking_submit(task->runtime->pool, &call.job);
    if (rc < 0) {
        return rc;
    }
    return (int)park(task, PARK_BLOCKING, call_abort, &call);
}
