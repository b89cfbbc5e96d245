/* SPDX-License-Identifier: MIT */
/*
 * blocking.h -- threads for calls that block.
 *
 *     struct blocking_options options = {
 *         .threads_max = 64, .queue_max = 1024, .idle_ms = 10000,
 *         .thread_prefix = "ambit-b",
 *     };
 *     struct blocking_pool *pool;
 *     int rc = blocking_pool_create(&pool, &options);
 *     job->run = look_up_a_name;
 *     rc = blocking_submit(pool, job);
 *     ...
 *     blocking_pool_destroy(pool);
 *
 * A job goes to an idle thread; when none is idle, to a new one; when there are
 * threads_max, to the queue, first in first out; when that is full, back.  Of
 * those that are called one comes after the other, as long as jobs wait.  The
 * thread idle for the shortest time works next, so that the others can end.
 *
 * Pool threads have every signal blocked.
 */
#ifndef AMBIT_SRC_BLOCKING_H
#define AMBIT_SRC_BLOCKING_H

#include "src/list.h"

/* The memory is the submitter's.  It must stay until run() is called, and is
 * not touched after that: run() may free it. */
struct blocking_job {
    struct list_node node; /* pool.queue */
    void (*run)(struct blocking_job *job);
};

struct blocking_options {
    unsigned threads_max; /* >= 1 */
    unsigned queue_max;   /* >= 1: jobs that wait with no thread in sight */
    unsigned idle_ms;     /* a spare thread exits after this long */
    const char *thread_prefix; /* "ambit-b": names are prefix0, prefix1 ...;
                                  copied; NULL: threads keep their name */
};

struct blocking_pool;

/* A pool without threads; they come with the jobs.  0; -EINVAL when a bound is
 * broken; -ENOMEM. */
int blocking_pool_create(struct blocking_pool **ret_pool,
                         const struct blocking_options *options);

/* Runs what is queued, what those jobs submit included, then joins every
 * thread; so it blocks for as long as the jobs take.  Not from a pool thread.
 * NULL is allowed. */
void blocking_pool_destroy(struct blocking_pool *pool);

/* Gives the pool a job.  Any thread, pool threads included.  Does not wait for
 * the job, but may take the time of a pthread_create().
 *
 * 0, and run(job) is called once, soon; or -EAGAIN when queue_max jobs wait; or
 * -errno when no thread could be started and none is there.  After an error
 * the job is the caller's as before. */
int blocking_submit(struct blocking_pool *pool, struct blocking_job *job);

/* Takes a job back that no thread has begun.  True: run() is not called and the
 * job is the caller's; false: a thread has it, or had it.  The job was given to
 * the pool before and its memory is still there.  Any thread. */
bool blocking_cancel(struct blocking_pool *pool, struct blocking_job *job);

/* How many threads the pool has now.  Any thread. */
unsigned blocking_threads(struct blocking_pool *pool);

#endif
