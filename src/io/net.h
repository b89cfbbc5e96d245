/* SPDX-License-Identifier: MIT */
/* net.h -- a socket, and how one is made. */
#ifndef AMBIT_SRC_IO_NET_H
#define AMBIT_SRC_IO_NET_H

#include "src/io/handle.h"

#include <ambit/net.h>

struct ambit_tcp {
    struct io_handle handle; /* the first: see op_await_close() */
};

/* A new socket and its place. */
int tcp_make(int family, struct quota **ret_place);
/* Takes the descriptor and its place over, also when it fails. */
int tcp_wrap(int fd, struct quota *place, ambit_tcp **ret_socket);

struct op tcp_receive_op(void *buffer, size_t len);
struct op tcp_send_op(const void *buffer, size_t len);

#endif
