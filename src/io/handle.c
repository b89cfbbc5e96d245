/* SPDX-License-Identifier: MIT */
/*
 * handle.c -- run an operation, and close under those who run one.
 *
 * A use lies in the frame of the task that waits for it.  The closer asks the
 * worker of each to cancel; that note lies in the use too, so a task whose
 * operation has ended waits until a note that was posted has been delivered.
 *
 * The closer goes on, and frees the handle, with the end of the last use: after
 * that nobody may look at the handle again.
 */
#include "src/io/handle.h"

#include "src/await.h"
#include "src/runtime.h"
#include "src/task.h"

#include <sys/socket.h>
#include <unistd.h>

/* ERESTARTSYS, which no process should see: what the kernel says of an open
 * that was cancelled while it waited. */
#define INTERRUPTED_INSIDE 512

static void op_ended(struct op *op)
{
    task_wake(op->waiter, op->result);
}

static enum park_answer op_abort(struct task *task, void *arg)
{
    driver_cancel(task_worker(task)->driver, arg);
    return PARK_BUSY;
}

static int32_t submit_and_wait(struct task *task, struct op *op)
{
    int rc = driver_submit(task_worker(task)->driver, op);
    return rc < 0 ? rc : (int32_t)park(task, PARK_OP, op_abort, op);
}

int32_t io_result(int32_t result)
{
    if (result == -INTERRUPTED_INSIDE) {
        RULE(IO_EFFECT_4);
        return -EINTR;
    }
    return result;
}

int32_t io_run_bare(struct task *task, struct op *op)
{
    int rc = park_check_with(task, OWNER_WITHOUT(AMBIT_CAP_IO));
    struct quota *quota = task_quota(task);
    if (rc == 0) {
        rc = quota_take(quota, AMBIT_LIMIT_OPS, 1);
    }
    if (rc < 0) {
        return rc;
    }
    op->state = OP_IDLE;
    op->waiter = task;
    op->complete = op_ended;
    int32_t result = task_pay(task);
    if (result == 0) {
        result = submit_and_wait(task, op);
    }
    quota_give(quota, AMBIT_LIMIT_OPS, 1);
    RULE(IO_ERROR_1);
    result = io_result(result);
    if (result == -ECANCELED) {
        rc = park_check(task); /* -ETIMEDOUT, when clean-up time is spent */
    }
    return rc < 0 ? rc : result;
}

static void cancel_deliver(struct worker *worker, struct note *note)
{
    struct io_use *use = CONTAINER_OF(note, struct io_use, cancel_note);
    use->note_delivered = true;
    if (use->waits_for_note) {
        task_wake(use->task, 0);
    } else if (use->op != NULL) {
        driver_cancel(worker->driver, use->op);
    }
}

int io_join(struct task *task, struct io_handle *handle, io_deliver_fn *deliver,
            struct io_use *use)
{
    *use = (struct io_use){.handle = handle, .task = task,
                           .worker = task_worker(task)};
    list_init(&use->node);
    use->cancel_note.deliver = deliver;
    spin_lock(&handle->lock);
    bool open = !handle->closing;
    if (open) {
        list_push_back(&handle->uses, &use->node);
    }
    spin_unlock(&handle->lock);
    if (!open) {
        RULE(IO_CLOSE_1);
        return -ESHUTDOWN;
    }
    return 0;
}

int io_begin(struct task *task, struct io_handle *handle, struct io_use *use)
{
    int rc = park_check_with(task, OWNER_WITHOUT(AMBIT_CAP_IO));
    return rc < 0 ? rc : io_join(task, handle, cancel_deliver, use);
}

bool io_leave(struct io_use *use)
{
    struct io_handle *handle = use->handle;
    spin_lock(&handle->lock);
    list_remove(&use->node);
    bool posted = use->note_posted;
    struct who *closer = list_is_empty(&handle->uses) ? handle->closer : NULL;
    handle->closer = closer != NULL ? NULL : handle->closer;
    spin_unlock(&handle->lock);
    if (closer != NULL) {
        who_wake(closer, 0);
    }
    return posted;
}

int32_t io_end(struct io_use *use, int32_t result)
{
    if (io_leave(use) && !use->note_delivered) {
        use->waits_for_note = true;
        park(use->task, PARK_SHUT, NULL, NULL);
    }
    return result;
}

static bool is_closing(struct io_handle *handle)
{
    spin_lock(&handle->lock);
    bool closing = handle->closing;
    spin_unlock(&handle->lock);
    return closing;
}

int io_use_here(struct io_use *use)
{
    struct io_handle *handle = use->handle;
    spin_lock(&handle->lock);
    bool closing = handle->closing;
    if (!closing) {
        use->worker = task_worker(use->task);
    }
    spin_unlock(&handle->lock);
    return closing ? -ESHUTDOWN : 0;
}

bool io_claim_note(struct io_use *use)
{
    struct io_handle *handle = use->handle;
    if (handle != NULL) {
        spin_lock(&handle->lock);
    }
    bool ours = !use->note_posted;
    use->note_posted = true;
    if (handle != NULL) {
        spin_unlock(&handle->lock);
    }
    return ours;
}

/* What the kernel says to one whose descriptor is being shut under it. */
static bool is_echo_of_close(const struct op *op, int32_t result)
{
    return result == -ECANCELED || result == -EINVAL || result == -ENOTCONN ||
           result == -EINTR || result == -EAGAIN ||
           (result == -EPIPE && op->code == OP_SEND) ||
           (result == 0 && op->code == OP_RECV);
}

int32_t io_result_of(struct io_handle *handle, const struct op *op,
                     int32_t result)
{
    return handle != NULL && is_echo_of_close(op, result) && is_closing(handle)
               ? -ESHUTDOWN
               : result;
}

/* Ready sockets may still answer -EAGAIN when cpus are scarce. */
bool io_had_no_effect(const struct io_handle *handle, int32_t result)
{
    return result == -EINTR ||
           (result == -EAGAIN && handle != NULL && handle->is_socket);
}

int32_t io_op(struct io_use *use, struct op *op)
{
    int32_t result;
    op->fd = use->handle->fd;
    use->op = op;
    do {
        if (is_closing(use->handle)) {
            use->op = NULL;
            return -ESHUTDOWN;
        }
        result = io_result_of(use->handle, op, io_run_bare(use->task, op));
    } while (io_had_no_effect(use->handle, result) && op->state == OP_DONE);
    use->op = NULL;
    return result;
}

int32_t io_run(struct task *task, struct io_handle *handle, struct op *op)
{
    struct io_use use;
    int rc = io_begin(task, handle, &use);
    return rc < 0 ? rc : io_end(&use, io_op(&use, op));
}

int io_fd_reserve(struct quota **ret_quota)
{
    struct task *task = worker_self != NULL ? worker_self->current : NULL;
    struct quota *quota = task != NULL ? task_quota(task) : NULL;
    *ret_quota = NULL;
    if (!quota_limits(quota, AMBIT_LIMIT_FDS)) {
        return 0;
    }
    int rc = quota_take(quota, AMBIT_LIMIT_FDS, 1);
    if (rc == 0) {
        quota_ref(quota); /* the region may close before the descriptor does */
        *ret_quota = quota;
    }
    return rc;
}

void io_fd_release(struct quota *quota)
{
    quota_give(quota, AMBIT_LIMIT_FDS, 1);
    quota_unref(quota);
}

void io_handle_init(struct io_handle *handle, int fd, bool is_socket,
                    struct quota *quota)
{
    handle->quota = quota;
    handle->fd = fd;
    handle->is_socket = is_socket;
    spin_init(&handle->lock);
    list_init(&handle->uses);
    handle->closing = false;
    handle->closer = NULL;
}

/* Under the lock: every use is told.  True when there is one to wait for. */
static bool cancel_uses(struct io_handle *handle, struct who *closer)
{
    list_for_each(node, &handle->uses)
    {
        struct io_use *use = CONTAINER_OF(node, struct io_use, node);
        if (!use->note_posted) {
            use->note_posted = true;
            worker_post(use->worker, &use->cancel_note);
        }
    }
    bool any = !list_is_empty(&handle->uses);
    handle->closer = any ? closer : NULL;
    return any;
}

/* Under the lock: an await of the task's own is among the uses. */
static bool would_wait_for_itself(struct io_handle *handle, struct task *task)
{
    list_for_each(node, &handle->uses)
    {
        if (CONTAINER_OF(node, struct io_use, node)->task == task) {
            return true;
        }
    }
    return false;
}

int io_close_begin(struct task *task, struct who *who,
                   struct io_handle *handle)
{
    int rc = -EALREADY;
    spin_lock(&handle->lock);
    if (handle->closing) {
        RULE(IO_CLOSE_2);
    } else if (would_wait_for_itself(handle, task)) {
        RULE(AWAIT_IO_3);
        rc = -EDEADLK;
    } else {
        handle->closing = true;
        if (handle->is_socket) {
            shutdown(handle->fd, SHUT_RDWR);
        }
        rc = cancel_uses(handle, who) ? AMBIT_PENDING : 0;
    }
    spin_unlock(&handle->lock);
    return rc;
}

int io_close_end(struct io_handle *handle)
{
    io_fd_release(handle->quota);
    return close(handle->fd) < 0 ? -errno : 0;
}

int io_close(struct task *task, struct io_handle *handle)
{
    REQUIRE(!task_is_at_large(task), "close is called from a task on a worker");
    int rc = io_close_begin(task, who_parks(task), handle);
    if (rc == AMBIT_PENDING) {
        RULE(IO_CLOSE_1);
        park(task, PARK_SHUT, NULL, NULL);
        rc = 0;
    }
    return rc < 0 ? rc : io_close_end(handle);
}

void io_discard(struct io_handle *handle)
{
    REQUIRE(list_is_empty(&handle->uses),
            "discard of a socket or file that a call is using");
    io_fd_release(handle->quota);
    close(handle->fd);
}
