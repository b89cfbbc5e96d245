/* SPDX-License-Identifier: MIT */
/*
 * handle.c -- run an operation, and close under those who run one.
 *
 * A use lies in the frame of the task that waits for it.  The closer asks the
 * worker of each to cancel; that note lies in the use too, so a task whose
 * operation has ended waits until a note that was posted has been delivered.
 */
#include "src/io/handle.h"

#include "src/runtime.h"
#include "src/task.h"

#include <sys/socket.h>
#include <unistd.h>

struct use {
    struct op *op;
    struct task *task;
    struct list_node node;   /* handle.uses */
    struct note cancel_note;
    bool note_posted;        /* handle.lock */
    bool note_delivered;     /* the task's worker */
    bool waits_for_note;     /* the task's worker */
};

static void op_ended(struct op *op)
{
    task_wake(op->waiter, op->result);
}

static enum park_answer op_abort(struct task *task, void *arg)
{
    driver_cancel(task_worker(task)->driver, arg);
    return PARK_BUSY;
}

int32_t io_run_bare(struct task *task, struct op *op)
{
    int rc = park_check(task);
    if (rc < 0) {
        return rc;
    }
    op->waiter = task;
    op->complete = op_ended;
    rc = driver_submit(task_worker(task)->driver, op);
    if (rc < 0) {
        return rc;
    }
    return (int32_t)park(task, PARK_OP, op_abort, op);
}

static void cancel_deliver(struct worker *worker, struct note *note)
{
    struct use *use = CONTAINER_OF(note, struct use, cancel_note);
    use->note_delivered = true;
    if (use->waits_for_note) {
        task_wake(use->task, 0);
    } else {
        driver_cancel(worker->driver, use->op);
    }
}

static bool use_begin(struct io_handle *handle, struct use *use)
{
    list_init(&use->node);
    use->cancel_note.deliver = cancel_deliver;
    spin_lock(&handle->lock);
    bool open = !handle->closing;
    if (open) {
        list_push_back(&handle->uses, &use->node);
    }
    spin_unlock(&handle->lock);
    return open;
}

/* True when the handle is being closed. */
static bool use_end(struct io_handle *handle, struct use *use)
{
    spin_lock(&handle->lock);
    list_remove(&use->node);
    bool closing = handle->closing;
    bool owed = use->note_posted && !use->note_delivered;
    struct task *closer =
        list_is_empty(&handle->uses) ? handle->closer : NULL;
    handle->closer = closer != NULL ? NULL : handle->closer;
    spin_unlock(&handle->lock);
    if (closer != NULL) {
        task_wake(closer, 0);
    }
    if (owed) {
        use->waits_for_note = true;
        park(use->task, PARK_SHUT, NULL, NULL);
    }
    return closing;
}

/* What the kernel says to one whose descriptor is being shut under it. */
static bool is_echo_of_close(const struct op *op, int32_t result)
{
    return result == -ECANCELED || result == -EINVAL || result == -ENOTCONN ||
           (result == 0 && op->code == OP_RECV);
}

int32_t io_run(struct task *task, struct io_handle *handle, struct op *op)
{
    struct use use = {.op = op, .task = task};
    int32_t result;
    op->fd = handle->fd;
    do {
        int rc = park_check(task);
        if (rc < 0) {
            return rc;
        }
        if (!use_begin(handle, &use)) {
            RULE(IO_CLOSE_1);
            return -ESHUTDOWN;
        }
        result = io_run_bare(task, op);
        if (use_end(handle, &use) && is_echo_of_close(op, result)) {
            return -ESHUTDOWN;
        }
        /* Ready sockets may still answer -EAGAIN when cpus are scarce. */
    } while (result == -EINTR || (result == -EAGAIN && handle->is_socket &&
                                  op->state == OP_DONE));
    return result;
}

void io_handle_init(struct io_handle *handle, int fd, bool is_socket)
{
    handle->fd = fd;
    handle->is_socket = is_socket;
    spin_init(&handle->lock);
    list_init(&handle->uses);
    handle->closing = false;
    handle->closer = NULL;
}

/* Under the lock: every use is told.  True when there is one to wait for. */
static bool cancel_uses(struct io_handle *handle, struct task *closer)
{
    list_for_each(node, &handle->uses)
    {
        struct use *use = CONTAINER_OF(node, struct use, node);
        use->note_posted = true;
        worker_post(task_worker(use->task), &use->cancel_note);
    }
    bool any = !list_is_empty(&handle->uses);
    handle->closer = any ? closer : NULL;
    return any;
}

int io_close(struct task *task, struct io_handle *handle)
{
    REQUIRE(task_worker(task) != NULL, "close is called from a task on a worker");
    spin_lock(&handle->lock);
    if (handle->closing) {
        spin_unlock(&handle->lock);
        RULE(IO_CLOSE_2);
        return -EALREADY;
    }
    handle->closing = true;
    if (handle->is_socket) {
        shutdown(handle->fd, SHUT_RDWR);
    }
    bool wait = cancel_uses(handle, task);
    spin_unlock(&handle->lock);
    if (wait) {
        RULE(IO_CLOSE_1);
        park(task, PARK_SHUT, NULL, NULL);
    }
    return close(handle->fd) < 0 ? -errno : 0;
}

void io_discard(struct io_handle *handle)
{
    REQUIRE(list_is_empty(&handle->uses),
            "discard of a socket or file that a call is using");
    close(handle->fd);
}
