/* SPDX-License-Identifier: MIT */
/*
 * ops.c -- operations under way: tried at once or later, in full or short,
 * failed, cancelled in time or too late; all as the picker has it.
 */
#include "spec/lab/kernel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DELAY_NS 10000
#define LATE_NS 1000000
#define BUSY_CANCELS_MAX 3

static void op_try(struct lab *lab, struct lab_op *op);

/* The operation that is meant is tried or cancelled just now. */
static bool goes(const struct lab *lab, const struct lab_op *op,
                 enum lab_way way)
{
    return op != NULL && op == lab->op_meant &&
           lab->options.inject.way == way;
}

uint32_t lab_shorten(struct lab *lab, const struct lab_op *op, uint32_t len)
{
    if (goes(lab, op, LAB_WAY_SHORT)) {
        lab->hit |= len > 1;
        return len > 0 ? 1 : 0;
    }
    if (lab->options.plain_kernel || len < 2) {
        return len;
    }
    switch (lab_choose(lab, LAB_KERNEL, 4, NULL)) {
    case 1:
        return 1;
    case 2:
        return (len + 1) / 2;
    case 3:
        return len - 1;
    default:
        return len;
    }
}

int64_t lab_delay(struct lab *lab)
{
    return lab->options.plain_kernel
               ? 0
               : (int64_t)lab_choose(lab, LAB_KERNEL, 4, NULL) * DELAY_NS;
}

static void op_free(struct lab_op *op)
{
    if (lab_self->op_meant == op) {
        lab_self->op_meant = NULL;
    }
    list_remove(&op->node);
    list_remove(&op->waits);
    lab_not_at(&op->event);
    if (op->file != NULL) {
        lab_fd_unref(op->file);
    }
    free(op);
}

void lab_op_drop(struct lab_op *op)
{
    op_free(op);
}

static void op_complete(struct lab_op *op, int32_t result)
{
    struct lab_ring *ring = op->ring;
    uint64_t user_data = op->sqe.user_data;
    bool quiet = result >= 0 && (op->sqe.flags & IOSQE_CQE_SKIP_SUCCESS) != 0;
    op_free(op);
    if (!quiet) {
        lab_ring_post(ring, user_data, result);
    }
}

/* --- what each does -------------------------------------------------------- */

static void *sqe_memory(const struct lab_op *op)
{
    return (void *)(uintptr_t)op->sqe.addr;
}

static int32_t event_read(struct lab_op *op)
{
    struct lab_fd *fd = op->file;
    if (fd->count == 0) {
        list_push_back(&fd->readers, &op->waits);
        return LAB_WAITS;
    }
    memcpy(sqe_memory(op), &fd->count, sizeof fd->count);
    fd->count = 0;
    return (int32_t)sizeof fd->count;
}

static int32_t system_result(ssize_t n)
{
    return n < 0 ? -errno : (int32_t)n;
}

static int32_t file_read(struct lab *lab, struct lab_op *op)
{
    if (op->file != NULL) {
        return event_read(op);
    }
    uint32_t len = lab_shorten(lab, op, op->sqe.len);
    return system_result(pread(op->sqe.fd, sqe_memory(op), len,
                               (off_t)op->sqe.off));
}

static int32_t file_write(struct lab *lab, struct lab_op *op)
{
    uint32_t len = lab_shorten(lab, op, op->sqe.len);
    return system_result(pwrite(op->sqe.fd, sqe_memory(op), len,
                                (off_t)op->sqe.off));
}

static int32_t file_open(struct lab *lab, struct lab_op *op)
{
    int fd = openat(op->sqe.fd, sqe_memory(op), (int)op->sqe.open_flags,
                    op->sqe.len);
    lab->fds->system_open += fd >= 0;
    return system_result(fd);
}

static int32_t message_send(struct lab *lab, struct lab_op *op)
{
    struct lab_fd *to = lab_fd_find(lab, op->sqe.fd);
    if (to == NULL || to->kind != LAB_FD_RING) {
        return -EBADFD;
    }
    lab_ring_post(to->ring, op->sqe.off, (int32_t)op->sqe.len);
    return 0;
}

static struct lab_op *op_find(struct lab_ring *ring, uint64_t user_data)
{
    list_for_each(node, &ring->ops)
    {
        struct lab_op *op = CONTAINER_OF(node, struct lab_op, node);
        if (op->sqe.user_data == user_data &&
            op->sqe.opcode != IORING_OP_ASYNC_CANCEL) {
            return op;
        }
    }
    return NULL;
}

/* The target's own completion decides; this only says what was tried. */
static int32_t cancel(struct lab *lab, struct lab_op *op)
{
    struct lab_op *target = op_find(op->ring, op->sqe.addr);
    if (target == NULL) {
        return -ENOENT;
    }
    if (goes(lab, target, LAB_WAY_TOO_LATE) &&
        target->cancels++ < BUSY_CANCELS_MAX) {
        lab->hit = true;
        return -EALREADY;
    }
    lab->hit |= goes(lab, target, LAB_WAY_CANCELLED);
    bool may_be_busy =
        !lab->options.plain_kernel && target->cancels < BUSY_CANCELS_MAX;
    if (may_be_busy && lab_choose(lab, LAB_KERNEL, 2, NULL) != 0) {
        target->cancels++;
        return -EALREADY;
    }
    op_complete(target, -ECANCELED);
    return 0;
}

static int32_t op_result(struct lab *lab, struct lab_op *op)
{
    switch (op->sqe.opcode) {
    case IORING_OP_READ:
        return file_read(lab, op);
    case IORING_OP_WRITE:
        return file_write(lab, op);
    case IORING_OP_FSYNC:
        return 0; /* nothing crashes here that the page cache would survive */
    case IORING_OP_OPENAT:
        return file_open(lab, op);
    case IORING_OP_ACCEPT:
        return lab_net_accept(lab, op);
    case IORING_OP_CONNECT:
        return lab_net_connect(lab, op);
    case IORING_OP_RECV:
        return lab_net_recv(lab, op);
    case IORING_OP_SEND:
        return lab_net_send(lab, op);
    case IORING_OP_MSG_RING:
        return message_send(lab, op);
    case IORING_OP_ASYNC_CANCEL:
        return cancel(lab, op);
    case IORING_OP_NOP:
        return 0;
    default:
        return -EINVAL;
    }
}

/* --- when ------------------------------------------------------------------ */

static void op_try(struct lab *lab, struct lab_op *op)
{
    int32_t result = op_result(lab, op);
    if (result != LAB_WAITS) {
        op_complete(op, result);
    }
}

static void op_happens(struct lab *lab, struct lab_event *event)
{
    op_try(lab, CONTAINER_OF(event, struct lab_op, event));
}

void lab_ops_retry(struct lab *lab, struct list_node *waiting)
{
    while (!list_is_empty(waiting)) {
        struct lab_op *op =
            CONTAINER_OF(list_pop_front(waiting), struct lab_op, waits);
        lab_at(lab, &op->event, lab->now_ns, op_happens);
    }
}

/* What an operation of that kind may fail with, apart from what it does. */
const int *lab_errors_of(uint8_t opcode, unsigned *ret_len)
{
    static const int accept_errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM,
                                        ECONNABORTED, EINTR, EPERM};
    static const int connect_errors[] = {ECONNREFUSED,  ETIMEDOUT, ENETUNREACH,
                                         EADDRNOTAVAIL, EINTR,     ENOBUFS,
                                         EHOSTUNREACH,  EACCES};
    static const int recv_errors[] = {ECONNRESET, ETIMEDOUT, ENOBUFS,
                                      ENOMEM,     EINTR,     EAGAIN};
    static const int send_errors[] = {ECONNRESET, ETIMEDOUT, ENOBUFS, ENOMEM,
                                      EINTR,      EAGAIN,    EPIPE};
    static const int read_errors[] = {EIO, EINTR, ENOMEM};
    static const int write_errors[] = {EIO,   ENOSPC, EDQUOT,
                                       EINTR, ENOMEM, EFBIG};
    static const int sync_errors[] = {EIO, ENOSPC, EDQUOT, EINTR, EROFS};
    static const int open_errors[] = {EMFILE, ENFILE, ENOMEM, EACCES,
                                      EINTR,  ENOENT, ENOSPC, EROFS};
    const int *errors = NULL;
    unsigned len = 0;
#define TAKE(table) (errors = (table), len = ARRAY_LEN(table))
    switch (opcode) {
    case IORING_OP_ACCEPT:
        TAKE(accept_errors);
        break;
    case IORING_OP_CONNECT:
        TAKE(connect_errors);
        break;
    case IORING_OP_RECV:
        TAKE(recv_errors);
        break;
    case IORING_OP_SEND:
        TAKE(send_errors);
        break;
    case IORING_OP_READ:
        TAKE(read_errors);
        break;
    case IORING_OP_WRITE:
        TAKE(write_errors);
        break;
    case IORING_OP_FSYNC:
        TAKE(sync_errors);
        break;
    case IORING_OP_OPENAT:
        TAKE(open_errors);
        break;
    }
#undef TAKE
    *ret_len = len;
    return errors;
}

/* The read by which a worker waits for its bell. */
static bool is_bell(const struct lab_op *op)
{
    return op->file != NULL && op->file->kind == LAB_FD_EVENT;
}

/* By number, or as the one whose task seam_suspends() has cancelled. */
static bool is_meant(struct lab *lab, const struct lab_op *op)
{
    const struct op *wanted = lab->op_wanted;
    if (lab->options.inject.way >= LAB_WAY_CANCELLED) {
        return wanted != NULL && lab->code_meant < 0 &&
               wanted->memory == sqe_memory(op) &&
               (wanted->fd == op->sqe.fd || wanted->code == OP_OPEN);
    }
    return lab->ops_meant == lab->options.inject.op_at;
}

static void count_meant(struct lab *lab, struct lab_op *op)
{
    unsigned len;
    (void)lab_errors_of(op->sqe.opcode, &len);
    if (len == 0 || is_bell(op)) {
        return;
    }
    lab->ops_meant++;
    if (is_meant(lab, op)) {
        lab->op_meant = op;
        lab->errors_meant = len;
        lab->code_meant = op->sqe.opcode;
    }
}

/* 0, or the error this one fails with. */
static int op_fault(struct lab *lab, const struct lab_op *op)
{
    unsigned len;
    const int *errors = lab_errors_of(op->sqe.opcode, &len);
    if (goes(lab, op, LAB_WAY_ERROR)) {
        lab->hit = lab->options.inject.error < len;
        return lab->hit ? -errors[lab->options.inject.error] : 0;
    }
    if (lab->options.fault_every == 0 || len == 0 || is_bell(op)) {
        return 0;
    }
    unsigned i = lab_choose(lab, LAB_FAULT, len + 1, NULL);
    return i == 0 ? 0 : -errors[i - 1];
}

static bool is_immediate(const struct lab *lab, const struct lab_op *op)
{
    return lab->options.plain_kernel ||
           op->sqe.opcode == IORING_OP_MSG_RING ||
           op->sqe.opcode == IORING_OP_ASYNC_CANCEL;
}

void lab_op_issue(struct lab *lab, struct lab_ring *ring,
                  const struct io_uring_sqe *sqe)
{
    struct lab_op *op = calloc(1, sizeof *op);
    ASSERT(op != NULL);
    op->ring = ring;
    op->sqe = *sqe;
    list_init(&op->node);
    list_init(&op->waits);
    struct lab_fd *fd = lab_fd_find(lab, sqe->fd);
    if (fd != NULL && sqe->opcode != IORING_OP_MSG_RING) {
        op->file = lab_fd_ref(fd);
    }
    list_push_back(&ring->ops, &op->node);
    lab->ops_issued++;
    lab_trace(lab, TRACE_OP, sqe->opcode, sqe->user_data);
    count_meant(lab, op);
    int fault = op_fault(lab, op);
    if (goes(lab, op, LAB_WAY_LATE)) {
        lab->hit = true;
        lab_at(lab, &op->event, lab->now_ns + LATE_NS, op_happens);
    } else if (goes(lab, op, LAB_WAY_CANCELLED) ||
               goes(lab, op, LAB_WAY_TOO_LATE)) {
        lab_at(lab, &op->event, lab->now_ns + DELAY_NS, op_happens);
    } else if (fault != 0) {
        op_complete(op, fault);
    } else if (is_immediate(lab, op)) {
        op_try(lab, op);
    } else {
        unsigned how = lab_choose(lab, LAB_KERNEL, 4, NULL);
        if (how == 0) {
            op_try(lab, op);
        } else {
            lab_at(lab, &op->event, lab->now_ns + (how - 1) * DELAY_NS,
                   op_happens);
        }
    }
}
