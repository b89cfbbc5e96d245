/* SPDX-License-Identifier: MIT */
/*
 * op_await.h -- an operation that a poll task awaits.
 *
 *   made --op_await_submit()--> in the kernel --its completion--> looked at
 *     |            ^                                               |   |
 *     |            '---- to be repeated, or there is more to do ---'   |
 *     '--op_await_end()--> gone <--------------------------------------'
 *
 * The operation is the driver's of the worker on which it was submitted, and the
 * task may be stepping on another one when it is to be cancelled.  So it lies in
 * a record of its own, with the use of its handle; and that worker is asked by
 * the note of the use, whether it is the task that asks or who closes the
 * handle.  Once it was asked nothing is submitted any more, so what the note
 * finds belongs to that worker still.
 *
 *   AWAIT-IO-2  A call that is called off has had no effect, or tells of it.
 *   AWAIT-IO-3  A close ends the waits of others, wherever they began.
 *   AWAIT-IO-4  A panic leaves nothing of an operation behind.
 *
 * Owner: the worker of the step; the operation, its own worker.
 */
#ifndef AMBIT_SRC_IO_OP_AWAIT_H
#define AMBIT_SRC_IO_OP_AWAIT_H

#include "src/await.h"
#include "src/io/handle.h"

#include <netinet/in.h>

struct op_await {
    struct op op;
    struct io_use use;
    struct quota *ops;   /* where it counts as one; NULL: nowhere */
    struct quota *place; /* of the descriptor that it will bring, or NULL */
    void *made;          /* for what it will bring */
    /* Takes back what it brought, or was made for it; NULL: nothing. */
    void (*undo)(void *made, int32_t result);
    size_t done;         /* bytes, of the operations before this one */
    union {
        struct sockaddr_in6 address; /* of a connect */
        struct {
            struct blocking_job job; /* of a truncation */
            uint64_t size;
        };
    };
    _Atomic uint32_t parted; /* task and note: ORDER(op-await-part) */
    bool asked;              /* to be cancelled, by its task */
};

_Static_assert(sizeof(struct op_await) <= 256, "SLAB_256");

/* 0, and op_await_end() or op_await_undo() must follow; -EPERM, -ECANCELED,
 * -ESHUTDOWN, -ENOMEM.  handle NULL: none. */
int op_await_make(struct task *task, struct io_handle *handle,
                  struct op_await **ret_record);
/* AMBIT_PENDING, with the operation on its way; else it is not, and why. */
int op_await_submit(struct task *task, struct await *await,
                    struct op_await *record, const struct op *op);
/*
 * AWAIT_IDLE: to be begun.  AWAIT_ANSWER: *ret_rc is what to answer.  AWAIT_SAID:
 * the operation has ended, with *ret_rc, and so is its record to.
 */
enum await_look op_await_look(struct task *task, struct await *await,
                              struct op_await **ret_record, int *ret_rc);
void op_await_end(struct op_await *record);
/* The same, and what it brought is taken back. */
void op_await_undo(struct op_await *record, int32_t result);

/* A call that is one operation: AMBIT_PENDING; 0, and its count; or why not. */
int op_await_run(ambit_cx *cx, struct ambit_await *wait,
                 struct io_handle *handle, const struct op *op,
                 size_t *ret_count);
/* One that brings a descriptor, after op_await_make() and what undoes it. */
int op_await_run_made(struct task *task, struct await *await,
                      struct op_await *record, const struct op *op);

/*
 * All of it: rest(memory, len, offset) is what to submit next.  *ret_done, unless
 * NULL, is set when it answers.
 */
struct op_all {
    struct io_handle *handle;
    struct op (*rest)(const char *memory, size_t len, uint64_t offset);
    const char *memory;
    size_t len;
    uint64_t offset;
    int when_none; /* what it means when the kernel takes nothing */
};
int op_await_all(ambit_cx *cx, struct ambit_await *wait,
                 const struct op_all *all, size_t *ret_done);

/* Closes, and frees the object whose first member the handle is.  0; -EALREADY;
 * -EDEADLK; the error of close(2). */
int op_await_close(ambit_cx *cx, struct ambit_await *wait,
                   struct io_handle *handle);


#endif
