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
 * driver_wait(), on the worker's thread, once for each operation; by the epoll
 * driver, for what a thread did, from a note.
 *
 * There are two drivers: uring.c, and epoll.c for systems where io_uring is
 * refused.  driver_choose() takes one for a runtime, once.
 */
#ifndef AMBIT_SRC_DRIVER_DRIVER_H
#define AMBIT_SRC_DRIVER_DRIVER_H

#include "src/base.h"

struct driver;
struct op;
struct runtime;
struct worker;

/* One kind of driver; the calls are described at the functions below. */
struct driver_way {
    const char *name;
    bool file_threads;   /* it needs runtime.files */
    int (*create)(struct worker *worker, struct driver **ret_driver);
    void (*destroy)(struct driver *driver);
    int (*submit)(struct driver *driver, struct op *op);
    void (*cancel)(struct driver *driver, struct op *op);
    unsigned (*poll)(struct driver *driver);
    unsigned (*wait)(struct driver *driver, int64_t until_ns);
    bool (*is_due)(struct driver *driver);
    void (*wake)(struct driver *from, struct worker *target);
};

extern const struct driver_way uring_way;
extern const struct driver_way epoll_way;

/* The first member of each driver. */
struct driver {
    const struct driver_way *way;
};

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
    struct op *next;     /* in one of the driver's lists */
    struct op *next_cancel;
    struct worker *worker;
    struct file_call *call; /* the epoll driver's, while a thread has it */
};

/* How a kernel refused, in words; the driver writes them, create() logs. */
struct driver_probe {
    unsigned flags;      /* granted by this kernel */
    unsigned entries;    /* what it has memory for */
    char names[96];      /* the flags in words */
    char refusal[160];
};

/* Asks the kernel what it grants of an io_uring of so many entries, or of half
 * as many, as often as that helps; what it has granted to this process before is
 * only looked up, as long as nothing refuses it.  0, or -EPERM, -ENOSYS, -ENOMEM ... with a
 * sentence in ret_probe->refusal. */
int driver_probe(unsigned entries, struct driver_probe *ret_probe);
/* A ring was refused all the same, for want of memory, say: the next runtime asks
 * anew, and tries a smaller one. */
void driver_probe_forget(void);

/* Sets runtime.way, by the option .driver, AMBIT_DRIVER, and what there is.
 * 0, or an error that has been logged. */
int driver_choose(struct runtime *runtime);

/* Of the kind its runtime has chosen; on the thread that will use it. */
int driver_create(struct worker *worker, struct driver **ret_driver);
/* NULL is allowed. */
void driver_destroy(struct driver *driver);

/* 0, or -EAGAIN when ops_max are under way. */
static inline int driver_submit(struct driver *driver, struct op *op)
{
    return driver->way->submit(driver, op);
}

/* Never fails, needs nothing that could be missing. */
static inline void driver_cancel(struct driver *driver, struct op *op)
{
    driver->way->cancel(driver, op);
}

/* Hands over what is prepared and completes what is done; never waits.
 * Returns how many operations completed. */
static inline unsigned driver_poll(struct driver *driver)
{
    return driver->way->poll(driver);
}

/* The same, but waits for a completion, a wake, or until until_ns. */
static inline unsigned driver_wait(struct driver *driver, int64_t until_ns)
{
    return driver->way->wait(driver, until_ns);
}

/* True when a poll would find something. */
static inline bool driver_is_due(struct driver *driver)
{
    return driver->way->is_due(driver);
}

/* Ends the wait of another worker of the same run, through this thread's own
 * driver. */
static inline void driver_wake(struct driver *from, struct worker *target)
{
    from->way->wake(from, target);
}

/* The same from any thread and from signal handlers, during a run or not. */
void driver_ring_bell(struct worker *target);

#endif
