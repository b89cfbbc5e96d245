/* SPDX-License-Identifier: MIT */
/*
 * net.c -- TCP over the driver.
 *
 *   IO-EFFECT-1  A call whose effect has happened reports it, whatever a cancel
 *                says; a call that reports -ECANCELED has had no effect.
 */
#include <ambit/net.h>

#include "src/io/address.h"
#include "src/io/net.h"
#include "src/task.h"
#include "src/worker.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

int tcp_wrap(int fd, struct quota *place, ambit_tcp **ret_socket)
{
    ambit_tcp *socket = malloc(sizeof *socket);
    if (socket == NULL) {
        io_fd_release(place);
        close(fd);
        return -ENOMEM;
    }
    io_handle_init(&socket->handle, fd, true, place);
    *ret_socket = socket;
    return 0;
}

int tcp_make(int family, struct quota **ret_place)
{
    int rc = io_fd_reserve(ret_place);
    if (rc < 0) {
        return rc;
    }
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fd = -errno;
        io_fd_release(*ret_place);
    }
    return fd;
}

static int set_flag(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

static int bind_and_listen(int fd, const struct sockaddr_storage *address,
                           socklen_t len,
                           const struct ambit_listen_options *options)
{
    int backlog = options->backlog > 0 ? options->backlog : 1024;
    int rc = set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (rc == 0 && options->reuse_port) {
        rc = set_flag(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (rc == 0 && bind(fd, (const struct sockaddr *)address, len) < 0) {
        rc = -errno;
    }
    if (rc == 0 && listen(fd, backlog) < 0) {
        rc = -errno;
    }
    return rc;
}

/* The task on this thread, if there is one, is without AMBIT_CAP_IO. */
static bool here_is_no_io(void)
{
    struct worker *self = worker_self;
    if (self == NULL || self->current == NULL) {
        return false;
    }
    /* ORDER(cancel): relaxed.  That part never changes; see OWNER_WITHOUT. */
    return (atomic_load_explicit(&self->current->scope->flags,
                                 memory_order_relaxed) &
            OWNER_WITHOUT(AMBIT_CAP_IO)) != 0;
}

int ambit_tcp_listen_(const char *address,
                      const struct ambit_listen_options *options,
                      ambit_tcp **ret_socket)
{
    struct sockaddr_storage parsed;
    socklen_t len;
    if (here_is_no_io()) {
        return -EPERM;
    }
    int rc = address_parse(address, &parsed, &len);
    if (rc < 0) {
        RULE(IO_OPEN_1);
        return rc;
    }
    struct quota *place;
    int fd = tcp_make(parsed.ss_family, &place);
    if (fd < 0) {
        return fd;
    }
    rc = bind_and_listen(fd, &parsed, len, options);
    if (rc < 0) {
        io_fd_release(place);
        close(fd);
        return rc;
    }
    return tcp_wrap(fd, place, ret_socket);
}

int ambit_tcp_accept(ambit_cx *cx, ambit_tcp *listener, ambit_tcp **ret_socket)
{
    struct op op = {.code = OP_ACCEPT};
    struct quota *place;
    int rc = park_check_with(task_of(cx), OWNER_WITHOUT(AMBIT_CAP_IO));
    if (rc == 0) {
        rc = io_fd_reserve(&place); /* before a client has been taken in */
    }
    if (rc < 0) {
        return rc;
    }
    int fd = io_run(task_of(cx), &listener->handle, &op);
    if (fd < 0) {
        io_fd_release(place);
        return fd;
    }
    RULE(IO_EFFECT_2);
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    return tcp_wrap(fd, place, ret_socket);
}

int ambit_tcp_connect(ambit_cx *cx, const char *address,
                      ambit_tcp **ret_socket)
{
    struct sockaddr_storage parsed;
    socklen_t len;
    ambit_tcp *made;
    struct quota *place;
    int rc = address_parse(address, &parsed, &len);
    if (rc < 0) {
        RULE(IO_OPEN_1);
        return rc;
    }
    rc = park_check_with(task_of(cx), OWNER_WITHOUT(AMBIT_CAP_IO));
    if (rc < 0) {
        return rc;
    }
    int fd = tcp_make(parsed.ss_family, &place);
    if (fd < 0) {
        return fd;
    }
    rc = tcp_wrap(fd, place, &made);
    if (rc < 0) {
        return rc;
    }
    struct op op = {.code = OP_CONNECT, .memory = &parsed, .len = len};
    rc = io_run(task_of(cx), &made->handle, &op);
    RULE(IO_EFFECT_4);
    if (rc < 0) {
        ambit_tcp_discard(made);
        return rc;
    }
    set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    *ret_socket = made;
    return 0;
}

struct op tcp_receive_op(void *buffer, size_t len)
{
    return (struct op){
        .code = OP_RECV,
        .memory = buffer,
        .len = (uint32_t)len,
    };
}

ssize_t ambit_tcp_read(ambit_cx *cx, ambit_tcp *socket, void *buffer,
                       size_t len)
{
    if (len == 0 || len > INT_MAX) {
        RULE(IO_READ_1);
        return -EINVAL;
    }
    struct op op = tcp_receive_op(buffer, len);
    return io_run(task_of(cx), &socket->handle, &op);
}

struct op tcp_send_op(const void *buffer, size_t len)
{
    return (struct op){
        .code = OP_SEND,
        .memory = (void *)(uintptr_t)buffer,
        .len = len > INT_MAX ? INT_MAX : (uint32_t)len,
    };
}

ssize_t ambit_tcp_write(ambit_cx *cx, ambit_tcp *socket, const void *buffer,
                        size_t len)
{
    struct op op = tcp_send_op(buffer, len);
    return io_run(task_of(cx), &socket->handle, &op);
}

/* All of it under one use: between two operations the socket must stay. */
static int send_all(struct io_use *use, const char *buffer, size_t len,
                    size_t *ret_written)
{
    int32_t n = 0;
    while (*ret_written < len && n >= 0) {
        struct op op = tcp_send_op(buffer + *ret_written, len - *ret_written);
        n = io_op(use, &op);
        n = n == 0 ? -EPIPE : n;
        *ret_written += n > 0 ? (size_t)n : 0;
    }
    RULE(IO_WRITE_1);
    return n < 0 ? n : 0;
}

int ambit_tcp_write_all(ambit_cx *cx, ambit_tcp *socket, const void *buffer,
                        size_t len, size_t *ret_written)
{
    size_t done = 0;
    struct io_use use;
    int rc = io_begin(task_of(cx), &socket->handle, &use);
    if (rc == 0) {
        rc = io_end(&use, send_all(&use, buffer, len, &done));
    }
    if (ret_written != NULL) {
        RULE(IO_EFFECT_3);
        *ret_written = done;
    }
    return rc;
}

int ambit_tcp_shutdown(ambit_tcp *socket, int how)
{
    return shutdown(socket->handle.fd, how) < 0 ? -errno : 0;
}

int ambit_tcp_close(ambit_cx *cx, ambit_tcp *socket)
{
    int rc = io_close(task_of(cx), &socket->handle);
    if (rc != -EALREADY && rc != -EDEADLK) {
        free(socket);
    }
    return rc;
}

void ambit_tcp_discard(void *socket)
{
    ambit_tcp *tcp = socket;
    if (tcp != NULL) {
        io_discard(&tcp->handle);
        free(tcp);
    }
}

int ambit_tcp_local(ambit_tcp *socket, char *ret_text, size_t room)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(socket->handle.fd, (struct sockaddr *)&address, &len) < 0) {
        return -errno;
    }
    return address_print(&address, ret_text, room);
}

int ambit_tcp_peer(ambit_tcp *socket, char *ret_text, size_t room)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getpeername(socket->handle.fd, (struct sockaddr *)&address, &len) < 0) {
        return -errno;
    }
    return address_print(&address, ret_text, room);
}

uint16_t ambit_tcp_port(ambit_tcp *socket)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    int rc = getsockname(socket->handle.fd, (struct sockaddr *)&address, &len);
    return rc < 0 ? 0 : address_port(&address);
}

int ambit_tcp_nodelay(ambit_tcp *socket, bool on)
{
    return set_flag(socket->handle.fd, IPPROTO_TCP, TCP_NODELAY, on);
}
