/* SPDX-License-Identifier: MIT */
/*
 * net_await.c -- TCP for poll tasks.
 *
 *   AWAIT-IO-1  What is awaited does what the call does, its count apart.
 */
#include "src/io/address.h"
#include "src/io/net.h"
#include "src/io/op_await.h"

#include <limits.h>
#include <unistd.h>

_Static_assert(offsetof(struct ambit_tcp, handle) == 0, "op_await_close()");

static void undo_accept(void *made, int32_t fd)
{
    (void)made;
    if (fd >= 0) {
        close(fd);
    }
}

static int begin_accept(struct task *task, struct await *await,
                        ambit_tcp *listener)
{
    struct op_await *record;
    int rc = op_await_make(task, &listener->handle, &record);
    if (rc < 0) {
        return rc;
    }
    record->undo = undo_accept;
    rc = io_fd_reserve(&record->place); /* before a client has been taken in */
    if (rc < 0) {
        op_await_undo(record, rc);
        return rc;
    }
    return op_await_run_made(task, await, record,
                             &(struct op){.code = OP_ACCEPT});
}

int ambit_await_tcp_accept(ambit_cx *cx, struct ambit_await *wait,
                           ambit_tcp *listener, ambit_tcp **ret_socket)
{
    struct op_await *record;
    int rc;
    switch (op_await_look(task_of(cx), await_of(wait), &record, &rc)) {
    case AWAIT_ANSWER:
        return rc;
    case AWAIT_IDLE:
        return begin_accept(task_of(cx), await_of(wait), listener);
    case AWAIT_SAID:
        break;
    }
    if (rc < 0) {
        op_await_undo(record, rc);
        return rc;
    }
    struct quota *place = record->place;
    record->place = NULL;
    op_await_end(record);
    rc = tcp_wrap(rc, place, ret_socket);
    if (rc == 0) {
        (void)ambit_tcp_nodelay(*ret_socket, true);
    }
    return rc;
}

static void undo_connect(void *made, int32_t result)
{
    (void)result;
    ambit_tcp_discard(made);
}

static int connect_made(struct task *task, struct await *await, ambit_tcp *made,
                        const struct sockaddr_storage *address, socklen_t len)
{
    struct op_await *record;
    int rc = op_await_make(task, &made->handle, &record);
    if (rc < 0) {
        ambit_tcp_discard(made);
        return rc;
    }
    record->made = made;
    record->undo = undo_connect;
    ASSERT(len <= sizeof record->address);
    memcpy(&record->address, address, len);
    struct op op = {
        .code = OP_CONNECT, .memory = &record->address, .len = len};
    return op_await_run_made(task, await, record, &op);
}

static int begin_connect(struct task *task, struct await *await,
                         const char *text)
{
    struct sockaddr_storage address;
    struct quota *place;
    ambit_tcp *made;
    socklen_t len;
    int rc = address_parse(text, &address, &len);
    if (rc < 0) {
        RULE(IO_OPEN_1);
        return rc;
    }
    rc = park_check_with(task, OWNER_WITHOUT(AMBIT_CAP_IO));
    if (rc < 0) {
        return rc;
    }
    int fd = tcp_make(address.ss_family, &place);
    rc = fd < 0 ? fd : tcp_wrap(fd, place, &made);
    return rc < 0 ? rc : connect_made(task, await, made, &address, len);
}

int ambit_await_tcp_connect(ambit_cx *cx, struct ambit_await *wait,
                            const char *address, ambit_tcp **ret_socket)
{
    struct op_await *record;
    int rc;
    switch (op_await_look(task_of(cx), await_of(wait), &record, &rc)) {
    case AWAIT_ANSWER:
        return rc;
    case AWAIT_IDLE:
        return begin_connect(task_of(cx), await_of(wait), address);
    case AWAIT_SAID:
        break;
    }
    if (rc < 0) {
        op_await_undo(record, rc);
        return rc;
    }
    ambit_tcp *made = record->made;
    op_await_end(record);
    (void)ambit_tcp_nodelay(made, true);
    *ret_socket = made;
    return 0;
}

int ambit_await_tcp_read(ambit_cx *cx, struct ambit_await *wait,
                         ambit_tcp *socket, void *buffer, size_t len,
                         size_t *ret_count)
{
    if (len == 0 || len > INT_MAX) {
        RULE(IO_READ_1);
        return -EINVAL;
    }
    struct op op = tcp_receive_op(buffer, len);
    return op_await_run(cx, wait, &socket->handle, &op, ret_count);
}

int ambit_await_tcp_write(ambit_cx *cx, struct ambit_await *wait,
                          ambit_tcp *socket, const void *buffer, size_t len,
                          size_t *ret_count)
{
    struct op op = tcp_send_op(buffer, len);
    return op_await_run(cx, wait, &socket->handle, &op, ret_count);
}

static struct op send_rest(const char *memory, size_t len, uint64_t offset)
{
    (void)offset;
    return tcp_send_op(memory, len);
}

int ambit_await_tcp_write_all(ambit_cx *cx, struct ambit_await *wait,
                              ambit_tcp *socket, const void *buffer, size_t len,
                              size_t *ret_written)
{
    struct op_all all = {.handle = &socket->handle,
                         .rest = send_rest,
                         .memory = buffer,
                         .len = len,
                         .when_none = -EPIPE};
    return op_await_all(cx, wait, &all, ret_written);
}

int ambit_await_tcp_close(ambit_cx *cx, struct ambit_await *wait,
                          ambit_tcp *socket)
{
    return op_await_close(cx, wait, &socket->handle);
}
