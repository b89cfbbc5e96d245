/* SPDX-License-Identifier: MIT */
/*
 * driver.h -- the seam between a worker and the kernel.
 *
 *   IDLE --driver_submit()--> QUEUED --enter--> INFLIGHT --completion--> DONE
 *                                                  |
 *                                driver_cancel() --+-- only a hint: the
 *                                completion still decides who won
 *
 *   IO-BUF-1  An operation's memory is the kernel's from submit to its own
 *             completion, and to nothing else.
 *
 * Completions are queued first; op.complete is called by driver_poll() and
 * driver_wait(), on the worker's thread, once for each operation.
 */
#ifndef AMBIT_SRC_DRIVER_DRIVER_H
#define AMBIT_SRC_DRIVER_DRIVER_H

#include "src/base.h"

struct driver;
struct worker;

enum op_code {
    OP_ACCEPT,
    OP_CONNECT,
    OP_RECV,
    OP_SEND,
    OP_OPEN,
    OP_READ,
    OP_WRITE,
    OP_FSYNC,
    OP_FDATASYNC,
};

enum op_state {
    OP_IDLE,
    OP_QUEUED,
    OP_INFLIGHT,
    OP_DONE,
};

struct op {
    /* the request: set by the caller */
    enum op_code code;
    int fd;
    uint32_t len;        /* or the mode of OP_OPEN */
    uint32_t flags;
    uint64_t offset;
    void *memory;        /* buffer, address or path */
    void (*complete)(struct op *op);
    void *waiter;        /* complete()'s own */

    /* the answer */
    int32_t result;

    /* the driver's */
    uint8_t state;       /* enum op_state */
    bool cancel_wanted;
    bool cancel_sent;
    uint32_t slot;
    struct op *next;     /* driver.waiting or driver.wanted */
    struct op *next_cancel;
    struct worker *worker;
};

/* How a kernel refused, in words; the driver writes them, create() logs. */
struct driver_probe {
    unsigned flags;      /* granted by this kernel */
    char names[96];      /* the same in words */
    char refusal[160];
};

/* Asks the kernel what it grants.  0, or -EPERM, -ENOSYS, -ENOMEM ... with a
 * sentence in ret_probe->refusal. */
int driver_probe(unsigned entries, struct driver_probe *ret_probe);

/* On the thread that will use it. */
int driver_create(struct worker *worker, unsigned entries, unsigned flags,
                  uint32_t ops_max, struct driver **ret_driver);
void driver_destroy(struct driver *driver);

/* 0, or -EAGAIN when ops_max are under way. */
int driver_submit(struct driver *driver, struct op *op);
/* Never fails, needs nothing that could be missing. */
void driver_cancel(struct driver *driver, struct op *op);

/* Hands over what is prepared and completes what is done; never waits.
 * Returns how many operations completed. */
unsigned driver_poll(struct driver *driver);
/* The same, but waits for a completion, a wake, or until until_ns. */
unsigned driver_wait(struct driver *driver, int64_t until_ns);

/* True when a poll would find something. */
bool driver_is_due(struct driver *driver);

/* Ends the wait of another worker of the same run, through this thread's own
 * driver. */
void driver_wake(struct driver *from, struct worker *target);
/* The same from any thread and from signal handlers, during a run or not. */
void driver_ring_bell(struct worker *target);

#endif
