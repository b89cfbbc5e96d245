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

struct quota;
struct task;
struct who;

struct io_handle {
    int fd;
    bool is_socket;
    struct quota *quota;       /* where the descriptor counts; NULL: nowhere */
    struct spin lock;          /* guards what follows */
    struct list_node uses;
    bool closing;
    struct who *closer;        /* waits until the last use has ended */
};

/* One call's use of a handle; in the frame of the task that makes it, or in the
 * record of an await (op_await.h).  While it lasts the handle stays, whoever
 * closes it. */
struct io_use {
    struct io_handle *handle;
    struct task *task;
    struct worker *worker;   /* whose driver has the operation; handle.lock */
    struct op *op;           /* under way, or NULL */
    struct list_node node;   /* handle.uses */
    struct note cancel_note;
    bool note_posted;        /* handle.lock; for once */
    bool note_delivered;     /* the task's worker */
    bool waits_for_note;     /* the task's worker */
};

typedef void io_deliver_fn(struct worker *worker, struct note *note);

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

/* The parts of these, for those who do not park.  A use is among the handle's
 * from io_join() to io_leave(), which tells whether its note was posted; the
 * next operation is that of the calling worker after io_use_here(). */
int io_join(struct task *task, struct io_handle *handle, io_deliver_fn *deliver,
            struct io_use *use);
int io_use_here(struct io_use *use);
/* True: the caller is to post the note. */
bool io_claim_note(struct io_use *use);
bool io_leave(struct io_use *use);

/* What the result of an operation means; handle NULL: of none. */
int32_t io_result(int32_t result);
int32_t io_result_of(struct io_handle *handle, const struct op *op,
                     int32_t result);
bool io_had_no_effect(const struct io_handle *handle, int32_t result);

/* 0, -EALREADY, -EDEADLK, or the error of close(2).  Not interruptible. */
int io_close(struct task *task, struct io_handle *handle);
/* Its halves: 0, or AMBIT_PENDING: the second one once `who` was woken. */
int io_close_begin(struct task *task, struct who *who,
                   struct io_handle *handle);
int io_close_end(struct io_handle *handle);

/* When nobody uses it. */
void io_discard(struct io_handle *handle);

#endif
