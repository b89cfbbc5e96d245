/* SPDX-License-Identifier: MIT */
/*
 * epoll_try.c -- our operations as system calls that do not wait.
 *
 * Where a call can be told not to wait it is; so the descriptor stays as it
 * was.  The exceptions: accept(2) cannot, and several workers may wait for one
 * client, so a listening socket becomes non-blocking; connect(2) cannot, and
 * the socket is so during the call; and files that know no RWF_NOWAIT.
 */
#include "src/driver/epoll.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

uint32_t epoll_direction(const struct op *op)
{
    switch (op->code) {
    case OP_ACCEPT:
    case OP_RECV:
    case OP_READ:
        return EPOLLIN;
    case OP_CONNECT:
    case OP_SEND:
    case OP_WRITE:
        return EPOLLOUT;
    case OP_OPEN:
    case OP_FSYNC:
    case OP_FDATASYNC:
        return 0;
    }
    base_die(__FILE__, __LINE__, "an operation code that does not exist");
}

bool epoll_is_file(int fd)
{
    struct stat stat;
    return fstat(fd, &stat) == 0 &&
           (S_ISREG(stat.st_mode) || S_ISDIR(stat.st_mode) ||
            S_ISBLK(stat.st_mode));
}

static int set_blocking(int fd, bool blocking)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0) {
        return -1;
    }
    int wanted = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    return wanted == flags ? 0 : fcntl(fd, F_SETFL, wanted);
}

static int try_accept(const struct op *op)
{
    if (set_blocking(op->fd, false) < 0) {
        return -1;
    }
    return accept4(op->fd, NULL, NULL, SOCK_CLOEXEC);
}

/* The second call on one socket tells how the first one ended. */
static int try_connect(const struct op *op)
{
    if (set_blocking(op->fd, false) < 0) {
        return -1;
    }
    int rc = connect(op->fd, op->memory, op->len);
    int error = errno;
    set_blocking(op->fd, true);
    errno = error == EINPROGRESS || error == EALREADY ? EAGAIN : error;
    return rc < 0 && error == EISCONN ? 0 : rc;
}

static ssize_t move(const struct op *op, off_t offset, int flags)
{
    struct iovec part = {op->memory, op->len};
    return op->code == OP_READ ? preadv2(op->fd, &part, 1, offset, flags)
                               : pwritev2(op->fd, &part, 1, offset, flags);
}

/* What has no positions is read and written where it stands. */
static ssize_t move_anywhere(const struct op *op, int flags)
{
    ssize_t n = move(op, (off_t)op->offset, flags);
    return n < 0 && errno == ESPIPE ? move(op, -1, flags) : n;
}

static ssize_t try_move(const struct op *op)
{
    ssize_t n = move_anywhere(op, RWF_NOWAIT);
    if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
        n = set_blocking(op->fd, false) < 0 ? -1 : move_anywhere(op, 0);
    }
    return n;
}

static ssize_t call(const struct op *op)
{
    switch (op->code) {
    case OP_ACCEPT:
        return try_accept(op);
    case OP_CONNECT:
        return try_connect(op);
    case OP_RECV:
        return recv(op->fd, op->memory, op->len, MSG_DONTWAIT);
    case OP_SEND:
        return send(op->fd, op->memory, op->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    default:
        return try_move(op);
    }
}

int32_t epoll_try(const struct op *op)
{
    ssize_t n;
    do {
        n = call(op);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (int32_t)n;
}

static ssize_t call_blocking(const struct op *op)
{
    switch (op->code) {
    case OP_OPEN:
        return open(op->memory, (int)(op->flags | O_CLOEXEC), op->len);
    case OP_FSYNC:
        return fsync(op->fd);
    case OP_FDATASYNC:
        return fdatasync(op->fd);
    default:
        return move_anywhere(op, 0);
    }
}

int32_t epoll_block(const struct op *op)
{
    ssize_t n = call_blocking(op);
    return n < 0 ? -errno : (int32_t)n;
}
