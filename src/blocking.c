/* SPDX-License-Identifier: MIT */
/*
 * blocking.c -- a pool that grows with its work and shrinks without it.
 *
 * A pool thread, and what moves it:
 *
 *     started --arrives--> looks for a job --found--> runs it --> looks ...
 *                          ^      |none
 *                   signal |      v
 *                          +--- idle --idle_ms passed, or stopping--> exits
 *
 * Each idle thread waits on its own condition variable, in a stack of idle
 * threads: a job wakes the one that went idle last.  With one variable for all
 * the kernel would wake them in turn, and none would ever be idle for long.
 *
 * One thread comes at a time, started or signalled: before it runs its first job
 * it sees to it that the next one comes, if more jobs wait.  So a burst of jobs
 * costs who submits them one wake, and short ones are often done before more
 * threads than needed have come.  `coming` counts threads that have not looked
 * for a job since; one that just finished a job may be faster, and then the one
 * that comes finds nothing and goes idle.
 *
 * A pool thread signals after the unlock: who is woken finds the lock free.  So
 * the record of a thread stays until the pool goes.
 *
 * Threads that exit while the pool lives are joined by the next one to exit, so
 * at most one is left over; destroy joins that.
 *
 * Owner: any thread, under the pool's lock.  No atomics.
 */
#include "src/blocking.h"

#include "src/lock.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define THREAD_NAME_SIZE 16 /* the kernel's, NUL included */

struct pool_thread {
    struct blocking_pool *pool;
    struct pool_thread *next; /* pool.idle, pool.unused */
    pthread_cond_t wake;
    unsigned number;
    bool woken; /* and so no longer in pool.idle */
};

struct blocking_pool {
    /* set once */
    unsigned threads_max;
    unsigned queue_max;
    unsigned idle_ms;
    char prefix[THREAD_NAME_SIZE];

    pthread_mutex_t lock; /* guards everything below, pool_thread included */
    pthread_cond_t all_gone;
    struct list_node queue; /* of jobs, the oldest first */
    unsigned queued;
    unsigned coming;
    unsigned threads;
    unsigned next_name;
    struct pool_thread *idle;
    unsigned idle_len;
    struct pool_thread *unused; /* records of threads that have exited */
    bool stopping;
    bool start_failed; /* the last attempt */
    bool left_over_is_set;
    pthread_t left_over; /* has exited, or is about to; not joined */
};

static void *thread_main(void *arg);

int blocking_pool_create(struct blocking_pool **ret_pool,
                         const struct blocking_options *options)
{
    if (options->threads_max < 1 || options->queue_max < 1) {
        return -EINVAL;
    }
    struct blocking_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return -ENOMEM;
    }
    pool->threads_max = options->threads_max;
    pool->queue_max = options->queue_max;
    pool->idle_ms = options->idle_ms;
    if (options->thread_prefix != NULL) {
        strncpy(pool->prefix, options->thread_prefix, THREAD_NAME_SIZE - 1);
    }
    list_init(&pool->queue);
    lock_init(&pool->lock);
    pthread_cond_init(&pool->all_gone, NULL);
    *ret_pool = pool;
    return 0;
}

/* --- threads ---------------------------------------------------------------- */

static struct pool_thread *record_make(struct blocking_pool *pool)
{
    struct pool_thread *self = pool->unused;
    if (self != NULL) {
        pool->unused = self->next;
        return self;
    }
    self = calloc(1, sizeof *self);
    if (self != NULL) {
        pthread_condattr_t attr;
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&self->wake, &attr);
        pthread_condattr_destroy(&attr);
        self->pool = pool;
    }
    return self;
}

static void record_keep(struct blocking_pool *pool, struct pool_thread *self)
{
    self->next = pool->unused;
    pool->unused = self;
}

static void records_free(struct blocking_pool *pool)
{
    while (pool->unused != NULL) {
        struct pool_thread *first = pool->unused;
        pool->unused = first->next;
        pthread_cond_destroy(&first->wake);
        free(first);
    }
}

/* Called with the lock held, which the new thread waits for.  A new thread
 * inherits the signal mask, so it is blocked from its first instruction on. */
static int thread_start(struct blocking_pool *pool)
{
    sigset_t all;
    sigset_t before;
    pthread_t thread;
    struct pool_thread *self = record_make(pool);
    if (self == NULL) {
        return -ENOMEM;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&thread, NULL, thread_main, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pool->start_failed = rc != 0;
    if (rc != 0) {
        record_keep(pool, self);
        return -rc;
    }
    self->number = pool->next_name++;
    pool->threads++;
    pool->coming++;
    return 0;
}

/* Called with the lock held; who has to be signalled. */
static struct pool_thread *wake_idle(struct blocking_pool *pool)
{
    struct pool_thread *thread = pool->idle;
    pool->idle = thread->next;
    pool->idle_len--;
    thread->woken = true;
    pool->coming++;
    return thread;
}

/* Another thread, where a job waits and nobody comes for it.  Called with the
 * lock held; who has to be signalled, or NULL. */
static struct pool_thread *summon(struct blocking_pool *pool)
{
    if (pool->coming > 0 || list_is_empty(&pool->queue)) {
        return NULL;
    }
    if (pool->idle != NULL) {
        return wake_idle(pool);
    }
    if (pool->threads < pool->threads_max) {
        (void)thread_start(pool); /* else one of those that are there */
    }
    return NULL;
}

/* A pool thread, which the pool outlasts. */
static void unlock_and_signal(struct blocking_pool *pool,
                              struct pool_thread *thread)
{
    pthread_mutex_unlock(&pool->lock);
    if (thread != NULL) {
        pthread_cond_signal(&thread->wake);
    }
}

/* How many jobs there is a thread for. */
static unsigned free_hands(const struct blocking_pool *pool)
{
    unsigned to_start =
        pool->start_failed ? 0 : pool->threads_max - pool->threads;
    return pool->coming + pool->idle_len + to_start;
}

void blocking_pool_destroy(struct blocking_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    while (pool->idle != NULL) {
        pthread_cond_signal(&wake_idle(pool)->wake);
    }
    while (pool->threads > 0) {
        pthread_cond_wait(&pool->all_gone, &pool->lock);
    }
    ASSERT(list_is_empty(&pool->queue));
    ASSERT(pool->coming == 0);
    pthread_mutex_unlock(&pool->lock);
    if (pool->left_over_is_set) {
        pthread_join(pool->left_over, NULL);
    }
    records_free(pool);
    pthread_cond_destroy(&pool->all_gone);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

int blocking_submit(struct blocking_pool *pool, struct blocking_job *job)
{
    int rc = 0;
    struct pool_thread *summoned = NULL;
    ASSERT(job->run != NULL);
    pthread_mutex_lock(&pool->lock);
    if (pool->threads == 0) {
        rc = thread_start(pool);
    }
    if (rc == 0 && pool->queued >= pool->queue_max + free_hands(pool)) {
        RULE(TASK_BLOCK_3);
        rc = -EAGAIN;
    }
    if (rc == 0) {
        list_push_back(&pool->queue, &job->node);
        pool->queued++;
        summoned = summon(pool);
    }
    /* Under the lock: a thread that is no worker may be late, and the pool gone
     * with the run that its job was of. */
    if (summoned != NULL) {
        pthread_cond_signal(&summoned->wake);
    }
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

bool blocking_cancel(struct blocking_pool *pool, struct blocking_job *job)
{
    pthread_mutex_lock(&pool->lock);
    bool waits = list_is_linked(&job->node);
    if (waits) {
        list_remove(&job->node);
        pool->queued--;
    }
    pthread_mutex_unlock(&pool->lock);
    return waits;
}

unsigned blocking_threads(struct blocking_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    unsigned threads = pool->threads;
    pthread_mutex_unlock(&pool->lock);
    return threads;
}

/* Called with the lock held. */
static struct blocking_job *queue_pop(struct blocking_pool *pool)
{
    struct list_node *node = list_pop_front(&pool->queue);
    if (node == NULL) {
        return NULL;
    }
    pool->queued--;
    return CONTAINER_OF(node, struct blocking_job, node);
}

static struct timespec deadline_after(unsigned ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

static void idle_remove(struct blocking_pool *pool, struct pool_thread *thread)
{
    struct pool_thread **link = &pool->idle;
    while (*link != thread) {
        link = &(*link)->next;
    }
    *link = thread->next;
    pool->idle_len--;
}

/* Waits for work with the lock held; false when it did not come in time. */
static bool wait_woken(struct blocking_pool *pool, struct pool_thread *self)
{
    struct timespec deadline = deadline_after(pool->idle_ms);
    self->woken = false;
    self->next = pool->idle;
    pool->idle = self;
    pool->idle_len++;
    int rc = 0;
    while (!self->woken && rc == 0) {
        rc = pthread_cond_timedwait(&self->wake, &pool->lock, &deadline);
    }
    if (self->woken) {
        ASSERT(pool->coming > 0);
        pool->coming--;
        return true;
    }
    idle_remove(pool, self);
    return !list_is_empty(&pool->queue); /* somebody else is called for it */
}

/* The last steps of a thread, with the lock held.  Nothing of the pool may be
 * touched after the unlock: destroy goes on once this thread can be joined. */
static void thread_exit(struct blocking_pool *pool, struct pool_thread *self)
{
    bool join = pool->left_over_is_set;
    record_keep(pool, self);
    pthread_t before = pool->left_over;
    pool->left_over = pthread_self();
    pool->left_over_is_set = true;
    pool->threads--;
    if (pool->threads == 0) {
        pthread_cond_signal(&pool->all_gone);
    }
    pthread_mutex_unlock(&pool->lock);
    if (join) {
        pthread_join(before, NULL);
    }
}

/* By the thread itself: the kernel has a shorter way for that. */
static void call_thread(const struct pool_thread *self)
{
    char name[THREAD_NAME_SIZE + 12];
    if (self->pool->prefix[0] != '\0') {
        snprintf(name, sizeof name, "%s%u", self->pool->prefix, self->number);
        name[THREAD_NAME_SIZE - 1] = '\0';
        pthread_setname_np(pthread_self(), name);
    }
}

static void *thread_main(void *arg)
{
    struct pool_thread *self = arg;
    struct blocking_pool *pool = self->pool;
    pthread_mutex_lock(&pool->lock);
    call_thread(self);
    ASSERT(pool->coming > 0);
    pool->coming--;
    for (;;) {
        struct blocking_job *job = queue_pop(pool);
        if (job != NULL) {
            unlock_and_signal(pool, summon(pool));
            job->run(job);
            pthread_mutex_lock(&pool->lock);
        } else if (pool->stopping || !wait_woken(pool, self)) {
            break;
        }
    }
    thread_exit(pool, self);
    return NULL;
}
