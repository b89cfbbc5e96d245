/* SPDX-License-Identifier: MIT */
/*
 * ambit/unbounded.h -- a channel without a limit, for senders that cannot wait.
 *
 *     static struct ambit_unbounded log = AMBIT_UNBOUNDED_INIT(struct line);
 *     ...
 *     rc = ambit_unbounded_send(&log, &line);           // never waits
 *     ...
 *     while ((rc = ambit_unbounded_receive(cx, &log, &line)) == 0)
 *         write_out(&line);                             // -EPIPE: closed, empty
 *
 * MEMORY.  It has no limit but the process's: a receiver slower than its senders
 * for long enough is the end of the process.  Take ambit_channel where a sender
 * can wait or be refused.  Where it cannot, ambit_unbounded_len() tells what is
 * in it, ambit_unbounded_bytes() what it takes; refuse work by them in time.
 * Items lie in heap blocks of about 4 KiB, each given back once its items are
 * received; the last one is kept until the fini.
 *
 * Order, cancel, thread and fini are as in ambit/sync.h.  Values are copied,
 * under a short lock: what is large is sent as a pointer.
 */
#ifndef AMBIT_UNBOUNDED_H
#define AMBIT_UNBOUNDED_H

#include <ambit/channel.h>

AMBIT_BEGIN

/*
 * A queue from any number of senders to a receiver (or several).
 *
 *   open --ambit_unbounded_close()--> closed: takes nothing; what is in it can
 *                                     be received, then -EPIPE
 */
struct ambit_unbounded {
    size_t item_size_;
    void *first_;
    void *last_;
    uint64_t queued_;
    size_t bytes_;
    bool closed_;
    struct ambit_line receivers_;
    struct ambit_backs backs_;
};

/* For items of a type; more than AMBIT_CHANNEL_ITEM_MAX bytes do not compile. */
#define AMBIT_UNBOUNDED_INIT(type) \
    { AMBIT_ITEM_SIZE_(type), NULL, NULL, 0, 0, false, { { 0 } }, { { 0 } } }
/* The same at run time.  0; -EINVAL for a size of 0; -E2BIG for items of more
 * than AMBIT_CHANNEL_ITEM_MAX bytes. */
AMBIT_API int ambit_unbounded_init(struct ambit_unbounded *unbounded,
                                   size_t item_size);
/* Gives its memory back, a static one's too.  How many items are left, which are
 * lost; a task on a worker is told so in the log of its runtime, too. */
AMBIT_API uint64_t ambit_unbounded_fini(struct ambit_unbounded *unbounded);

/* Puts a copy of *item at the end.  0; -EPIPE when it is closed; -ENOMEM: not
 * sent.  Never suspends, no cancel point.  Any thread. */
AMBIT_API int ambit_unbounded_send(struct ambit_unbounded *unbounded,
                                   const void *item);

/* Waits for an item and takes it out.  0; -EPIPE when it is closed and empty;
 * -ECANCELED.  Cancel-safe: after a failure no item was taken. */
AMBIT_API int ambit_unbounded_receive(ambit_cx *cx,
                                      struct ambit_unbounded *unbounded,
                                      void *ret_item);
/* 0; -EAGAIN when it is empty; -EPIPE.  Never suspends.  Any thread. */
AMBIT_API int ambit_unbounded_try_receive(struct ambit_unbounded *unbounded,
                                          void *ret_item);

/* From now on nothing can be sent; receivers that wait are told.  0; -EALREADY.
 * Never suspends, no cancel point.  Any thread. */
AMBIT_API int ambit_unbounded_close(struct ambit_unbounded *unbounded);

/* As it was a moment ago: items in it; bytes of the heap it takes; tasks that
 * wait to receive. */
AMBIT_API uint64_t ambit_unbounded_len(struct ambit_unbounded *unbounded);
AMBIT_API size_t ambit_unbounded_bytes(struct ambit_unbounded *unbounded);
AMBIT_API uint32_t
ambit_unbounded_receivers(struct ambit_unbounded *unbounded);

#ifndef AMBIT_NO_SITES
#define ambit_unbounded_receive(cx, ...) \
    ambit_unbounded_receive(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
