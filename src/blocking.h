/* SPDX-License-Identifier: MIT */
/*
 * blocking.h -- threads for calls that block.
 */
#ifndef AMBIT_SRC_BLOCKING_H
#define AMBIT_SRC_BLOCKING_H

#include "src/base.h"

struct blocking_job {
    struct blocking_job *next;  /* pool.queue */
    void (*run)(struct blocking_job *job);
};

struct blocking_options {
    unsigned threads_max;       /* >= 1 */
    unsigned queue_max;         /* >= 1 */
    unsigned idle_ms;           /* a spare thread exits after this long */
    const char *thread_prefix;  /* "ambit-b": names are prefix0, prefix1 ... */
};

struct blocking_pool;

int blocking_pool_create(struct blocking_pool **ret_pool,
                         const struct blocking_options *options);
/* Runs what is queued, then joins every thread. */
void blocking_pool_destroy(struct blocking_pool *pool);
/* Any thread.  0, -EAGAIN when queue_max jobs wait, or -errno when no thread
 * could be started and none is there. */
int blocking_submit(struct blocking_pool *pool, struct blocking_job *job);
unsigned blocking_threads(struct blocking_pool *pool);

#endif
