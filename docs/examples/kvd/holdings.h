/* SPDX-License-Identifier: MIT */
/*
 * holdings.h -- what the process holds: the difference of two looks is what
 * leaked in between.
 *
 * The C library keeps a little for the threads it once had, and a cache of
 * freed blocks for the thread that asks.  Neither is a leak, so
 * holdings_warm_up() makes it keep that before the first look.
 */
#ifndef KVD_HOLDINGS_H
#define KVD_HOLDINGS_H

#include <ambit.h>

struct holdings {
    int64_t fds;
    int64_t bytes; /* of the heap; always 0 under AddressSanitizer */
};

/* More than the runtime has at once: 16 of its blocking pool, and, where it has
 * no io_uring, 64 for files. */
enum { HOLDINGS_THREADS = 96 };

/* A task function without argument, for a runtime of its own that may have so
 * many blocking threads. */
int holdings_warm_up(ambit_cx *cx, void *unused);

/* Between runs of the runtime only. */
struct holdings holdings_now(void);

#endif
