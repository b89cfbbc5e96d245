/* SPDX-License-Identifier: MIT */
/*
 * op_await.c -- submit, look, call off; and a close that does not park.
 */
#include "src/io/op_await.h"

#include "src/runtime.h"
#include "src/worker.h"

#include <stdlib.h>

/* --- the record ------------------------------------------------------------ */

static void record_free(struct op_await *record)
{
    runtime_free(record->use.worker->runtime, SLAB_256, record);
}

/* Of the task and a note that was posted, the last frees it. */
static void record_part(struct op_await *record)
{
    /* ORDER(op-await-part): acq_rel.  Pairs with itself: what the first one did
     * with the record is over when the second one frees it. */
    if (atomic_fetch_add_explicit(&record->parted, 1, memory_order_acq_rel) ==
        1) {
        record_free(record);
    }
}

/* On the worker of the operation. */
static void record_cancel(struct op_await *record)
{
    if (record->op.state == OP_QUEUED || record->op.state == OP_INFLIGHT) {
        driver_cancel(record->use.worker->driver, &record->op);
    }
}

static void cancel_deliver(struct worker *worker, struct note *note)
{
    struct op_await *record =
        CONTAINER_OF(note, struct op_await, use.cancel_note);
    (void)worker;
    record_cancel(record);
    record_part(record);
}

int op_await_make(struct task *task, struct io_handle *handle,
                  struct op_await **ret_record)
{
    RULE(AWAIT_IO_5);
    int rc = park_check_with(task, OWNER_WITHOUT(AMBIT_CAP_IO));
    if (rc < 0) {
        return rc;
    }
    struct op_await *record = runtime_alloc(task_runtime(task), SLAB_256);
    if (record == NULL) {
        return -ENOMEM;
    }
    memset(record, 0, sizeof *record);
    if (handle != NULL) {
        rc = io_join(task, handle, cancel_deliver, &record->use);
    } else {
        record->use.task = task;
        record->use.worker = task_worker(task);
        record->use.cancel_note.deliver = cancel_deliver;
    }
    if (rc < 0) {
        runtime_free(task_runtime(task), SLAB_256, record);
        return rc;
    }
    *ret_record = record;
    return 0;
}

void op_await_end(struct op_await *record)
{
    struct io_use *use = &record->use;
    if (record->ops != NULL) {
        quota_give(record->ops, AMBIT_LIMIT_OPS, 1);
        quota_unref(record->ops);
    }
    io_fd_release(record->place);
    bool posted = use->handle != NULL ? io_leave(use) : use->note_posted;
    if (posted) {
        record_part(record);
    } else {
        record_free(record);
    }
}

void op_await_undo(struct op_await *record, int32_t result)
{
    void (*undo)(void *made, int32_t result) = record->undo;
    void *made = record->made;
    op_await_end(record);
    if (undo != NULL) {
        RULE(AWAIT_IO_4);
        undo(made, result);
    }
}

/* --- call off -------------------------------------------------------------- */

static void ask(struct op_await *record)
{
    struct io_use *use = &record->use;
    if (record->asked) {
        return;
    }
    record->asked = true;
    if (use->worker == worker_self) {
        record_cancel(record);
    } else if (io_claim_note(use)) {
        worker_post(use->worker, &use->cancel_note);
    }
}

static enum await_off call_off(struct await *await)
{
    struct op_await *record = await->record;
    RULE(AWAIT_IO_2);
    if (!await_has_said(await)) {
        ask(record);
        return AWAIT_COMING;
    }
    int32_t result = (int32_t)await->value;
    if (record->done > 0 ||
        (result != -ECANCELED &&
         !io_had_no_effect(record->use.handle, result))) {
        record->asked = true; /* what comes of it is told, and no more done */
        return AWAIT_OVER;
    }
    op_await_undo(record, result);
    return AWAIT_OFF;
}

static void forget(struct await *await)
{
    op_await_undo(await->record, (int32_t)await->value);
}

static const struct await_kind in_kernel = {NULL, call_off, forget};

/* --- submit and look ------------------------------------------------------- */

static void op_ended(struct op *op)
{
    await_say(op->waiter, io_result(op->result));
}

/* One operation under way, for as long as the record is there. */
static int count_op(struct task *task, struct op_await *record)
{
    struct quota *quota = task_quota(task);
    if (record->ops != NULL || !quota_limits(quota, AMBIT_LIMIT_OPS)) {
        return 0;
    }
    RULE(AWAIT_IO_5);
    int rc = quota_take(quota, AMBIT_LIMIT_OPS, 1);
    if (rc == 0) {
        quota_ref(quota); /* of a scope that may end with this step */
        record->ops = quota;
    }
    return rc;
}

/* The operation is this worker's from now on, and of no note. */
static int take_here(struct task *task, struct op_await *record)
{
    struct io_use *use = &record->use;
    int rc = park_check_with(task, OWNER_WITHOUT(AMBIT_CAP_IO));
    if (rc == 0 && record->asked) {
        rc = -ECANCELED;
    }
    if (rc == 0 && use->handle != NULL) {
        RULE(AWAIT_IO_3);
        rc = io_use_here(use);
    } else if (rc == 0) {
        use->worker = task_worker(task);
    }
    return rc == 0 ? count_op(task, record) : rc;
}

int op_await_submit(struct task *task, struct await *await,
                    struct op_await *record, const struct op *op)
{
    int rc = take_here(task, record);
    if (rc < 0) {
        return rc;
    }
    record->op = *op;
    record->op.state = OP_IDLE;
    record->op.fd = record->use.handle != NULL ? record->use.handle->fd : -1;
    record->op.waiter = await;
    record->op.complete = op_ended;
    await_begin(await, task, &in_kernel);
    await->record = record;
    rc = driver_submit(task_worker(task)->driver, &record->op);
    if (rc < 0) {
        await_end(await);
        return rc;
    }
    return AMBIT_PENDING;
}

enum await_look op_await_look(struct task *task, struct await *await,
                              struct op_await **ret_record, int *ret_rc)
{
    struct op_await *record = await->record;
    int64_t said = 0;
    enum await_look look = await_look(task, await, &said);
    if (look != AWAIT_SAID) {
        *ret_rc = (int)said;
        return look;
    }
    struct io_handle *handle = record->use.handle;
    int rc = io_result_of(handle, &record->op, (int32_t)said);
    if (io_had_no_effect(handle, rc)) {
        struct op same = record->op;
        rc = op_await_submit(task, await, record, &same);
        if (rc == AMBIT_PENDING) {
            *ret_rc = rc;
            return AWAIT_ANSWER;
        }
    } else if (rc == -ECANCELED && park_check(task) < 0) {
        rc = park_check(task); /* -ETIMEDOUT, when clean-up time is spent */
    }
    *ret_record = record;
    *ret_rc = rc;
    return AWAIT_SAID;
}

/* --- whole calls ----------------------------------------------------------- */

int op_await_run_made(struct task *task, struct await *await,
                      struct op_await *record, const struct op *op)
{
    int rc = op_await_submit(task, await, record, op);
    if (rc != AMBIT_PENDING) {
        op_await_undo(record, rc);
    }
    return rc;
}

int op_await_run(ambit_cx *cx, struct ambit_await *wait,
                 struct io_handle *handle, const struct op *op,
                 size_t *ret_count)
{
    struct task *task = task_of(cx);
    struct op_await *record;
    int rc;
    switch (op_await_look(task, await_of(wait), &record, &rc)) {
    case AWAIT_ANSWER:
        return rc;
    case AWAIT_IDLE:
        rc = op_await_make(task, handle, &record);
        return rc < 0 ? rc
                      : op_await_run_made(task, await_of(wait), record, op);
    case AWAIT_SAID:
        break;
    }
    op_await_end(record);
    RULE(AWAIT_IO_1);
    if (rc < 0) {
        return rc;
    }
    *ret_count = (size_t)rc;
    return 0;
}

/* Submits what is left, or tells why there is no more to do; 0: all is done. */
static int do_rest(struct task *task, struct await *await,
                   struct op_await *record, const struct op_all *all)
{
    size_t done = record->done;
    if (done >= all->len) {
        return 0;
    }
    if (all->offset + done > INT64_MAX) {
        return -EINVAL;
    }
    struct op op = all->rest(all->memory + done, all->len - done,
                             all->offset + done);
    return op_await_submit(task, await, record, &op);
}

int op_await_all(ambit_cx *cx, struct ambit_await *wait,
                 const struct op_all *all, size_t *ret_done)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    struct op_await *record = NULL;
    size_t done = 0;
    int rc;
    switch (op_await_look(task, await, &record, &rc)) {
    case AWAIT_ANSWER:
        break;
    case AWAIT_IDLE:
        rc = op_await_make(task, all->handle, &record);
        rc = rc < 0 ? rc : do_rest(task, await, record, all);
        break;
    case AWAIT_SAID:
        RULE(AWAIT_IO_1);
        record->done += rc > 0 ? (size_t)rc : 0;
        rc = rc == 0 ? all->when_none : rc;
        rc = rc < 0 ? rc : do_rest(task, await, record, all);
        break;
    }
    if (rc == AMBIT_PENDING) {
        return rc;
    }
    if (record != NULL) {
        done = record->done;
        op_await_end(record);
    }
    if (ret_done != NULL) {
        *ret_done = done;
    }
    return rc;
}

/* --- close ----------------------------------------------------------------- */

static enum await_off close_call_off(struct await *await)
{
    return await_has_said(await) ? AWAIT_OVER : AWAIT_COMING;
}

static int close_now(struct io_handle *handle)
{
    int rc = io_close_end(handle);
    free(handle);
    return rc;
}

static void close_forget(struct await *await)
{
    (void)close_now(await->record);
}

static const struct await_kind in_close = {NULL, close_call_off, close_forget};

int op_await_close(ambit_cx *cx, struct ambit_await *wait,
                   struct io_handle *handle)
{
    struct task *task = task_of(cx);
    struct await *await = await_of(wait);
    int64_t said;
    switch (await_look(task, await, &said)) {
    case AWAIT_ANSWER:
        return (int)said;
    case AWAIT_SAID:
        return close_now(await->record);
    case AWAIT_IDLE:
        break;
    }
    await_begin(await, task, &in_close);
    await->record = handle;
    int rc = io_close_begin(task, who_awaits(await), handle);
    if (rc == AMBIT_PENDING) {
        RULE(AWAIT_IO_3);
        return rc;
    }
    await_end(await);
    return rc < 0 ? rc : close_now(handle);
}
