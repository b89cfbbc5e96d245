/* SPDX-License-Identifier: MIT */
/*
 * runtime.c -- the state object, and a run from its first thread to its last.
 *
 *   created --runtime_execute()--> starting --all rings made--> running
 *      ^                               |                           |
 *      |                               | a worker could not start  | root ended
 *      +---- all threads joined -------+---------------------------+
 *
 *   RT-RUN-1  A run returns only when every thread it started has ended.
 */
#include "src/runtime.h"

#include "src/overflow.h"
#include "src/task.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FILE_THREADS_MAX 64

static void stack_describe(struct stack *stack, char *buf, size_t len)
{
    const char *name = stack->task != NULL ? task_name(stack->task) : "none";
    size_t n = strnlen(name, len - 1);
    memcpy(buf, name, n);
    buf[n] = '\0';
}

/* Signals that tell of a fault in this very thread stay open. */
static void block_signals(void)
{
    sigset_t all;
    sigfillset(&all);
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGABRT);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
}

static int worker_begin(struct worker *worker)
{
    int rc = overflow_thread_init(&worker->stacks, stack_describe);
    if (rc < 0) {
        return rc;
    }
    return driver_create(worker, &worker->driver);
}

/* By the thread itself: the kernel has a shorter way for that. */
static void call_thread(struct worker *worker)
{
    char name[16];
    snprintf(name, sizeof name, "%s-w%u", worker->runtime->options.thread_name,
             worker->index);
    pthread_setname_np(pthread_self(), name);
    if (worker->runtime->options.keep_cpus) {
        RULE(RT_CPUS_2);
        cpus_keep(worker->index);
    }
}

/* As long as a worker without work would; true when all have come to `count`. */
static bool spin_for_all(struct runtime *runtime, _Atomic unsigned *count)
{
    int64_t most = runtime->options.spin.ns;
    if (most <= 0) {
        return false;
    }
    int64_t until = clock_now_ns() + most;
    do {
        for (unsigned i = 0; i < 32; i++) {
            /* ORDER(meet): acquire.  Pairs with the release of the last. */
            if (atomic_load_explicit(count, memory_order_acquire) ==
                runtime->threads) {
                return true;
            }
            cpu_relax();
        }
    } while (clock_now_ns() < until);
    return false;
}

/* One more of the threads has come to `count`, with the lock held; returns when
 * all have, without it.  They are told after the unlock: who is woken finds the
 * lock free.  True for the last. */
static bool wait_for_all(struct runtime *runtime, _Atomic unsigned *count)
{
    /* ORDER(meet): release.  Pairs with the loads of those who spin. */
    bool last = atomic_fetch_add_explicit(count, 1, memory_order_release) + 1 ==
                runtime->threads;
    pthread_mutex_unlock(&runtime->lock);
    if (last) {
        pthread_cond_broadcast(&runtime->changed);
    } else if (!spin_for_all(runtime, count)) {
        pthread_mutex_lock(&runtime->lock);
        /* ORDER(meet): relaxed.  It is written with the lock held. */
        while (atomic_load_explicit(count, memory_order_relaxed) <
               runtime->threads) {
            pthread_cond_wait(&runtime->changed, &runtime->lock);
        }
        pthread_mutex_unlock(&runtime->lock);
    }
    return last;
}

/* True when all workers have begun and the run may go on, with its root, which
 * the last one starts.  All threads have been created by the time that the first
 * one has the lock. */
static bool worker_meet(struct worker *worker, int rc)
{
    struct runtime *runtime = worker->runtime;
    pthread_mutex_lock(&runtime->lock);
    if (rc < 0 && runtime->start_error == 0) {
        runtime->start_error = rc;
    }
    bool last = wait_for_all(runtime, &runtime->started);
    if (runtime->start_error < 0) { /* which does not change any more */
        return false;
    }
    if (last) {
        task_start_on(runtime->root, runtime_pick_worker(runtime));
    }
    return true;
}

/* Nobody closes a ring that another worker might still wake. */
static void worker_part(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;
    pthread_mutex_lock(&runtime->lock);
    wait_for_all(runtime, &runtime->parted);
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    worker_self = worker;
    block_signals();
    call_thread(worker);
    fiber_init_thread(&worker->loop);
    if (worker_meet(worker, worker_begin(worker))) {
        worker_loop(worker);
    }
    worker_part(worker);
    driver_destroy(worker->driver);
    worker->driver = NULL;
    overflow_thread_fini();
    fiber_fini_thread(&worker->loop);
    return NULL;
}

/* Starts all threads, which go on once all are there; when one fails, home. */
static void start_all(struct runtime *runtime)
{
    int rc = 0;
    pthread_mutex_lock(&runtime->lock);
    while (runtime->threads < runtime->worker_count && rc == 0) {
        struct worker *worker = runtime->workers[runtime->threads];
        rc = -pthread_create(&worker->thread, NULL, worker_main, worker);
        runtime->threads += rc == 0;
    }
    if (rc < 0) {
        runtime->start_error = rc;
    }
    pthread_mutex_unlock(&runtime->lock);
}

static void join_all(struct runtime *runtime)
{
    for (unsigned i = 0; i < runtime->threads; i++) {
        pthread_join(runtime->workers[i]->thread, NULL);
    }
    RULE(RT_RUN_1);
}

static int make_pool(struct runtime *runtime)
{
    char prefix[16];
    snprintf(prefix, sizeof prefix, "%s-b", runtime->options.thread_name);
    struct blocking_options options = {
        .threads_max = runtime->options.blocking_threads_max,
        .queue_max = runtime->options.blocking_queue_max,
        .idle_ms = (unsigned)(runtime->options.blocking_idle.ns / 1000000),
        .thread_prefix = prefix,
    };
    return blocking_pool_create(&runtime->pool, &options);
}

/* Calls on files, where the driver has no other way; apart from the pool of the
 * user, whose calls may wait for what is read here. */
static int make_files(struct runtime *runtime)
{
    char prefix[16];
    snprintf(prefix, sizeof prefix, "%s-f", runtime->options.thread_name);
    struct blocking_options options = {
        .threads_max = FILE_THREADS_MAX,
        .queue_max = INT32_MAX, /* .ops_max of each worker comes first */
        .idle_ms = (unsigned)(runtime->options.blocking_idle.ns / 1000000),
        .thread_prefix = prefix,
    };
    return runtime->way->file_threads
               ? blocking_pool_create(&runtime->files, &options)
               : 0;
}

static int run_prepare(struct runtime *runtime)
{
    /* ORDER(stop): relaxed.  No other thread is there yet. */
    atomic_store_explicit(&runtime->stopping, false, memory_order_relaxed);
    /* ORDER(turn): relaxed.  As above. */
    atomic_store_explicit(&runtime->next_placed, 0, memory_order_relaxed);
    runtime->threads = 0;
    /* ORDER(meet): relaxed.  As above. */
    atomic_store_explicit(&runtime->started, 0, memory_order_relaxed);
    atomic_store_explicit(&runtime->parted, 0, memory_order_relaxed);
    runtime->start_error = 0;
    int rc = make_pool(runtime);
    if (rc == 0) {
        rc = make_files(runtime);
    }
    for (unsigned i = 0; rc == 0 && i < runtime->worker_count; i++) {
        rc = worker_init(runtime->workers[i]);
        runtime->inited += rc == 0;
    }
    random_begin(runtime);
    return rc;
}

static void run_clean(struct runtime *runtime)
{
    blocking_pool_destroy(runtime->pool);
    runtime->pool = NULL;
    blocking_pool_destroy(runtime->files);
    runtime->files = NULL;
    while (runtime->inited > 0) {
        struct worker *worker = runtime->workers[--runtime->inited];
        stats_fold(runtime, &worker->stats);
        worker_fini(worker);
    }
}

int runtime_execute(struct runtime *runtime, struct task *root)
{
    int rc = overflow_install();
    if (rc < 0) {
        return rc;
    }
    rc = run_prepare(runtime);
    if (rc == 0) {
        runtime->root = root;
        start_all(runtime);
        join_all(runtime);
        runtime->root = NULL;
        rc = runtime->start_error;
    }
    if (rc < 0) {
        log_line(runtime, AMBIT_LOG_ERROR, "the workers could not start: %s",
                 ambit_strerror(rc));
    }
    run_clean(runtime);
    overflow_uninstall();
    return rc;
}

void runtime_finish(struct runtime *runtime)
{
    /* ORDER(stop): seq_cst.  Pairs with the loads in worker_is_stopping() and,
     * through the sleeping mask below, with a worker about to sleep. */
    atomic_store_explicit(&runtime->stopping, true, memory_order_seq_cst);
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        idle_wake(runtime->workers[i]);
    }
}

struct worker *runtime_pick_worker(struct runtime *runtime)
{
    /* ORDER(turn): relaxed.  Only spreads the load; pairs with itself. */
    uint32_t n = atomic_fetch_add_explicit(&runtime->next_worker, 1,
                                           memory_order_relaxed);
    /* ORDER(turn): see above; the workers array does not change in a run. */
    return runtime->workers[n % runtime->worker_count];
}

static int make_workers(struct runtime *runtime)
{
    int rc = 0;
    for (unsigned i = 0; i < runtime->options.workers && rc == 0; i++) {
        rc = worker_create(&runtime->workers[i], runtime, i);
        runtime->worker_count += rc == 0;
    }
    return rc;
}

void ambit_runtime_destroy(ambit_runtime *public)
{
    struct runtime *runtime = runtime_of(public);
    if (runtime == NULL) {
        return;
    }
    REQUIRE(!runtime->running, "ambit_runtime_destroy during a run");
    RULE(RT_LEAK_1);
    while (runtime->worker_count > 0) {
        worker_destroy(runtime->workers[--runtime->worker_count]);
    }
    if (runtime->depot != NULL) {
        slab_depot_destroy(runtime->depot);
    }
    pthread_cond_destroy(&runtime->changed);
    pthread_mutex_destroy(&runtime->lock);
    free(runtime);
}

static int runtime_make(struct runtime *runtime)
{
    int rc = driver_choose(runtime);
    if (rc < 0) {
        return rc;
    }
    runtime->depot = slab_depot_create();
    if (runtime->depot == NULL) {
        return -ENOMEM;
    }
    return make_workers(runtime);
}

int ambit_runtime_create(ambit_runtime **ret_runtime,
                         const struct ambit_runtime_options *options)
{
    struct runtime *runtime = aligned_alloc(CACHE_LINE, sizeof *runtime);
    if (runtime == NULL) {
        return -ENOMEM;
    }
    RULE(RT_TWO_1);
    memset(runtime, 0, sizeof *runtime);
    pthread_mutex_init(&runtime->lock, NULL);
    pthread_cond_init(&runtime->changed, NULL);
    int rc = options_fill(&runtime->options, options);
    if (rc == 0) {
        rc = runtime_make(runtime);
    }
    if (rc < 0) {
        ambit_runtime_destroy(runtime_public(runtime));
        return rc;
    }
    *ret_runtime = runtime_public(runtime);
    return 0;
}
