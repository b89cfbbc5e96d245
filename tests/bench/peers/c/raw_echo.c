/* SPDX-License-Identifier: MIT */
/*
 * raw_echo.c -- the floor of W10: echo servers with nothing between them and
 * the kernel.
 *
 *   raw_echo uring|epoll PORT
 *
 * uring: multishot accept into direct descriptors, multishot receive from a
 * ring of buffers.  epoll: level-triggered, read and write at once.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define NEED(x)         \
    do {                \
        if (!(x)) {     \
            perror(#x); \
            exit(1);    \
        }               \
    } while (0)

enum {
    BUFFERS = 1024,
    BUFFER_SIZE = 512,
    FILES = 4096,
};

static int listen_on(int port)
{
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    /* Inherited by accepted sockets. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    NEED(bind(fd, (void *)&a, sizeof a) == 0);
    NEED(listen(fd, 4096) == 0);
    return fd;
}

/* --- io_uring ------------------------------------------------------------- */

enum op { OP_CLOSE, OP_ACCEPT, OP_RECV, OP_SEND };

static struct io_uring ring;
static struct io_uring_buf_ring *buffers;
static char *memory;

static uint64_t pack(enum op op, int fd, int buffer)
{
    return (uint64_t)op << 56 | (uint64_t)(uint16_t)buffer << 32 | (uint32_t)fd;
}

static char *buffer_at(int i)
{
    return memory + (size_t)i * BUFFER_SIZE;
}

static void give_buffer(int i, int offset)
{
    io_uring_buf_ring_add(buffers, buffer_at(i), BUFFER_SIZE, (uint16_t)i,
                          io_uring_buf_ring_mask(BUFFERS), offset);
}

static void *map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    NEED(p != MAP_FAILED);
    return p;
}

static void ring_start(void)
{
    struct io_uring_params p = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_CQSIZE,
        .cq_entries = 16384,
    };
    NEED(io_uring_queue_init_params(4096, &ring, &p) == 0);
    io_uring_register_ring_fd(&ring);
    NEED(io_uring_register_files_sparse(&ring, FILES) == 0);
    buffers = map(BUFFERS * sizeof(struct io_uring_buf));
    memory = map((size_t)BUFFERS * BUFFER_SIZE);
    struct io_uring_buf_reg reg = {
        .ring_addr = (uint64_t)(uintptr_t)buffers,
        .ring_entries = BUFFERS,
    };
    NEED(io_uring_register_buf_ring(&ring, &reg, 0) == 0);
    io_uring_buf_ring_init(buffers);
    for (int i = 0; i < BUFFERS; i++) {
        give_buffer(i, i);
    }
    io_uring_buf_ring_advance(buffers, BUFFERS);
}

static void want_data(int fd)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->user_data = pack(OP_RECV, fd, 0);
}

static void on_data(const struct io_uring_cqe *cqe, int fd)
{
    if (cqe->res > 0) {
        int buffer = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
        io_uring_prep_send(sqe, fd, buffer_at(buffer), (size_t)cqe->res,
                           MSG_NOSIGNAL);
        sqe->flags |= IOSQE_FIXED_FILE;
        sqe->user_data = pack(OP_SEND, fd, buffer);
    } else if (cqe->res != -ENOBUFS) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
        io_uring_prep_close_direct(sqe, (unsigned)fd);
        sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
        sqe->user_data = pack(OP_CLOSE, fd, 0);
        return;
    }
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) {
        want_data(fd);
    }
}

/* Returns how many buffers came back. */
static int on_completion(const struct io_uring_cqe *cqe, int freed)
{
    int fd = (int)(uint32_t)cqe->user_data;
    switch ((enum op)(cqe->user_data >> 56)) {
    case OP_SEND:
        give_buffer((int)(cqe->user_data >> 32 & 0xffff), freed);
        return 1;
    case OP_ACCEPT:
        if (cqe->res >= 0) {
            want_data(cqe->res);
        }
        return 0;
    case OP_RECV:
        on_data(cqe, fd);
        return 0;
    case OP_CLOSE:
        break;
    }
    return 0;
}

static void serve_uring(int port)
{
    int listener = listen_on(port);
    ring_start();
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    io_uring_prep_multishot_accept_direct(sqe, listener, NULL, NULL, 0);
    sqe->user_data = pack(OP_ACCEPT, listener, 0);
    for (;;) {
        struct io_uring_cqe *cqe;
        unsigned head;
        unsigned taken = 0;
        int freed = 0;
        io_uring_submit_and_wait(&ring, 1);
        io_uring_for_each_cqe(&ring, head, cqe)
        {
            freed += on_completion(cqe, freed);
            taken++;
        }
        io_uring_buf_ring_advance(buffers, freed);
        io_uring_cq_advance(&ring, taken);
    }
}

/* --- epoll ---------------------------------------------------------------- */

static void accept_all(int poll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void serve_epoll(int port)
{
    static char data[4096];
    int poll = epoll_create1(0);
    int listener = listen_on(port);
    struct epoll_event events[256] = {{.events = EPOLLIN, .data.fd = listener}};
    fcntl(listener, F_SETFL, O_NONBLOCK);
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &events[0]);
    for (;;) {
        int n = epoll_wait(poll, events, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                accept_all(poll, listener);
                continue;
            }
            ssize_t len = recv(fd, data, sizeof data, 0);
            if (len > 0) {
                send(fd, data, (size_t)len, MSG_NOSIGNAL);
            } else if (len == 0 || errno != EAGAIN) {
                close(fd);
            }
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        return 2;
    }
    if (strcmp(argv[1], "uring") == 0) {
        serve_uring(atoi(argv[2]));
    }
    serve_epoll(atoi(argv[2]));
}
