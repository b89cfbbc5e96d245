/* SPDX-License-Identifier: MIT */
/*
 * epoll.h -- the parts of the driver over epoll.
 *
 *   epoll.c        the driver: what waits for which descriptor
 *   epoll_try.c    the system calls, none of which waits
 *   epoll_file.c   calls that only know how to wait, on threads
 */
#ifndef AMBIT_SRC_DRIVER_EPOLL_H
#define AMBIT_SRC_DRIVER_EPOLL_H

#include "src/driver/driver.h"

#include <sys/epoll.h>

/* A descriptor, and what waits for it. */
struct watch {
    struct op *first;    /* the oldest */
    struct op *last;
    uint32_t generation; /* of its place in the kernel's set */
    uint16_t armed;      /* events asked for; 0: none */
    bool known;          /* it has a place in the set, as far as we know */
};

struct epoll {
    struct driver base;
    struct worker *worker;
    int fd;
    bool is_coarse;      /* this kernel counts time-outs in milliseconds */
    uint32_t ops;        /* under way */
    uint32_t armed;      /* watches that are */
    struct watch *watches;
    uint32_t watch_count;
    struct op *queued_first; /* submitted, not yet tried */
    struct op *queued_last;
    struct op *wanted;       /* cancels to be done */
    struct op *nudged;       /* cancelled opens; see epoll_file.c */
    struct op *done_first;   /* to be completed */
    struct op *done_last;
    unsigned ready_count;
    struct epoll_event ready[64];
};

static inline struct epoll *epoll_of(struct driver *base)
{
    return CONTAINER_OF(base, struct epoll, base);
}

/* The operation is over: its completion is queued. */
void epoll_finish(struct epoll *driver, struct op *op, int32_t result);
/* Returns how many there were. */
unsigned epoll_complete(struct epoll *driver);

/* --- epoll_try.c ---------------------------------------------------------- */

/* It says that it is ready, and may make who reads it wait all the same. */
bool epoll_is_file(int fd);
/* EPOLLIN or EPOLLOUT: what the operation waits for; 0: it is for a thread. */
uint32_t epoll_direction(const struct op *op);
/* Its result, or -EAGAIN when it has to wait. */
int32_t epoll_try(const struct op *op);
/* The same call, waiting: for files. */
int32_t epoll_block(const struct op *op);

/* --- epoll_file.c --------------------------------------------------------- */

/* Gives it to a thread, or finishes it with -EAGAIN. */
void file_begin(struct epoll *driver, struct op *op);
/* Finishes it when no thread has begun; else it ends by itself. */
void file_cancel(struct epoll *driver, struct op *op);
/* Lets go on those who wait inside of a cancelled open. */
void file_nudge(struct epoll *driver);

#endif
