/* SPDX-License-Identifier: MIT */
/*
 * spawn.c -- a task for a region.
 *
 *   TASK-SPAWN-2  A refused spawn has no effect and takes no argument.
 *   TASK-SPAWN-4  A FIBER task runs on the worker that spawned it.
 *   TASK-SPAWN-5  No more tasks wait for their first run than the options say.
 */
#include "regions/region.h"

#include "src/poll.h"
#include "src/seats.h"

static void dress(struct task *task, const struct ambit_spawn_options *options)
{
    task->name = options->name != NULL ? options->name : task->name;
    task->tier = (uint8_t)options->tier;
    task->pinned = options->tier == AMBIT_FIBER ||
                   options->placement >= AMBIT_PINNED;
    task->dispose = options->dispose;
}

static int make(struct region *region, ambit_task_fn *fn, const void *arg,
                size_t arg_size, const struct ambit_spawn_options *options,
                struct task **ret_task)
{
    struct task *task;
    int rc = task_make(region->host->runtime, &region->owner, fn, arg,
                       arg_size, &task);
    if (rc < 0) {
        return rc;
    }
    if (options != NULL) {
        dress(task, options);
    }
    *ret_task = task;
    return 0;
}

static void run_job(struct blocking_job *job)
{
    task_run_blocking(CONTAINER_OF(job, struct task, job));
}

/* One more that waits for its first run: 0, or -EAGAIN. */
static int may_wait(struct task *task)
{
    return LIKELY(task->runtime->options.unstarted_max == 0)
               ? 0
               : task_count(task);
}

/* Queues it where its tier runs, on that worker if there is one; on failure it
 * is still ours. */
static int start(struct region *region, struct task *task,
                 struct worker *worker)
{
    if (task->tier != AMBIT_BLOCKING) {
        int rc = may_wait(task);
        if (UNLIKELY(rc < 0)) {
            return rc;
        }
        if (LIKELY(worker == NULL)) {
            task_start(task, true);
        } else {
            task_start_on(task, worker);
        }
        return 0;
    }
    task->job.run = run_job;
    list_init(&task->job.node);
    /* In the list from the start: a cancel takes it out of the pool's queue. */
    task_list(task);
    int rc = blocking_submit(region->host->runtime->pool, &task->job);
    if (rc < 0) {
        task_unlist(task);
    }
    return rc;
}

static bool here_is_a_worker(struct region *region)
{
    return worker_self != NULL &&
           worker_self->runtime == region->host->runtime;
}

/* What the options need.  0 and the worker they name, NULL for any; or -EPERM,
 * -EINVAL. */
static int check_options(struct region *region,
                         const struct ambit_spawn_options *options,
                         struct worker **ret_worker)
{
    if (options->tier == AMBIT_FIBER && !here_is_a_worker(region)) {
        RULE(TASK_SPAWN_4);
        return -EPERM;
    }
    int rc = place_choose(region->host->runtime, options, ret_worker);
    if (rc == 0 && options->tier == AMBIT_BLOCKING) {
        rc = capability_needs(&region->owner, AMBIT_CAP_BLOCKING);
    }
    return rc;
}

static NOINLINE int spawn_with(struct region *region, ambit_task_fn *fn,
                               const void *arg, size_t arg_size,
                               const struct ambit_spawn_options *options)
{
    struct worker *worker = NULL;
    struct task *task;
    int rc = options != NULL ? check_options(region, options, &worker) : 0;
    if (rc == 0) {
        rc = region_admit(region, REGION_TASK);
    }
    if (rc < 0) {
        RULE(TASK_SPAWN_2);
        return rc;
    }
    rc = make(region, fn, arg, arg_size, options, &task);
    if (rc < 0) {
        region_leave(region, REGION_TASK);
        return rc;
    }
    ambit_task handle = {0};
    bool joinable = options != NULL && options->ret_task != NULL;
    if (joinable) {
        handle = join_handle(task);
    }
    rc = start(region, task, worker);
    if (rc < 0) {
        join_void(task);
        TELL(TASK_GONE, task, NULL, 0);
        task_free(task); /* a cancel may have a note on its way to it */
        region_leave(region, REGION_TASK);
        return rc;
    }
    COUNT(region->host->runtime, spawned);
    if (joinable) {
        *options->ret_task = handle;
    }
    return 0;
}

/* What a spawn is refused for, or has to go the long way for.  A region without
 * AMBIT_CAP_SPAWN never has a task, so nobody has a place of it in hand. */
#define SPAWN_BARS (OWNER_CANCELLED | OWNER_PRIORITY)

/* On a worker that has a place in hand nothing else stands in the way of most
 * spawns.  NULL: nothing was done. */
static inline struct task *make_seated(struct worker *worker,
                                       struct region *region,
                                       ambit_task_fn *fn, const void *arg,
                                       size_t arg_size)
{
    /* ORDER(cancel): acquire.  Pairs with the change in mark(). */
    uint32_t flags =
        atomic_load_explicit(&region->owner.flags, memory_order_acquire);
    if (UNLIKELY(worker == NULL || (flags & SPAWN_BARS) != 0 ||
                 arg_size > TASK_ARG_BEHIND ||
                 worker->runtime->options.unstarted_max > 0 ||
                 !seats_spend(worker, &region->owner))) {
        return NULL;
    }
    struct task *task =
        task_make_here(worker, &region->owner, fn, arg, arg_size);
    if (UNLIKELY(task == NULL)) {
        seats_keep(worker, &region->owner);
    }
    return task;
}

static inline void queue_seated(struct worker *worker, struct task *task)
{
    worker_spawns(worker, task);
    count_own(&worker->stats.spawned);
}

/* Any worker may run it, and no thread of the pool. */
static inline bool is_usual(const struct ambit_spawn_options *options)
{
    return options == NULL || (options->tier == AMBIT_SEND &&
                               options->placement == AMBIT_STEALABLE);
}

int ambit_spawn_(ambit_region *public, ambit_task_fn *fn, const void *arg,
                 size_t arg_size, const struct ambit_spawn_options *options)
{
    struct region *region = region_of(public);
    struct worker *worker = worker_self;
    struct task *task =
        LIKELY(is_usual(options))
            ? make_seated(worker, region, fn, arg, arg_size)
            : NULL;
    if (UNLIKELY(task == NULL)) {
        return spawn_with(region, fn, arg, arg_size, options);
    }
    if (options != NULL) {
        dress(task, options);
        if (options->ret_task != NULL) {
            *options->ret_task = join_handle(task);
        }
    }
    queue_seated(worker, task);
    return 0;
}

int region_spawn_hooked(struct region *region, ambit_task_fn *fn,
                        const char *name, const struct task_hooks *hooks,
                        void *arg)
{
    struct task *task;
    int rc = region_admit(region, REGION_TASK);
    if (rc < 0) {
        return rc;
    }
    rc = make(region, fn, NULL, 0, NULL, &task);
    if (rc < 0) {
        region_leave(region, REGION_TASK);
        return rc;
    }
    task->name = name != NULL ? name : task->name;
    task->hooks = hooks;
    task->arg = arg;
    COUNT(region->host->runtime, spawned);
    task_start(task, true);
    return 0;
}

static int spawn_poll_with(struct region *region, ambit_step_fn *step,
                           const void *state, size_t state_size,
                           const struct ambit_spawn_options *options)
{
    struct task *task;
    int rc = region_admit(region, REGION_TASK);
    if (rc < 0) {
        return rc;
    }
    rc = make(region, poll_turn, state, state_size, options, &task);
    if (rc < 0) {
        region_leave(region, REGION_TASK);
        return rc;
    }
    rc = may_wait(task);
    if (rc < 0) {
        task_unmake(task);
        region_leave(region, REGION_TASK);
        return rc;
    }
    poll_prepare(task, step);
    COUNT(region->host->runtime, spawned);
    task_list(task); /* idle or not: a cancel of the region wakes it */
    task_start(task, true);
    return 0;
}

int ambit_spawn_poll_(ambit_region *public, ambit_step_fn *step,
                      const void *state, size_t state_size,
                      const struct ambit_spawn_options *options)
{
    struct region *region = region_of(public);
    struct worker *worker = worker_self;
    if (!is_usual(options) ||
        (options != NULL && options->ret_task != NULL)) {
        return -EINVAL;
    }
    struct task *task =
        make_seated(worker, region, poll_turn, state, state_size);
    if (UNLIKELY(task == NULL)) {
        return spawn_poll_with(region, step, state, state_size, options);
    }
    if (options != NULL) {
        dress(task, options);
    }
    poll_prepare(task, step);
    task_list(task);
    queue_seated(worker, task);
    return 0;
}
