/* SPDX-License-Identifier: MIT */
/*
 * ambit/net.h -- TCP.
 *
 * A socket is an object with one owner.  Several tasks may use it at once (one
 * reads, one writes).  A buffer is the kernel's until the call returns, also
 * when the call was cancelled: the call returns only then.
 *
 * A call that was cancelled but whose effect had happened reports the effect;
 * the cancel shows at the next call.
 */
#ifndef AMBIT_NET_H
#define AMBIT_NET_H

#include <ambit/task.h>

AMBIT_BEGIN

typedef struct ambit_tcp ambit_tcp;

struct ambit_listen_options {
    size_t size_;
    int backlog;     /* 0: 1,024 */
    bool reuse_port;
};

/*
 * Binds and listens.  address is "127.0.0.1:7000", "[::1]:0", ":7000" (all of
 * IPv4) and never a name: nothing is looked up.  Does not suspend.
 * 0; -EINVAL for an address that is none; -EADDRINUSE, -EACCES and the other
 * errors of bind(2); -EMFILE.  The caller owns the socket.
 */
#define ambit_tcp_listen(address, ret_socket, ...) \
    ambit_tcp_listen_((address), \
                      &(const struct ambit_listen_options){ \
                          .size_ = sizeof(struct ambit_listen_options), \
                          __VA_ARGS__}, \
                      (ret_socket))
AMBIT_API int ambit_tcp_listen_(const char *address,
                                const struct ambit_listen_options *options,
                                ambit_tcp **ret_socket);

/* The next connection.  0; -ECANCELED; -ESHUTDOWN when the listener is being
 * closed; -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM: wait a little, then again. */
AMBIT_API int ambit_tcp_accept(ambit_cx *cx, ambit_tcp *listener,
                               ambit_tcp **ret_socket);

/* 0 when connected; -EINVAL; -ECONNREFUSED and the others of connect(2). */
AMBIT_API int ambit_tcp_connect(ambit_cx *cx, const char *address,
                                ambit_tcp **ret_socket);

/*
 * Up to len bytes: how many, 0 when the peer has finished sending, or
 * -ECANCELED, -ECONNRESET, -ESHUTDOWN when the socket is being closed here,
 * -EINVAL when len is 0 or above INT_MAX.
 */
AMBIT_API ssize_t ambit_tcp_read(ambit_cx *cx, ambit_tcp *socket, void *buffer,
                                 size_t len);

/* Up to len bytes: how many, or -ECANCELED, -EPIPE, -ECONNRESET, -ESHUTDOWN. */
AMBIT_API ssize_t ambit_tcp_write(ambit_cx *cx, ambit_tcp *socket,
                                  const void *buffer, size_t len);

/* All of it: 0, or the error; *ret_written (may be NULL) is set in both cases:
 * how many bytes the kernel took. */
AMBIT_API int ambit_tcp_write_all(ambit_cx *cx, ambit_tcp *socket,
                                  const void *buffer, size_t len,
                                  size_t *ret_written);

/* shutdown(2); how is SHUT_RD, SHUT_WR or SHUT_RDWR.  Does not suspend. */
AMBIT_API int ambit_tcp_shutdown(ambit_tcp *socket, int how);

/*
 * Shuts down, ends the calls that others have under way on it (they get
 * -ESHUTDOWN), waits for the last of them, closes and frees.  Cannot be
 * interrupted.  0; -EALREADY when somebody else is closing it; -EDEADLK, and
 * nothing has happened, in a poll task that awaits something of it itself.
 */
AMBIT_API int ambit_tcp_close(ambit_cx *cx, ambit_tcp *socket);

/* Closes a socket that no call is using; does not suspend.  For dispose and
 * finalizers.  NULL is fine. */
AMBIT_API void ambit_tcp_discard(void *socket);

/* "127.0.0.1:41234" of our end or the peer's; room >= 64.  0 or -errno. */
AMBIT_API int ambit_tcp_local(ambit_tcp *socket, char *ret_text, size_t room);
AMBIT_API int ambit_tcp_peer(ambit_tcp *socket, char *ret_text, size_t room);

/* The port of our end, host order. */
AMBIT_API uint16_t ambit_tcp_port(ambit_tcp *socket);

/* TCP_NODELAY; on by default for sockets of accept and connect. */
AMBIT_API int ambit_tcp_nodelay(ambit_tcp *socket, bool on);

#ifndef AMBIT_NO_SITES
#define ambit_tcp_accept(cx, ...) ambit_tcp_accept(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_tcp_connect(cx, ...) \
    ambit_tcp_connect(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_tcp_read(cx, ...) ambit_tcp_read(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_tcp_write(cx, ...) ambit_tcp_write(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_tcp_write_all(cx, ...) \
    ambit_tcp_write_all(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_tcp_close(cx, ...) ambit_tcp_close(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
