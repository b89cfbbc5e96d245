/* SPDX-License-Identifier: MIT */
/*
 * kernel.h -- the inside of the lab's kernel: descriptors, rings, operations.
 *
 *   operation:  issued --> trying --would wait--> waiting --retried--> trying
 *                  '--delayed--> timed --> trying --result--> a completion
 *               waiting, timed --cancel--> a completion with -ECANCELED
 *
 * An effect happens in the step that makes the result, so it has happened
 * exactly when the result says so.
 */
#ifndef AMBIT_SPEC_LAB_KERNEL_H
#define AMBIT_SPEC_LAB_KERNEL_H

#include "spec/lab/lab.h"

#include <liburing.h>

#define LAB_FD_BASE 1000000
#define LAB_FDS_MAX 4096
#define LAB_WAITS INT32_MIN /* of a try: not now */
#define LAB_SOCKET_ROOM 65536

struct lab_ring;
struct lab_fd;

enum lab_fd_kind {
    LAB_FD_EVENT,
    LAB_FD_SOCKET,
    LAB_FD_RING,
};

struct lab_op {
    struct list_node node;  /* ring.ops */
    struct list_node waits; /* a list of what it waits for */
    struct lab_event event; /* when it is timed */
    struct lab_ring *ring;
    struct lab_fd *file;    /* NULL: the system's own descriptor */
    struct io_uring_sqe sqe;
    unsigned cancels;       /* that found it busy */
};

/* Bytes, or the end of them, on the way. */
struct lab_segment {
    struct list_node node; /* lab_fd.arriving */
    struct lab_event event;
    struct lab_fd *to;
    bool end;              /* the peer will send no more */
    uint32_t len;
    unsigned char bytes[];
};

struct lab_fd {
    enum lab_fd_kind kind;
    int number;
    unsigned refs;          /* the number, peers, operations */
    bool closed;
    struct list_node readers;  /* operations: read, recv, accept */
    struct list_node writers;  /* operations that send to it */
    struct list_node connectors;
    uint64_t count;         /* EVENT */
    struct lab_ring *ring;  /* RING */

    /* SOCKET */
    uint16_t port;
    uint16_t peer_port;
    struct lab_fd *peer;
    struct lab_fd *backlog_next;
    struct lab_fd *backlog_first;
    struct lab_fd *backlog_last;
    unsigned backlog_len;
    unsigned backlog_max;
    bool listening;
    bool ended;             /* received: the peer sends no more */
    bool reset;
    bool shut_read;
    bool shut_write;
    struct list_node arriving;
    uint32_t on_the_way;
    uint32_t len;           /* received, not read */
    uint32_t at;
    unsigned char *bytes;   /* LAB_SOCKET_ROOM */
};

struct lab_fds {
    struct lab_fd *fd[LAB_FDS_MAX];
    uint16_t next_port;
    int64_t system_open;    /* the system's own, opened by operations */
    struct sigaction actions[65];
};

struct lab_completion {
    struct list_node node;  /* ring.deferred */
    uint64_t user_data;
    int32_t result;
};

struct lab_ring {
    struct list_node node;  /* lab.rings */
    struct io_uring *user;
    int fd;
    unsigned flags;
    unsigned sq_head;       /* what user->sq.khead points to */
    unsigned sq_flags;
    unsigned cq_head;
    unsigned cq_tail;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    struct list_node ops;
    struct list_node deferred;
};

/* fds.c */
struct lab_fd *lab_fd_make(struct lab *lab, enum lab_fd_kind kind);
struct lab_fd *lab_fd_find(struct lab *lab, int number); /* NULL: not ours */
struct lab_fd *lab_fd_ref(struct lab_fd *fd);
void lab_fd_unref(struct lab_fd *fd);

/* ring.c */
void lab_ring_post(struct lab_ring *ring, uint64_t user_data, int32_t result);

/* ops.c */
void lab_op_issue(struct lab *lab, struct lab_ring *ring,
                  const struct io_uring_sqe *sqe);
void lab_op_drop(struct lab_op *op);
/* Those that wait in the list are tried again. */
void lab_ops_retry(struct lab *lab, struct list_node *waiting);
/* len or, when it is to be short, less; at least 1 of 1. */
uint32_t lab_shorten(struct lab *lab, const struct lab_op *op, uint32_t len);
/* 0, or how long something takes. */
int64_t lab_delay(struct lab *lab);

/* What an operation of that kind may fail with; NULL: it does not. */
const int *lab_errors_of(uint8_t opcode, unsigned *ret_len);

/* net.c */
int32_t lab_net_accept(struct lab *lab, struct lab_op *op);
int32_t lab_net_connect(struct lab *lab, struct lab_op *op);
int32_t lab_net_recv(struct lab *lab, struct lab_op *op);
int32_t lab_net_send(struct lab *lab, struct lab_op *op);
void lab_net_closed(struct lab *lab, struct lab_fd *fd);

#endif
