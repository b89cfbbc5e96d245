/* SPDX-License-Identifier: MIT */
/*
 * handle.h -- a file descriptor, those who use it, and its close.
 *
 *   open --io_close()--> closing: no new use; each use is cancelled
 *        --the last use ended--> closed, the number given back
 *
 * The number is given back only when no operation refers to it, so it is never
 * taken for a stranger that got the same one.
 *
 *   IO-CLOSE-1  close waits for the own completion of every use.
 *   IO-CLOSE-2  A use that comes after close has begun is refused.
 */
#ifndef AMBIT_SRC_IO_HANDLE_H
#define AMBIT_SRC_IO_HANDLE_H

#include "src/driver/driver.h"
#include "src/list.h"
#include "src/note.h"
#include "src/spin.h"

struct task;
struct quota;

struct io_handle {
    int fd;
    bool is_socket;
    struct quota *quota;       /* where the descriptor counts; NULL: nowhere */
    struct spin lock;          /* guards what follows */
    struct list_node uses;
    bool closing;
    struct task *closer;       /* parked until the last use has ended */
};

/* One call's use of a handle; in the frame of the task that makes it.  While it
 * lasts the handle stays, whoever closes it. */
struct io_use {
    struct io_handle *handle;
    struct task *task;
    struct op *op;           /* under way, or NULL */
    struct list_node node;   /* handle.uses */
    struct note cancel_note;
    bool note_posted;        /* handle.lock */
    bool note_delivered;     /* the task's worker */
    bool waits_for_note;     /* the task's worker */
};

/* A place for one more descriptor, where the task on this thread draws on
 * limits; a thread that is no worker draws on none.  0 or -EDQUOT. */
int io_fd_reserve(struct quota **ret_quota);
/* Gives the place back; NULL is allowed. */
void io_fd_release(struct quota *quota);

/* Takes the place over; it is given back with the descriptor. */
void io_handle_init(struct io_handle *handle, int fd, bool is_socket,
                    struct quota *quota);

/* 0, and io_end() must follow; -ECANCELED; -ESHUTDOWN. */
int io_begin(struct task *task, struct io_handle *handle, struct io_use *use);
/* Runs an operation on the handle's descriptor and waits for it.  Its result,
 * or -ECANCELED, -ESHUTDOWN, -EAGAIN (too many operations under way). */
int32_t io_op(struct io_use *use, struct op *op);
/* The last use of the handle.  Returns the result it is given. */
int32_t io_end(struct io_use *use, int32_t result);

/* The three in one, for a call that is one operation. */
int32_t io_run(struct task *task, struct io_handle *handle, struct op *op);

/* The same for an operation without a handle (open). */
int32_t io_run_bare(struct task *task, struct op *op);

/* 0, -EALREADY, or the error of close(2).  Not interruptible. */
int io_close(struct task *task, struct io_handle *handle);

/* When nobody uses it. */
void io_discard(struct io_handle *handle);

#endif
