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

struct io_handle {
    int fd;
    bool is_socket;
    struct spin lock;          /* guards what follows */
    struct list_node uses;
    bool closing;
    struct task *closer;       /* parked until the last use has ended */
};

void io_handle_init(struct io_handle *handle, int fd, bool is_socket);

/* Runs the operation on the handle's descriptor and waits for it.  Its result,
 * or -ECANCELED, -ESHUTDOWN, -EAGAIN (too many operations under way). */
int32_t io_run(struct task *task, struct io_handle *handle, struct op *op);

/* The same for an operation without a handle (open). */
int32_t io_run_bare(struct task *task, struct op *op);

/* 0, -EALREADY, or the error of close(2).  Not interruptible. */
int io_close(struct task *task, struct io_handle *handle);

/* When nobody uses it. */
void io_discard(struct io_handle *handle);

#endif
