/* SPDX-License-Identifier: MIT */
/*
 * net.c -- TCP in memory.
 *
 * A connection is a pair of sockets that point to each other.  What one sends
 * is a segment on its way to the other; segments of one direction arrive in
 * order, after a delay that the picker chooses.  A socket whose number is
 * closed stays until the last operation and its peer have let it go.
 */
#include "spec/lab/kernel.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "spec/lab/os.h"

#undef malloc
#undef calloc
#undef free
#undef socket
#undef bind
#undef listen
#undef setsockopt
#undef shutdown
#undef getsockname
#undef getpeername

static int fail(int error)
{
    errno = error;
    return -1;
}

static struct lab_fd *socket_of(struct lab *lab, int number)
{
    struct lab_fd *fd = lab_fd_find(lab, number);
    return fd != NULL && fd->kind == LAB_FD_SOCKET ? fd : NULL;
}

/* --- calls that do not wait ------------------------------------------------ */

int lab_socket(int family, int type, int protocol)
{
    struct lab *lab = lab_self;
    if (lab == NULL) {
        return socket(family, type, protocol);
    }
    struct lab_fd *fd = lab_fd_make(lab, LAB_FD_SOCKET);
    if (fd == NULL) {
        return fail(EMFILE);
    }
    return fd->number;
}

static uint16_t port_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6) {
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)
                         ->sin6_port);
    }
    return ntohs(
        ((const struct sockaddr_in *)(const void *)address)->sin_port);
}

static struct lab_fd *listener_at(struct lab *lab, uint16_t port)
{
    for (int i = 0; i < LAB_FDS_MAX; i++) {
        struct lab_fd *fd = lab->fds->fd[i];
        if (fd != NULL && fd->listening && fd->port == port) {
            return fd;
        }
    }
    return NULL;
}

int lab_bind(int number, const struct sockaddr *address, socklen_t len)
{
    struct lab *lab = lab_self;
    struct lab_fd *fd = lab != NULL ? socket_of(lab, number) : NULL;
    if (fd == NULL) {
        return bind(number, address, len);
    }
    uint16_t port = port_of(address);
    if (port != 0 && listener_at(lab, port) != NULL) {
        return fail(EADDRINUSE);
    }
    fd->port = port != 0 ? port : lab->fds->next_port++;
    return 0;
}

int lab_listen(int number, int backlog)
{
    struct lab *lab = lab_self;
    struct lab_fd *fd = lab != NULL ? socket_of(lab, number) : NULL;
    if (fd == NULL) {
        return listen(number, backlog);
    }
    fd->listening = true;
    fd->backlog_max = (unsigned)backlog + 1;
    return 0;
}

int lab_setsockopt(int number, int level, int name, const void *value,
                   socklen_t len)
{
    struct lab *lab = lab_self;
    return lab != NULL && socket_of(lab, number) != NULL
               ? 0
               : setsockopt(number, level, name, value, len);
}

static int name_socket(uint16_t port, struct sockaddr *ret_address,
                       socklen_t *len)
{
    struct sockaddr_in made = {.sin_family = AF_INET,
                               .sin_port = htons(port),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t n = *len < sizeof made ? *len : (socklen_t)sizeof made;
    memcpy(ret_address, &made, n);
    *len = sizeof made;
    return 0;
}

int lab_getsockname(int number, struct sockaddr *ret_address, socklen_t *len)
{
    struct lab *lab = lab_self;
    struct lab_fd *fd = lab != NULL ? socket_of(lab, number) : NULL;
    return fd == NULL ? getsockname(number, ret_address, len)
                      : name_socket(fd->port, ret_address, len);
}

int lab_getpeername(int number, struct sockaddr *ret_address, socklen_t *len)
{
    struct lab *lab = lab_self;
    struct lab_fd *fd = lab != NULL ? socket_of(lab, number) : NULL;
    if (fd == NULL) {
        return getpeername(number, ret_address, len);
    }
    return fd->peer == NULL ? fail(ENOTCONN)
                            : name_socket(fd->peer_port, ret_address, len);
}

/* --- segments -------------------------------------------------------------- */

static void arrive(struct lab *lab, struct lab_event *event)
{
    struct lab_segment *own = CONTAINER_OF(event, struct lab_segment, event);
    struct lab_fd *to = own->to;
    struct lab_segment *segment =
        CONTAINER_OF(to->arriving.next, struct lab_segment, node);
    if (segment != own) { /* two are due: the older one goes first */
        lab_not_at(&segment->event);
        lab_at(lab, &own->event, lab->now_ns, arrive);
    }
    list_remove(&segment->node);
    to->on_the_way -= segment->len;
    if (to->bytes != NULL) {
        for (uint32_t i = 0; i < segment->len; i++) {
            to->bytes[(to->at + to->len++) % LAB_SOCKET_ROOM] =
                segment->bytes[i];
        }
    }
    to->ended |= segment->end;
    free(segment);
    lab_ops_retry(lab, &to->readers);
    lab_fd_unref(to);
}

static void segment_send(struct lab *lab, struct lab_fd *to, const void *bytes,
                         uint32_t len, bool end)
{
    struct lab_segment *made = calloc(1, sizeof *made + len);
    ASSERT(made != NULL);
    int64_t when = lab->now_ns + lab_delay(lab);
    if (!list_is_empty(&to->arriving)) {
        int64_t before = CONTAINER_OF(to->arriving.prev, struct lab_segment,
                                      node)
                             ->event.when_ns;
        when = when < before ? before : when;
    }
    made->to = lab_fd_ref(to);
    made->len = len;
    made->end = end;
    if (len > 0) {
        memcpy(made->bytes, bytes, len);
    }
    list_push_back(&to->arriving, &made->node);
    to->on_the_way += len;
    lab_at(lab, &made->event, when, arrive);
}

static uint32_t room_of(const struct lab_fd *fd)
{
    return LAB_SOCKET_ROOM - fd->len - fd->on_the_way;
}

/* --- the end --------------------------------------------------------------- */

static void retry_all(struct lab *lab, struct lab_fd *fd)
{
    lab_ops_retry(lab, &fd->readers);
    lab_ops_retry(lab, &fd->writers);
    lab_ops_retry(lab, &fd->connectors);
}

static void reset(struct lab *lab, struct lab_fd *fd)
{
    fd->reset = true;
    retry_all(lab, fd);
}

static void end_writing(struct lab *lab, struct lab_fd *fd)
{
    if (!fd->shut_write && fd->peer != NULL) {
        segment_send(lab, fd->peer, NULL, 0, true);
    }
    fd->shut_write = true;
}

int lab_shutdown(int number, int how)
{
    struct lab *lab = lab_self;
    struct lab_fd *fd = lab != NULL ? socket_of(lab, number) : NULL;
    if (fd == NULL) {
        return shutdown(number, how);
    }
    if (fd->peer == NULL && !fd->listening) {
        return fail(ENOTCONN);
    }
    if (how != SHUT_WR) {
        fd->shut_read = true;
    }
    if (how != SHUT_RD) {
        end_writing(lab, fd);
    }
    retry_all(lab, fd);
    return 0;
}

static void backlog_drop(struct lab *lab, struct lab_fd *fd)
{
    while (fd->backlog_first != NULL) {
        struct lab_fd *child = fd->backlog_first;
        fd->backlog_first = child->backlog_next;
        child->closed = true;
        lab_net_closed(lab, child);
        lab_fd_unref(child);
    }
}

/* The number is gone. */
void lab_net_closed(struct lab *lab, struct lab_fd *fd)
{
    struct lab_fd *peer = fd->peer;
    fd->listening = false;
    backlog_drop(lab, fd);
    lab_ops_retry(lab, &fd->connectors);
    if (peer == NULL) {
        return;
    }
    fd->peer = NULL;
    bool unread = fd->len + fd->on_the_way > 0;
    if (!peer->closed) {
        if (unread) {
            reset(lab, peer);
        } else if (!fd->shut_write) {
            segment_send(lab, peer, NULL, 0, true);
        }
        lab_ops_retry(lab, &peer->writers);
    }
    lab_fd_unref(peer);
}

/* --- operations ------------------------------------------------------------ */

int32_t lab_net_accept(struct lab *lab, struct lab_op *op)
{
    struct lab_fd *fd = op->file;
    if (fd == NULL || fd->kind != LAB_FD_SOCKET) {
        return -ENOTSOCK;
    }
    if (!fd->listening || fd->shut_read) {
        return -EINVAL;
    }
    struct lab_fd *child = fd->backlog_first;
    if (child == NULL) {
        list_push_back(&fd->readers, &op->waits);
        return LAB_WAITS;
    }
    int i = 0;
    while (i < LAB_FDS_MAX && lab->fds->fd[i] != NULL) {
        i++;
    }
    if (i == LAB_FDS_MAX) {
        return -EMFILE;
    }
    fd->backlog_first = child->backlog_next;
    fd->backlog_len--;
    child->number = LAB_FD_BASE + i;
    lab->fds->fd[i] = child;
    lab_ops_retry(lab, &fd->connectors);
    return child->number;
}

static void become_connected(struct lab_fd *fd, struct lab_fd *peer)
{
    fd->peer = lab_fd_ref(peer);
    fd->bytes = malloc(LAB_SOCKET_ROOM);
    ASSERT(fd->bytes != NULL);
}

/* The socket the listener will hand out; it has no number yet. */
static struct lab_fd *backlog_add(struct lab *lab, struct lab_fd *listener)
{
    struct lab_fd *child = lab_fd_make(lab, LAB_FD_SOCKET);
    if (child == NULL) {
        return NULL;
    }
    lab->fds->fd[child->number - LAB_FD_BASE] = NULL;
    child->number = -1;
    child->port = listener->port;
    struct lab_fd **at = &listener->backlog_first;
    while (*at != NULL) {
        at = &(*at)->backlog_next;
    }
    *at = child;
    listener->backlog_len++;
    return child;
}

int32_t lab_net_connect(struct lab *lab, struct lab_op *op)
{
    struct lab_fd *fd = op->file;
    if (fd == NULL || fd->kind != LAB_FD_SOCKET) {
        return -ENOTSOCK;
    }
    if (fd->peer != NULL) {
        return -EISCONN;
    }
    uint16_t port =
        port_of((const struct sockaddr *)(uintptr_t)op->sqe.addr);
    struct lab_fd *listener = listener_at(lab, port);
    if (fd->closed || listener == NULL || listener->shut_read) {
        return -ECONNREFUSED;
    }
    if (listener->backlog_len >= listener->backlog_max) {
        list_push_back(&listener->connectors, &op->waits);
        return LAB_WAITS;
    }
    struct lab_fd *child = backlog_add(lab, listener);
    if (child == NULL) {
        return -ECONNREFUSED;
    }
    fd->port = fd->port != 0 ? fd->port : lab->fds->next_port++;
    fd->peer_port = port;
    child->peer_port = fd->port;
    become_connected(fd, child);
    become_connected(child, fd);
    lab_ops_retry(lab, &listener->readers);
    return 0;
}

int32_t lab_net_recv(struct lab *lab, struct lab_op *op)
{
    struct lab_fd *fd = op->file;
    if (fd == NULL || fd->kind != LAB_FD_SOCKET) {
        return -ENOTSOCK;
    }
    if (fd->reset) {
        return -ECONNRESET;
    }
    if (fd->len == 0) {
        if (fd->ended || fd->shut_read || fd->closed) {
            return 0;
        }
        if (fd->peer == NULL) {
            return -ENOTCONN;
        }
        list_push_back(&fd->readers, &op->waits);
        return LAB_WAITS;
    }
    uint32_t n = op->sqe.len < fd->len ? op->sqe.len : fd->len;
    n = lab_shorten(lab, op, n);
    unsigned char *to = (unsigned char *)(uintptr_t)op->sqe.addr;
    for (uint32_t i = 0; i < n; i++) {
        to[i] = fd->bytes[fd->at];
        fd->at = (fd->at + 1) % LAB_SOCKET_ROOM;
    }
    fd->len -= n;
    if (fd->peer != NULL) {
        lab_ops_retry(lab, &fd->peer->writers);
    }
    return (int32_t)n;
}

int32_t lab_net_send(struct lab *lab, struct lab_op *op)
{
    struct lab_fd *fd = op->file;
    if (fd == NULL || fd->kind != LAB_FD_SOCKET) {
        return -ENOTSOCK;
    }
    if (fd->reset) {
        return -ECONNRESET;
    }
    if (fd->shut_write || fd->closed) {
        return -EPIPE;
    }
    if (fd->peer == NULL) {
        return -ENOTCONN;
    }
    if (fd->peer->closed) {
        reset(lab, fd);
        return -EPIPE;
    }
    uint32_t room = room_of(fd->peer);
    if (room == 0) {
        list_push_back(&fd->writers, &op->waits);
        return LAB_WAITS;
    }
    uint32_t n = op->sqe.len < room ? op->sqe.len : room;
    n = lab_shorten(lab, op, n);
    segment_send(lab, fd->peer, (const void *)(uintptr_t)op->sqe.addr, n,
                 false);
    return (int32_t)n;
}
