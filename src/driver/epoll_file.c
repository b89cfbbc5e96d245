/* SPDX-License-Identifier: MIT */
/*
 * epoll_file.c -- calls on files, which only know how to wait, on threads.
 *
 *   queued --thread--> begun --> over: a note to the worker, which completes it
 *      '--cancel--> taken out of the queue
 *
 * A call that has begun is waited for.  One may last for ever: an open of a
 * named pipe waits for somebody at the other end.  Once it is cancelled the
 * worker plays that somebody, for a moment; the file is then closed again.  It
 * goes by a reference to the pipe (O_PATH) which the thread took beforehand, so
 * that it neither meets another file nor waits for one.
 *
 *   IO-BUF-1  see driver.h
 *
 * Owner: the worker's thread; file_run() a thread of runtime.files.
 */
#include "src/driver/epoll.h"

#include "src/runtime.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_call {
    struct blocking_job job;
    struct note note;
    struct op *op;
    int32_t result;
    bool is_nudged;        /* the worker's */
    _Atomic int pipe;      /* ORDER(file-pipe): descriptor + 1 or 0 */
};

/* Whether the open would wait for the other end. */
static bool waits_for_partner(const struct op *op)
{
    struct stat st;
    unsigned how = op->flags & O_ACCMODE;
    return op->code == OP_OPEN && (how == O_RDONLY || how == O_WRONLY) &&
           (op->flags & (O_NONBLOCK | O_PATH)) == 0 &&
           stat(op->memory, &st) == 0 && S_ISFIFO(st.st_mode);
}

static void file_run(struct blocking_job *job)
{
    struct file_call *call = CONTAINER_OF(job, struct file_call, job);
    struct op *op = call->op;
    struct worker *worker = op->worker;
    if (waits_for_partner(op)) {
        int pipe = open(op->memory, O_PATH | O_CLOEXEC);
        /* ORDER(file-pipe): release.  Pairs with the loads in file_nudge() and
         * file_over(); the kernel knows the descriptor already. */
        atomic_store_explicit(&call->pipe, pipe + 1, memory_order_release);
    }
    call->result = epoll_block(op);
    worker_post(worker, &call->note);
}

/* The pipe, or -1. */
static int call_pipe(struct file_call *call)
{
    /* ORDER(file-pipe): acquire.  Pairs with the store in file_run(). */
    return atomic_load_explicit(&call->pipe, memory_order_acquire) - 1;
}

static void forget_nudge(struct epoll *driver, struct op *op)
{
    struct op **at = &driver->nudged;
    while (*at != NULL && *at != op) {
        at = &(*at)->next_cancel;
    }
    if (*at != NULL) {
        *at = op->next_cancel;
    }
}

static void file_over(struct worker *worker, struct note *note)
{
    struct epoll *driver = epoll_of(worker->driver);
    struct file_call *call = CONTAINER_OF(note, struct file_call, note);
    struct op *op = call->op;
    int32_t result = call->result;
    int pipe = call_pipe(call);
    if (pipe >= 0) {
        close(pipe);
    }
    if (call->is_nudged && result >= 0) {
        close(result); /* it was we who opened the other end */
        result = -ECANCELED;
    }
    forget_nudge(driver, op);
    op->call = NULL;
    free(call);
    epoll_finish(driver, op, result);
    epoll_complete(driver);
}

void file_begin(struct epoll *driver, struct op *op)
{
    struct file_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        epoll_finish(driver, op, -EAGAIN);
        return;
    }
    call->op = op;
    call->job.run = file_run;
    call->note.deliver = file_over;
    list_init(&call->job.node);
    op->call = call;
    RULE(DRV_FILE_1);
    int rc = blocking_submit(driver->worker->runtime->files, &call->job);
    if (rc < 0) {
        op->call = NULL;
        free(call);
        epoll_finish(driver, op, rc);
    }
}

void file_cancel(struct epoll *driver, struct op *op)
{
    struct file_call *call = op->call;
    if (blocking_cancel(driver->worker->runtime->files, &call->job)) {
        op->call = NULL;
        free(call);
        epoll_finish(driver, op, -ECANCELED);
    } else if (op->code == OP_OPEN) {
        op->next_cancel = driver->nudged;
        driver->nudged = op;
    }
}

/* Again and again: the thread may not be inside of its open yet. */
void file_nudge(struct epoll *driver)
{
    for (struct op *op = driver->nudged; op != NULL; op = op->next_cancel) {
        char path[32];
        int pipe = call_pipe(op->call);
        if (pipe < 0) {
            continue;
        }
        bool reads = (op->flags & O_ACCMODE) == O_RDONLY;
        snprintf(path, sizeof path, "/proc/self/fd/%d", pipe);
        int end = open(path, (reads ? O_WRONLY : O_RDONLY) | O_NONBLOCK |
                                 O_CLOEXEC);
        if (end >= 0) {
            op->call->is_nudged = true;
            close(end);
        }
    }
}
