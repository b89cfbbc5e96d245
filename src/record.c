/* SPDX-License-Identifier: MIT */
/*
 * record.c -- the memory of a task.
 *
 *     record           | extras, where it has some | argument
 *     two cache lines  | one line, or three; a large argument is allocated apart
 *
 * The record of a poll task without extras and argument is brief: its first word,
 * which is not there, belongs to the task before it.
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

_Static_assert(sizeof(struct task) == 128 &&
                   sizeof(struct task) + TASK_ARG_SMALL == 192 &&
                   sizeof(struct task) + TASK_ARG_BEHIND == 320,
               "slab classes");
_Static_assert(sizeof(struct task) + sizeof(struct task_extras) <= UINT8_MAX &&
                   sizeof(struct task_extras) % 16 == 0,
               "where an argument begins");

const char *task_name(const struct task *task)
{
    const char *name = NULL;
    if (task->has_extras) {
        name = task_extras(task)->name;
    } else if (task->embedded) {
        name = task->hooks->name(task);
    }
    return name != NULL ? name : "task";
}

/* They begin behind the last word. */
#define TASK_FLAGS (offsetof(struct task, home) + sizeof(uintptr_t))

/* All of the second line; what the first one holds is written before it is read,
 * and its join_word outlives the record: see slab.h. */
ALWAYS_INLINE static void init(struct task *task, struct runtime *runtime,
                               struct task_owner *owner, ambit_task_fn *fn)
{
    task->cx.at = NULL;
    task->fn = fn;
    task->owner = owner;
    task->hooks = NULL;
    task->scope = owner;
    atomic_init(&task->home, task_at_large(runtime));
    memset((char *)task + TASK_FLAGS, 0, sizeof *task - TASK_FLAGS);
    TELL(TASK_MADE, task, owner, 0);
}

void task_init(struct task *task, struct runtime *runtime,
               struct task_owner *owner, ambit_task_fn *fn)
{
    init(task, runtime, owner, fn);
    task->embedded = true;
}

/* What lies behind the record. */
static inline size_t tail_size(size_t arg_size, const struct task_extras *extras)
{
    size_t size = extras != NULL ? sizeof *extras : 0;
    return size +
           (LIKELY(arg_size <= TASK_ARG_FITS) ? arg_size : sizeof(void *));
}

/* A brief record lacks what lies before its link. */
static inline void *brief_object(struct task *task)
{
    return &task->link;
}

static inline struct task *brief_task(void *object)
{
    return object != NULL ? CONTAINER_OF(object, struct task, link) : NULL;
}

static inline bool has_tail(const struct task *task)
{
    return task->arg_at != 0 || task->has_extras;
}

/* A record of the class that has the room. */
static inline struct task *record_alloc(struct runtime *runtime, size_t tail,
                                        bool moves)
{
    if (tail == 0) {
        return moves ? brief_task(runtime_alloc(runtime, SLAB_TASK_120))
                     : runtime_alloc(runtime, SLAB_TASK_128);
    }
    return LIKELY(tail <= TASK_ARG_SMALL)
               ? runtime_alloc(runtime, SLAB_TASK_192)
               : runtime_alloc(runtime, SLAB_TASK_320);
}

/* A new record; an argument that fits is copied. */
ALWAYS_INLINE static void fill(struct task *task, struct runtime *runtime,
                               struct task_owner *owner, ambit_task_fn *fn,
                               const void *arg, size_t arg_size,
                               const struct task_extras *extras,
                               bool moves)
{
    init(task, runtime, owner, fn);
    task->moves = moves;
    task->wide = tail_size(arg_size, extras) > TASK_ARG_SMALL;
    size_t at = sizeof *task;
    if (UNLIKELY(extras != NULL)) {
        task->has_extras = true;
        *task_extras(task) = *extras;
        at += sizeof *extras;
    }
    if (arg_size > 0 && LIKELY(arg_size <= TASK_ARG_FITS)) {
        RULE(TASK_SPAWN_1);
        task->arg_at = (uint8_t)at;
        copy_bytes((char *)task + at, arg, arg_size);
    }
}

/* A large one.  False: there is no memory. */
static bool copy_apart(struct task *task, const void *arg, size_t arg_size)
{
    RULE(TASK_SPAWN_1);
    void *copy = malloc(arg_size);
    task->arg_apart = true;
    *task_arg_apart(task) = copy;
    if (copy == NULL) {
        return false;
    }
    memcpy(copy, arg, arg_size);
    return true;
}

HOT_PATH int task_make(struct runtime *runtime, struct task_owner *owner,
                       ambit_task_fn *fn, const void *arg, size_t arg_size,
                       const struct task_extras *extras,
                       bool moves, struct task **ret_task)
{
    if (arg_size > TASK_ARG_MAX) {
        return -E2BIG;
    }
    struct task *task =
        record_alloc(runtime, tail_size(arg_size, extras), moves);
    if (task == NULL) {
        return -ENOMEM;
    }
    fill(task, runtime, owner, fn, arg, arg_size, extras, moves);
    if (UNLIKELY(arg_size > TASK_ARG_FITS) &&
        !copy_apart(task, arg, arg_size)) {
        task_unmake(task);
        return -ENOMEM;
    }
    *ret_task = task;
    return 0;
}

/* One call for each class: they are in line, and each knows its own. */
static inline struct task *record_here(struct worker *worker, size_t tail,
                                       bool moves)
{
    if (LIKELY(tail - 1 < TASK_ARG_SMALL)) {
        return worker_alloc(worker, SLAB_TASK_192);
    }
    if (moves && tail == 0) {
        return brief_task(worker_alloc(worker, SLAB_TASK_120));
    }
    return tail == 0 ? worker_alloc(worker, SLAB_TASK_128)
                     : worker_alloc(worker, SLAB_TASK_320);
}

ALWAYS_INLINE struct task *task_make_here(struct worker *worker,
                                          struct task_owner *owner,
                                          ambit_task_fn *fn, const void *arg,
                                          size_t arg_size,
                                          const struct task_extras *extras,
                                          bool moves)
{
    struct task *task =
        record_here(worker, tail_size(arg_size, extras), moves);
    if (LIKELY(task != NULL)) {
        fill(task, worker->runtime, owner, fn, arg, arg_size, extras, moves);
    }
    return task;
}

static NOINLINE void unmake_large(struct task *task)
{
    if (task->arg_apart) {
        free(task_arg(task));
    }
    runtime_free(task_runtime(task), task->wide ? SLAB_TASK_320 : SLAB_TASK_192,
                 task);
}

HOT_PATH void task_unmake(struct task *task)
{
    TELL(TASK_GONE, task, NULL, 0);
    if (UNLIKELY(task->wide || task->arg_apart)) {
        unmake_large(task);
    } else if (has_tail(task)) {
        runtime_free(task_runtime(task), SLAB_TASK_192, task);
    } else if (task->moves) {
        runtime_free(task_runtime(task), SLAB_TASK_120, brief_object(task));
    } else {
        runtime_free(task_runtime(task), SLAB_TASK_128, task);
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
    if (UNLIKELY(task->wide || task->arg_apart)) {
        task_unmake(task);
        return;
    }
    TELL(TASK_GONE, task, NULL, 0);
    if (has_tail(task)) {
        worker_free(worker, SLAB_TASK_192, task);
    } else if (task->moves) {
        worker_free(worker, SLAB_TASK_120, brief_object(task));
    } else {
        worker_free(worker, SLAB_TASK_128, task);
    }
}
