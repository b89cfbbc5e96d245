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
    task->tier = (uint8_t)options->tier;
    task->pinned = options->tier == AMBIT_FIBER ||
                   options->placement >= AMBIT_PINNED;
}

/* What of the options lies behind the record; NULL: nothing. */
static inline const struct task_extras *
extras_of(const struct ambit_spawn_options *options, struct task_extras *extras)
{
    if (LIKELY(options == NULL) ||
        (options->name == NULL && options->dispose == NULL)) {
        return NULL;
    }
    *extras = (struct task_extras){options->name, options->dispose};
    return extras;
}

static int make(struct region *region, ambit_task_fn *fn, const void *arg,
                size_t arg_size, const struct ambit_spawn_options *options,
                bool moves, struct task **ret_task)
{
    struct task *task;
    struct task_extras extras;
    int rc = task_make(task_runtime(region->host), &region->owner, fn, arg,
                       arg != NULL ? arg_size : 0, extras_of(options, &extras),
                       moves, &task);
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
    return LIKELY(task_runtime(task)->options.unstarted_max == 0)
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
    int rc = blocking_submit(task_runtime(region->host)->pool, &task->job);
    if (rc < 0) {
        task_unlist(task);
    }
    return rc;
}

static bool here_is_a_worker(struct region *region)
{
    return worker_self != NULL &&
           worker_self->runtime == task_runtime(region->host);
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
    int rc = place_choose(task_runtime(region->host), options, ret_worker);
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
    rc = make(region, fn, arg, arg_size, options, false, &task);
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
        RULE(TASK_SPAWN_2);
        join_void(task);
        TELL(TASK_GONE, task, NULL, 0);
        task_free(task); /* a cancel may have a note on its way to it */
        region_leave(region, REGION_TASK);
        return rc;
    }
    COUNT(task_runtime(region->host), spawned);
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
ALWAYS_INLINE static struct task *
make_seated(struct worker *worker, struct region *region, ambit_task_fn *fn,
            const void *arg, size_t arg_size,
            const struct ambit_spawn_options *options, bool moves)
{
    /* ORDER(cancel): acquire.  Pairs with the change in mark(). */
    uint32_t flags =
        atomic_load_explicit(&region->owner.flags, memory_order_acquire);
    if (UNLIKELY(worker == NULL || (flags & SPAWN_BARS) != 0 ||
                 arg_size > TASK_ARG_FITS ||
                 worker->runtime->options.unstarted_max > 0)) {
        return NULL;
    }
    if (UNLIKELY(!seats_spend(worker, &region->owner))) {
        return NULL;
    }
    if (UNLIKELY(arg == NULL)) {
        arg_size = 0;
    }
    struct task_extras extras;
    struct task *task = task_make_here(worker, &region->owner, fn, arg,
                                       arg_size, extras_of(options, &extras),
                                       moves);
    if (UNLIKELY(task == NULL)) {
        seats_keep(worker, &region->owner);
    } else if (options != NULL) {
        dress(task, options);
    }
    return task;
}

ALWAYS_INLINE static void queue_seated(struct worker *worker, struct task *task)
{
    worker_spawns(worker, task);
    count_own(&worker->stats.spawned);
}

/* Any worker may run it, and no thread of the pool. */
static inline bool is_usual(const struct ambit_spawn_options *options)
{
    return options->tier == AMBIT_SEND &&
           options->placement == AMBIT_STEALABLE;
}

/* Made twice: who gives no options does not ask for any. */
ALWAYS_INLINE static int spawn_usual(struct region *region, ambit_task_fn *fn,
                                     const void *arg, size_t arg_size,
                                     const struct ambit_spawn_options *options)
{
    struct worker *worker = worker_self;
    struct task *task =
        make_seated(worker, region, fn, arg, arg_size, options, false);
    if (UNLIKELY(task == NULL)) {
        return spawn_with(region, fn, arg, arg_size, options);
    }
    if (options != NULL && options->ret_task != NULL) {
        *options->ret_task = join_handle(task);
    }
    queue_seated(worker, task);
    return 0;
}

static NOINLINE int spawn_bare(struct region *region, ambit_task_fn *fn,
                               const void *arg, size_t arg_size)
{
    return spawn_usual(region, fn, arg, arg_size, NULL);
}

static NOINLINE int spawn_dressed(struct region *region, ambit_task_fn *fn,
                                  const void *arg, size_t arg_size,
                                  const struct ambit_spawn_options *options)
{
    return is_usual(options)
               ? spawn_usual(region, fn, arg, arg_size, options)
               : spawn_with(region, fn, arg, arg_size, options);
}

int ambit_spawn_(ambit_region *public, ambit_task_fn *fn, const void *arg,
                 size_t arg_size, const struct ambit_spawn_options *options)
{
    struct region *region = region_of(public);
    return options != NULL
               ? spawn_dressed(region, fn, arg, arg_size, options)
               : spawn_bare(region, fn, arg, arg_size);
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
    struct ambit_spawn_options options = {.name = name};
    rc = make(region, fn, &arg, sizeof arg, &options, false,
              &task);
    if (rc < 0) {
        region_leave(region, REGION_TASK);
        return rc;
    }
    task->hooks = hooks;
    COUNT(task_runtime(region->host), spawned);
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
    rc = make(region, step, state, state_size, options, true, &task);
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
    poll_prepare(task);
    COUNT(task_runtime(region->host), spawned);
    task_list(task); /* idle or not: a cancel of the region wakes it */
    task_start(task, true);
    return 0;
}

ALWAYS_INLINE static int spawn_poll(struct region *region, ambit_step_fn *step,
                                    const void *state, size_t state_size,
                                    const struct ambit_spawn_options *options)
{
    struct worker *worker = worker_self;
    struct task *task =
        make_seated(worker, region, step, state, state_size, options,
                    true);
    if (UNLIKELY(task == NULL)) {
        return spawn_poll_with(region, step, state, state_size, options);
    }
    poll_prepare(task);
    task_list(task);
    queue_seated(worker, task);
    return 0;
}

static NOINLINE int spawn_poll_dressed(struct region *region,
                                       ambit_step_fn *step, const void *state,
                                       size_t state_size,
                                       const struct ambit_spawn_options *options)
{
    return is_usual(options) && options->ret_task == NULL
               ? spawn_poll(region, step, state, state_size, options)
               : -EINVAL;
}

int ambit_spawn_poll_(ambit_region *public, ambit_step_fn *step,
                      const void *state, size_t state_size,
                      const struct ambit_spawn_options *options)
{
    struct region *region = region_of(public);
    return options != NULL
               ? spawn_poll_dressed(region, step, state, state_size, options)
               : spawn_poll(region, step, state, state_size, NULL);
}
