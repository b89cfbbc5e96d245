/* SPDX-License-Identifier: MIT */
/*
 * ambit/task.h -- tasks: spawn, wait, give way, fail.
 *
 * A task is a function that runs in a region.  It has no stack until it first
 * runs, and one of its own from then until it returns.
 *
 *   tier      runs on                              may hold across a wait
 *   SEND      any worker; keeps it once started    anything of its own
 *   FIBER     the worker that spawned it           anything
 *   BLOCKING  a thread of the blocking pool        anything; cannot suspend
 */
#ifndef AMBIT_TASK_H
#define AMBIT_TASK_H

#include <ambit/local.h>
#include <ambit/region.h>

AMBIT_BEGIN

typedef int ambit_task_fn(ambit_cx *cx, void *arg);

enum ambit_tier {
    AMBIT_SEND,
    AMBIT_FIBER,
    AMBIT_BLOCKING,
};

/* Where a SEND task begins, and so stays. */
enum ambit_placement {
    AMBIT_STEALABLE,   /* here, or on whichever worker is idle sooner */
    AMBIT_PREFERRED,   /* on .worker, or on whichever is idle sooner */
    AMBIT_PINNED,      /* on .worker and no other */
    AMBIT_ROUND_ROBIN, /* pinned to each worker in turn, from 0 in each run */
    AMBIT_STICKY,      /* pinned, always to the same worker for the same .key,
                          in each run with as many workers */
};

/* A task that can be joined.  A value; stale ones are refused, never read. */
typedef struct ambit_task {
    void *slot;
    uint64_t generation;
} ambit_task;

struct ambit_spawn_options {
    size_t size_;
    const char *name;            /* for reports; static memory */
    enum ambit_tier tier;
    void (*dispose)(void *arg);  /* for an argument whose task never ran */
    ambit_task *ret_task;        /* asks for a handle to join */
    enum ambit_placement placement;
    unsigned worker;             /* of PREFERRED and PINNED */
    uint64_t key;                /* of STICKY */
};

/*
 * Starts fn in the region with its own copy of *arg (any size up to 4 KiB; where
 * arg is NULL, or of no bytes, fn gets NULL).  Does not suspend.  0; -ESHUTDOWN
 * when the region closes or is cancelled; -EDQUOT at its task ceiling; -EAGAIN when
 * the blocking queue is full, or at the runtime's .unstarted_max; -EPERM for FIBER
 * from a thread that is no worker; -EINVAL for a tier, a placement or a worker that
 * is not there, or a placement of a tier that has none (the log line says which);
 * -E2BIG; -ENOMEM.
 * After a refusal nothing happened and *arg is still the caller's.  A task
 * cancelled before it first runs never runs: dispose gets its argument.
 * The opener of the region or one of its tasks.
 *
 *     ambit_spawn(clients, serve, &(struct client){ sock });
 *     ambit_spawn_with(clients, serve, &client, .name = "client");
 *
 * What must not leave its task or its worker does not compile as an argument:
 * ambit/local.h.
 */
#define ambit_spawn(region, fn, ...) \
    ambit_spawn_((region), (fn), (__VA_ARGS__), \
                 sizeof(*(__VA_ARGS__)) * AMBIT_SENDS_((__VA_ARGS__)), NULL)
#define ambit_spawn_with(region, fn, arg, ...) \
    ambit_spawn_((region), (fn), (arg), sizeof(*(arg)) * AMBIT_SENDS_(arg), \
                 &(const struct ambit_spawn_options){ \
                     .size_ = sizeof(struct ambit_spawn_options), \
                     __VA_ARGS__})
/*
 * RULE(LOCAL_TYPE_2): the same with .tier = AMBIT_FIBER: the task runs on this
 * worker, so what is local to it may be handed over.
 *
 *     ambit_spawn_fiber(region, fill, &cache, .name = "fill");
 */
#define ambit_spawn_fiber(region, fn, arg, ...) \
    ambit_spawn_((region), (fn), (arg), sizeof(*(arg)) * AMBIT_KEEPS_(arg), \
                 &(const struct ambit_spawn_options){ \
                     .size_ = sizeof(struct ambit_spawn_options), \
                     .tier = AMBIT_FIBER, __VA_ARGS__})
AMBIT_API int ambit_spawn_(ambit_region *region, ambit_task_fn *fn,
                           const void *arg, size_t arg_size,
                           const struct ambit_spawn_options *options);

/*
 * Waits until the task has ended and hands out its result (a panic gives
 * -EOWNERDEAD, a cancel before the first run -ECANCELED).  0; -ECANCELED when
 * the caller is cancelled first (the handle stays valid); -ESTALE when the
 * task was joined before or its region has closed; -EDEADLK for oneself;
 * -EBUSY when another task is already joining it.
 */
AMBIT_API int ambit_join(ambit_cx *cx, ambit_task task, int *ret_result);

/* 0, or -ECANCELED when the task's region is cancelled.  Never suspends. */
AMBIT_API int ambit_checkpoint(ambit_cx *cx);

/* Lets the other ready tasks of this worker run.  0 or -ECANCELED. */
AMBIT_API int ambit_yield(ambit_cx *cx);

/* Never early.  0 or -ECANCELED.  d <= 0 is a checkpoint.  Where 256 timers or more
 * are armed on a worker, an idle one fires those together that are due within
 * 0.1 ms. */
AMBIT_API int ambit_sleep(ambit_cx *cx, ambit_duration d);
AMBIT_API int ambit_sleep_until(ambit_cx *cx, ambit_time when);

/*
 * Runs fn(arg) on a thread of the blocking pool and waits for it.  *arg may be
 * the caller's: the wait ends only when fn has returned.  fn's result, or
 * -ECANCELED when cancelled before it began (fn is then never run), -EAGAIN
 * when the pool's queue is full.
 */
AMBIT_API int ambit_blocking(ambit_cx *cx, int (*fn)(void *arg), void *arg);

/*
 * Ends the running task: its open scopes are cancelled, joined and finalized,
 * its stack is dropped, its joiner and its region see -EOWNERDEAD, the worker
 * goes on.  For bugs and broken invariants; an expected failure is a result.
 */
AMBIT_API void ambit_panic(ambit_cx *cx, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

/* The running task's name ("task" when none was given), runtime and worker. */
AMBIT_API const char *ambit_cx_name(ambit_cx *cx);
AMBIT_API ambit_runtime *ambit_cx_runtime(ambit_cx *cx);
AMBIT_API unsigned ambit_cx_worker(ambit_cx *cx);

/* For code that has no cx: a number that tells the task this thread runs from all
 * others that are alive, the same from its start to its end; 0 when the thread
 * runs none, as on the blocking pool.  Any thread; does not suspend. */
AMBIT_API uint64_t ambit_running(void);

#ifndef AMBIT_NO_SITES
#define ambit_join(cx, ...) ambit_join(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_yield(cx) ambit_yield(AMBIT_HERE(cx))
#define ambit_sleep(cx, ...) ambit_sleep(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_sleep_until(cx, ...) \
    ambit_sleep_until(AMBIT_HERE(cx), __VA_ARGS__)
#define ambit_blocking(cx, fn, ...) \
    ambit_blocking(AMBIT_HERE(cx), (fn), \
                   ((void)AMBIT_LENDS_((__VA_ARGS__)), (__VA_ARGS__)))
#define ambit_panic(cx, ...) ambit_panic(AMBIT_HERE(cx), __VA_ARGS__)
#endif

AMBIT_END

#endif
