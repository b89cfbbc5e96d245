/* SPDX-License-Identifier: MIT */
/*
 * record.c -- the memory of a task.
 *
 *     record              | argument, up to 64 or 192 bytes
 *     three cache lines   | one, or three; a larger one is allocated by itself
 *
 *   TASK-SPAWN-1  A task runs its own copy of the argument.
 *
 * Owner: a record is its maker's until task_start(), and the machine's to free
 * once the owner has been told of its end.
 */
#include "src/task.h"

#include "src/runtime.h"
#include "src/worker.h"

#include <stdlib.h>

_Static_assert(sizeof(struct task) == 192 &&
                   sizeof(struct task) + TASK_ARG_SMALL == 256 &&
                   sizeof(struct task) + TASK_ARG_BEHIND == 384,
               "slab classes");

/* Behind the record, which is then of a larger class. */
static inline void *arg_room(struct task *task)
{
    return task + 1;
}

ALWAYS_INLINE static void init(struct task *task, struct runtime *runtime,
                               struct task_owner *owner, ambit_task_fn *fn,
                               void *arg)
{
    /* The first word outlives the record: see slab.h. */
    task->cx.at = NULL;
    task->dispose = NULL;
    /* The flags.  The rest is written before it is read: a long memset would
     * cost more than all other stores of a spawn. */
    memset(&task->tier, 0,
           offsetof(struct task, scope) - offsetof(struct task, tier));
    task->abort = NULL;
    task->hooks = NULL;
    task->joiner = NULL;
    task->fn = fn;
    task->arg = arg;
    task->name = "task";
    task->runtime = runtime;
    task->owner = owner;
    task->scope = owner;
    task->embedded = true;
    atomic_init(&task->abort_state, ABORT_NONE);
    TELL(TASK_MADE, task, owner, 0);
}

void task_init(struct task *task, struct runtime *runtime,
               struct task_owner *owner, ambit_task_fn *fn, void *arg)
{
    init(task, runtime, owner, fn, arg);
}

/* A record of the class that has the room. */
static inline struct task *record_alloc(struct runtime *runtime,
                                        const void *arg, size_t arg_size)
{
    if (arg == NULL || UNLIKELY(arg_size > TASK_ARG_BEHIND)) {
        return runtime_alloc(runtime, SLAB_HANDLE_192);
    }
    return LIKELY(arg_size <= TASK_ARG_SMALL)
               ? runtime_alloc(runtime, SLAB_HANDLE_256)
               : runtime_alloc(runtime, SLAB_HANDLE_384);
}

/* A new record; an argument that lies behind it is copied. */
ALWAYS_INLINE static void fill(struct task *task, struct runtime *runtime,
                               struct task_owner *owner, ambit_task_fn *fn,
                               const void *arg, size_t arg_size)
{
    init(task, runtime, owner, fn, NULL);
    task->embedded = false;
    if (arg != NULL && arg_size <= TASK_ARG_BEHIND) {
        RULE(TASK_SPAWN_1);
        task->arg_wide = arg_size > TASK_ARG_SMALL;
        task->arg = arg_room(task);
        copy_bytes(task->arg, arg, arg_size);
    }
}

/* A large one.  False: there is no memory. */
static bool copy_apart(struct task *task, const void *arg, size_t arg_size)
{
    RULE(TASK_SPAWN_1);
    task->arg_apart = true;
    task->arg = malloc(arg_size);
    if (task->arg == NULL) {
        return false;
    }
    memcpy(task->arg, arg, arg_size);
    return true;
}

HOT_PATH int task_make(struct runtime *runtime, struct task_owner *owner,
                       ambit_task_fn *fn, const void *arg, size_t arg_size,
                       struct task **ret_task)
{
    if (arg_size > TASK_ARG_MAX) {
        return -E2BIG;
    }
    struct task *task = record_alloc(runtime, arg, arg_size);
    if (task == NULL) {
        return -ENOMEM;
    }
    fill(task, runtime, owner, fn, arg, arg_size);
    if (UNLIKELY(arg != NULL && task->arg == NULL) &&
        !copy_apart(task, arg, arg_size)) {
        task_unmake(task);
        return -ENOMEM;
    }
    *ret_task = task;
    return 0;
}

/* One call for each class: they are in line, and each knows its own. */
static inline struct task *record_here(struct worker *worker, const void *arg,
                                       size_t arg_size)
{
    if (arg == NULL) {
        return worker_alloc(worker, SLAB_HANDLE_192);
    }
    return LIKELY(arg_size <= TASK_ARG_SMALL)
               ? worker_alloc(worker, SLAB_HANDLE_256)
               : worker_alloc(worker, SLAB_HANDLE_384);
}

ALWAYS_INLINE struct task *task_make_here(struct worker *worker,
                                          struct task_owner *owner,
                                          ambit_task_fn *fn, const void *arg,
                                          size_t arg_size)
{
    struct task *task = record_here(worker, arg, arg_size);
    if (LIKELY(task != NULL)) {
        fill(task, worker->runtime, owner, fn, arg, arg_size);
    }
    return task;
}

static NOINLINE void unmake_large(struct task *task)
{
    if (task->arg_wide) {
        runtime_free(task->runtime, SLAB_HANDLE_384, task);
        return;
    }
    free(task->arg);
    runtime_free(task->runtime, SLAB_HANDLE_192, task);
}

HOT_PATH void task_unmake(struct task *task)
{
    TELL(TASK_GONE, task, NULL, 0);
    if (UNLIKELY(task->arg_wide || task->arg_apart)) {
        unmake_large(task);
    } else if (task->arg == arg_room(task)) {
        runtime_free(task->runtime, SLAB_HANDLE_256, task);
    } else {
        runtime_free(task->runtime, SLAB_HANDLE_192, task);
    }
}

/* The last use of a record. */
NOINLINE void task_let_go(struct task *task)
{
    if (!task->embedded) {
        task_unmake(task);
        return;
    }
    TELL(TASK_GONE, task, NULL, 0);
    if (task->hooks != NULL && task->hooks->gone != NULL) {
        task->hooks->gone(task);
    }
}

/* A note may be on its way to it, or being delivered on another thread: that
 * frees the record instead. */
static inline bool is_owed_a_note(struct task *task)
{
    /* ORDER(abort-post): acquire.  Nobody posts any more: posting needs the
     * owner's list or an open scope.  Pairs with abort_move(). */
    if (LIKELY(atomic_load_explicit(&task->abort_state,
                                    memory_order_acquire) == ABORT_NONE)) {
        return false;
    }
    /* ORDER(abort-post): acq_rel.  Pairs with abort_move(). */
    return atomic_exchange_explicit(&task->abort_state, ABORT_DEAD,
                                    memory_order_acq_rel) != ABORT_NONE;
}

void task_free(struct task *task)
{
    if (!is_owed_a_note(task)) {
        task_let_go(task);
    }
}

ALWAYS_INLINE void task_free_here(struct worker *worker, struct task *task)
{
    if (UNLIKELY(is_owed_a_note(task))) {
        return;
    }
    if (UNLIKELY(task->arg_wide || task->arg_apart)) {
        task_unmake(task);
        return;
    }
    TELL(TASK_GONE, task, NULL, 0);
    if (task->arg == arg_room(task)) {
        worker_free(worker, SLAB_HANDLE_256, task);
    } else {
        worker_free(worker, SLAB_HANDLE_192, task);
    }
}
