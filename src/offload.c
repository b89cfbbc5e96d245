/* SPDX-License-Identifier: MIT */
/*
 * offload.c -- a blocking call on behalf of a fiber.
 *
 *   queued --pool thread--> begun --> done: the fiber is woken
 *      '--cancel--> taken out of the queue: it never runs
 *
 *   TASK-BLOCK-1  A call that began is waited for.
 *   TASK-BLOCK-2  A call that did not begin is called off at once.
 */
#include "src/runtime.h"
#include "src/task.h"

struct call {
    struct blocking_job job;
    struct task *task;
    int (*fn)(void *arg);
    void *arg;
};

static void call_run(struct blocking_job *job)
{
    struct call *call = CONTAINER_OF(job, struct call, job);
    RULE(TASK_BLOCK_1);
    CHECK_NO_LOCK();
    task_wake(call->task, call->fn(call->arg));
}

static enum park_answer call_abort(struct task *task, void *arg)
{
    struct call *call = arg;
    RULE(TASK_BLOCK_2);
    RULE(CAN_6);
    return blocking_cancel(task->runtime->pool, &call->job) ? PARK_ABORTED
                                                            : PARK_BUSY;
}

int offload(struct task *task, int (*fn)(void *arg), void *arg)
{
    int rc = park_check(task);
    if (rc == 0) {
        rc = task_pay(task);
    }
    if (rc < 0) {
        return rc;
    }
    struct call call = {.task = task, .fn = fn, .arg = arg};
    call.job.run = call_run;
    rc = blocking_submit(task->runtime->pool, &call.job);
    if (rc < 0) {
        return rc;
    }
    return (int)park(task, PARK_BLOCKING, call_abort, &call);
}

int ambit_blocking(ambit_cx *cx, int (*fn)(void *arg), void *arg)
{
    struct task *task = task_of(cx);
    int rc = park_check_with(task, OWNER_WITHOUT(AMBIT_CAP_BLOCKING));
    return rc < 0 ? rc : offload(task, fn, arg);
}
