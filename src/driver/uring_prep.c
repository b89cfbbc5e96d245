/* SPDX-License-Identifier: MIT */
/*
 * uring_prep.c -- from our operations to the ring's entries.
 */
#include "src/driver/uring_prep.h"

#include "src/driver/uring_abi.h"

#include <fcntl.h>

void uring_prep(struct io_uring_sqe *sqe, const struct op *op)
{
    switch (op->code) {
    case OP_ACCEPT:
        io_uring_prep_accept(sqe, op->fd, NULL, NULL, SOCK_CLOEXEC);
        return;
    case OP_CONNECT:
        io_uring_prep_connect(sqe, op->fd, op->memory, op->len);
        return;
    case OP_RECV:
        io_uring_prep_recv(sqe, op->fd, op->memory, op->len, 0);
        return;
    case OP_SEND:
        io_uring_prep_send(sqe, op->fd, op->memory, op->len, MSG_NOSIGNAL);
        return;
    case OP_OPEN:
        io_uring_prep_openat(sqe, AT_FDCWD, op->memory,
                             (int)(op->flags | O_CLOEXEC), op->len);
        return;
    case OP_READ:
        io_uring_prep_read(sqe, op->fd, op->memory, op->len, op->offset);
        return;
    case OP_WRITE:
        io_uring_prep_write(sqe, op->fd, op->memory, op->len, op->offset);
        return;
    case OP_FSYNC:
        io_uring_prep_fsync(sqe, op->fd, 0);
        return;
    case OP_FDATASYNC:
        io_uring_prep_fsync(sqe, op->fd, IORING_FSYNC_DATASYNC);
        return;
    }
    base_die(__FILE__, __LINE__, "an operation code that does not exist");
}

bool uring_is_prompt(const struct op *op)
{
    return op->code == OP_ACCEPT || op->code == OP_CONNECT ||
           op->code == OP_RECV || op->code == OP_SEND ||
           (op->code == OP_READ && op->offset == UINT64_MAX);
}

size_t uring_written(const struct op *op)
{
    bool fills = op->code == OP_RECV || op->code == OP_READ;
    return fills && op->result > 0 ? (size_t)op->result : 0;
}
