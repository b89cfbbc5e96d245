/* SPDX-License-Identifier: MIT */
/*
 * offload.c -- a blocking call on behalf of a fiber or a poll task.
 *
 *   queued --pool thread--> begun --> done: whoever waits is woken
 *      '--cancel--> taken out of the queue: it never runs
 *
 *   TASK-BLOCK-1  A call that began is waited for.
 *   TASK-BLOCK-2  A call that did not begin is called off at once.
 */
#include "src/await.h"
#include "src/runtime.h"
#include "src/task.h"

struct call {
    struct blocking_job job;
    struct who *who;
    int (*fn)(void *arg);
    void *arg;
};

static void call_run(struct blocking_job *job)
{
    struct call *call = CONTAINER_OF(job, struct call, job);
    RULE(TASK_BLOCK_1);
    CHECK_NO_LOCK();
    who_wake(call->who, call->fn(call->arg));
}

static enum park_answer call_abort(struct task *task, void *arg)
{
    struct call *call = arg;
    RULE(TASK_BLOCK_2);
    RULE(CAN_6);
    return blocking_cancel(task_runtime(task)->pool, &call->job) ? PARK_ABORTED
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
    struct call call = {{.run = call_run}, who_parks(task), fn, arg};
    rc = blocking_submit(task_runtime(task)->pool, &call.job);
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

/* The call lies in the wait, and its argument in the state: both stay until it
 * has returned. */
static enum await_off call_call_off(struct await *await)
{
    struct call *call = AWAIT_KEPT(struct call, await);
    if (await_has_said(await)) {
        return AWAIT_OVER;
    }
    RULE(AWAIT_POOL_1);
    return blocking_cancel(task_runtime(await->task)->pool, &call->job)
               ? AWAIT_OFF
               : AWAIT_COMING;
}

static const struct await_kind in_pool = {.call_off = call_call_off};

int ambit_await_blocking(ambit_cx *cx, struct ambit_await *wait,
                         int (*fn)(void *arg), void *arg, int *ret_result)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    int64_t said;
    switch (await_look(task, await, &said)) {
    case AWAIT_ANSWER:
        return (int)said;
    case AWAIT_SAID:
        *ret_result = (int)said;
        return 0;
    case AWAIT_IDLE:
        break;
    }
    int rc = park_check_with(task, OWNER_WITHOUT(AMBIT_CAP_BLOCKING));
    if (rc < 0) {
        return rc;
    }
    await_begin(await, task, &in_pool);
    struct call *call = AWAIT_KEPT(struct call, await);
    *call = (struct call){{.run = call_run}, who_awaits(await), fn, arg};
    rc = blocking_submit(task_runtime(task)->pool, &call->job);
    if (rc < 0) {
        await_end(await);
        return rc;
    }
    return AMBIT_PENDING;
}
